// The mixed norms of (N, C, spatial..) as plain loops that read like the papers; shares nothing with the library.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "support/shape.hpp"
#include "support/tracked.hpp"

namespace norma_test::reference {

using Numbers = std::vector<Tracked>;
using Set = std::vector<std::size_t>;

/// x, dy and all that a layer owns. Vectors of C, but for the logits (3, for instance, layer, batch).
struct MixedProblem {
  Extents extents;
  double eps = 0;
  std::vector<real> x, dy;
  Numbers weight, bias, gate, mean_logits, var_logits, running_mean, running_var;
  bool running = false;            // inference: running statistics, which are constants, stand for the batch's
  bool unbiased_instance = false;  // SwitchableNorm's authors
  real r_max = 1, d_max = 0;

  std::size_t batch() const { return static_cast<std::size_t>(extents[0]); }
  std::size_t channels() const { return static_cast<std::size_t>(extents[1]); }
  std::size_t plane() const { return count({extents.begin() + 2, extents.end()}); }
  std::size_t channel_of(std::size_t i) const { return i / plane() % channels(); }
  std::size_t plane_of(std::size_t i) const { return i / plane(); }
};

struct MixedAnswer {
  Numbers x_hat, y, dx, dweight, dbias, dgate, dmean_logits, dvar_logits;
  Numbers mean, variance;  // the batch's, of each channel: what running statistics learn of; variance as the norm defines it

  explicit MixedAnswer(const MixedProblem& p)
      : x_hat(p.x.size()),
        y(p.x.size()),
        dx(p.x.size()),
        dweight(p.channels()),
        dbias(p.channels()),
        dgate(p.channels()),
        dmean_logits(3),
        dvar_logits(3),
        mean(p.channels()),
        variance(p.channels()) {}
};

/// A statistic set, its population moments, and the loss' gradients with respect to them.
struct Moments {
  Set set;
  Tracked mean, variance, dmean, dvariance;

  void fold(const MixedProblem& p) {
    mean = mean_of(set, [&](std::size_t i) { return Tracked(p.x[i]); });
    variance = mean_of(set, [&](std::size_t i) { return (p.x[i] - mean) * (p.x[i] - mean); });
  }
  /// d mean / dx = 1 / m, d variance / dx = 2 (x - mean) / m.
  void pull(const MixedProblem& p, MixedAnswer& a) const {
    const real m = static_cast<real>(set.size());
    for (const std::size_t i : set) a.dx[i] += dmean / m + dvariance * Tracked(2) * (p.x[i] - mean) / m;
  }
};

inline std::vector<Moments> channels_of(const MixedProblem& p) {
  std::vector<Moments> sets(p.channels());
  for (std::size_t i = 0; i < p.x.size(); ++i) sets[p.channel_of(i)].set.push_back(i);
  for (Moments& s : sets) {
    if (!s.set.empty()) s.fold(p);
  }
  return sets;
}
inline std::vector<Moments> planes_of(const MixedProblem& p) {
  std::vector<Moments> sets(p.batch() * p.channels());
  for (std::size_t i = 0; i < p.x.size(); ++i) sets[p.plane_of(i)].set.push_back(i);
  for (Moments& s : sets) {
    if (!s.set.empty()) s.fold(p);
  }
  return sets;
}
inline void keep_batch_statistics(const std::vector<Moments>& channels, MixedAnswer& a) {
  for (std::size_t c = 0; c < channels.size(); ++c) {
    a.mean[c] = channels[c].mean;
    a.variance[c] = channels[c].variance;
  }
}

/// y = x_hat * weight + bias, and the parameters' gradients.
inline void apply_parameters(const MixedProblem& p, MixedAnswer& a) {
  std::vector<Set> channels(p.channels());
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    channels[p.channel_of(i)].push_back(i);
    a.y[i] = a.x_hat[i] * p.weight[p.channel_of(i)] + p.bias[p.channel_of(i)];
  }
  for (std::size_t c = 0; c < channels.size(); ++c) {
    a.dweight[c] = sum_of(channels[c], [&](std::size_t i) { return p.dy[i] * a.x_hat[i]; });
    a.dbias[c] = sum_of(channels[c], [&](std::size_t i) { return Tracked(p.dy[i]); });
  }
}

