// What the norms are, as plain loops in long double over row-major arrays; reads like the papers and shares nothing with the library.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/shape.hpp"

namespace norma_test::reference {

using real = long double;

/// A forward and a backward to be computed. Parameters are already spread over x's shape (1 and 0 where absent); several elements may
/// belong to one parameter cell, whose gradient collects them.
struct Problem {
  Extents extents;
  std::vector<std::ptrdiff_t> axes;  // averaged
  std::vector<real> x, dy, weight, bias;
  std::vector<std::size_t> weight_cell, bias_cell;
  std::size_t weight_cells = 0, bias_cells = 0;
  double eps = 0;
  bool unit_offset = false, eps_outside_sqrt = false;
  std::ptrdiff_t groups = 1;                     // of axis 1, for norms over groups of channels
  std::vector<real> given_mean, given_variance;  // of each channel, for norms that do not compute them

  /// What multiplies x_hat at element i.
  real scale(std::size_t i) const { return weight[i] + (unit_offset ? 1 : 0); }
};

struct Answer {
  std::vector<std::vector<std::size_t>> sets;  // the elements that share a statistic, in row-major order of the kept axes
  std::vector<real> mean, variance, rstd;      // one per set; RMSNorm: mean 0, variance = mean square
  std::vector<real> x_hat, y, dx, dweight, dbias;
  bool centred = false;
  bool given = false;  // statistics are constants: neither results nor functions of x
  bool unit = false;   // x_hat has length 1, not mean square 1
};

/// The statistic sets of a norm over p.axes.
inline std::vector<std::vector<std::size_t>> sets_over_axes(const Problem& p) {
  const std::vector<bool> is_averaged = averaged(p.extents, p.axes);
  Extents kept = p.extents;
  for (std::size_t a = 0; a < kept.size(); ++a) {
    if (is_averaged[a]) kept[a] = 1;
  }
  std::vector<std::vector<std::size_t>> sets(count(kept));
  for_each_index(p.extents, [&](const Extents& i) { sets[position(i, kept)].push_back(position(i, p.extents)); });
  return sets;
}

inline Answer empty_answer(const Problem& p, std::vector<std::vector<std::size_t>> sets) {
  const std::size_t n = p.x.size();
  Answer a;
  a.sets = std::move(sets);
  a.mean.assign(a.sets.size(), 0);
  a.variance = a.rstd = a.mean;
  a.x_hat.assign(n, 0);
  a.y = a.dx = a.x_hat;
  a.dweight.assign(p.weight_cells, 0);
  a.dbias.assign(p.bias_cells, 0);
  return a;
}

/// y = x_hat * weight + bias and the parameters' gradients, the same for every norm.
inline void apply_parameters(const Problem& p, std::size_t i, Answer& a) {
  a.y[i] = a.x_hat[i] * p.scale(i) + p.bias[i];
  if (p.weight_cells > 0) a.dweight[p.weight_cell[i]] += p.dy[i] * a.x_hat[i];
  if (p.bias_cells > 0) a.dbias[p.bias_cell[i]] += p.dy[i];
}

/// Ba, Kiros, Hinton 2016: x_hat = (x - mean) / sqrt(variance + eps), dx = rstd (g - mean(g) - x_hat mean(g x_hat)), g = dy weight.
inline Answer centred_norm(const Problem& p, std::vector<std::vector<std::size_t>> sets) {
  Answer a = empty_answer(p, std::move(sets));
  a.centred = true;
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    const std::vector<std::size_t>& set = a.sets[s];
    const real m = static_cast<real>(set.size());
    real mean = 0, correction = 0, variance = 0, mean_g = 0, mean_gx = 0;
    for (const std::size_t i : set) mean += p.x[i] / m;
    for (const std::size_t i : set) correction += (p.x[i] - mean) / m;  // the rounding of the first sum
    mean += correction;
    for (const std::size_t i : set) variance += (p.x[i] - mean) * (p.x[i] - mean) / m;
    const real rstd = variance + p.eps == 0 ? 0 : 1 / std::sqrt(variance + p.eps);
    for (const std::size_t i : set) {
      a.x_hat[i] = (p.x[i] - mean) * rstd;
      apply_parameters(p, i, a);
      mean_g += p.dy[i] * p.scale(i) / m;
      mean_gx += p.dy[i] * p.scale(i) * a.x_hat[i] / m;
    }
    for (const std::size_t i : set) a.dx[i] = rstd * (p.dy[i] * p.scale(i) - mean_g - a.x_hat[i] * mean_gx);
    a.mean[s] = mean;
    a.variance[s] = variance;
    a.rstd[s] = rstd;
  }
  return a;
}

inline Answer layer_norm(const Problem& p) { return centred_norm(p, sets_over_axes(p)); }

