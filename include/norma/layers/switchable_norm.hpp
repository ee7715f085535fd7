// SwitchableNorm: learns how much instance, layer and batch statistics count (Luo, Ren, Peng, Zhang, Li 2018, arXiv 1806.10779).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include <norma/engine/plane_layer.hpp>
#include <norma/stats/softmax.hpp>

namespace norma {

/// Which variance the instance statistic is. authors: that of the unbiased estimator, from which the layer and batch variances derive as if
/// it were the population's; the running variance takes that batch variance as it is and starts at 0.
enum class SwitchableVariance : unsigned char { population, authors };

}  // namespace norma

namespace norma::inline NORMA_ISA_NAMESPACE {

struct SwitchableNormName {
  static constexpr const char* layer = "SwitchableNorm";
};

/// momentum std::nullopt: the cumulative average of all batches.
struct SwitchableNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool bias = true;
  bool track_running_stats = true;
  SwitchableVariance variance = SwitchableVariance::population;
};

/// mean = sum_k softmax(mean_logits)_k mean_k and variance alike with var_logits, over k in (instance, layer, batch), for each sample and
/// channel of (N, C) or (N, C, spatial...). Inference takes the running statistics for the batch's, if it tracks; if it does not, it
/// allocates some numbers per sample and channel. Everything else is BatchNorm's. T: float or double.
template <Parameter T>
class SwitchableNorm : public PlaneLayer<SwitchableNorm<T>, BatchSets<SwitchableNormName>, T> {
  using F = BatchSets<SwitchableNormName>;
  using Base = PlaneLayer<SwitchableNorm<T>, F, T>;

 public:
  explicit SwitchableNorm(index_t channels, const SwitchableNormOptions& options = {})
      : Base({Statistic::Kind::deviation, checked_eps("SwitchableNorm", options.eps)}, channels,
             {.weight = options.affine,
              .bias = options.affine && options.bias,
              .track_running_stats = options.track_running_stats,
              .momentum = options.momentum,
              .first_variance = options.variance == SwitchableVariance::authors ? 0.0 : 1.0}),
        variance_(options.variance) {}

  /// For (instance, layer, batch).
  std::span<T> mean_logits() { return mean_logits_; }
  std::span<const T> mean_logits() const { return mean_logits_; }
  std::span<T> var_logits() { return var_logits_; }
  std::span<const T> var_logits() const { return var_logits_; }
  std::span<T> mean_logits_grad() { return mean_logits_grad_; }
  std::span<const T> mean_logits_grad() const { return mean_logits_grad_; }
  std::span<T> var_logits_grad() { return var_logits_grad_; }
  std::span<const T> var_logits_grad() const { return var_logits_grad_; }

  void zero_grad() {
    Base::zero_grad();
    mean_logits_grad_.fill(T(0));
    var_logits_grad_.fill(T(0));
  }
  template <class F>
  void for_each_parameter(F&& f) {
    visit_parameters(*this, f);
  }
  template <class F>
  void for_each_parameter(F&& f) const {
    visit_parameters(*this, f);
  }

 private:
  using Logits = std::array<T, 3>;
  friend Base;

  template <class Self, class F>
  static void visit_parameters(Self& self, F& f) {
    Base::visit_parameters(self, f);
    f(std::string_view("mean_weight"), self.mean_logits(), self.mean_logits_grad());
    f(std::string_view("var_weight"), self.var_logits(), self.var_logits_grad());
  }

  using Three = std::array<SetStatistics, 3>;  // instance, layer, batch

