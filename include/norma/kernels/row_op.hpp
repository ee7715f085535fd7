// RowOp: an activation over numbers in a row, behind plain pointers: what is fused with a norm is compiled once, and not once for each op.
#pragma once

#include <norma/kernels/elementwise.hpp>
#include <norma/kernels/ops.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Of n numbers each; `to` may be exactly z or factor. past_cache: as combine_as.
template <class A>
struct RowOp {
  void (*value)(const void* op, const A* z, A* to, index_t n, bool past_cache);                              ///< to = op(z)
  void (*value_of_sum)(const void* op, const A* z, const A* addend, A* to, index_t n, bool past_cache);      ///< to = op(z + addend)
  void (*value_times)(const void* op, const A* z, const A* factor, A* to, index_t n, bool past_cache);       ///< to = factor * op(z)
  void (*derivative_times)(const void* op, const A* z, const A* factor, A* to, index_t n, bool past_cache);  ///< to = factor * op'(z)
};

template <class A, class O>
inline void op_value(const void* op, const A* z, A* to, index_t n, bool past_cache) {
  combine_as<A>(
      to, n, past_cache, [f = *static_cast<const O*>(op)](const Pack<A>& v) { return f(v); }, z);
}
template <class A, class O>
inline void op_value_of_sum(const void* op, const A* z, const A* addend, A* to, index_t n, bool past_cache) {
  combine_as<A>(
      to, n, past_cache, [f = *static_cast<const O*>(op)](const Pack<A>& v, const Pack<A>& a) { return f(v + a); }, z, addend);
}
template <class A, class O>
inline void op_value_times(const void* op, const A* z, const A* factor, A* to, index_t n, bool past_cache) {
  combine_as<A>(
      to, n, past_cache, [f = *static_cast<const O*>(op)](const Pack<A>& a, const Pack<A>& v) { return mul(a, f(v)); }, factor, z);
}
template <class A, class O>
inline void op_derivative_times(const void* op, const A* z, const A* factor, A* to, index_t n, bool past_cache) {
  combine_as<A>(
      to, n, past_cache, [f = *static_cast<const O*>(op)](const Pack<A>& a, const Pack<A>& v) { return mul(a, f.derivative(v)); }, factor,
      z);
}
template <class A, class O>
inline constexpr RowOp<A> row_op_of{&op_value<A, O>, &op_value_of_sum<A, O>, &op_value_times<A, O>, &op_derivative_times<A, O>};

/// How many ops are norma's own.
inline constexpr int own_ops = 9;

/// Places of norma's own ops among those that norma::compiled has; -1: a user's, which is compiled where it is used.
template <class O>
inline constexpr int place_of_op = std::is_same_v<O, Identity>     ? 0
                                   : std::is_same_v<O, Relu>       ? 1
                                   : std::is_same_v<O, leaky_relu> ? 2
                                   : std::is_same_v<O, clip>       ? 3
                                   : std::is_same_v<O, Sigmoid>    ? 4
                                   : std::is_same_v<O, Tanh>       ? 5
                                   : std::is_same_v<O, Silu>       ? 6
                                   : std::is_same_v<O, Gelu>       ? 7
                                   : std::is_same_v<O, GeluTanh>   ? 8
                                                                   : -1;

/// Of one of norma's own, by its place: of the engine, see engine/entries.hpp. Where the engine is compiled, nobody asks.
template <class A>
const RowOp<A>& own_row_op(int place);

template <class A, class O>
inline const RowOp<A>& row_op() {
  if constexpr (place_of_op<O> >= 0 && !NORMA_ENGINE_HERE) {
    return own_row_op<A>(place_of_op<O>);
  } else {
    return row_op_of<A, O>;
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
