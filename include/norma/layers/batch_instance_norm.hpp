// BatchInstanceNorm: each channel learns how much of BatchNorm and of InstanceNorm it wants (Nam, Kim 2018, arXiv 1805.07925).
#pragma once

#include <algorithm>

#include <norma/doors/epsilon.hpp>
#include <norma/doors/plane_layer.hpp>
#include <norma/doors/visits.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct BatchInstanceNormName {
  static constexpr const char* layer = "BatchInstanceNorm";
};

/// momentum std::nullopt: the cumulative average of all batches.
struct BatchInstanceNormOptions {
  double eps = 1e-5;                     ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.1;  ///< the weight of the new value, in [0, 1], else a ShapeError; std::nullopt averages all batches
  bool affine = true;                    ///< false: neither weight nor bias
  bool bias = true;                      ///< counts only with affine
  bool track_running_stats = true;       ///< false: inference uses the statistics of x
};

/// y = (gate * x_hat_batch + (1 - gate) * x_hat_instance) * weight + bias over (N, C) or (N, C, spatial...). The gate is one number per
/// channel, to be kept in [0, 1] with clamp_gate() after each optimizer step. Inference takes running statistics for the batch half, if it
/// tracks; the instance half always uses x's own. Everything else is BatchNorm's. T: float or double.
template <Parameter T = float>
class BatchInstanceNorm : public PlaneLayer<BatchInstanceNorm<T>, BatchSets<BatchInstanceNormName>, T> {
  using F = BatchSets<BatchInstanceNormName>;
  using Base = PlaneLayer<BatchInstanceNorm<T>, F, T>;

 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit BatchInstanceNorm(index_t channels, const BatchInstanceNormOptions& options = {})
      : Base({Statistic::Kind::deviation, checked_eps("BatchInstanceNorm", options.eps)}, channels,
             {.weight = options.affine,
              .bias = options.affine && options.bias,
              .track_running_stats = options.track_running_stats,
              .momentum = options.momentum}),
        gate_(channels, T(1)),
        gate_grad_(channels) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  BatchInstanceNorm(index_t channels, const EpsilonOptions&) : BatchInstanceNorm(channels, refuse_epsilon<T, BatchInstanceNormOptions>()) {}

  ///@{
  /// (C), 1 at first; and its gradient, which backwards add to.
  std::span<T> gate() { return gate_.span(); }
  std::span<const T> gate() const { return gate_.span(); }
  std::span<T> gate_grad() { return gate_grad_.span(); }
  std::span<const T> gate_grad() const { return gate_grad_.span(); }
  ///@}
  /// Brings every gate back into [0, 1].
  void clamp_gate() {
    for (T& g : gate()) g = std::clamp(g, T(0), T(1));
  }

  /// Sets all gradients to 0.
  void zero_grad() {
    Base::zero_grad();
    gate_grad_.fill(T(0));
  }