/// Zhang, Sennrich 2019: x_hat = x / sqrt(mean(x^2) + eps), or x / (RMS(x) + eps) with eps_outside_sqrt.
inline Answer rms_norm(const Problem& p) {
  Answer a = empty_answer(p, sets_over_axes(p));
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    const std::vector<std::size_t>& set = a.sets[s];
    const real m = static_cast<real>(set.size());
    real mean_square = 0, mean_gx = 0;
    for (const std::size_t i : set) mean_square += p.x[i] * p.x[i] / m;
    const real rms = std::sqrt(mean_square);
    const real divisor = p.eps_outside_sqrt ? rms + p.eps : std::sqrt(mean_square + p.eps);
    const real rstd = divisor == 0 ? 0 : 1 / divisor;
    for (const std::size_t i : set) {
      a.x_hat[i] = p.x[i] * rstd;
      apply_parameters(p, i, a);
      mean_gx += p.dy[i] * p.scale(i) * a.x_hat[i] / m;
    }
    // d divisor / dx_i = x_i / (m d), d = RMS where eps stands outside, else the divisor itself.
    const real ratio = p.eps_outside_sqrt ? (rms == 0 ? 0 : divisor / rms) : 1;
    for (const std::size_t i : set) a.dx[i] = rstd * (p.dy[i] * p.scale(i) - a.x_hat[i] * ratio * mean_gx);
    a.variance[s] = mean_square;
    a.rstd[s] = rstd;
  }
  return a;
}

/// Elements of (N, C, spatial..) by the set that `set_of(n, c)` numbers.
template <class F>
std::vector<std::vector<std::size_t>> channel_sets(const Problem& p, std::size_t count_of_sets, F set_of) {
  std::vector<std::vector<std::size_t>> sets(count_of_sets);
  for_each_index(p.extents, [&](const Extents& i) { sets[set_of(i[0], i[1])].push_back(position(i, p.extents)); });
  return sets;
}

inline std::size_t batch_of(const Problem& p) { return p.extents.empty() ? 0 : static_cast<std::size_t>(p.extents[0]); }
inline std::size_t channels_of(const Problem& p) { return p.extents.size() < 2 ? 0 : static_cast<std::size_t>(p.extents[1]); }

/// Ioffe, Szegedy 2015: a set is a channel, over batch and positions.
inline Answer batch_norm(const Problem& p) {
  return centred_norm(p, channel_sets(p, channels_of(p), [](auto, auto c) { return static_cast<std::size_t>(c); }));
}

/// Wu, He 2018: a set is channels c with equal floor(c / (C / G)) of one sample.
inline Answer group_norm(const Problem& p) {
  const auto groups = static_cast<std::size_t>(p.groups);
  const auto set_of = [&](auto n, auto c) {
    return static_cast<std::size_t>(n) * groups + static_cast<std::size_t>(c) * groups / channels_of(p);
  };
  return centred_norm(p, channel_sets(p, batch_of(p) * groups, set_of));
}

/// Ulyanov, Vedaldi, Lempitsky 2016: a set is one channel of one sample.
inline Answer instance_norm(const Problem& p) {
  const auto set_of = [&](auto n, auto c) { return static_cast<std::size_t>(n) * channels_of(p) + static_cast<std::size_t>(c); };
  return centred_norm(p, channel_sets(p, batch_of(p) * channels_of(p), set_of));
}

/// BatchNorm at inference: x_hat = (x - mean_c) / sqrt(variance_c + eps) with given statistics, so dx = dy weight rstd.
inline Answer batch_norm_inference(const Problem& p) {
  Answer a = empty_answer(p, channel_sets(p, channels_of(p), [](auto, auto c) { return static_cast<std::size_t>(c); }));
  a.given = true;
  for (std::size_t c = 0; c < a.sets.size(); ++c) {
    a.mean[c] = p.given_mean[c];
    a.variance[c] = p.given_variance[c];
    a.rstd[c] = 1 / std::sqrt(a.variance[c] + p.eps);
    for (const std::size_t i : a.sets[c]) {
      a.x_hat[i] = (p.x[i] - a.mean[c]) * a.rstd[c];
      apply_parameters(p, i, a);
      a.dx[i] = p.dy[i] * p.scale(i) * a.rstd[c];
    }
  }
  return a;
}

/// x_hat = x / sqrt(sum(x^2) + eps), dx = rstd (g - x_hat sum(g x_hat)); Salimans, Kingma 2016 with eps = 0, Henry et al. 2020.
inline Answer unit_norm(const Problem& p) {
  Answer a = empty_answer(p, sets_over_axes(p));
  a.unit = true;
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    const std::vector<std::size_t>& set = a.sets[s];
    real squares = 0, sum_gx = 0;
    for (const std::size_t i : set) squares += p.x[i] * p.x[i];
    const real rstd = squares + p.eps == 0 ? 0 : 1 / std::sqrt(squares + p.eps);
    for (const std::size_t i : set) {
      a.x_hat[i] = p.x[i] * rstd;
      apply_parameters(p, i, a);
      sum_gx += p.dy[i] * p.scale(i) * a.x_hat[i];
    }
    for (const std::size_t i : set) a.dx[i] = rstd * (p.dy[i] * p.scale(i) - a.x_hat[i] * sum_gx);
    a.variance[s] = squares;
    a.rstd[s] = rstd;
  }
  return a;
}

}  // namespace norma_test::reference
