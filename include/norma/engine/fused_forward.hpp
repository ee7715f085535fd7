// ForwardFusion: what goes into a norm beside x, and what is made of its output.
#pragma once

#include <norma/engine/fused.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Forward: h = x + residual, v = h * op(gate) or h, n = norm(v), y = n * op(gate) + add or op(n + add). A is the arithmetic, O the op.
template <class A, class O>
class ForwardFusion : public Fusion<A> {
 public:
  static constexpr bool has_op = !std::is_same_v<O, Identity>;

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

  ForwardFusion(const Options& options, const O& op) : options_(options), op_(op) {}

  bool stores_sum(const Operands& operands, bool folded) const override {
    return folded && options_.residual && operands[stream_sum].present() && options_.residual_rounding == ResidualRounding::rounded;
  }
  bool stores_plain_sum() const override { return !options_.gate_first; }
  bool adds(const Operands&) const override { return false; }
  typename Fusion<A>::Changes changes(Pass pass, const Operands& operands, bool folded) const override {
    typename Fusion<A>::Changes result;
    if (pass == Pass::measure && options_.scales_of_sets == nullptr) return result;
    const bool is_added = stores_sum(operands, folded) && pass > Pass::fold;
    if ((options_.residual && !is_added) || (options_.gate && options_.gate_first))
      result.enters = set_of({is_added ? stream_sum : stream_x});
    const bool after = options_.gate || options_.add || has_op || options_.scales || options_.scales_of_sets != nullptr ||
                       options_.rounding == Rounding::normalized_first;
    if (pass < Pass::measure || !after) return result;
    result.leaves = set_of({stream_y});
    // What is added may be what is overwritten.
    if (pass == Pass::map && operands[stream_add].data != operands[stream_y].data) result.in_place = set_of({stream_y});
    return result;
  }

  void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const override {
    const bool is_added = block.stores_sum && block.pass > Pass::fold, maps = block.pass >= Pass::measure;
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      Lines<const A> x = part.lines(from[0], r, k);
      const Lines<A> v = part.lines(to[0], r, k);
      typename Block<A>::Memory memory;
      if (options_.residual && !is_added) {
        combine(part, v, Sum<A>(), x, part.read(stream_residual, memory));
        const ResidualRounding when = options_.residual_rounding;
        if (when == ResidualRounding::rounded || (when == ResidualRounding::statistics_exact && maps))
          round_part(part, part.has(stream_sum) ? stream_sum : stream_x, v);
        if (part.has(stream_sum) && part.pass == (part.stores_sum ? Pass::fold : Pass::map)) part.write(stream_sum, v);
        x = v;
      }
      if (options_.gate && options_.gate_first) multiply_by_gate(part, v, x, memory);
    });
  }

  void leave(const Block<A>& block, const Numbers<A>* made) const override {
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      const Lines<A> y = part.lines(made[1], r, k);
      typename Block<A>::Memory memory;
      if (options_.rounding == Rounding::normalized_first) finish_normalized(part, y, memory);
      if (options_.gate && !options_.gate_first) multiply_by_gate(part, y, y, memory);
      const bool active = has_op && !options_.gate;
      if (options_.add && active) {
        combine(
            part, y, [&](const Pack<A>& v, const Pack<A>& added) { return op_(v + added); }, y, part.read(stream_add, memory));
      } else if (options_.add) {
        combine(part, y, Sum<A>(), y, part.read(stream_add, memory));
      } else if (active) {
        combine(
            part, y, [&](const Pack<A>& v) { return op_(v); }, y);
      }
      if (options_.scales)
        combine(
            part, y, [&](const Pack<A>& v) { return divide(v, Pack<A>(options_.scale)); }, y);
      if (options_.scales_of_sets != nullptr) scale_sets(part, y);
    });
  }

  A measured(index_t place, A largest) const override {
    const A t = largest / A(127);
    options_.scales_of_sets[place] = static_cast<float>(t);
    // A set of zeros, whose scale is 0, stays one; where the scale is NaN, so is what is divided by it, and that is stored as 0.
    return t == A(0) ? A(1) : static_cast<A>(options_.scales_of_sets[place]);
  }

 private:
  void multiply_by_gate(const Block<A>& part, const Lines<A>& to, const Lines<const A>& from, typename Block<A>::Memory& memory) const {
    combine(
        part, to, [&](const Pack<A>& v, const Pack<A>& gate) { return mul(v, op_(gate)); }, from, part.read(stream_gate, memory));
  }
  void finish_normalized(const Block<A>& part, const Lines<A>& y, typename Block<A>::Memory& memory) const {
    round_part(part, stream_x, y);
    const Pack<A> offset(part.weight_offset);
    combine(
        part, y, [&](const Pack<A>& v, const Pack<A>& weight) { return mul(v, weight + offset); }, y,
        part.read(stream_later_weight, memory));
    round_part(part, stream_y, y);
    combine(part, y, Sum<A>(), y, part.read(stream_later_bias, memory));
    round_part(part, stream_y, y);
  }
  /// A cell is a set here.
  void scale_sets(const Block<A>& part, const Lines<A>& y) const {
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

  Options options_;
  O op_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
