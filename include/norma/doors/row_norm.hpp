// RowNorm: the layer over trailing axes, with parameters of their shape.
#pragma once

#include <norma/doors/plain_layer.hpp>
#include <norma/doors/shared_rows.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

/// A layer over trailing axes with parameters of their shape. T: float or double.
template <class F, Parameter T>
class RowNorm : public PlainLayer<RowNorm<F, T>, F, T>, public SharedCalls<RowNorm<F, T>, T> {
 public:
  using LayerCalls<RowNorm<F, T>, T>::operator();
  using LayerCalls<RowNorm<F, T>, T>::forward;
  using LayerCalls<RowNorm<F, T>, T>::backward;
  using SharedCalls<RowNorm<F, T>, T>::operator();
  using SharedCalls<RowNorm<F, T>, T>::forward;
  using SharedCalls<RowNorm<F, T>, T>::backward;

 protected:
  RowNorm(const Statistic& statistic, const Extents& normalized_shape, bool has_weight, bool has_bias, bool unit_offset,
          Rounding rounding = Rounding::once)
      : PlainLayer<RowNorm<F, T>, F, T>(statistic, checked_normalized_shape(F::layer, normalized_shape), has_weight, has_bias, unit_offset,
                                        rounding) {}

 private:
  friend PlainLayer<RowNorm<F, T>, F, T>;
  friend SharedCalls<RowNorm<F, T>, T>;

  NormAxes axes_of(const Extents& x) const {
    const AxisSet axes = checked_trailing_axes(F::layer, x, this->parameter_shape());
    return {axes, axes};
  }

  // The normalized axes split over processes: this layer has its shard's shape and owns that shard of the parameters.

  template <class X, class Y>
  void infer_shared(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y) const {
    run_shared(call, ranks, x, y, nullptr);
  }
  template <class X, class Y>
  void train_shared(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = run_shared(call, ranks, x, y, &saved);
    saved.commit(F::layer, x.extents(), roles.spanning_processes().signature(), this->statistic());
  }
  template <class X, class Y>
  AxisSet run_shared(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y,
                     Saved<T>* saved) const {
    AxisSet axes = 0;
    AffineOperands affine;
    const std::string error = error_of([&] {
      axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
      check_forward(F::layer, call, x, y, Roles(axes).spanning_processes());
      if (saved != nullptr) saved->check_room(set_count(x.extents(), axes), this->statistic().centred());
      affine = this->operands(x.extents(), axes);
    });
    normalize_shards<T>(call, ranks, F::layer, error, this->statistic(), axes, x, y, affine, saved);
    return axes;
  }
  template <class DY, class X, class DX>
  void train_shared_backward(const CallRef& call, const CommunicatorRef& ranks, const TensorView<DY>& dy, const TensorView<X>& x,
                             Saved<T>& saved, const TensorView<DX>& dx) {
    AxisSet axes = 0;
    AffineOperands affine;
    const std::string error = error_of([&] {
      axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
      check_backward(F::layer, call, dy, x, saved, dx, Roles(axes).spanning_processes());
      affine = this->operands_with_gradients(x.extents(), axes);
    });
    normalize_shards_backward<T>(call, ranks, F::layer, error, this->statistic(), axes, dy, x, saved, dx, affine);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
