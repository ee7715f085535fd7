// normalize and normalize_backward: the whole of a plain norm between the checked door of its layer and the kernels.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/engine/backward_call.hpp>
#include <norma/engine/forward_call.hpp>
#include <norma/engine/saved.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Weight, bias and their gradients as broadcast operands of x; absent ones are skipped. unit_offset: the weight enters as 1 + weight.
struct AffineOperands {
  Operand weight;
  Operand bias;
  Operand weight_grad;
  Operand bias_grad;
  bool unit_offset = false;

  /// What is added to every weight.
  template <class A>
  A offset() const {
    return weight.present() && unit_offset ? A(1) : negative_zero<A>;
  }
};

/// Outputs of so many bytes bypass the cache. Measured: 1.06 times as fast at 16 and 32 MB, 1.6 at 64 MB; below, a reader would miss them.
inline constexpr index_t streaming_threshold = index_t{16} << 20;

inline bool streams_output(Streaming policy, const Operand& output, index_t bytes, const Operand& x, const Operand& dy) {
  if (policy == Streaming::never || output.data == x.data || output.data == dy.data) return false;
  return policy == Streaming::always || bytes >= streaming_threshold;
}
/// The same for `output` as the stream that is written, y or dx; an absent one streams nothing.
template <class T>
inline bool streams_output(const ExecutorRef& executor, const Operands& operands, const TensorView<T>& output) {
  const index_t bytes = output.size() * static_cast<index_t>(sizeof(T));
  return output.data() != nullptr &&
         streams_output(executor.streaming(), operands[stream_y], bytes, operands[stream_x], operands[stream_dy]);
}

/// Operands of a forward; absent parameters are stood in for.
template <class A, class X, class Y>
inline Operands forward_operands(const TensorView<X>& x, const TensorView<Y>& y, const AffineOperands& affine) {
  Operands operands;
  operands[stream_x] = Operand(x);
  operands[stream_y] = Operand(y);
  operands[stream_weight] = affine.weight.present() ? affine.weight : constant_operand(one<A>, x.rank());
  operands[stream_bias] = affine.bias.present() ? affine.bias : constant_operand(negative_zero<A>, x.rank());
  return operands;
}

/// y = normalized x over the averaged axes. P is the type of statistics, which are left in the arrays unless those are null; the arithmetic
/// type is the wider of P and X. Allocates only in `scratch`, if there is one. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void normalize(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                      const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                      const ForwardHook<Wider<P, std::remove_const_t<X>>>& hook = {}) {
  using A = Wider<P, std::remove_const_t<X>>;
  const Operands operands = forward_operands<A>(x, y, affine);
  if (x.size() == 0) {
    const index_t sets = set_count(x.extents(), roles);
    for (index_t set = 0; set < sets; ++set) statistics.put(set, SetStatistics{});
    return;
  }
  normalize_operands<A>(executor, statistic, roles, x.extents(), operands, affine.template offset<A>(),
                        streams_output(executor, operands, y), statistics, scratch, hook);
}

/// With `saved`, statistics are left there; the caller commits it.
template <class P, class X, class Y>
inline void normalize(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                      const TensorView<Y>& y, const AffineOperands& affine, Saved<P>* saved) {
  if (saved == nullptr) return normalize<P>(executor, statistic, roles, x, y, affine, StatisticArrays{}, nullptr);
  normalize<P>(executor, statistic, roles, x, y, affine, saved->prepare(set_count(x.extents(), roles), statistic.centred()),
               &saved->scratch());
}

/// Operands of a backward; an absent weight is stood in for.
template <class A, class DY, class X, class DX>
inline Operands backward_operands(const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx,
                                  const AffineOperands& affine) {
  Operands operands;
  operands[stream_dy] = Operand(dy);
  operands[stream_x] = Operand(x);
  if (dx.data() != nullptr) operands[stream_y] = Operand(dx);
  operands[stream_weight] = affine.weight.present() ? affine.weight : constant_operand(one<A>, x.rank());
  operands[stream_weight_grad] = affine.weight_grad;
  operands[stream_bias_grad] = affine.bias_grad;
  return operands;
}

/// dx = ... (or += ...), weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
/// `scratch` grows to what is needed. `reshape` is for norms that are always over cells.
template <class P, class DY, class X, class DX>
inline void differentiate(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                          const TensorView<X>& x, const StatisticArrays& statistics, Buffer<std::byte>& scratch, const TensorView<DX>& dx,
                          const AffineOperands& affine, const Reshape& reshape = {}, Result result = Result::replaced,
                          const BackwardHook<Wider<P, std::remove_const_t<X>>>& hook = {}) {
  using A = Wider<P, std::remove_const_t<X>>;
  if (x.size() == 0) return;
  const Operands operands = backward_operands<A>(dy, x, dx, affine);
  const bool streaming = result == Result::replaced && streams_output(executor, operands, dx);
  normalize_operands_backward<A>(executor, statistic, roles, x.extents(), operands, affine.template offset<A>(), streaming, statistics,
                                 scratch, reshape, result, hook);
}

/// The same with the statistics a forward left in `saved`, which has been checked.
template <class P, class DY, class X, class DX>
inline void normalize_backward(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                               const TensorView<X>& x, Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine) {
  differentiate<P>(executor, statistic, roles, dy, x, saved.statistics(), saved.scratch(), dx, affine);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
