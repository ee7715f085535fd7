// The entries of the engine: what doors call of it. Everything below them depends on the instruction set: it is compiled where it is
// called, or, behind these declarations, in the library norma::compiled, once for each instruction set.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/engine/dense_rows.hpp>
#include <norma/engine/fusion.hpp>
#include <norma/engine/given.hpp>
#include <norma/engine/hook.hpp>
#include <norma/engine/set_table.hpp>
#include <norma/engine/sums_table.hpp>
#include <norma/kernels/row_op.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Outputs of so many bytes bypass the cache. Measured where a third-level cache of 32 MB is shared: 1.5 to 2.5 times as fast from 8 MB on;
/// with a reader behind them, up to twice as fast in eight of ten cases, 5 % slower at worst. On another processor such a reader lost a
/// fifth at 8 MB, nothing at 12, and gained a fifth at 16.
inline constexpr index_t streaming_threshold = index_t{8} << 20;

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

template <class A>
using ForwardHook = Hook<SetTable<A>>;
template <class A>
using BackwardHook = Hook<SumsTable<A>>;

/// A forward with the statistics of x, which are left in the arrays unless those are null. x has elements, of type U if kernels are to take
/// them where they lie. A is the arithmetic.
template <class A, class U>
void normalize_operands(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x, const Operands& operands,
                        A weight_offset, bool streaming, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                        const ForwardHook<A>& hook);

/// dx = ... (or += ...), parameter gradients += ..., each where present. x has elements.
template <class A, class U>
void normalize_operands_backward(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x,
                                 const Operands& operands, A weight_offset, bool streaming, const StatisticArrays& statistics,
                                 Buffer<std::byte>& scratch, const Reshape& reshape, Result result, const BackwardHook<A>& hook);

/// A forward with given statistics. x has elements.
template <class A, class U>
void apply_statistics_to_operands(const CallRef& executor, const Roles& roles, const Extents& x, const Operands& operands, A weight_offset,
                                  bool streaming, const GivenStatistics& given);

/// Forward of dense rows (x, y). Returns how many rows it has done: others follow a tile with a set whose squares left the range of A.
template <class A, class U>
index_t normalize_rows(const DenseRows<A, U, 2>& rows, const Statistic& statistic, const StatisticArrays& statistics);

/// Backward of dense rows (dy, x, dx); a null dx is not computed. Gradients, if not null, lie along a row: += ....
template <class A, class U>
void differentiate_rows(const DenseRows<A, U, 3>& rows, const Statistic& statistic, const StatisticArrays& statistics,
                        Buffer<std::byte>& scratch, A* weight_grad, A* bias_grad);

/// y = x * factor, or y += x * factor, of tensors that have elements.
template <class A>
void scale_operand(const ExecutorRef& executor, const Extents& extents, const Operand& x, A factor, const Operand& y, bool streaming,
                   bool adds);

/// What reads two tensors side by side.
template <class A>
struct PairReader {
  void* context;
  void (*read)(void* context, const A* x, const A* y, index_t n);
};
/// Blocks of both in the order of x's memory.
template <class A>
void read_pairs(const Extents& extents, const Operand& x, const Operand& y, const PairReader<A>& reader);

/// An op that is fused; `acts` is false of Identity.
template <class A>
struct Activation {
  const void* op;
  const RowOp<A>* rows;
  bool acts;

  template <class O>
  explicit Activation(const O& o) : op(&o), rows(&row_op<A, O>()), acts(!std::is_same_v<O, Identity>) {}
};

// What is fused, block by block: see Fusion.
template <class A>
class ForwardFusion;
template <class A>
class BackwardFusion;
template <class A>
void enter_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to);
template <class A>
void leave_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made);
template <class A>
void enter_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to);
template <class A>
void leave_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made);

}}  // namespace norma::NORMA_ISA_NAMESPACE
