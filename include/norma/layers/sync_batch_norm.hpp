// SyncBatchNorm: BatchNorm over the batches of all processes; what travels is a table of 2 C + 2 numbers forward and 2 C + 1 backward.
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/shared_layer.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct SyncBatchNormName {
  static constexpr const char* layer = "SyncBatchNorm";
};

/// BatchNorm's options and defaults, momentum std::nullopt, too.
struct SyncBatchNormOptions {
  double eps = 1e-5;                                    ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.1;                 ///< of the new value or the old, see convention; in [0, 1], else a ShapeError
  bool affine = true;                                   ///< false: neither weight nor bias
  bool bias = true;                                     ///< counts only with affine
  bool track_running_stats = true;                      ///< false: inference uses the statistics of x
  StatsConvention convention = StatsConvention::torch;  ///< what momentum weighs, and which variance runs
};

/// As BatchNorm, with the statistics of all ranks' x in training: running statistics and outputs are those of one process with the whole
/// batch, the same bits on every rank. Batches may be uneven or empty on some ranks. Weight and bias gradients += this rank's part: sum
/// them over ranks with all other gradients. Inference and backward_frozen talk to nobody. All ranks make the same calls in the same order;
/// what is a ShapeError on one is thrown on all, before anything is written. T: float or double.
template <Parameter T = float>
class SyncBatchNorm : public SharedBatchLayer<SyncBatchNorm<T>, BatchSets<SyncBatchNormName>, T> {
  using Base = SharedBatchLayer<SyncBatchNorm<T>, BatchSets<SyncBatchNormName>, T>;

 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit SyncBatchNorm(index_t channels, const SyncBatchNormOptions& options = {})
      : Base({Statistic::Kind::deviation, checked_eps("SyncBatchNorm", options.eps)}, channels,
             {.weight = options.affine,
              .bias = options.affine && options.bias,
              .track_running_stats = options.track_running_stats,
              .momentum = options.momentum,
              .convention = options.convention}) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  SyncBatchNorm(index_t channels, const EpsilonOptions&) : SyncBatchNorm(channels, refuse_epsilon<T, SyncBatchNormOptions>()) {}

 private:
  friend BatchLayer<SyncBatchNorm<T>, BatchSets<SyncBatchNormName>, T>;
  friend LayerCalls<SyncBatchNorm<T>, T>;
  friend Base;

  template <class... Views>
  void train(const Views&...) {
    static_assert(sizeof...(Views) == 0, "norma: SyncBatchNorm trains with a communicator: forward(ranks, x, y, saved)");
  }
  template <class... Views>
  void train_backward(const Views&...) {
    static_assert(sizeof...(Views) == 0, "norma: SyncBatchNorm trains with a communicator: backward(ranks, dy, x, saved, dx)");
  }

  static constexpr index_t table_columns = 0;
  auto between(double*) const {
    return [](auto&, const Piece&) {};
  }
  Reshape reshape(const double*) const { return {}; }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
