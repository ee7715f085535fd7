// The mixed norms of (n, c, s) as plain loops in double, the training step of a new layer: what --verify compares with.
#pragma once

#include "channel_norm_reference.hpp"

#include <algorithm>
#include <vector>

namespace bench {

enum class MixedNorm { renorm, switchable, batch_instance, mean_only };

/// Mean and variance of each plane, and those they merge to.
struct PlaneStatistics {
  ChannelSets planes, samples, channels;

  PlaneStatistics(const Problem& p, const Operands<float>& o)
      : planes(channel_sets(ChannelNorm::instance, Pass::train, p, o)),
        samples(p.n, p.c * p.s),
        channels(channel_sets(ChannelNorm::batch, Pass::train, p, o)) {
    for (index_t n = 0; n < p.n; ++n) {
      const auto of = static_cast<std::size_t>(n);
      for (index_t c = 0; c < p.c; ++c) samples.mean[of] += planes.mean[plane(p, n, c)] / static_cast<double>(p.c);
      for (index_t c = 0; c < p.c; ++c) {
        const double d = planes.mean[plane(p, n, c)] - samples.mean[of];
        samples.variance[of] += (planes.variance[plane(p, n, c)] + d * d) / static_cast<double>(p.c);
      }
    }
  }
  static std::size_t plane(const Problem& p, index_t n, index_t c) { return static_cast<std::size_t>(n * p.c + c); }
};

/// The norms of one element are linear in its x_hat's: y = ((x - mean) * rstd) * weight + bias with statistics that are the same for a
/// whole plane; their gradients reach x through the planes, the sample and the channel.
class MixedReference {
 public:
  MixedReference(MixedNorm norm, const Problem& p, const Operands<float>& o) : norm_(norm), p_(p), o_(o), of_(p, o) {}

  void forward() {
    each([&](index_t i, index_t n, index_t c) { o_.y[i] = static_cast<float>(x_hat(i, n, c) * weight(c) + bias(c)); });
  }

  void backward() {
    const std::size_t planes = of_.planes.mean.size();
    std::vector<double> sum(planes), sum_x(planes), weight_grad(static_cast<std::size_t>(p_.c)), bias_grad(weight_grad);
    each([&](index_t i, index_t n, index_t c) {
      const std::size_t plane = PlaneStatistics::plane(p_, n, c);
      sum[plane] += dy(i) * weight(c);
      sum_x[plane] += dy(i) * weight(c) * x(i);
      weight_grad[static_cast<std::size_t>(c)] += dy(i) * x_hat(i, n, c);
      bias_grad[static_cast<std::size_t>(c)] += dy(i);
    });
    // Gradients of the loss with respect to each mean and variance, per plane, sample and channel.
    ChannelSets d_planes = zeros(of_.planes), d_samples = zeros(of_.samples), d_channels = zeros(of_.channels);
    std::vector<double> slope(planes);
    for (index_t n = 0; n < p_.n; ++n)
      for (index_t c = 0; c < p_.c; ++c) {
        const std::size_t i = PlaneStatistics::plane(p_, n, c), sample = static_cast<std::size_t>(n), channel = static_cast<std::size_t>(c);
        const auto pull = [&](double mean, double rstd, double share, ChannelSets& d, std::size_t set, double of_mean, double of_variance) {
          d.mean[set] -= share * of_mean * rstd * sum[i];
          d.variance[set] -= share * of_variance * 0.5 * rstd * rstd * rstd * (sum_x[i] - mean * sum[i]);
        };
        if (norm_ == MixedNorm::switchable) {
          const Mix m = mix(n, c);
          slope[i] = m.rstd;
          pull(m.mean, m.rstd, 1.0 / 3, d_planes, i, 1, 1);
          pull(m.mean, m.rstd, 1.0 / 3, d_samples, sample, 1, 1);
          pull(m.mean, m.rstd, 1.0 / 3, d_channels, channel, 1, 1);
        } else if (norm_ == MixedNorm::mean_only) {
          slope[i] = 1;
          pull(of_.channels.mean[channel], 1, 1, d_channels, channel, 1, 0);
        } else {
          const double open = norm_ == MixedNorm::batch_instance ? gate : 1;
          slope[i] = open * of_.channels.rstd[channel] + (1 - open) * of_.planes.rstd[i];
          pull(of_.channels.mean[channel], of_.channels.rstd[channel], open, d_channels, channel, 1, 1);
          pull(of_.planes.mean[i], of_.planes.rstd[i], 1 - open, d_planes, i, 1, 1);
        }
      }
    each([&](index_t i, index_t n, index_t c) {
      const std::size_t plane = PlaneStatistics::plane(p_, n, c), sample = static_cast<std::size_t>(n),
                        channel = static_cast<std::size_t>(c);
      const auto push = [&](const ChannelSets& d, const ChannelSets& of, std::size_t set) {
        return (d.mean[set] + d.variance[set] * 2 * (x(i) - of.mean[set])) / of.size;
      };
      o_.dx[i] = static_cast<float>(dy(i) * weight(c) * slope[plane] + push(d_planes, of_.planes, plane) +
                                    push(d_samples, of_.samples, sample) + push(d_channels, of_.channels, channel));
    });
    for (index_t c = 0; c < p_.c; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      o_.weight_grad[c] = norm_ == MixedNorm::mean_only ? 0.0F : static_cast<float>(weight_grad[channel]);
      o_.bias_grad[c] = static_cast<float>(bias_grad[channel]);
    }
  }

