// PlaneLayer: a batch layer whose statistics are made of those of the planes (n, c), and its doors.
#pragma once

#include <norma/doors/batch_layer.hpp>
#include <norma/doors/visits.hpp>
#include <norma/stats/mixture.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// (N, C) seen as (N, C, 1), so that planes have an axis. An absent tensor stays absent.
template <class X>
inline TensorView<X> with_planes(const TensorView<X>& x) {
  return x.rank() == 2 ? TensorView<X>(x.data(), {x.extent(0), x.extent(1), 1}, {x.stride(0), x.stride(1), 1}) : x;
}

/// x, y, dy, dx reach Layer with an axis for planes, x with elements. Layer gives
///   infer_planes(executor, x, y)                     inference
///   map_planes(executor, x, y, saved, running)       statistics and y; an absent y is not computed
///   learn_planes(saved, samples, m)                  the step of the running statistics after that
///   planes_backward(executor, dy, x, saved, dx, running) its backward
/// where `running` says that running statistics stand for the batch's, as constants.
template <class Layer, class F, Parameter T>
class PlaneLayer : public BatchLayer<Layer, F, T>, public VisitedParameters<Layer> {
 public:
  /// With running statistics, too: inference is no mere scale and shift.
  static constexpr bool inference_takes_statistics = true;

  /// Those of AffineParameters and what Layer has of its own, which its visit_parameters shows.
  using VisitedParameters<Layer>::for_each_parameter;

 protected:
  using BatchLayer<Layer, F, T>::BatchLayer;

 private:
  friend LayerCalls<Layer, T>;
  friend BatchLayer<Layer, F, T>;

  template <class X, class Y>
  void infer(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y) const {
    this->checked_roles(x.extents());
    check_forward(F::layer, x, y);
    if (x.size() == 0) return;
    static_cast<const Layer&>(*this).infer_planes(executor, with_planes(x), with_planes(y));
  }
  template <class X, class Y>
  void train(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = this->checked_training(x, y);
    const index_t planes = x.extent(0) * x.extent(1);
    const StatisticArrays statistics = saved.prepare(planes, true);
    if (x.size() == 0) {
      for (index_t p = 0; p < planes; ++p) statistics.put(p, SetStatistics{});
    } else {
      self().map_planes(executor, with_planes(x), with_planes(y), &saved, false);
      self().learn_planes(saved, x.extent(0), values_per_channel(x.extents()));
    }
    saved.commit(F::layer, x.extents(), roles.signature(), this->statistic());
  }
  template <class DY, class X, class DX>
  void train_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved,
                      const TensorView<DX>& dx) {
    check_backward(F::layer, dy, x, saved, dx, this->checked_roles(x.extents()));
    if (x.size() > 0) self().planes_backward(executor, with_planes(dy), with_planes(x), saved, with_planes(dx), false);
  }
  template <class DY, class X, class DX>
  void infer_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) {
    this->check_frozen(dy, x, dx);
    if (x.size() == 0) return;
    Saved<T> saved;
    self().map_planes(executor, with_planes(x), TensorView<T>(), &saved, true);
    self().planes_backward(executor, with_planes(dy), with_planes(x), saved, with_planes(dx), true);
  }

  Layer& self() { return static_cast<Layer&>(*this); }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
