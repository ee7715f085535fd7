// BatchRenorm: BatchNorm whose training output stays close to that of inference (Ioffe 2017, arXiv 1702.03275).
#pragma once

#include <algorithm>
#include <cmath>

#include <norma/doors/epsilon.hpp>
#include <norma/doors/shared_layer.hpp>

namespace norma {

/// How far r may be from 1 (as a factor, at least 1) and d from 0.
struct RenormLimits {
  double r_max = 1;  ///< 1 or more
  double d_max = 0;  ///< 0 or more
};

/// The limits as a function of the training step: (1, 0), which is BatchNorm, until `begin`, then linear to r_max at r_end and to d_max at
/// d_end, constant from there. Defaults are the paper's.
struct RenormSchedule {
  double r_max = 3;            ///< the last limit of r, 1 or more
  double d_max = 5;            ///< the last limit of d, 0 or more
  std::int64_t begin = 5000;   ///< the last step that is plain BatchNorm
  std::int64_t r_end = 40000;  ///< the step that reaches r_max
  std::int64_t d_end = 25000;  ///< the step that reaches d_max

  /// The limits of a step, counted from 0.
  NORMA_INLINE RenormLimits operator()(std::int64_t step) const { return {between(1, r_max, step, r_end), between(0, d_max, step, d_end)}; }
  /// The same limits at every step.
  NORMA_INLINE static RenormSchedule constant(double r_max, double d_max) { return {r_max, d_max, 0, 0, 0}; }

 private:
  NORMA_INLINE double between(double first, double last, std::int64_t step, std::int64_t end) const {
    if (step >= end) return last;
    if (step <= begin) return first;
    const double from = static_cast<double>(begin);
    return std::fma(last - first, (static_cast<double>(step) - from) / (static_cast<double>(end) - from), first);
  }
};

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct BatchRenormName {
  static constexpr const char* layer = "BatchRenorm";
};

/// momentum std::nullopt: the cumulative average of all batches.
struct BatchRenormOptions {
  double eps = 1e-5;                      ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.01;  ///< the weight of the new value, in [0, 1], else a ShapeError; std::nullopt averages all batches
  bool affine = true;                     ///< false: neither weight nor bias
  bool bias = true;                       ///< counts only with affine
  RenormSchedule schedule = {};           ///< of r and d
};

/// Over (N, C) or (N, C, spatial...). Training: x_hat = (x - mean) / sigma * r + d with the batch's mean and sigma = sqrt(variance + eps),
/// r = clip(sigma / running sigma, 1 / r_max, r_max), d = clip((mean - running mean) / running sigma, -d_max, d_max); the running
/// statistics are those before this step, r and d constants in backward. Unclipped, that is the output of inference. Inference and all else
/// is BatchNorm's; statistics are always tracked. forward and backward with a communicator are SyncBatchNorm's. ShapeError where the
/// schedule gives an r_max below 1 or a d_max below 0. T: float or double.
template <Parameter T = float>
class BatchRenorm : public SharedBatchLayer<BatchRenorm<T>, BatchSets<BatchRenormName>, T> {
  using F = BatchSets<BatchRenormName>;
  using Base = SharedBatchLayer<BatchRenorm<T>, F, T>;

 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit BatchRenorm(index_t channels, const BatchRenormOptions& options = {})
      : Base({Statistic::Kind::deviation, checked_eps("BatchRenorm", options.eps)}, channels,
             {.weight = options.affine, .bias = options.affine && options.bias, .momentum = options.momentum}),
        schedule_(options.schedule) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  BatchRenorm(index_t channels, const EpsilonOptions&) : BatchRenorm(channels, refuse_epsilon<T, BatchRenormOptions>()) {}

  ///@{
  /// Asked at every training forward, with the number of batches tracked before it.
  RenormSchedule& schedule() { return schedule_; }
  const RenormSchedule& schedule() const { return schedule_; }
  ///@}

 private:
  friend BatchLayer<BatchRenorm<T>, F, T>;
  friend LayerCalls<BatchRenorm<T>, T>;
  friend Base;

  template <class X, class Y>
  void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = this->checked_training(call, x, y);
    check_options();
    const StatisticArrays statistics = saved.prepare(this->channels(), true);
    double* const table = this->prepare_table(saved);
    if (x.size() > 0) {
      normalize_between<T>(call, this->statistic(), roles, x, y, this->operands(x.extents(), channel_axis), statistics, &saved.scratch(),
                           Span::sets, between(table));
      this->learn(saved, x.extents(), roles);
    } else {
      for (index_t c = 0; c < this->channels(); ++c) statistics.put(c, SetStatistics{});
    }
    saved.commit(F::layer, x.extents(), roles.signature(), this->statistic());
  }

  template <class DY, class X, class DX>
  void train_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    const Roles roles = this->checked_roles(x.extents());
    check_backward(F::layer, call, dy, x, saved, dx, roles);
    differentiate<T>(call, this->statistic(), roles, dy, x, saved.statistics(), saved.scratch(), dx,
                     this->operands_with_gradients(x.extents(), channel_axis), reshape(saved.table().data()));
  }

  void check_options() const {
    const RenormLimits limits = schedule_(this->num_batches_tracked());
    if (limits.r_max >= 1 && limits.d_max >= 0) return;
    raise_shape_error(F::layer, ": the schedule gives r_max ", limits.r_max, " and d_max ", limits.d_max, "; at least 1 and 0 are wanted");
  }
  /// r and d of each channel, in two columns.
  static constexpr index_t table_columns = 2;
  Reshape reshape(const double* table) const { return {table, table + this->channels()}; }
  auto between(double* table) const {
    return [table, channels = this->channels(), running = this->running(), limits = schedule_(this->num_batches_tracked())](
               auto& forward, const Piece& piece) {
      for (index_t s = 0; s < forward.set_count(); ++s) {
        const index_t c = piece.place(s);
        const SetStatistics batch = forward.statistics(s), before = running[c];
        const double distance = (batch.mean.high - before.mean.high) + batch.mean.low;
        const double r = std::clamp(before.rstd / batch.rstd, 1 / limits.r_max, limits.r_max);
        const double d = std::clamp(distance * before.rstd, -limits.d_max, limits.d_max);
        forward.reshape(s, batch.rstd * r, d);
        table[c] = r;
        table[channels + c] = d;
      }
    };
  }

  RenormSchedule schedule_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