 private:
  friend Base;
  friend VisitedParameters<BatchInstanceNorm>;

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit& visit) {
    Base::visit_parameters(self, visit);
    visit(std::string_view("gate"), self.gate(), self.gate_grad());
  }

  template <class X, class Y>
  void infer_planes(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    map_planes(call, x, y, nullptr, this->tracks());
  }
  /// Statistics of planes and channels, y. With running statistics, they stand for the batch's. The table then holds mean, rstd and
  /// variance of the batch half for each channel.
  template <class X, class Y>
  void map_planes(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved, bool running) const {
    const index_t samples = x.extent(0), channels = this->channels();
    double* const table = saved == nullptr ? nullptr : saved->prepare_table(3 * channels).data();
    const auto between = [&](auto& forward, const Piece& piece) {
      const index_t of_slice = piece.sets_per_sample;
      for (index_t i = 0; i < of_slice; ++i) {
        const index_t c = piece.place(i);
        const SetStatistics batch =
            running ? this->running()[c]
                    : merged(this->statistic(), samples, [&](index_t n) { return forward.statistics(n * of_slice + i); });
        const double gate = static_cast<double>(gate_.data()[c]);
        for (index_t n = 0; n < samples; ++n) {
          // The slope is the sum of both halves'; the shift is how far the batch half is from the instance's centre.
          const SetStatistics own = forward.statistics(n * of_slice + i);
          const double batch_slope = mul(gate, batch.rstd), own_slope = mul(1 - gate, own.rstd);
          forward.reshape(n * of_slice + i, batch_slope + own_slope, mul(batch_slope, distance(batch.mean, own.mean)));
        }
        if (table == nullptr) continue;
        double* const of_channel = table + 3 * c;
        of_channel[0] = batch.mean.high + batch.mean.low;
        of_channel[1] = batch.rstd;
        of_channel[2] = batch.second;
      }
    };
    normalize_between<T>(call, this->statistic(), plane_roles(x.rank()), x, y, this->operands(x.extents(), channel_axis),
                         saved == nullptr ? StatisticArrays{} : saved->prepare(samples * channels, true),
                         saved == nullptr ? nullptr : &saved->scratch(), Span::channels, between);
  }

  void learn_planes(Saved<T>& saved, index_t, index_t m) {
    this->learn_from(m, true, [&](index_t c) {
      const double* const of_channel = saved.table().data() + 3 * c;
      return SetStatistics{{of_channel[0], 0}, of_channel[1], of_channel[2]};
    });
  }

  /// dx = gate * (BatchNorm's dx) + (1 - gate) * (InstanceNorm's dx), both told in terms of the instance's x_hat. Running statistics
  /// are constants: the batch half is then dy times a number.
  template <class DY, class X, class DX>
  void planes_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx,
                       bool running) {
    const index_t samples = x.extent(0);
    const double s = static_cast<double>(x.size() / (samples * this->channels())), m = s * static_cast<double>(samples);
    const StatisticArrays own = saved.statistics();
    Buffer<double> memory;
    const Reshape seen = this->seen_norm(call, samples * this->channels(), memory, [&](index_t p, double& gain, double& shift) {
      const index_t c = p % this->channels();
      const Plane plane = plane_of(p, c, own, saved.table().data(), p);
      const double gate = static_cast<double>(gate_.data()[c]);
      gain = std::fma(gate, plane.stretch, 1 - gate);
      shift = mul(gate, plane.apart);
    });
    const auto resolve = [&](const Piece& piece, double* sum_dy, double* sum_dy_x_hat, const auto& put) {
      for (index_t i = 0; i < piece.sets_per_sample; ++i) {
        const index_t c = piece.place(i);
        const double batch_rstd = saved.table()[static_cast<std::size_t>(3 * c + 1)];
        const double gate = static_cast<double>(gate_.data()[c]);
        const double w = this->weight_of(c);
        const auto plane = [&](index_t n) {
          const index_t set = n * piece.sets_per_sample + i;
          return plane_of(set, c, own, saved.table().data(), piece.place(set));
        };
        double dy_all = 0, dy_batch = 0, dy_own = 0;
        for (index_t n = 0; n < samples; ++n) {
          const Plane p = plane(n);
          dy_all += sum_dy[p.set];
          dy_own += sum_dy_x_hat[p.set];
          dy_batch += std::fma(p.stretch, sum_dy_x_hat[p.set], mul(p.apart, sum_dy[p.set]));
        }
        this->add_gradients(c, std::fma(gate, dy_batch, mul(1 - gate, dy_own)), dy_all);
        this->add_to(gate_grad_, c, mul(w, dy_batch - dy_own));
        for (index_t n = 0; n < samples; ++n) {
          const Plane p = plane(n);
          const double batch = mul(w * gate, batch_rstd), instance = s > 1 ? mul(w * (1 - gate), p.rstd) : 0.0;
          // Not 0 times the batch's sums: they may hold another sample's NaN.
          const double batch_slope = running ? 0.0 : mul(-batch * (dy_batch / m), p.stretch);
          const double batch_offset = running ? 0.0 : -batch * std::fma(p.apart, dy_batch, dy_all) / m;
          put(p.set, batch + instance, batch_slope - instance * sum_dy_x_hat[p.set] / s, batch_offset - instance * sum_dy[p.set] / s);
        }
      }
    };
    normalize_between_backward(call, plane_roles(x.rank()), dy, x, dx, saved, Span::channels, seen, resolve);
  }
  /// x_hat_batch = stretch * x_hat_instance + apart, plane by plane.
  struct Plane {
    index_t set;
    double rstd, stretch, apart;
  };
  static Plane plane_of(index_t set, index_t channel, const StatisticArrays& own, const double* table, index_t place) {
    const SplitSum<> mean = own.get_mean<double>(place);
    const double rstd = own.get_rstd<double>(place), batch_mean = table[3 * channel], batch_rstd = table[3 * channel + 1];
    return {set, rstd, rstd > 0 ? batch_rstd / rstd : 0.0, mul(batch_rstd, (mean.high - batch_mean) + mean.low)};
  }

  Buffer<T> gate_, gate_grad_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
