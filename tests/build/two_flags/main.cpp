// Runs the halves named on the command line ("sse2", "avx2") and compares each with plain double loops.
#include "half.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

using two_flags::Arrays;

struct Tensors {
  int rows, length;
  std::vector<float> x, dy, weight, bias, y, dx, weight_grad, bias_grad;

  Tensors(int r, int l) : rows(r), length(l) {
    unsigned state = 12345;
    const auto fill = [&](std::vector<float>& v, int n) {
      v.resize(static_cast<std::size_t>(n));
      for (float& value : v) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) / 8388608.0f - 1;
      }
    };
    for (auto* v : {&x, &dy, &y, &dx}) fill(*v, rows * length);
    for (auto* v : {&weight, &bias, &weight_grad, &bias_grad}) fill(*v, length);
  }

  Arrays arrays() {
    return {rows, length, x.data(), dy.data(), weight.data(), bias.data(), y.data(), dx.data(), weight_grad.data(), bias_grad.data()};
  }
};

/// The formulas of the two layers, one row after the other, in double. `centred` is LayerNorm, else RMSNorm.
void reference(const Arrays& a, bool centred, double eps) {
  const double m = a.length;
  for (int i = 0; i < a.length; ++i) a.weight_grad[i] = a.bias_grad[i] = 0;
  std::vector<double> weight_grad(static_cast<std::size_t>(a.length)), bias_grad(weight_grad);
  for (int r = 0; r < a.rows; ++r) {
    const float *x = a.x + r * a.length, *dy = a.dy + r * a.length;
    float *y = a.y + r * a.length, *dx = a.dx + r * a.length;
    double mean = 0, square = 0, g_mean = 0, gx_mean = 0;
    for (int i = 0; centred && i < a.length; ++i) mean += x[i] / m;
    for (int i = 0; i < a.length; ++i) square += (x[i] - mean) * (x[i] - mean) / m;
    const double rstd = 1 / std::sqrt(square + eps);
    for (int i = 0; i < a.length; ++i) {
      const double g = static_cast<double>(dy[i]) * a.weight[i], x_hat = (x[i] - mean) * rstd;
      g_mean += centred ? g / m : 0;
      gx_mean += g * x_hat / m;
    }
    for (int i = 0; i < a.length; ++i) {
      const double g = static_cast<double>(dy[i]) * a.weight[i], x_hat = (x[i] - mean) * rstd;
      y[i] = static_cast<float>(x_hat * a.weight[i] + (centred ? a.bias[i] : 0.0f));
      dx[i] = static_cast<float>(rstd * (g - g_mean - x_hat * gx_mean));
      weight_grad[static_cast<std::size_t>(i)] += dy[i] * x_hat;
      bias_grad[static_cast<std::size_t>(i)] += dy[i];
    }
  }
  for (int i = 0; i < a.length; ++i) {
    a.weight_grad[i] = static_cast<float>(weight_grad[static_cast<std::size_t>(i)]);
    a.bias_grad[i] = static_cast<float>(bias_grad[static_cast<std::size_t>(i)]);
  }
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;  // a NaN stays
  }
  return largest;
}

bool agree(const char* half, const char* layer, const Tensors& got, const Tensors& expected) {
  const double y = largest_difference(got.y, expected.y), dx = largest_difference(got.dx, expected.dx);
  const double grads = largest_difference(got.weight_grad, expected.weight_grad) + largest_difference(got.bias_grad, expected.bias_grad);
  // Values are at most about 2, sums of 37 of them below 64: a few units in the last place of each.
  const bool right = y < 1e-6 && dx < 4e-6 && grads < 1e-5;
  if (!right) std::printf("%s %s (%d, %d) IS WRONG: y %g, dx %g, gradients %g\n", half, layer, got.rows, got.length, y, dx, grads);
  return right;
}

struct Half {
  const char* name;
  const char* (*instruction_set)();
  void (*layer_norm)(const Arrays&);
  void (*rms_norm)(const Arrays&);
};

constexpr Half halves[] = {
    {"sse2", two_flags::sse2_instruction_set, two_flags::sse2_layer_norm, two_flags::sse2_rms_norm},
    {"avx2", two_flags::avx2_instruction_set, two_flags::avx2_layer_norm, two_flags::avx2_rms_norm},
};

bool run(const Half& half) {
  bool right = true;
  int cases = 0;
  for (const int rows : {1, 3, 37}) {
    for (const int length : {1, 2, 7, 8, 31, 32, 33, 100, 768}) {
      Tensors got(rows, length), expected(rows, length);
      half.layer_norm(got.arrays());
      reference(expected.arrays(), true, 1e-5);
      // Where one element is the whole set, x_hat is 0 and RMSNorm's is its sign: both are exact.
      right = agree(half.name, "LayerNorm", got, expected) && right;
      half.rms_norm(got.arrays());
      reference(expected.arrays(), false, 1e-6);
      got.bias_grad = expected.bias_grad;
      right = agree(half.name, "RMSNorm", got, expected) && right;
      cases += 2;
    }
  }
  std::printf("%s half, compiled for %s: %d cases %s\n", half.name, half.instruction_set(), cases, right ? "right" : "WRONG");
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  bool right = argc > 1;
  for (int i = 1; i < argc; ++i) {
    for (const Half& half : halves) {
      if (std::strcmp(argv[i], half.name) == 0) right = run(half) && right;
    }
  }
  if (argc > 2) {
    const bool two = std::strcmp(halves[0].instruction_set(), halves[1].instruction_set()) != 0;
    if (!two) std::printf("both halves are compiled for %s: this compares nothing\n", halves[0].instruction_set());
    right = two && right;
  }
  return right ? 0 : 1;
}