/// Ioffe 2017: x_hat = (x - mean) / sigma * r + d; r and d are constants.
inline MixedAnswer batch_renorm(const MixedProblem& p) {
  MixedAnswer a(p);
  std::vector<Moments> channels = channels_of(p);
  keep_batch_statistics(channels, a);
  for (std::size_t c = 0; c < channels.size(); ++c) {
    Moments& batch = channels[c];
    if (batch.set.empty()) continue;
    const Tracked before = inverse_root(p.running_var[c] + p.eps), now = inverse_root(batch.variance + p.eps);
    const auto g = [&](std::size_t i) { return p.dy[i] * p.weight[c]; };
    if (p.running) {
      for (const std::size_t i : batch.set) {
        a.x_hat[i] = (p.x[i] - p.running_mean[c]) * before;
        a.dx[i] = g(i) * before;
      }
      continue;
    }
    const Tracked r = clipped(before / now, 1 / p.r_max, p.r_max);
    const Tracked d = clipped((batch.mean - p.running_mean[c]) * before, -p.d_max, p.d_max);
    for (const std::size_t i : batch.set) {
      a.x_hat[i] = (p.x[i] - batch.mean) * now * r + d;
      a.dx[i] = g(i) * r * now;
    }
    batch.dmean = -sum_of(batch.set, [&](std::size_t i) { return g(i) * r * now; });
    batch.dvariance = sum_of(batch.set, [&](std::size_t i) { return g(i) * r * (p.x[i] - batch.mean); }) * now * now * now * Tracked(-0.5L);
    batch.pull(p, a);
  }
  apply_parameters(p, a);
  return a;
}

inline Numbers softmax(const Numbers& logits) {
  Tracked sum;
  Numbers result;
  for (const Tracked& l : logits) sum += exponential(l - logits[0]);
  for (const Tracked& l : logits) result.push_back(exponential(l - logits[0]) / sum);
  return result;
}

/// A mean and a variance with the loss' gradients.
struct Mixed {
  Tracked mean, variance, dmean, dvariance;
};

/// Luo et al. 2018, equations 3 to 6: layer and batch statistics from those of the planes.
/// mean(variance + mean^2) - mean^2 is written as mean(variance + (mean - mean of all)^2).
struct SwitchableStatistics {
  std::vector<Moments> planes;
  std::vector<Tracked> instance_variance, dinstance_variance;
  std::vector<Mixed> samples, channels;
  std::vector<Set> planes_of_sample, planes_of_channel;

  explicit SwitchableStatistics(const MixedProblem& p)
      : planes(planes_of(p)), samples(p.batch()), channels(p.channels()), planes_of_sample(p.batch()), planes_of_channel(p.channels()) {
    const real s = static_cast<real>(p.plane());
    factor = !p.unbiased_instance ? 1 : s > 1 ? s / (s - 1) : 0;
    for (std::size_t i = 0; i < planes.size(); ++i) {
      instance_variance.push_back(planes[i].variance * factor);
      planes_of_sample[i / p.channels()].push_back(i);
      planes_of_channel[i % p.channels()].push_back(i);
    }
    dinstance_variance.resize(planes.size());
    for (std::size_t n = 0; n < samples.size(); ++n) merge(planes_of_sample[n], samples[n]);
    for (std::size_t c = 0; c < channels.size(); ++c) merge(planes_of_channel[c], channels[c]);
  }
  void merge(const Set& of, Mixed& to) const {
    to.mean = mean_of(of, [&](std::size_t i) { return planes[i].mean; });
    to.variance =
        mean_of(of, [&](std::size_t i) { return instance_variance[i] + (planes[i].mean - to.mean) * (planes[i].mean - to.mean); });
  }
  void pull(const Set& of, const Mixed& from) {
    const real m = static_cast<real>(of.size());
    for (const std::size_t i : of) {
      planes[i].dmean += from.dmean / m + from.dvariance * Tracked(2) * (planes[i].mean - from.mean) / m;
      dinstance_variance[i] += from.dvariance / m;
    }
  }

  real factor = 1;
};

