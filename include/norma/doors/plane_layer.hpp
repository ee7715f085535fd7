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

  /// For a fusion: the norm of each plane is x_hat * gain + shift, of_plane(i, gain, shift), times weight plus bias. In `memory`.
  template <class OfPlane>
  Reshape seen_norm(const CallRef& call, index_t planes, Buffer<double>& memory, const OfPlane& of_plane) const {
    if (call.fusion() == nullptr) return {};
    memory.resize(2 * planes);
    double *const gains = memory.data(), *const shifts = gains + planes;
    for (index_t i = 0; i < planes; ++i) {
      const index_t c = i % this->channels();
      double gain = 1, shift = 0;
      of_plane(i, gain, shift);
      gains[i] = mul(gain, this->weight_of(c));
      shifts[i] = std::fma(shift, this->weight_of(c), this->bias_of(c));
    }
    return {gains, shifts, true};
  }

 private:
  friend LayerCalls<Layer, T>;
  friend BatchLayer<Layer, F, T>;

  /// Statistics of planes are made before it is known which of them counts, and a gate is none of their business.
  static void check_no_gate(const CallRef& call) {
    if (call.fusion() != nullptr && call.fusion()->gates()) raise_shape_error(F::layer, ": takes no gate");
  }

  template <class X, class Y>
  void infer(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    check_no_gate(call);
    check_forward(F::layer, call, x, y, this->checked_roles(x.extents()));
    if (x.size() == 0) return;
    static_cast<const Layer&>(*this).infer_planes(call, with_planes(x), with_planes(y));
  }
  template <class X, class Y>
  void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    check_no_gate(call);
    const Roles roles = this->checked_training(call, x, y);
    const index_t planes = x.extent(0) * x.extent(1);
    const StatisticArrays statistics = saved.prepare(planes, true);
    if (x.size() == 0) {
      for (index_t p = 0; p < planes; ++p) statistics.put(p, SetStatistics{});
    } else {
      self().map_planes(call, with_planes(x), with_planes(y), &saved, false);
      self().learn_planes(saved, x.extent(0), values_per_channel(x.extents()));
    }
    saved.commit(F::layer, x.extents(), roles.signature(), this->statistic());
  }
  template <class DY, class X, class DX>
  void train_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    check_no_gate(call);
    check_backward(F::layer, call, dy, x, saved, dx, this->checked_roles(x.extents()));
    if (x.size() > 0) self().planes_backward(call, with_planes(dy), with_planes(x), saved, with_planes(dx), false);
  }
  template <class DY, class X, class DX>
  void infer_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) {
    check_no_gate(call);
    this->check_frozen(call, dy, x, dx);
    if (x.size() == 0) return;
    Saved<T> saved;
    self().map_planes(call.unfused(), with_planes(x), TensorView<T>(), &saved, true);
    self().planes_backward(call, with_planes(dy), with_planes(x), saved, with_planes(dx), true);
  }

  Layer& self() { return static_cast<Layer&>(*this); }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
