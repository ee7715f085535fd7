// A half against plain double loops, and two halves bit by bit.
#pragma once

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "half.hpp"

namespace two_flags {

struct Tensors {
  int rows, length;
  std::vector<float> x, dy, weight, bias, y, dx, weight_grad, bias_grad;

  Tensors(int r, int l) : rows(r), length(l) {
    std::minstd_rand random;
    const auto fill = [&](std::vector<float>& v, int n) {
      for (int i = 0; i < n; ++i) v.push_back(static_cast<float>(random()) / 0x1p30f - 1);
    };
    for (auto* v : {&x, &dy, &y, &dx}) fill(*v, rows * length);
    for (auto* v : {&weight, &bias, &weight_grad, &bias_grad}) fill(*v, length);
  }
  Arrays arrays() {
    return {rows, length, x.data(), dy.data(), weight.data(), bias.data(), y.data(), dx.data(), weight_grad.data(), bias_grad.data()};
  }
};

inline double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;  // a NaN stays
  }
  return largest;
}

/// Whether these are the results of LayerNorm (`centred`) or RMSNorm, computed one row after the other in double.
inline bool right(const Tensors& t, bool centred, double eps) {
  const auto length = static_cast<std::size_t>(t.length);
  const double m = t.length;
  std::vector<double> y, dx, weight_grad(length), bias_grad(length);
  for (std::size_t first = 0; first < t.x.size(); first += length) {
    const float *x = t.x.data() + first, *dy = t.dy.data() + first;
    double mean = 0, square = 0, g_mean = 0, gx_mean = 0;
    for (std::size_t i = 0; centred && i < length; ++i) mean += x[i] / m;
    for (std::size_t i = 0; i < length; ++i) square += (x[i] - mean) * (x[i] - mean) / m;
    const double rstd = 1 / std::sqrt(square + eps);
    const auto g = [&](std::size_t i) { return static_cast<double>(dy[i]) * t.weight[i]; };
    const auto x_hat = [&](std::size_t i) { return (x[i] - mean) * rstd; };
    for (std::size_t i = 0; i < length; ++i) {
      g_mean += centred ? g(i) / m : 0;
      gx_mean += g(i) * x_hat(i) / m;
    }
    for (std::size_t i = 0; i < length; ++i) {
      y.push_back(x_hat(i) * t.weight[i] + (centred ? t.bias[i] : 0.0f));
      dx.push_back(rstd * (g(i) - g_mean - x_hat(i) * gx_mean));
      weight_grad[i] += dy[i] * x_hat(i);
      bias_grad[i] += dy[i];
    }
  }
  const double of_y = largest_difference(t.y, y), of_dx = largest_difference(t.dx, dx);
  const double of_grads = largest_difference(t.weight_grad, weight_grad) + (centred ? largest_difference(t.bias_grad, bias_grad) : 0);
  // Values are at most about 2, sums of 37 of them below 64: a few units in the last place of each.
  if (of_y < 1e-6 && of_dx < 4e-6 && of_grads < 1e-5) return true;
  std::printf("%s (%d, %d): y %g, dx %g, gradients %g\n", centred ? "LayerNorm" : "RMSNorm", t.rows, t.length, of_y, of_dx, of_grads);
  return false;
}

inline constexpr int all_rows[] = {1, 3, 37}, all_lengths[] = {1, 2, 7, 8, 31, 32, 33, 100, 768};

inline bool run(const char* name, const Half& half) {
  int wrong = 0;
  for (const int rows : all_rows) {
    for (const int length : all_lengths) {
      Tensors t(rows, length);
      half.layer_norm(t.arrays());
      wrong += right(t, true, 1e-5) ? 0 : 1;
      half.rms_norm(t.arrays());
      wrong += right(t, false, 1e-6) ? 0 : 1;
    }
  }
  std::printf("%s half, compiled for %s: %d wrong\n", name, half.instruction_set(), wrong);
  return wrong == 0;
}

inline bool same_bits(const Half& a, const Half& b) {
  int differ = 0;
  for (const int rows : all_rows) {
    for (const int length : all_lengths) {
      for (const auto norm : {&Half::layer_norm, &Half::rms_norm, &Half::fused}) {
        Tensors of_a(rows, length), of_b(rows, length);
        (a.*norm)(of_a.arrays());
        (b.*norm)(of_b.arrays());
        const bool same =
            of_a.y == of_b.y && of_a.dx == of_b.dx && of_a.weight_grad == of_b.weight_grad && of_a.bias_grad == of_b.bias_grad;
        differ += same ? 0 : 1;
      }
    }
  }
  std::printf("%s and %s: %d calls whose bits differ\n", a.instruction_set(), b.instruction_set(), differ);
  return differ == 0;
}

}  // namespace two_flags
