// RowNorm: the layer over trailing axes, with parameters of their shape.
#pragma once

#include <norma/engine/layer.hpp>
#include <norma/engine/shared_rows.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// normalized_shape, or ShapeError: at least one extent, none negative.
inline const Extents& checked_normalized_shape(const char* layer, const Extents& shape) {
  if (shape.size() == 0) raise_shape_error(layer, ": normalized_shape is empty");
  for (const index_t extent : shape) {
    if (extent < 0) raise_shape_error(layer, ": normalized_shape ", shape, " has a negative extent");
  }
  return shape;
}

/// The trailing axes of x, whose extents must be `shape`.
inline AxisSet checked_trailing_axes(const char* layer, const Extents& x, const Extents& shape) {
  bool fits = x.size() >= shape.size();
  for (int i = 1; fits && i <= shape.size(); ++i) fits = x[x.size() - i] == shape[shape.size() - i];
  if (!fits) raise_shape_error(layer, ": x has extents ", x, ", normalized_shape is ", shape);
  return trailing_axes(x.size(), shape.size());
}

/// A layer over trailing axes with parameters of their shape. F::layer is its name in messages. T: float or double.
template <class F, Parameter T>
class RowNorm : public AffineParameters<T>, public LayerCalls<RowNorm<F, T>, T>, public SharedCalls<RowNorm<F, T>, T> {
 public:
  using LayerCalls<RowNorm<F, T>, T>::operator();
  using LayerCalls<RowNorm<F, T>, T>::forward;
  using LayerCalls<RowNorm<F, T>, T>::backward;
  using SharedCalls<RowNorm<F, T>, T>::operator();
  using SharedCalls<RowNorm<F, T>, T>::forward;
  using SharedCalls<RowNorm<F, T>, T>::backward;

  double eps() const { return statistic_.eps; }

 protected:
  RowNorm(const Statistic& statistic, const Extents& normalized_shape, bool has_weight, bool has_bias, bool unit_offset)
      : AffineParameters<T>(checked_normalized_shape(F::layer, normalized_shape), has_weight, has_bias, unit_offset),
        statistic_(statistic) {}

 private:
  friend LayerCalls<RowNorm<F, T>, T>;
  friend SharedCalls<RowNorm<F, T>, T>;

  template <class X, class Y>
  void infer(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y) const {
    run(executor, x, y, nullptr);
  }
  template <class X, class Y>
  void train(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = run(executor, x, y, &saved);
    saved.commit(F::layer, x.extents(), roles.signature(), statistic_);
  }
  template <class X, class Y>
  AxisSet run(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved) const {
    const AxisSet axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
    check_forward(F::layer, x, y);
    normalize<T>(executor, statistic_, axes, x, y, this->operands(F::layer, x.extents(), axes), saved);
    return axes;
  }
  template <class DY, class X, class DX>
  void train_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved,
                      const TensorView<DX>& dx) {
    const AxisSet axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
    check_backward(F::layer, dy, x, saved, dx, axes);
    normalize_backward<T>(executor, statistic_, axes, dy, x, saved, dx, this->operands_with_gradients(F::layer, x.extents(), axes));
  }

  // The normalized axes split over processes: this layer has its shard's shape and owns that shard of the parameters.

  template <class X, class Y>
  void infer_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y) const {
    run_shared(executor, ranks, x, y, nullptr);
  }
  template <class X, class Y>
  void train_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y,
                    Saved<T>& saved) {
    const Roles roles = run_shared(executor, ranks, x, y, &saved);
    saved.commit(F::layer, x.extents(), roles.spanning_processes().signature(), statistic_);
  }
  template <class X, class Y>
  AxisSet run_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y,
                     Saved<T>* saved) const {
    AxisSet axes = 0;
    AffineOperands affine;
    const std::string error = error_of([&] {
      axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
      check_forward(F::layer, x, y);
      affine = this->operands(F::layer, x.extents(), axes);
    });
    normalize_shards<T>(executor, ranks, F::layer, error, statistic_, axes, x, y, affine, saved);
    return axes;
  }
  template <class DY, class X, class DX>
  void train_shared_backward(const ExecutorRef& executor, const CommunicatorRef& ranks, const TensorView<DY>& dy, const TensorView<X>& x,
                             Saved<T>& saved, const TensorView<DX>& dx) {
    AxisSet axes = 0;
    AffineOperands affine;
    const std::string error = error_of([&] {
      axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
      check_backward(F::layer, dy, x, saved, dx, Roles(axes).spanning_processes());
      affine = this->operands_with_gradients(F::layer, x.extents(), axes);
    });
    normalize_shards_backward<T>(executor, ranks, F::layer, error, statistic_, axes, dy, x, saved, dx, affine);
  }

  Statistic statistic_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
