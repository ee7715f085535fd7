// BackwardFusion: the gradients of what was fused with a forward.
#pragma once

#include <norma/engine/entries.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Backward of a ForwardFusion. dy becomes the gradient of the norm's output on its way in, dx that of h on its way out.
template <class A>
class BackwardFusion : public Fusion<A> {
 public:
  struct Options {
    bool gate_first = false, accumulate = false;
    /// Which streams there are.
    bool gate = false, add = false, gate_grad = false, add_grad = false, sum_grad = false;
  };

  BackwardFusion(const Options& options, const Activation<A>& op) : options_(options), op_(op) {}

  const Options& options() const { return options_; }
  const Activation<A>& op() const { return op_; }
  bool gates_input() const { return options_.gate && options_.gate_first; }
  bool gates_output() const { return options_.gate && !options_.gate_first; }
  bool is_active() const { return op_.acts && !options_.gate; }
  /// Where kernels have not done it.
  bool adds_sum_grad(const Operands& operands) const {
    return options_.sum_grad && (gates_input() || options_.accumulate || !lies_under_dx(operands));
  }

  bool gates() const override { return options_.gate; }
  bool stores_sum(const Operands&, bool) const override { return false; }
  bool elementwise() const override { return !options_.gate && !op_.acts; }
  bool adds_sum_grad_alone(const Operands& operands) const override {
    const void* const dx = operands[stream_y].data;
    const bool alone = options_.sum_grad && !options_.gate && !op_.acts && !options_.add_grad && !options_.accumulate;
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
    if (gates_input() || adds_sum_grad(operands)) result.leaves = result.targeted = set_of({stream_y});
    if (!gates_input() && !lies_under_dx(operands)) result.in_place = set_of({stream_y});
    return result;
  }
  void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const override {
    enter_backward(*this, block, from, to);
  }
  void leave(const Block<A>& block, const Numbers<A>* made) const override { leave_backward(*this, block, made); }
  A measured(index_t, A number) const override { return number; }

 private:
  bool lies_under_dx(const Operands& operands) const {
    return options_.sum_grad && operands[stream_sum_grad].data == operands[stream_y].data;
  }

  Options options_;
  Activation<A> op_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
