// LayerNorm and RMSNorm over c of (n, c, s) as plain loops in double: what --verify compares every implementation with.
#pragma once

#include "../support/problem.hpp"

#include <array>
#include <cmath>
#include <vector>

namespace bench {

/// Mean and reciprocal deviation over c at (n, s); `centred` is false for RMSNorm, whose mean is 0 and which has no bias.
template <class T>
std::array<double, 2> statistics(const Problem& p, const T* x, index_t n, index_t s, bool centred) {
  double sum = 0, squares = 0;
  for (index_t c = 0; c < p.c; ++c) sum += static_cast<double>(x[(n * p.c + c) * p.s + s]);
  const double mean = centred ? sum / static_cast<double>(p.c) : 0;
  for (index_t c = 0; c < p.c; ++c) {
    const double d = static_cast<double>(x[(n * p.c + c) * p.s + s]) - mean;
    squares += d * d;
  }
  return {mean, 1 / std::sqrt(squares / static_cast<double>(p.c) + eps)};
}

template <class T>
void reference_forward(const Problem& p, const Operands<T>& o, bool centred) {
  for (index_t n = 0; n < p.n; ++n)
    for (index_t s = 0; s < p.s; ++s) {
      const auto [mean, rstd] = statistics(p, o.x, n, s, centred);
      for (index_t c = 0; c < p.c; ++c) {
        const index_t i = (n * p.c + c) * p.s + s;
        const double x_hat = (static_cast<double>(o.x[i]) - mean) * rstd;
        o.y[i] = static_cast<T>(x_hat * static_cast<double>(o.weight[c]) + (centred ? static_cast<double>(o.bias[c]) : 0));
      }
    }
}

template <class T>
void reference_backward(const Problem& p, const Operands<T>& o, bool centred) {
  std::vector<double> weight_grad(static_cast<std::size_t>(p.c)), bias_grad(weight_grad);
  for (index_t n = 0; n < p.n; ++n)
    for (index_t s = 0; s < p.s; ++s) {
      const auto [mean, rstd] = statistics(p, o.x, n, s, centred);
      double g_mean = 0, slope = 0;
      for (index_t c = 0; c < p.c; ++c) {
        const index_t i = (n * p.c + c) * p.s + s;
        const double x_hat = (static_cast<double>(o.x[i]) - mean) * rstd, dy = static_cast<double>(o.dy[i]);
        g_mean += centred ? dy * static_cast<double>(o.weight[c]) / static_cast<double>(p.c) : 0;
        slope += dy * static_cast<double>(o.weight[c]) * x_hat / static_cast<double>(p.c);
        weight_grad[static_cast<std::size_t>(c)] += dy * x_hat;
        bias_grad[static_cast<std::size_t>(c)] += centred ? dy : 0;
      }
      for (index_t c = 0; c < p.c; ++c) {
        const index_t i = (n * p.c + c) * p.s + s;
        const double x_hat = (static_cast<double>(o.x[i]) - mean) * rstd;
        o.dx[i] = static_cast<T>(rstd * (static_cast<double>(o.dy[i]) * static_cast<double>(o.weight[c]) - g_mean - x_hat * slope));
      }
    }
  for (index_t c = 0; c < p.c; ++c) {
    o.weight_grad[c] = static_cast<T>(weight_grad[static_cast<std::size_t>(c)]);
    o.bias_grad[c] = static_cast<T>(bias_grad[static_cast<std::size_t>(c)]);
  }
}

template <class T>
Maker<T> row_norm_reference(Pass pass, bool centred) {
  return [pass, centred](const Problem& p, const Operands<T>& o) {
    return Work{[=] { pass == Pass::backward ? reference_backward(p, o, centred) : reference_forward(p, o, centred); }, {}};
  };
}

}  // namespace bench
