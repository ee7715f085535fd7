// What fused calls do with the numbers of a block. Arithmetic is that of separate calls: nothing is contracted across them.
#pragma once

#include <norma/engine/block.hpp>
#include <norma/engine/entries.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Numbers become what they would be after a trip through memory of this type.
template <class A>
inline void round_to(const ElementAccess& access, A* numbers, index_t n) {
  const bool holds_all = access.bytes >= static_cast<index_t>(sizeof(A)) || access.type == ElementType::i8;
  if (holds_all) return;
  alignas(64) std::byte memory[Block<A>::most * sizeof(A)];
  access.template in<A>().unstage(memory, 1, numbers, 0, 1, n);
  access.template in<A>().stage(numbers, 0, memory, 1, 1, n, A(1));
}

/// to[i] = f(in[i]...) of the numbers of a part; f takes and gives registers, and `to` may be one of the inputs.
template <class A, class F, class... In>
NORMA_INLINE void combine(const Block<A>& part, const Lines<A>& to, const F& f, const In&... in) {
  part.each_line([&](index_t line, index_t n) { norma::combine(to[line], n, f, static_cast<const A*>(in[line])...); }, to, in...);
}
template <class A, class F, class... In>
NORMA_INLINE void combine(const Block<A>& part, const Target<A>& to, const F& f, const In&... in) {
  part.each_line([&](index_t line, index_t n) { combine_as<A>(to[line], n, to.past_cache, f, static_cast<const A*>(in[line])...); },
                 static_cast<const Lines<A>&>(to), in...);
}
template <class A>
inline void round_part(const Block<A>& part, Stream to, const Lines<A>& numbers) {
  part.each_line([&](index_t line, index_t n) { round_to(*part.operands[to].access, numbers[line], n); }, numbers);
}

/// What an op does with a part; `to` may be one of the inputs.
template <class A>
inline void apply_op(const Block<A>& part, const Activation<A>& op, const Target<A>& to, const Lines<A>& y) {
  const Lines<A>& lines = to;
  part.each_line([&](index_t line, index_t n) { op.rows->value(op.op, y[line], to[line], n, to.past_cache); }, lines, y);
}
template <class A>
inline void apply_op_to_sum(const Block<A>& part, const Activation<A>& op, const Target<A>& to, const Lines<A>& y,
                            const std::type_identity_t<Lines<const A>>& addend) {
  const Lines<A>& lines = to;
  part.each_line([&](index_t line, index_t n) { op.rows->value_of_sum(op.op, y[line], addend[line], to[line], n, to.past_cache); }, lines,
                 y, addend);
}
template <class A>
inline void multiply_by_op(const Block<A>& part, const Activation<A>& op, const Target<A>& to,
                           const std::type_identity_t<Lines<const A>>& factor, const std::type_identity_t<Lines<const A>>& z) {
  const Lines<A>& lines = to;
  part.each_line([&](index_t line, index_t n) { op.rows->value_times(op.op, z[line], factor[line], to[line], n, to.past_cache); }, lines,
                 factor, z);
}
template <class A>
inline void multiply_by_derivative(const Block<A>& part, const Activation<A>& op, const Lines<A>& to,
                                   const std::type_identity_t<Lines<const A>>& factor, const std::type_identity_t<Lines<const A>>& z) {
  part.each_line([&](index_t line, index_t n) { op.rows->derivative_times(op.op, z[line], factor[line], to[line], n, false); }, to, factor,
                 z);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
