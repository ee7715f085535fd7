// SwitchableNorm: learns how much instance, layer and batch statistics count (Luo, Ren, Peng, Zhang, Li 2018, arXiv 1806.10779).
#pragma once

#include <algorithm>
#include <array>

#include <norma/doors/epsilon.hpp>
#include <norma/doors/plane_layer.hpp>
#include <norma/doors/visits.hpp>
#include <norma/stats/softmax.hpp>

namespace norma {

/// Which variance the instance statistic is. authors: that of the unbiased estimator, from which the layer and batch variances derive as if
/// it were the population's; the running variance takes that batch variance as it is and starts at 0.
enum class SwitchableVariance : unsigned char { population, authors };

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct SwitchableNormName {
  static constexpr const char* layer = "SwitchableNorm";
};

/// momentum std::nullopt: the cumulative average of all batches.
struct SwitchableNormOptions {
  double eps = 1e-5;                     ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.1;  ///< the weight of the new value, in [0, 1], else a ShapeError; std::nullopt averages all batches
  bool affine = true;                    ///< false: neither weight nor bias
  bool bias = true;                      ///< counts only with affine
  bool track_running_stats = true;       ///< false: inference uses the statistics of x
  SwitchableVariance variance = SwitchableVariance::population;  ///< the instance statistic's
};

/// mean = sum_k softmax(mean_logits)_k mean_k and variance alike with var_logits, over k in (instance, layer, batch), for each sample and
/// channel of (N, C) or (N, C, spatial...). Inference takes the running statistics for the batch's, if it tracks; if it does not, it
/// allocates some numbers per sample and channel. Everything else is BatchNorm's. T: float or double.
template <Parameter T = float>
class SwitchableNorm : public PlaneLayer<SwitchableNorm<T>, BatchSets<SwitchableNormName>, T> {
  using F = BatchSets<SwitchableNormName>;
  using Base = PlaneLayer<SwitchableNorm<T>, F, T>;

 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit SwitchableNorm(index_t channels, const SwitchableNormOptions& options = {})
      : Base({Statistic::Kind::deviation, checked_eps("SwitchableNorm", options.eps)}, channels,
             {.weight = options.affine,
              .bias = options.affine && options.bias,
              .track_running_stats = options.track_running_stats,
              .momentum = options.momentum,
              .first_variance = options.variance == SwitchableVariance::authors ? 0.0 : 1.0}),
        variance_(options.variance) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  SwitchableNorm(index_t channels, const EpsilonOptions&) : SwitchableNorm(channels, refuse_epsilon<T, SwitchableNormOptions>()) {}

  ///@{
  /// For (instance, layer, batch).
  std::span<T> mean_logits() { return mean_logits_; }
  std::span<const T> mean_logits() const { return mean_logits_; }
  std::span<T> var_logits() { return var_logits_; }
  std::span<const T> var_logits() const { return var_logits_; }
  std::span<T> mean_logits_grad() { return mean_logits_grad_; }
  std::span<const T> mean_logits_grad() const { return mean_logits_grad_; }
  std::span<T> var_logits_grad() { return var_logits_grad_; }
  std::span<const T> var_logits_grad() const { return var_logits_grad_; }
  ///@}

  /// Sets all gradients to 0.
  void zero_grad() {
    Base::zero_grad();
    mean_logits_grad_.fill(T(0));
    var_logits_grad_.fill(T(0));
  }

 private:
  using Shares = std::array<double, 3>;
  using Three = std::array<SetStatistics, 3>;  // of a plane: instance, layer, batch
  friend Base;
  friend VisitedParameters<SwitchableNorm>;

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit& visit) {
    Base::visit_parameters(self, visit);
    visit(std::string_view("mean_weight"), self.mean_logits(), self.mean_logits_grad());
    visit(std::string_view("var_weight"), self.var_logits(), self.var_logits_grad());
  }

  /// What a training forward leaves in Saved's table: mean and variance of each plane, and of each channel of the batch. Behind them is
  /// room for gradients of samples and channels.
  struct Table {
    index_t samples, channels;
    double* numbers;

