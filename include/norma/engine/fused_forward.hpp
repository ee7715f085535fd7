// ForwardFusion: what goes into a norm beside x, and what is made of its output.
#pragma once

#include <norma/engine/entries.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Forward: h = x + residual, v = h * op(gate) or h, n = norm(v), y = n * op(gate) + add or op(n + add). A is the arithmetic.
template <class A>
class ForwardFusion : public Fusion<A> {
 public:
  struct Options {
    bool gate_first = false;
    ResidualRounding residual_rounding = ResidualRounding::rounded;
    Rounding rounding = Rounding::once;
    /// y is v / scale.
    bool scales = false;
    A scale = A(1);
    /// y is v / t, t = max |v| / 127 of its set, which goes there.
    float* scales_of_sets = nullptr;
    /// Which streams there are.
    bool residual = false, gate = false, add = false;
  };

  ForwardFusion(const Options& options, const Activation<A>& op) : options_(options), op_(op) {}

  const Options& options() const { return options_; }
  const Activation<A>& op() const { return op_; }
  bool gates_output() const { return options_.gate && !options_.gate_first; }
  bool is_active() const { return op_.acts && !options_.gate; }

  bool gates() const override { return options_.gate; }
  bool stores_sum(const Operands& operands, bool may) const override {
    return may && options_.residual && operands[stream_sum].present() && options_.residual_rounding == ResidualRounding::rounded;
  }
  bool elementwise() const override { return options_.scales_of_sets == nullptr && options_.rounding == Rounding::once; }
  bool stores_plain_sum() const override { return !options_.gate_first; }
  bool adds(const Operands&) const override { return false; }
  typename Fusion<A>::Changes changes(Pass pass, const Operands& operands, bool may_store) const override {
    typename Fusion<A>::Changes result;
    if (pass == Pass::measure && options_.scales_of_sets == nullptr) return result;
    const bool is_added = stores_sum(operands, may_store) && pass > Pass::fold;
    if ((options_.residual && !is_added) || (options_.gate && options_.gate_first))
      result.enters = set_of({is_added ? stream_sum : stream_x});
    const bool combines = gates_output() || is_active() || options_.add;  // the last of which goes where y is to go
    const bool scales = options_.scales || options_.scales_of_sets != nullptr;
    if (pass < Pass::measure || !(combines || scales || options_.rounding == Rounding::normalized_first)) return result;
    result.leaves = set_of({stream_y});
    if (combines && !scales) result.targeted = result.leaves;
    // What is added may be what is overwritten.
    if (pass == Pass::map && operands[stream_add].data != operands[stream_y].data) result.in_place = set_of({stream_y});
    return result;
  }
  void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const override {
    enter_forward(*this, block, from, to);
  }
  void leave(const Block<A>& block, const Numbers<A>* made) const override { leave_forward(*this, block, made); }
  A measured(index_t place, A largest) const override {
    const float t = static_cast<float>(largest / A(127));
    options_.scales_of_sets[place] = t;
    // A set whose scale is 0 gives zeros; where the scale is NaN, so is what is divided by it, and that is stored as 0.
    return t == 0 ? A(1) : static_cast<A>(t);
  }

 private:
  Options options_;
  Activation<A> op_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
