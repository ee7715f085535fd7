// BackwardFusion: the gradients of what was fused with a forward.
#pragma once

#include <norma/engine/fused.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Backward of a ForwardFusion. dy becomes the gradient of the norm's output on its way in, dx that of h on its way out.
template <class A, class O>
class BackwardFusion : public Fusion<A> {
 public:
  static constexpr bool has_op = !std::is_same_v<O, Identity>;

  struct Options {
    bool gate_first = false, accumulate = false;
    /// Which streams there are.
    bool gate = false, add = false, gate_grad = false, add_grad = false, sum_grad = false;
  };

  BackwardFusion(const Options& options, const O& op) : options_(options), op_(op) {}

  bool stores_sum(const Operands&, bool) const override { return false; }
  bool adds_sum_grad_alone(const Operands& operands) const override {
    const void* const dx = operands[stream_y].data;
    const bool alone = options_.sum_grad && !options_.gate && !has_op && !options_.add_grad && !options_.accumulate;
    return alone && dx != nullptr && !lies_under_dx(operands) && dx != operands[stream_dy].data && dx != operands[stream_x].data;
  }
  /// dx += ..., also where what is added to dx is what lies there.
  bool adds(const Operands& operands) const override { return !gates_input() && (options_.accumulate || lies_under_dx(operands)); }
  typename Fusion<A>::Changes changes(Pass pass, const Operands& operands, bool) const override {
    typename Fusion<A>::Changes result;
    if (pass == Pass::measure) return result;
    const bool maps = pass == Pass::map;
    if (gates_output() || is_active() || (maps && options_.add_grad)) result.enters |= set_of({stream_dy});
    if (gates_input()) result.enters |= set_of({stream_x});
    if (!maps) return result;
    if (gates_input() || adds_sum_grad(operands)) result.leaves = set_of({stream_y});
    if (!gates_input() && !lies_under_dx(operands)) result.in_place = set_of({stream_y});
    return result;
  }

  void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const override {
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      const Lines<const A> upstream = part.lines(from[0], r, k), x = part.lines(from[1], r, k);
      const Lines<A> dy = part.lines(to[0], r, k);
      if (gates_output()) return enter_gated(part, upstream, x, dy);
      typename Block<A>::Memory memory, normalized;
      if (gates_input()) {
        combine(
            part, part.lines(to[1], r, k), [&](const Pack<A>& h, const Pack<A>& g) { return mul(h, op_(g)); }, x,
            part.read(stream_gate, memory));
      } else if (has_op) {
        const Lines<A> z = norm(part, x, normalized);
        if (options_.add) combine(part, z, Sum<A>(), z, part.read(stream_add, memory));
        combine(
            part, dy, [&](const Pack<A>& d, const Pack<A>& of_op) { return mul(d, op_.derivative(of_op)); }, upstream, z);
      }
      if (part.pass != Pass::map || !options_.add_grad) return;
      if (!is_active())
        combine(
            part, dy, [](const Pack<A>& d) { return d; }, upstream);
      part.write(stream_add_grad, dy);
    });
  }

  void leave(const Block<A>& block, const Numbers<A>* made) const override {
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      const Lines<A> dx = part.lines(made[2], r, k);
      typename Block<A>::Memory memory;
      if (gates_input()) leave_gate(part, dx);
      if (adds_sum_grad(part.operands)) combine(part, dx, Sum<A>(), dx, part.read(stream_sum_grad, memory));
      if (options_.accumulate && gates_input() && part.has(stream_y)) combine(part, dx, Sum<A>(), dx, part.read(stream_y, memory));
    });
  }
  A measured(index_t, A number) const override { return number; }

 private:
  bool gates_input() const { return options_.gate && options_.gate_first; }
  bool gates_output() const { return options_.gate && !options_.gate_first; }
  bool is_active() const { return has_op && !options_.gate; }
  bool lies_under_dx(const Operands& operands) const {
    return options_.sum_grad && operands[stream_sum_grad].data == operands[stream_y].data;
  }
  /// Where kernels have not done it.
  bool adds_sum_grad(const Operands& operands) const {
    return options_.sum_grad && (gates_input() || options_.accumulate || !lies_under_dx(operands));
  }
  /// y = n * op(gate) + add. add_grad, which may lie over dy, is dy; gate_grad, which may lie over dy or the gate, comes when these have
  /// been read. Upstream and dy may be one buffer.
  void enter_gated(const Block<A>& part, const Lines<const A>& upstream, const Lines<const A>& x, const Lines<A>& dy) const {
    typename Block<A>::Memory of_gate, normalized;
    const Lines<const A> gate = part.read(stream_gate, of_gate);
    const bool maps = part.pass == Pass::map;
    Lines<A> gate_grad;
    if (maps && options_.gate_grad) {
      gate_grad = norm(part, x, normalized);
      combine(
          part, gate_grad, [&](const Pack<A>& n, const Pack<A>& d, const Pack<A>& g) { return mul(mul(d, n), op_.derivative(g)); },
          gate_grad, upstream, gate);
    }
    if (maps && options_.add_grad) part.write(stream_add_grad, upstream);
    combine(
        part, dy, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, upstream, gate);
    if (maps && options_.gate_grad) part.write(stream_gate_grad, gate_grad);
  }
  /// The gradient of h = what was multiplied by the gate, from that of the product; and of the gate.
  void leave_gate(const Block<A>& part, const Lines<A>& dx) const {
    typename Block<A>::Memory of_gate, of_h, of_gradient;
    const Lines<const A> gate = part.read(stream_gate, of_gate);
    const Lines<A> gate_grad = part.lines(of_gradient);
    if (options_.gate_grad)
      combine(
          part, gate_grad, [&](const Pack<A>& d, const Pack<A>& h, const Pack<A>& g) { return mul(mul(d, h), op_.derivative(g)); }, dx,
          part.read(stream_x, of_h), gate);
    combine(
        part, dx, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, dx, gate);
    if (options_.gate_grad) part.write(stream_gate_grad, gate_grad);
  }
  /// n = x_hat * weight + bias of a part.
  Lines<A> norm(const Block<A>& part, const Lines<const A>& x, typename Block<A>::Memory& normalized) const {
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

  Options options_;
  O op_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