  static constexpr double gate = 0.75;  // of each channel in these cases

 private:
  struct Mix {
    double mean, rstd;
  };
  /// Equal logits.
  Mix mix(index_t n, index_t c) const {
    const std::size_t plane = PlaneStatistics::plane(p_, n, c), sample = static_cast<std::size_t>(n), channel = static_cast<std::size_t>(c);
    const double mean = (of_.planes.mean[plane] + of_.samples.mean[sample] + of_.channels.mean[channel]) / 3;
    const double variance = (of_.planes.variance[plane] + of_.samples.variance[sample] + of_.channels.variance[channel]) / 3;
    return {mean, 1 / std::sqrt(variance + eps)};
  }
  double x_hat(index_t i, index_t n, index_t c) const {
    const std::size_t plane = PlaneStatistics::plane(p_, n, c), channel = static_cast<std::size_t>(c);
    const double of_batch = (x(i) - of_.channels.mean[channel]) * of_.channels.rstd[channel];
    if (norm_ == MixedNorm::renorm) return of_batch;  // at step 0 of the paper's schedule
    if (norm_ == MixedNorm::mean_only) return x(i) - of_.channels.mean[channel];
    if (norm_ == MixedNorm::batch_instance) return gate * of_batch + (1 - gate) * (x(i) - of_.planes.mean[plane]) * of_.planes.rstd[plane];
    const Mix m = mix(n, c);
    return (x(i) - m.mean) * m.rstd;
  }
  double x(index_t i) const { return static_cast<double>(o_.x[i]); }
  double dy(index_t i) const { return static_cast<double>(o_.dy[i]); }
  double weight(index_t c) const { return norm_ == MixedNorm::mean_only ? 1.0 : static_cast<double>(o_.weight[c]); }
  double bias(index_t c) const { return static_cast<double>(o_.bias[c]); }
  static ChannelSets zeros(const ChannelSets& like) {
    ChannelSets d(static_cast<index_t>(like.mean.size()), static_cast<index_t>(like.size));
    return d;
  }
  template <class F>
  void each(F f) const {
    for (index_t n = 0; n < p_.n; ++n)
      for (index_t c = 0; c < p_.c; ++c)
        for (index_t s = 0; s < p_.s; ++s) f(p_.at(n, c, s), n, c);
  }

  MixedNorm norm_;
  Problem p_;
  Operands<float> o_;
  PlaneStatistics of_;
};

inline Maker<float> mixed_norm_reference(MixedNorm norm, Pass pass) {
  return [norm, pass](const Problem& p, const Operands<float>& o) {
    return Work{[=] {
                  MixedReference reference(norm, p, o);
                  if (pass == Pass::backward) {
                    reference.backward();
                  } else {
                    reference.forward();
                  }
                },
                {}};
  };
}

}  // namespace bench
