// SyncBatchNorm: BatchNorm over the batches of all processes; what travels is a table of 2 C + 2 numbers forward and 2 C + 1 backward.
#pragma once

#include <norma/engine/batch_layer.hpp>
#include <norma/engine/exchange.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

struct SyncBatchNormFormula : InverseSigma {
  using Algebra = InverseSigma;
  static constexpr const char* layer = "SyncBatchNorm";
  static constexpr int least_rank = 2;

  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return batch_roles(x.size());
  }
};

/// BatchNorm's options and defaults.
struct SyncBatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool bias = true;
  bool track_running_stats = true;
  StatsConvention convention = StatsConvention::torch;
};

/// As BatchNorm, with the statistics of all ranks' x in training: running statistics and outputs are those of one process with the whole
/// batch, the same bits on every rank. Batches may be uneven or empty on some ranks. Weight and bias gradients += this rank's part: sum
/// them over ranks with all other gradients. Inference and backward_frozen talk to nobody. All ranks make the same calls in the same order;
/// what is a ShapeError on one is thrown on all, before anything is written. T: float or double.
template <Parameter T>
class SyncBatchNorm : public BatchLayer<SyncBatchNorm<T>, SyncBatchNormFormula, T> {
  using Base = BatchLayer<SyncBatchNorm<T>, SyncBatchNormFormula, T>;

 public:
  explicit SyncBatchNorm(index_t channels, const SyncBatchNormOptions& options = {})
      : Base({{options.eps}}, channels,
             {.weight = options.affine,
              .bias = options.affine && options.bias,
              .track_running_stats = options.track_running_stats,
              .momentum = options.momentum,
              .convention = options.convention}) {}

 private:
  using F = SyncBatchNormFormula;
  friend SharedCalls<SyncBatchNorm<T>, T>;
  friend LayerCalls<SyncBatchNorm<T>, T>;
  friend Base;

  template <class X, class Y>
  void train_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y,
                    Saved<T>& saved) {
    AffineOperands affine;
    const std::string error = error_of([&] {
      this->checked_roles(x.extents());
      check_forward(F::layer, x, y);
      affine = this->operands(F::layer, x.extents(), channel_axis);
    });
    const auto nothing = [](auto&, const CellSlice&) {};
    const index_t m =
        normalize_shared(executor, ranks, F::layer, error, algebra_of(this->formula()), this->channels(), x, y, affine, saved, nothing);
    this->learn_shared(saved, m);
    saved.prepare_table(1)[0] = static_cast<double>(m);
    commit(saved, this->formula(), x.extents(), batch_roles(x.rank()));
  }

  template <class DY, class X, class DX>
  void pull_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<DY>& dy, const TensorView<X>& x,
                   Saved<T>& saved, const TensorView<DX>& dx) {
    AffineOperands affine;
    const std::string error = error_of([&] {
      check_backward(F::layer, dy, x, saved, dx, this->checked_roles(x.extents()));
      affine = this->operands_with_gradients(F::layer, x.extents(), channel_axis);
    });
    const SharedSums sums(F::layer, ranks, this->channels(), error.empty() ? saved.table()[0] : 0);
    if (!error.empty()) sums.take_part(error);
    pull_back_shared(executor, algebra_of(this->formula()), dy, x, saved, dx, affine, {}, sums);
  }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
