// What a BackwardFusion does with the blocks of a sweep.
#pragma once

#include <norma/engine/fused.hpp>
#include <norma/engine/fused_backward.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// n = x_hat * weight + bias of a part.
template <class A>
inline Lines<A> norm_of(const Block<A>& part, const Lines<const A>& x, typename Block<A>::Memory& normalized) {
  typename Block<A>::Memory memory;
  const Lines<A> n = part.lines(normalized);
  const auto& c = part.x_hat;
  if (part.lanes) {
    combine(
        part, n,
        [](const Pack<A>& v, const Pack<A>& mean, const Pack<A>& rstd, const Pack<A>& shift) { return x_hat(v, mean, rstd, shift); }, x,
        Lines<const A>{c.mean, 0}, Lines<const A>{c.rstd, 0}, Lines<const A>{c.shift, 0});
  } else {
    const Pack<A> mean(*c.mean), rstd(*c.rstd), shift(*c.shift);
    combine(
        part, n, [&](const Pack<A>& v) { return x_hat(v, mean, rstd, shift); }, x);
  }
  const Pack<A> offset(part.weight_offset);
  combine(
      part, n, [&](const Pack<A>& v, const Pack<A>& weight) { return mul(v, weight + offset); }, n, part.read(stream_weight, memory));
  combine(part, n, Sum<A>(), n, part.read(stream_bias, memory));
  return n;
}

/// y = n * op(gate) + add. add_grad, which may lie over dy, is dy; gate_grad, which may lie over dy or the gate, comes when these have
/// been read. Upstream and dy may be one buffer.
template <class A>
inline void enter_gated(const BackwardFusion<A>& fusion, const Block<A>& part, const Lines<const A>& upstream, const Lines<const A>& x,
                        const Lines<A>& dy) {
  typename Block<A>::Memory of_gate, normalized;
  const Lines<const A> gate = part.read(stream_gate, of_gate);
  const bool maps = part.pass == Pass::map;
  Lines<A> gate_grad;
  if (maps && fusion.options().gate_grad) {
    gate_grad = norm_of(part, x, normalized);
    combine(part, gate_grad, Product<A>(), upstream, gate_grad);
    multiply_by_derivative(part, fusion.op(), gate_grad, gate_grad, gate);
  }
  if (maps && fusion.options().add_grad) part.write(stream_add_grad, upstream);
  multiply_by_op(part, fusion.op(), {dy}, upstream, gate);
  if (maps && fusion.options().gate_grad) part.write(stream_gate_grad, gate_grad);
}

template <class A>
void enter_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) {
  const auto& options = fusion.options();
  block.each_part([&](const Block<A>& part, index_t r, index_t k) {
    const Lines<const A> upstream = part.lines(from[0], r, k), x = part.lines(from[1], r, k);
    const Lines<A> dy = part.lines(to[0], r, k);
    if (fusion.gates_output()) return enter_gated(fusion, part, upstream, x, dy);
    typename Block<A>::Memory memory, normalized;
    if (fusion.gates_input()) {
      multiply_by_op(part, fusion.op(), {part.lines(to[1], r, k)}, x, part.read(stream_gate, memory));
    } else if (fusion.op().acts) {
      const Lines<A> z = norm_of(part, x, normalized);
      if (options.add) combine(part, z, Sum<A>(), z, part.read(stream_add, memory));
      multiply_by_derivative(part, fusion.op(), dy, upstream, z);
    }
    if (part.pass != Pass::map || !options.add_grad) return;
    if (!fusion.is_active())
      combine(
          part, dy, [](const Pack<A>& d) { return d; }, upstream);
    part.write(stream_add_grad, dy);
  });
}

/// The gradient of h = what was multiplied by the gate, from that of the product; and of the gate.
template <class A>
inline void leave_gate(const BackwardFusion<A>& fusion, const Block<A>& part, const Target<A>& to, const Lines<A>& dx) {
  typename Block<A>::Memory of_gate, of_h, of_gradient;
  const Lines<const A> gate = part.read(stream_gate, of_gate);
  const Lines<A> gate_grad = part.lines(of_gradient);
  if (fusion.options().gate_grad) {
    combine(part, gate_grad, Product<A>(), dx, part.read(stream_x, of_h));
    multiply_by_derivative(part, fusion.op(), gate_grad, gate_grad, gate);
  }
  multiply_by_op(part, fusion.op(), to, dx, gate);
  if (fusion.options().gate_grad) part.write(stream_gate_grad, gate_grad);
}

template <class A>
void leave_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made) {
  const auto& options = fusion.options();
  block.each_part([&](const Block<A>& part, index_t r, index_t k) {
    const Lines<A> dx = part.lines(made[2], r, k);
    const Target<A> last = part.target(made[2], r, k);
    const bool adds_sum_grad = fusion.adds_sum_grad(part.operands),
               adds_dx = options.accumulate && fusion.gates_input() && part.has(stream_y);
    typename Block<A>::Memory memory;
    if (fusion.gates_input()) leave_gate(fusion, part, adds_sum_grad || adds_dx ? Target<A>{dx} : last, dx);
    if (adds_sum_grad) combine(part, adds_dx ? Target<A>{dx} : last, Sum<A>(), dx, part.read(stream_sum_grad, memory));
    if (adds_dx) combine(part, last, Sum<A>(), dx, part.read(stream_y, memory));
  });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
