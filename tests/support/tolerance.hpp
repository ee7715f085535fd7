// How far a result may be from the exact one: functions of length, magnitude and condition, never a magic constant.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/reference.hpp"

namespace norma_test {

using reference::real;

/// Allowed absolute error per element of each result.
struct Bounds {
  std::vector<real> y, mean, rstd, dx, dweight, dbias;
};

/// The arithmetic whose rounding the bounds allow for.
struct Precision {
  real eps;   // std::numeric_limits<T>::epsilon() of the narrowest type between x and the result
  real tiny;  // its smallest subnormal: what underflow may cost
};

template <class... T>
constexpr Precision precision_of() {
  Precision p{0, 0};
  ((p.eps = p.eps < static_cast<real>(std::numeric_limits<T>::epsilon()) ? static_cast<real>(std::numeric_limits<T>::epsilon()) : p.eps),
   ...);
  ((p.tiny = p.tiny < static_cast<real>(std::numeric_limits<T>::denorm_min()) ? static_cast<real>(std::numeric_limits<T>::denorm_min())
                                                                              : p.tiny),
   ...);
  return p;
}

/// A backward in wider arithmetic than T still reads its statistics from a Saved<T>, which keeps each as the sum of two T.
template <class T, class... Wide>
constexpr Precision precision_from_saved() {
  Precision p = precision_of<Wide...>();
  const real eps = static_cast<real>(std::numeric_limits<T>::epsilon());
  if (p.eps < eps * eps) p.eps = eps * eps;
  return p;
}

/// The promised bound: 4 eps (|y - bias| + |bias|) + 2 eps kappa |weight|.
inline real y_bound(const Precision& p, real y, real bias, real weight, real kappa) {
  return 4 * p.eps * (std::abs(y - bias) + std::abs(bias)) + 2 * p.eps * kappa * std::abs(weight) + 2 * p.tiny;
}

/// sqrt(1 + mean^2 / (variance + eps)): how much larger than its deviations an element is.
inline real kappa(real mean, real rstd) { return std::sqrt(1 + mean * mean * rstd * rstd); }
/// That of a set. A vector brought to length 1 has errors relative to its elements alone.
inline real kappa(const reference::Answer& a, std::size_t s) { return a.unit ? 0 : kappa(a.mean[s], a.rstd[s]); }

/// Rounding of a sum of n terms, in eps times the sum of the terms' magnitudes: 32 lanes accumulate n / 32 terms each, whose roundings walk
/// randomly (sqrt), with 1/2 eps per step; the fold tree and the conversion add a few more.
inline real sum_growth(std::size_t n) { return 3 + std::sqrt(static_cast<real>(n) / 32) / 2; }

namespace tolerance_detail {

/// |x_hat - exact| that the y bound allows for weight 1 and bias 0.
inline real x_hat_bound(const Precision& p, real x_hat, real kappa_of_set) {
  return 4 * p.eps * std::abs(x_hat) + 2 * p.eps * kappa_of_set;
}

}  // namespace tolerance_detail

/// Statistics, output and dx of one set.
inline void bound_set(const reference::Problem& p, const reference::Answer& a, std::size_t s, const Precision& arithmetic, Bounds& b) {
  const std::vector<std::size_t>& set = a.sets[s];
  const real k = kappa(a, s), m = static_cast<real>(set.size()), eps = arithmetic.eps;
  // The same relative to sigma as the y bound's kappa term, so that a backward from saved statistics is as good as the forward.
  b.mean[s] = 2 * eps * std::sqrt(a.mean[s] * a.mean[s] + a.variance[s]) + arithmetic.tiny;
  b.rstd[s] = 4 * eps * a.rstd[s] + arithmetic.tiny;
  real mean_g = 0, mean_gx = 0, abs_g = 0, abs_gx = 0, g_times_error = 0, outside = 1;
  for (const std::size_t i : set) {
    const real g = p.dy[i] * p.scale(i);
    b.y[i] = y_bound(arithmetic, a.y[i], p.bias[i], p.scale(i), k);
    if (a.given) continue;  // dx has no other term than g
    mean_g += g / m;
    mean_gx += g * a.x_hat[i] / m;
    abs_g += std::abs(g) / m;
    abs_gx += std::abs(g * a.x_hat[i]) / m;
    g_times_error += std::abs(g) * tolerance_detail::x_hat_bound(arithmetic, a.x_hat[i], k) / m;
  }
  if (p.eps_outside_sqrt && a.variance[s] > 0) outside = 1 / (a.rstd[s] * std::sqrt(a.variance[s]));
  if (a.unit) outside = m;  // sum(g x_hat) where the other norms have the mean
  const real growth = sum_growth(set.size());
  const real mean_g_error = a.centred ? growth * eps * abs_g : 0;
  const real mean_gx_error = (growth * eps * abs_gx + g_times_error) * outside;
  for (const std::size_t i : set) {
    const real g = std::abs(p.dy[i] * p.scale(i)), x_hat = std::abs(a.x_hat[i]);
    const real terms = g + (a.centred ? std::abs(mean_g) : 0) + x_hat * std::abs(mean_gx) * outside;
    const real error =
        mean_g_error + x_hat * mean_gx_error + tolerance_detail::x_hat_bound(arithmetic, x_hat, k) * std::abs(mean_gx) * outside;
    b.dx[i] = a.rstd[s] * (4 * eps * terms + error) + 2 * eps * std::abs(a.dx[i]) + 2 * arithmetic.tiny * (1 + a.rstd[s]);
  }
}

/// Parameter gradients: sums over every element that shares the cell.
inline void bound_gradients(const reference::Problem& p, const reference::Answer& a, const Precision& arithmetic, Bounds& b) {
  std::vector<std::size_t> weight_terms(p.weight_cells, 0), bias_terms(p.bias_cells, 0);
  std::vector<real> weight_size(p.weight_cells, 0), bias_size(p.bias_cells, 0);
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    const real k = kappa(a, s);
    for (const std::size_t i : a.sets[s]) {
      if (p.weight_cells > 0) {
        const std::size_t c = p.weight_cell[i];
        ++weight_terms[c];
        weight_size[c] += std::abs(p.dy[i] * a.x_hat[i]);
        b.dweight[c] += std::abs(p.dy[i]) * tolerance_detail::x_hat_bound(arithmetic, a.x_hat[i], k);
      }
      if (p.bias_cells > 0) {
        const std::size_t c = p.bias_cell[i];
        ++bias_terms[c];
        bias_size[c] += std::abs(p.dy[i]);
      }
    }
  }
  for (std::size_t c = 0; c < p.weight_cells; ++c) {
    b.dweight[c] += arithmetic.eps * (sum_growth(weight_terms[c]) * weight_size[c] + std::abs(a.dweight[c])) + 2 * arithmetic.tiny;
  }
  for (std::size_t c = 0; c < p.bias_cells; ++c) {
    b.dbias[c] = arithmetic.eps * (sum_growth(bias_terms[c]) * bias_size[c] + std::abs(a.dbias[c])) + 2 * arithmetic.tiny;
  }
}

/// All bounds for results of a problem computed in this precision.
inline Bounds bounds(const reference::Problem& p, const reference::Answer& a, const Precision& arithmetic) {
  Bounds b;
  b.y.assign(p.x.size(), 0);
  b.dx = b.y;
  b.mean.assign(a.sets.size(), 0);
  b.rstd = b.mean;
  b.dweight.assign(p.weight_cells, 0);
  b.dbias.assign(p.bias_cells, 0);
  for (std::size_t s = 0; s < a.sets.size(); ++s) bound_set(p, a, s, arithmetic, b);
  bound_gradients(p, a, arithmetic, b);
  return b;
}

}  // namespace norma_test
