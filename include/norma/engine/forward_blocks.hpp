// What a ForwardFusion does with the blocks of a sweep.
#pragma once

#include <norma/engine/fused.hpp>
#include <norma/engine/fused_forward.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <class A>
void enter_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) {
  const auto& options = fusion.options();
  const bool is_added = block.stores_sum && block.pass > Pass::fold, maps = block.pass >= Pass::measure;
  block.each_part([&](const Block<A>& part, index_t r, index_t k) {
    Lines<const A> x = part.lines(from[0], r, k);
    const Lines<A> v = part.lines(to[0], r, k);
    typename Block<A>::Memory memory;
    if (options.residual && !is_added) {
      combine(part, v, Sum<A>(), x, part.read(stream_residual, memory));
      const ResidualRounding when = options.residual_rounding;
      if (when == ResidualRounding::rounded || (when == ResidualRounding::statistics_exact && maps))
        round_part(part, part.has(stream_sum) ? stream_sum : stream_x, v);
      if (part.has(stream_sum) && part.pass == (part.stores_sum ? Pass::fold : Pass::map)) part.write(stream_sum, v);
      x = v;
    }
    if (options.gate && options.gate_first) multiply_by_op(part, fusion.op(), {v}, x, part.read(stream_gate, memory));
  });
}

/// What is left of a norm whose kernels have made x_hat.
template <class A>
inline void finish_normalized(const Block<A>& part, const Lines<A>& y, typename Block<A>::Memory& memory) {
  round_part(part, stream_x, y);
  const Pack<A> offset(part.weight_offset);
  combine(
      part, y, [&](const Pack<A>& v, const Pack<A>& weight) { return mul(v, weight + offset); }, y, part.read(stream_later_weight, memory));
  round_part(part, stream_y, y);
  combine(part, y, Sum<A>(), y, part.read(stream_later_bias, memory));
  round_part(part, stream_y, y);
}

/// A cell is a set here.
template <class A>
inline void scale_sets(const Block<A>& part, const Lines<A>& y) {
  const Lines<A> of_cells{part.of_cells, 0};
  if (part.pass == Pass::map && part.lanes) {
    combine(
        part, y, [](const Pack<A>& v, const Pack<A>& scale) { return divide(v, scale); }, y, of_cells);
  } else if (part.pass == Pass::map) {
    combine(
        part, y, [&](const Pack<A>& v) { return divide(v, Pack<A>(*part.of_cells)); }, y);
  } else if (part.lanes) {
    combine(
        part, of_cells, [](const Pack<A>& largest, const Pack<A>& v) { return (max)(largest, abs(v)); }, of_cells, y);
  } else {
    *part.of_cells = largest_magnitude(y.first, part.n, *part.of_cells);
  }
}

template <class A>
void leave_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made) {
  const auto& options = fusion.options();
  block.each_part([&](const Block<A>& part, index_t r, index_t k) {
    const Lines<A> y = part.lines(made[1], r, k);
    const Target<A> last = part.target(made[1], r, k);
    typename Block<A>::Memory memory;
    if (options.rounding == Rounding::normalized_first) finish_normalized(part, y, memory);
    if (fusion.gates_output()) multiply_by_op(part, fusion.op(), options.add ? Target<A>{y} : last, y, part.read(stream_gate, memory));
    if (options.add && fusion.is_active()) {
      apply_op_to_sum(part, fusion.op(), last, y, part.read(stream_add, memory));
    } else if (options.add) {
      combine(part, last, Sum<A>(), y, part.read(stream_add, memory));
    } else if (fusion.is_active()) {
      apply_op(part, fusion.op(), last, y);
    }
    if (options.scales)
      combine(
          part, y, [&](const Pack<A>& v) { return divide(v, Pack<A>(options.scale)); }, y);
    if (options.scales_of_sets != nullptr) scale_sets(part, y);
  });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