    static index_t size(index_t samples, index_t channels) { return 2 * (samples * channels + channels) + 2 * (samples + channels); }
    index_t planes() const { return samples * channels; }
    double* plane(index_t i) const { return numbers + 2 * i; }
    double* channel(index_t c) const { return plane(planes() + c); }
    MomentGradients* gradients() const { return reinterpret_cast<MomentGradients*>(channel(channels)); }
    static SetStatistics read(const double* p) { return {{p[0], 0}, 0, p[1]}; }
    static void write(double* p, const SetStatistics& s) {
      p[0] = s.mean.high + s.mean.low;
      p[1] = s.second;
    }
  };
  Table table_of(Saved<T>& saved, index_t samples) const { return {samples, this->channels(), saved.table().data()}; }

  /// f(plane, its three statistics, mixed), from those of planes and of the batch's channels.
  template <class OfPlane, class OfChannel, class Visit>
  void each_plane(index_t samples, const OfPlane& plane, const OfChannel& channel, Visit&& visit) const {
    const Shares means = softmax(mean_logits_), variances = softmax(var_logits_);
    for (index_t n = 0; n < samples; ++n) {
      const index_t first = n * this->channels();
      const SetStatistics layer = merged(this->statistic(), this->channels(), [&](index_t c) { return plane(first + c); });
      for (index_t c = 0; c < this->channels(); ++c) {
        const Three k{plane(first + c), layer, channel(c)};
        visit(first + c, k, mixed(this->statistic(), k, means, variances));
      }
    }
  }

  template <class X, class Y, class Between>
  void mix(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, const StatisticArrays& statistics,
           Buffer<std::byte>* scratch, Span span, const Between& between) const {
    normalize_between<T>(call, this->statistic(), plane_roles(x.rank()), x, y, this->operands(x.extents(), channel_axis), statistics,
                         scratch, span, between);
  }
  /// The statistics of a plane of a forward, its variance in the convention of the layer.
  auto planes_of(const auto& forward, index_t elements) const {
    return [&forward, factor = instance_factor(elements)](index_t i) {
      SetStatistics s = forward.statistics(i);
      s.second *= factor;
      return s;
    };
  }

  /// With running statistics, samples need nothing of each other.
  template <class X, class Y>
  void infer_planes(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    if (!this->tracks()) {
      Saved<T> batch;
      return map_planes(call, x, y, &batch, false);
    }
    const GivenStatistics running = this->running();
    mix(call, x, y, {}, nullptr, Span::sample, [&](auto& forward, const Piece&) {
      each_plane(
          1, planes_of(forward, elements_of_plane(x)), [&](index_t c) { return running[c]; },
          [&](index_t i, const Three&, const SetStatistics& s) { forward.put(i, s); });
    });
  }
  /// With running statistics, they stand for the batch's.
  template <class X, class Y>
  void map_planes(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved, bool running) const {
    saved->prepare_table(Table::size(x.extent(0), x.extent(1)));
    const Table table = table_of(*saved, x.extent(0));
    mix(call, x, y, saved->prepare(table.planes(), true), &saved->scratch(), Span::call, [&](auto& forward, const Piece&) {
      const auto plane = planes_of(forward, elements_of_plane(x));
      for (index_t i = 0; i < table.planes(); ++i) Table::write(table.plane(i), plane(i));
      for (index_t c = 0; c < table.channels; ++c) {
        Table::write(table.channel(c), running ? this->running()[c] : merged(this->statistic(), table.samples, [&](index_t n) {
                       return plane(n * table.channels + c);
                     }));
      }
      each_kept(table, [&](index_t i, const Three&, const SetStatistics& s) { forward.put(i, s); });
    });
  }
  template <class Visit>
  void each_kept(const Table& table, Visit&& visit) const {
    each_plane(
        table.samples, [&](index_t i) { return Table::read(table.plane(i)); }, [&](index_t c) { return Table::read(table.channel(c)); },
        visit);
  }
  void learn_planes(Saved<T>& saved, index_t samples, index_t m) {
    const Table table = table_of(saved, samples);
    this->learn_from(m, variance_ == SwitchableVariance::population, [&](index_t c) { return Table::read(table.channel(c)); });
  }

