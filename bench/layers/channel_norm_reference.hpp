// The norms of (n, c, s) as plain loops in double: what --verify compares every implementation with.
#pragma once

#include "../peers/peers.hpp"

#include <cmath>
#include <vector>

namespace bench {

/// Sums of a pass over each statistic set; `set_of(n, c)` numbers them.
struct ChannelSets {
  std::vector<double> mean, variance, sum_g, sum_g_x_hat, rstd;
  double size = 0;

  ChannelSets(index_t count, index_t elements)
      : mean(static_cast<std::size_t>(count)),
        variance(mean),
        sum_g(mean),
        sum_g_x_hat(mean),
        rstd(mean),
        size(static_cast<double>(elements)) {}
};

inline index_t set_of(ChannelNorm norm, const Problem& p, index_t n, index_t c) {
  if (norm == ChannelNorm::batch) return c;
  return norm == ChannelNorm::instance ? n * p.c + c : n * p.groups + c / (p.c / p.groups);
}

/// f(element, set, channel).
template <class F>
void each_element(ChannelNorm norm, const Problem& p, F f) {
  for (index_t n = 0; n < p.n; ++n)
    for (index_t c = 0; c < p.c; ++c)
      for (index_t s = 0; s < p.s; ++s) f(p.at(n, c, s), static_cast<std::size_t>(set_of(norm, p, n, c)), c);
}

inline ChannelSets channel_sets(ChannelNorm norm, Pass pass, const Problem& p, const Operands<float>& o) {
  const index_t count = norm == ChannelNorm::batch ? p.c : norm == ChannelNorm::group ? p.n * p.groups : p.n * p.c;
  ChannelSets sets(count, p.size() / count);
  if (norm == ChannelNorm::batch && pass == Pass::forward) {
    for (index_t c = 0; c < p.c; ++c) {
      sets.mean[static_cast<std::size_t>(c)] = static_cast<double>(running_mean<float>(c));
      sets.variance[static_cast<std::size_t>(c)] = static_cast<double>(running_variance<float>(c));
    }
  } else {
    each_element(norm, p, [&](index_t i, std::size_t set, index_t) { sets.mean[set] += static_cast<double>(o.x[i]) / sets.size; });
    each_element(norm, p, [&](index_t i, std::size_t set, index_t) {
      const double d = static_cast<double>(o.x[i]) - sets.mean[set];
      sets.variance[set] += d * d / sets.size;
    });
  }
  for (std::size_t s = 0; s < sets.rstd.size(); ++s) sets.rstd[s] = 1 / std::sqrt(sets.variance[s] + eps);
  return sets;
}

inline Maker<float> channel_norm_reference(ChannelNorm norm, Pass pass) {
  return [norm, pass](const Problem& p, const Operands<float>& o) {
    return Work{[=] {
                  ChannelSets sets = channel_sets(norm, pass, p, o);
                  const auto x_hat = [&](index_t i, std::size_t s) { return (static_cast<double>(o.x[i]) - sets.mean[s]) * sets.rstd[s]; };
                  if (pass != Pass::backward) {
                    each_element(norm, p, [&](index_t i, std::size_t s, index_t c) {
                      o.y[i] = static_cast<float>(x_hat(i, s) * static_cast<double>(o.weight[c]) + static_cast<double>(o.bias[c]));
                    });
                    return;
                  }
                  std::vector<double> weight_grad(static_cast<std::size_t>(p.c)), bias_grad(weight_grad);
                  each_element(norm, p, [&](index_t i, std::size_t s, index_t c) {
                    const double dy = static_cast<double>(o.dy[i]), g = dy * static_cast<double>(o.weight[c]);
                    sets.sum_g[s] += g / sets.size;
                    sets.sum_g_x_hat[s] += g * x_hat(i, s) / sets.size;
                    weight_grad[static_cast<std::size_t>(c)] += dy * x_hat(i, s);
                    bias_grad[static_cast<std::size_t>(c)] += dy;
                  });
                  each_element(norm, p, [&](index_t i, std::size_t s, index_t c) {
                    const double g = static_cast<double>(o.dy[i]) * static_cast<double>(o.weight[c]);
                    o.dx[i] = static_cast<float>(sets.rstd[s] * (g - sets.sum_g[s] - x_hat(i, s) * sets.sum_g_x_hat[s]));
                  });
                  for (index_t c = 0; c < p.c; ++c) {
                    o.weight_grad[c] = static_cast<float>(weight_grad[static_cast<std::size_t>(c)]);
                    o.bias_grad[c] = static_cast<float>(bias_grad[static_cast<std::size_t>(c)]);
                  }
                },
                {}};
  };
}

}  // namespace bench
