// What fused calls do with the blocks of their sweeps. Arithmetic is that of separate calls: nothing is contracted across them.
#pragma once

#include <norma/engine/fusion.hpp>
#include <norma/kernels/elementwise.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// How often a normalized number is rounded on its way to y.
enum class Rounding : unsigned char {
  once,             ///< x_hat * weight + bias is rounded to y's type
  normalized_first  ///< x_hat is rounded to x's type, its product with the weight and the sum with the bias to y's
};

/// What x + residual is rounded to `sum`'s type for (x's, if there is no sum).
enum class ResidualRounding : unsigned char {
  rounded,          ///< statistics and y
  exact,            ///< neither; only what is stored is rounded
  statistics_exact  ///< y alone
};

/// No activation.
struct Identity {
  template <class V>
  NORMA_INLINE V operator()(const V& v) const {
    return v;
  }
  template <class V>
  NORMA_INLINE V derivative(const V&) const {
    return V(1);
  }
};

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
  part.each_line([&](index_t line, index_t n) { norma::combine(to[line], n, f, static_cast<const A*>(in[line])...); });
}
template <class A>
inline void round_part(const Block<A>& part, Stream to, const Lines<A>& numbers) {
  part.each_line([&](index_t line, index_t n) { round_to(*part.operands[to].access, numbers[line], n); });
}

template <class A>
struct Sum {
  NORMA_INLINE Pack<A> operator()(const Pack<A>& a, const Pack<A>& b) const { return a + b; }
};

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
          part, of_cells, [](const Pack<A>& largest, const Pack<A>& v) { return max(largest, abs(v)); }, of_cells, y);
    } else {
      *part.of_cells = largest_magnitude(y.first, part.n, *part.of_cells);
    }
  }

  Options options_;
  O op_;
};

/// Backward of that. dy becomes the gradient of the norm's output on its way in, dx that of h on its way out.
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
  /// dx += ..., also where what is added to dx is what lies there.
  bool adds(const Operands& operands) const override { return !multiplies_dx() && (options_.accumulate || lies_under_dx(operands)); }
  typename Fusion<A>::Changes changes(Pass pass, const Operands& operands, bool) const override {
    typename Fusion<A>::Changes result;
    if (pass == Pass::measure) return result;
    const bool gated = options_.gate && !options_.gate_first, active = has_op && !options_.gate, maps = pass == Pass::map;
    if (gated || active || (maps && options_.add_grad)) result.enters |= set_of({stream_dy});
    if (multiplies_dx()) result.enters |= set_of({stream_x});
    if (!maps) return result;
    if (multiplies_dx() || adds_sum_grad(operands)) result.leaves = set_of({stream_y});
    if (!multiplies_dx() && !lies_under_dx(operands)) result.in_place = set_of({stream_y});
    return result;
  }

  void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const override {
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      if (options_.gate && !options_.gate_first) return enter_gated(part, from, to, r, k);
      const Lines<const A> upstream = part.lines(from[0], r, k), x = part.lines(from[1], r, k);
      const Lines<A> dy = part.lines(to[0], r, k);
      typename Block<A>::Memory memory, normalized;
      if (options_.gate) {
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
      if (options_.gate || !has_op)
        combine(
            part, dy, [](const Pack<A>& d) { return d; }, upstream);
      part.write(stream_add_grad, dy);
    });
  }

  void leave(const Block<A>& block, const Numbers<A>* made) const override {
    block.each_part([&](const Block<A>& part, index_t r, index_t k) {
      const Lines<A> dx = part.lines(made[2], r, k);
      typename Block<A>::Memory memory, other;
      if (options_.gate && options_.gate_first) {
        const Lines<const A> gate = part.read(stream_gate, memory);
        if (options_.gate_grad) {
          typename Block<A>::Memory of_gate;
          const Lines<A> gate_grad = part.lines(of_gate);
          // x is what was multiplied by the gate.
          combine(
              part, gate_grad, [&](const Pack<A>& d, const Pack<A>& h, const Pack<A>& g) { return mul(mul(d, h), op_.derivative(g)); }, dx,
              part.read(stream_x, other), gate);
          combine(
              part, dx, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, dx, gate);
          part.write(stream_gate_grad, gate_grad);
        } else {
          combine(
              part, dx, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, dx, gate);
        }
      }
      if (adds_sum_grad(part.operands)) combine(part, dx, Sum<A>(), dx, part.read(stream_sum_grad, memory));
      if (options_.accumulate && multiplies_dx() && part.has(stream_y)) combine(part, dx, Sum<A>(), dx, part.read(stream_y, memory));
    });
  }
  A measured(index_t, A number) const override { return number; }

 private:
  bool multiplies_dx() const { return options_.gate && options_.gate_first; }
  bool lies_under_dx(const Operands& operands) const {
    return options_.sum_grad && operands[stream_sum_grad].data == operands[stream_y].data;
  }
  /// Where kernels have not done it.
  bool adds_sum_grad(const Operands& operands) const {
    return options_.sum_grad && (multiplies_dx() || options_.accumulate || !lies_under_dx(operands));
  }
  /// y = n * op(gate) + add.
  void enter_gated(const Block<A>& part, const Numbers<const A>* from, const Numbers<A>* to, index_t r, index_t k) const {
    const Lines<const A> upstream = part.lines(from[0], r, k);
    const Lines<A> dy = part.lines(to[0], r, k);
    typename Block<A>::Memory of_gate, normalized;
    const Lines<const A> gate = part.read(stream_gate, of_gate);
    const bool maps = part.pass == Pass::map, wants_gate_grad = maps && options_.gate_grad;
    Lines<A> gate_grad;
    if (wants_gate_grad) {
      gate_grad = norm(part, part.lines(from[1], r, k), normalized);
      combine(
          part, gate_grad, [&](const Pack<A>& n, const Pack<A>& d, const Pack<A>& g) { return mul(mul(d, n), op_.derivative(g)); },
          gate_grad, upstream, gate);
    }
    // What is stored may lie over dy or the gate: they are read first.
    typename Block<A>::Memory of_add;
    Lines<const A> add_grad = upstream;
    if (maps && options_.add_grad) {
      const Lines<A> copy = part.lines(of_add);
      combine(
          part, copy, [](const Pack<A>& d) { return d; }, upstream);
      add_grad = copy;
    }
    combine(
        part, dy, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, upstream, gate);
    if (maps && options_.add_grad) part.write(stream_add_grad, add_grad);
    if (wants_gate_grad) part.write(stream_gate_grad, gate_grad);
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
