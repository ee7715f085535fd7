// normalize and normalize_backward: the whole of a plain norm between the checked door of its layer and the kernels.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/engine/backward.hpp>
#include <norma/engine/cell_normalize.hpp>
#include <norma/engine/cell_pull_back.hpp>
#include <norma/engine/forward_lanes.hpp>
#include <norma/engine/roles.hpp>
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

/// A forward whose tensors are operands: compiled once for an arithmetic, a parameter type and a statistic, whatever x and y are. x has
/// elements.
template <class A>
void normalize_operands(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x,
                        const Operands& operands, A weight_offset, bool streaming, const StatisticArrays& statistics,
                        Buffer<std::byte>* scratch) {
  if (statistic.centred()) {
    const CellPlan plan(x, roles, operands, scratch != nullptr);
    // Planes of one statistic set each that lie as rows are as well normalized while hot.
    if (plan.suits() && (plan.roles().merged != 0 || plan.sums_in_columns())) {
      normalize_cells<A>(executor, statistic, plan, static_cast<double>(weight_offset), statistics, scratch, streaming);
      return;
    }
  }
  const Layout layout(x, roles, operands);
  const ForwardPass<A> pass(statistic, layout, operands, weight_offset, statistics, streaming);
  if (LaneForward<A>::suits(layout, operands)) {
    const LaneForward<A> lanes_pass(pass, statistic, layout, operands, weight_offset, statistics);
    parallel_sets(executor, layout.sets, x.product(), [&](index_t first, index_t last) { lanes_pass.run(first, last); });
  } else {
    parallel_sets(executor, layout.sets, x.product(), [&](index_t first, index_t last) { pass.run(first, last); });
  }
}

/// y = normalized x over the averaged axes. P is the type of statistics, which are left in the arrays unless those are null; the arithmetic
/// type is the wider of P and X. Allocates only in `scratch`, if there is one. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void normalize(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                      const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics, Buffer<std::byte>* scratch) {
  using A = Wider<P, std::remove_const_t<X>>;
  const Operands operands = forward_operands<A>(x, y, affine);
  if (x.size() == 0) {
    const index_t sets = set_count(x.extents(), roles);
    for (index_t set = 0; set < sets; ++set) statistics.put(set, SetStatistics{});
    return;
  }
  normalize_operands<A>(executor, statistic, roles, x.extents(), operands, affine.template offset<A>(),
                        streams_output(executor, operands, y), statistics, scratch);
}

/// With `saved`, statistics are left there; the caller commits it.
template <class P, class X, class Y>
inline void normalize(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                      const TensorView<Y>& y, const AffineOperands& affine, Saved<P>* saved) {
  if (saved == nullptr) return normalize<P>(executor, statistic, roles, x, y, affine, StatisticArrays{}, nullptr);
  normalize<P>(executor, statistic, roles, x, y, affine, saved->prepare(set_count(x.extents(), roles), statistic.centred()),
               &saved->scratch());
}

/// True if weight and bias gradients repeat along different kept axes, so that no one grouping of sets serves both.
inline bool gradients_group_differently(const Operands& operands, const Extents& extents, const Roles& roles) {
  const Operand &weight_grad = operands[stream_weight_grad], &bias_grad = operands[stream_bias_grad];
  if (!weight_grad.present() || !bias_grad.present()) return false;
  for (int a = 0; a < extents.size(); ++a) {
    if (extents[a] == 1 || (!roles.keeps(a) && !roles.splits(a))) continue;
    if ((weight_grad.strides[a] != 0) != (bias_grad.strides[a] != 0)) return true;
  }
  return false;
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

/// Whether a backward replaces dx or adds to it.
enum class Result : unsigned char { replaced, added };

/// A backward whose tensors are operands, like normalize_operands. x has elements.
template <class A>
void pull_back_operands(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x,
                        const Operands& operands, A weight_offset, bool streaming, const StatisticArrays& statistics,
                        Buffer<std::byte>& scratch, const Reshape& reshape, Result result) {
  const bool adds = result == Result::added;
  const CellPlan plan(x, roles, operands, true);
  if (plan.suits() && !adds) {
    pull_back_cells<A>(executor, statistic, x, plan, operands, static_cast<double>(weight_offset), statistics, scratch, streaming, reshape);
    return;
  }
  if (gradients_group_differently(operands, x, roles)) {
    Operands bias_only = operands, the_rest = operands;
    bias_only[stream_weight_grad] = bias_only[stream_y] = Operand();
    the_rest[stream_bias_grad] = Operand();
    // dx last: it may overwrite dy or x.
    pull_back_operands(executor, statistic, roles, x, bias_only, weight_offset, false, statistics, scratch, {}, Result::replaced);
    pull_back_operands(executor, statistic, roles, x, the_rest, weight_offset, streaming, statistics, scratch, reshape, result);
    return;
  }
  const Layout layout(x, roles, operands);
  const BackwardPass<A> pass(statistic, layout, operands, weight_offset, statistics, streaming, adds);
  if (pass.wants_gradients()) {
    pass.run_with_gradients(executor, scratch);
  } else if (operands[stream_y].present()) {
    parallel_sets(executor, layout.sets, x.product(), [&](index_t first, index_t last) { pass.run(first, last); });
  }
}

/// dx = ... (or += ...), weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
/// `scratch` grows to what is needed. `reshape` is for norms that are always over cells.
template <class P, class DY, class X, class DX>
inline void pull_back(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                      const TensorView<X>& x, const StatisticArrays& statistics, Buffer<std::byte>& scratch, const TensorView<DX>& dx,
                      const AffineOperands& affine, const Reshape& reshape = {}, Result result = Result::replaced) {
  using A = Wider<P, std::remove_const_t<X>>;
  if (x.size() == 0) return;
  const Operands operands = backward_operands<A>(dy, x, dx, affine);
  const bool streaming = result == Result::replaced && streams_output(executor, operands, dx);
  pull_back_operands<A>(executor, statistic, roles, x.extents(), operands, affine.template offset<A>(), streaming, statistics, scratch,
                        reshape, result);
}

/// The same with the statistics a forward left in `saved`, which has been checked.
template <class P, class DY, class X, class DX>
inline void normalize_backward(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                               const TensorView<X>& x, Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine) {
  pull_back<P>(executor, statistic, roles, dy, x, saved.statistics(), saved.scratch(), dx, affine);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