  /// Sums over planes become gradients of mixed statistics, these of what was mixed, these of x.
  template <class DY, class X, class DX>
  void planes_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx,
                       bool running) {
    const Table table = table_of(saved, x.extent(0));
    const double s = static_cast<double>(elements_of_plane(x)), factor = instance_factor(elements_of_plane(x));
    Buffer<double> memory;
    normalize_between_backward(
        call, plane_roles(x.rank()), dy, x, dx, saved, Span::call,
        this->seen_norm(call, table.planes(), memory, [](index_t, double&, double&) {}),
        [&](const Piece&, const double* sum_dy, const double* sum_dy_x_hat, const auto& put) {
          const Shares means = softmax(mean_logits_), variances = softmax(var_logits_);
          MomentGradients *const of_sample = table.gradients(), *const of_channel = of_sample + table.samples;
          std::fill_n(of_sample, table.samples + table.channels, MomentGradients{});
          Shares of_means{}, of_variances{};
          const auto of_mixed = [&](index_t i, const SetStatistics& all) {
            const double w = this->weight_of(i % table.channels);
            return MomentGradients::of_sums(all.rstd, mul(w, sum_dy[i]), mul(w, sum_dy_x_hat[i]));
          };
          each_kept(table, [&](index_t i, const Three& k, const SetStatistics& all) {
            const index_t n = i / table.channels, c = i % table.channels;
            const MomentGradients d = of_mixed(i, all);
            of_sample[n] += d.times(means[1], variances[1]);
            of_channel[c] += d.times(means[2], variances[2]);
            for (std::size_t j = 0; j < 3; ++j) {
              of_means[j] = std::fma(d.mean, distance(all.mean, k[j].mean), of_means[j]);
              of_variances[j] = std::fma(d.variance, k[j].second - all.second, of_variances[j]);
            }
          });
          for (index_t c = 0; c < table.channels; ++c) {
            double of_weight = 0, of_bias = 0;  // rounded to T once
            for (index_t i = c; i < table.samples * table.channels; i += table.channels) of_weight += sum_dy_x_hat[i], of_bias += sum_dy[i];
            this->add_gradients(c, of_weight, of_bias);
          }
          each_kept(table, [&](index_t i, const Three& k, const SetStatistics& all) {
            const index_t n = i / table.channels, c = i % table.channels;
            MomentGradients d = of_mixed(i, all).times(means[0], variances[0]);
            d += of_sample[n].to_one_of(static_cast<double>(table.channels), distance(k[1].mean, k[0].mean));
            // Not 0 times sums that may hold a NaN.
            if (!running) d += of_channel[c].to_one_of(static_cast<double>(table.samples), distance(k[2].mean, k[0].mean));
            // x - mean of the plane = x_hat / rstd + how far the mixed mean is from it.
            d.variance = mul(d.variance, factor);
            const MomentGradients of_x = d.to_one_of(s, distance(k[0].mean, all.mean));
            put(i, mul(all.rstd, this->weight_of(c)), all.rstd > 0 ? 2 * of_x.variance / all.rstd : 0.0, of_x.mean);
          });
          for (std::size_t j = 0; j < 3; ++j) {
            mean_logits_grad_[j] = static_cast<T>(std::fma(means[j], of_means[j], static_cast<double>(mean_logits_grad_[j])));
            var_logits_grad_[j] = static_cast<T>(std::fma(variances[j], of_variances[j], static_cast<double>(var_logits_grad_[j])));
          }
        });
  }

  template <class X>
  static index_t elements_of_plane(const TensorView<X>& x) {
    return x.size() / (x.extent(0) * x.extent(1));
  }
  /// What the population variance of a plane of s elements is multiplied with. A single element has variance 0 in either convention.
  double instance_factor(index_t s) const {
    return RunningStep{.unbiased = variance_ == SwitchableVariance::authors}.averaged_variance(1, s);
  }

  SwitchableVariance variance_;
  std::array<T, 3> mean_logits_{T(1), T(1), T(1)}, var_logits_{T(1), T(1), T(1)}, mean_logits_grad_{}, var_logits_grad_{};
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