  /// The statistics a plane is mixed of, and the mix.
  struct Mix {
    std::array<double, 3> mean, variance;  // softmax of the logits
    SetStatistics of(const Three& k, const Statistic& statistic) const {
      double m = 0, v = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        // About the instance mean, so that large means cost no digits.
        m = std::fma(mean[i], (k[i].mean.high - k[0].mean.high) + (k[i].mean.low - k[0].mean.low), m);
        v = std::fma(variance[i], k[i].second, v);
      }
      SplitSum<> split = two_sum(k[0].mean.high, m);
      split.low += k[0].mean.low;
      return {split, finite_rstd(v, statistic.rstd(v, 0)), v};
    }
  };

  /// With running statistics, samples need nothing of each other.
  template <class X, class Y>
  void infer_planes(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y) const {
    if (!this->tracks()) {
      Saved<T> batch;
      map_planes(executor, x, y, &batch, false);
      return;
    }
    const Mix mix = mixes();
    const double factor = instance_factor(x.size() / (x.extent(0) * this->channels()));
    const auto between = [&](auto& forward, const Piece&) {
      const SetStatistics of_layer = merged_planes(forward, this->statistic(), 0, 1, this->channels(), factor);
      for (index_t c = 0; c < this->channels(); ++c) {
        SetStatistics own = forward.statistics(c);
        own.second *= factor;
        forward.put(c, mix.of({own, of_layer, this->running()[c]}, this->statistic()));
      }
    };
    normalize_between<T>(executor, this->statistic(), plane_roles(x.rank()), x, y, this->operands(F::layer, x.extents(), channel_axis),
                         StatisticArrays{}, nullptr, Span::sample, between);
  }
  /// Moments of all planes, mixed statistics, y. With running statistics, they stand for the batch's.
  template <class X, class Y>
  void map_planes(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved, bool running) const {
    const index_t samples = x.extent(0), channels = x.extent(1), planes = samples * channels;
    saved->prepare_table(2 * (planes + channels) + Gradients::size(samples, channels));
    const PlaneMoments moments = table_of(*saved, samples);
    const Mix mix = mixes();
    const auto between = [&](auto& forward, const Piece&) {
      const double factor = instance_factor(x.size() / planes);
      for (index_t i = 0; i < planes; ++i) {
        const SetStatistics s = forward.statistics(i);
        moments.mean[i] = s.mean.high + s.mean.low;
        moments.variance[i] = s.second * factor;
      }
      each_plane(moments, running, [&](index_t i, const Three& k) { forward.put(i, mix.of(k, this->statistic())); });
    };
    normalize_between<T>(executor, this->statistic(), plane_roles(x.rank()), x, y, this->operands(F::layer, x.extents(), channel_axis),
                         saved->prepare(planes, true), &saved->scratch(), Span::call, between);
  }

  /// f(plane, statistics of (instance, layer, batch)).
  template <class Visit>
  void each_plane(const PlaneMoments& moments, bool running, Visit&& visit) const {
    double* const of_batch = moments.mean + 2 * moments.count();  // mean and variance of each channel
    for (index_t c = 0; c < moments.channels; ++c) {
      const SetStatistics batch = running ? this->running()[c] : moments.of_channel(c);
      of_batch[2 * c] = batch.mean.high;
      of_batch[2 * c + 1] = batch.second;
    }
    for (index_t n = 0; n < moments.samples; ++n) {
      const SetStatistics of_layer = moments.of_sample(n);
      for (index_t c = 0; c < moments.channels; ++c) {
        const index_t i = n * moments.channels + c;
        visit(i, Three{{{{moments.mean[i], 0}, 0, moments.variance[i]}, of_layer, {{of_batch[2 * c], 0}, 0, of_batch[2 * c + 1]}}});
      }
    }
  }

  void learn_planes(Saved<T>& saved, index_t samples, index_t m) {
    const PlaneMoments moments = table_of(saved, samples);
    this->learn_from(m, variance_ == SwitchableVariance::population, [&](index_t c) { return moments.of_channel(c); });
  }
  PlaneMoments table_of(Saved<T>& saved, index_t samples) const {
    double* const table = saved.table().data();
    return {samples, this->channels(), table, table + samples * this->channels()};
  }

  /// Sums over planes become gradients of mean and variance of each plane, those of the statistics they were mixed of, those of x.
  template <class DY, class X, class DX>
  void planes_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved,
                       const TensorView<DX>& dx, bool running) {
    const index_t samples = x.extent(0), channels = x.extent(1), planes = samples * channels;
    const double s = static_cast<double>(x.size() / planes), factor = instance_factor(x.size() / planes);
    const PlaneMoments moments = table_of(saved, samples);
    const auto resolve = [&](const Piece&, double* sum_dy, double* sum_dy_x_hat, const auto& put) {
      Gradients gradients{moments.mean + 2 * (planes + channels), samples, {}, {}};
      std::fill_n(gradients.table, Gradients::size(samples, channels), 0.0);
      const Mix mix = mixes();
      const double constant[2] = {0, 0};
      each_plane(moments, running, [&](index_t i, const Three& k) {
        const SetStatistics mixed = mix.of(k, this->statistic());
        const index_t c = i % channels;
        this->add_gradients(c, sum_dy_x_hat[i], sum_dy[i]);
        const double of_mean = mul(-mixed.rstd * this->weight_of(c), sum_dy[i]);
        const double of_variance = mul(-0.5 * mixed.rstd * mixed.rstd * this->weight_of(c), sum_dy_x_hat[i]);
        gradients.add(i / channels, c, of_mean, of_variance, k, mixed);
      });
      each_plane(moments, running, [&](index_t i, const Three& k) {
        const SetStatistics mixed = mix.of(k, this->statistic());
        const index_t n = i / channels, c = i % channels;
        const double w = this->weight_of(c);
        const double* const of_channel = running ? constant : gradients.of_channel(c);  // not 0 times sums that may hold a NaN
        const double sizes[3] = {s, s * static_cast<double>(channels), s * static_cast<double>(samples)};
        const double of_mean[3] = {-mixed.rstd * w * sum_dy[i], gradients.of_sample(n)[0], of_channel[0]};
        const double of_variance[3] = {-0.5 * mixed.rstd * mixed.rstd * w * sum_dy_x_hat[i], gradients.of_sample(n)[1], of_channel[1]};
        // d variance_k / dx = 2 (factor (x - instance mean) + (instance mean - mean_k)) / size_k, with x - mean = x_hat / rstd.
        const double from_instance = (mixed.mean.high - k[0].mean.high) + mixed.mean.low;
        double slope = 0, offset = 0;
        for (std::size_t j = 0; j < 3; ++j) {
          const double v = 2 * mix.variance[j] * of_variance[j] / sizes[j];
          slope = std::fma(v, factor, slope);
          offset += std::fma(v, std::fma(factor, from_instance, k[0].mean.high - k[j].mean.high), mix.mean[j] * of_mean[j] / sizes[j]);
        }
        put(i, mul(mixed.rstd, w), mixed.rstd > 0 ? slope / mixed.rstd : 0.0, offset);
      });
      for (std::size_t j = 0; j < 3; ++j) {
        mean_logits_grad_[j] = static_cast<T>(std::fma(mix.mean[j], gradients.mean_logits[j], static_cast<double>(mean_logits_grad_[j])));
        var_logits_grad_[j] = static_cast<T>(std::fma(mix.variance[j], gradients.var_logits[j], static_cast<double>(var_logits_grad_[j])));
      }
    };
    normalize_between_backward(executor, plane_roles(x.rank()), dy, x, dx, saved, Span::call, resolve);
  }

  /// Sums over the planes that share a statistic: of the gradients of their means and variances, and of those times what a logit moves.
  struct Gradients {
    double* table;
    index_t samples;
    std::array<double, 3> mean_logits, var_logits;

    static index_t size(index_t samples, index_t channels) { return 2 * (samples + channels); }
    double* of_sample(index_t n) { return table + 2 * n; }
    double* of_channel(index_t c) { return table + 2 * (samples + c); }
    void add(index_t n, index_t c, double of_mean, double of_variance, const Three& k, const SetStatistics& mixed) {
      for (double* const sums : {of_sample(n), of_channel(c)}) {
        sums[0] += of_mean;
        sums[1] += of_variance;
      }
      for (std::size_t j = 0; j < 3; ++j) {
        mean_logits[j] = std::fma(of_mean, (k[j].mean.high - mixed.mean.high) - mixed.mean.low, mean_logits[j]);
        var_logits[j] = std::fma(of_variance, k[j].second - mixed.second, var_logits[j]);
      }
    }
  };

  /// What the population variance of a plane of s elements is multiplied with. A single element has variance 0 in either convention.
  double instance_factor(index_t s) const {
    return RunningStep{.unbiased = variance_ == SwitchableVariance::authors}.averaged_variance(1, s);
  }
  Mix mixes() const { return {softmax(mean_logits_), softmax(var_logits_)}; }

  SwitchableVariance variance_;
  Logits mean_logits_{T(1), T(1), T(1)}, var_logits_{T(1), T(1), T(1)}, mean_logits_grad_{}, var_logits_grad_{};
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