inline MixedAnswer switchable_norm(const MixedProblem& p) {
  MixedAnswer a(p);
  if (p.x.empty()) return a;
  SwitchableStatistics s(p);
  for (std::size_t c = 0; c < p.channels(); ++c) {
    a.mean[c] = s.channels[c].mean;
    a.variance[c] = s.channels[c].variance;
    if (p.running) s.channels[c] = {p.running_mean[c], p.running_var[c], {}, {}};
  }
  const Numbers of_mean = softmax(p.mean_logits), of_variance = softmax(p.var_logits);
  for (std::size_t i = 0; i < s.planes.size(); ++i) {
    Moments& plane = s.planes[i];
    Mixed &sample = s.samples[i / p.channels()], &channel = s.channels[i % p.channels()];
    const std::array<Tracked, 3> mean = {plane.mean, sample.mean, channel.mean};
    const std::array<Tracked, 3> variance = {s.instance_variance[i], sample.variance, channel.variance};
    Tracked mixed_mean, mixed_variance;
    for (std::size_t k = 0; k < 3; ++k) {
      mixed_mean += of_mean[k] * mean[k];
      mixed_variance += of_variance[k] * variance[k];
    }
    const Tracked rstd = inverse_root(mixed_variance + p.eps), w = p.weight[i % p.channels()];
    for (const std::size_t e : plane.set) {
      a.x_hat[e] = (p.x[e] - mixed_mean) * rstd;
      a.dx[e] = p.dy[e] * w * rstd;
    }
    const Tracked dmean = -sum_of(plane.set, [&](std::size_t e) { return p.dy[e] * w * rstd; });
    const Tracked dvariance =
        sum_of(plane.set, [&](std::size_t e) { return p.dy[e] * w * (p.x[e] - mixed_mean); }) * rstd * rstd * rstd * Tracked(-0.5L);
    plane.dmean += of_mean[0] * dmean;
    s.dinstance_variance[i] += of_variance[0] * dvariance;
    for (const std::size_t k : {std::size_t{1}, std::size_t{2}}) {
      Mixed& statistic = k == 1 ? sample : channel;
      statistic.dmean += of_mean[k] * dmean;
      statistic.dvariance += of_variance[k] * dvariance;
    }
    for (std::size_t k = 0; k < 3; ++k) {
      a.dmean_logits[k] += of_mean[k] * dmean * (mean[k] - mixed_mean);
      a.dvar_logits[k] += of_variance[k] * dvariance * (variance[k] - mixed_variance);
    }
  }
  for (std::size_t n = 0; n < p.batch(); ++n) s.pull(s.planes_of_sample[n], s.samples[n]);
  for (std::size_t c = 0; !p.running && c < p.channels(); ++c) s.pull(s.planes_of_channel[c], s.channels[c]);
  for (std::size_t i = 0; i < s.planes.size(); ++i) {
    s.planes[i].dvariance = s.dinstance_variance[i] * s.factor;
    s.planes[i].pull(p, a);
  }
  apply_parameters(p, a);
  return a;
}

/// Nam, Kim 2018: y = (gate * batch's x_hat + (1 - gate) * instance's x_hat) * weight + bias.
inline MixedAnswer batch_instance_norm(const MixedProblem& p) {
  MixedAnswer a(p);
  Numbers difference(p.x.size());
  std::vector<Moments> channels = channels_of(p), planes = planes_of(p);
  keep_batch_statistics(channels, a);
  const auto half = [&](Moments& own, Tracked mean, Tracked variance, Tracked share, Tracked w, bool constant, real sign) {
    const Tracked rstd = inverse_root(variance + p.eps);
    for (const std::size_t i : own.set) {
      const Tracked x_hat = (p.x[i] - mean) * rstd;
      a.x_hat[i] += share * x_hat;
      a.dx[i] += p.dy[i] * w * share * rstd;
      difference[i] += sign * x_hat;
    }
    if (constant) return;
    own.dmean = -sum_of(own.set, [&](std::size_t i) { return p.dy[i] * w * share * rstd; });
    own.dvariance =
        sum_of(own.set, [&](std::size_t i) { return p.dy[i] * w * share * (p.x[i] - mean); }) * rstd * rstd * rstd * Tracked(-0.5L);
    own.pull(p, a);
  };
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const Tracked mean = p.running ? p.running_mean[c] : channels[c].mean;
    const Tracked variance = p.running ? p.running_var[c] : channels[c].variance;
    half(channels[c], mean, variance, p.gate[c], p.weight[c], p.running, 1);
  }
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::size_t c = i % p.channels();
    half(planes[i], planes[i].mean, planes[i].variance, Tracked(1) - p.gate[c], p.weight[c], false, -1);
  }
  apply_parameters(p, a);
  for (std::size_t c = 0; c < channels.size(); ++c)
    a.dgate[c] = sum_of(channels[c].set, [&](std::size_t i) { return p.dy[i] * p.weight[c] * difference[i]; });
  return a;
}

/// Salimans, Kingma 2016, section 4: y = x - mean + bias, dx = dy - mean(dy).
inline MixedAnswer mean_only_batch_norm(const MixedProblem& p) {
  MixedAnswer a(p);
  const std::vector<Moments> channels = channels_of(p);
  keep_batch_statistics(channels, a);
  for (std::size_t c = 0; c < channels.size(); ++c) {
    if (channels[c].set.empty()) continue;
    const Tracked mean_dy = mean_of(channels[c].set, [&](std::size_t i) { return Tracked(p.dy[i]); });
    for (const std::size_t i : channels[c].set) {
      a.x_hat[i] = p.x[i] - (p.running ? p.running_mean[c] : channels[c].mean);
      a.dx[i] = p.running ? Tracked(p.dy[i]) : p.dy[i] - mean_dy;
    }
  }
  apply_parameters(p, a);
  return a;
}

}  // namespace norma_test::reference
