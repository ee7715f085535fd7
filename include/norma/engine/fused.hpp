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

/// update() of the rows of a part.
template <class A, class F, class... In>
NORMA_INLINE void update_part(const Block<A>& part, A* y, const F& f, const In*... in) {
  part.each_row([&](index_t at, index_t n) { update(y + at, n, f, (in + at)...); });
}
template <class A>
inline void round_part(const Block<A>& part, Stream to, A* numbers) {
  part.each_row([&](index_t at, index_t n) { round_to(*part.operands[to].access, numbers + at, n); });
}

template <class A>
struct Added {
  NORMA_INLINE Pack<A> operator()(const Pack<A>& a, const Pack<A>& b) const { return a + b; }
};
template <class A>
struct Multiplied {
  NORMA_INLINE Pack<A> operator()(const Pack<A>& a, const Pack<A>& b) const { return mul(a, b); }
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
    bool scales = false;  ///< y is v / scale
    A scale = A(1);
    float* scales_of_sets = nullptr;  ///< y is v / t, t = max |v| / 127 of its set, which goes there
    bool residual = false, gate = false, add = false;  ///< which streams there are
  };

  ForwardFusion(const Options& options, const O& op) : options_(options), op_(op) {}

  StreamSet changes(Pass pass) const override {
    if (pass == Pass::measure && options_.scales_of_sets == nullptr) return 0;
    StreamSet result = options_.residual || (options_.gate && options_.gate_first) ? set_of({stream_x}) : 0;
    const bool after = options_.gate || options_.add || has_op || options_.scales || options_.scales_of_sets != nullptr ||
                       options_.rounding == Rounding::normalized_first;
    if (pass != Pass::fold && after) result |= set_of({stream_y});
    return result;
  }

  void enter(const Block<A>& block, A* const* tensor) const override {
    if ((changes(block.pass) & set_of({stream_x})) == 0) return;
    block.each_part([&](const Block<A>& part, index_t at) {
      A* const x = tensor[0] + at;
      alignas(64) A memory[Block<A>::most];
      if (options_.residual) {
        update_part(part, x, Added<A>(), part.read(stream_residual, memory));
        const ResidualRounding when = options_.residual_rounding;
        const Stream stored = part.has(stream_sum) ? stream_sum : stream_x;
        if (when == ResidualRounding::rounded || (when == ResidualRounding::statistics_exact && part.pass != Pass::fold))
          round_part(part, stored, x);
        if (part.has(stream_sum) && part.pass == Pass::map) part.write(stream_sum, x);
      }
      if (options_.gate && options_.gate_first) multiply_by_gate(part, x, memory);
    });
  }

  void leave(const Block<A>& block, A* const* tensor) const override {
    if ((changes(block.pass) & set_of({stream_y})) == 0) return;
    block.each_part([&](const Block<A>& part, index_t at) {
      A* const y = tensor[1] + at;
      alignas(64) A memory[Block<A>::most];
      if (options_.rounding == Rounding::normalized_first) finish_normalized(part, y, memory);
      const bool gated = options_.gate && !options_.gate_first;
      if (gated) multiply_by_gate(part, y, memory);
      if (options_.add) update_part(part, y, Added<A>(), part.read(stream_add, memory));
      if (has_op && !options_.gate) update_part(part, y, [&](const Pack<A>& v) { return op_(v); });
      if (options_.scales) update_part(part, y, [&](const Pack<A>& v) { return divide(v, Pack<A>(options_.scale)); });
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
  void multiply_by_gate(const Block<A>& part, A* numbers, A* memory) const {
    update_part(
        part, numbers, [&](const Pack<A>& v, const Pack<A>& gate) { return mul(v, op_(gate)); }, part.read(stream_gate, memory));
  }
  void finish_normalized(const Block<A>& part, A* y, A* memory) const {
    round_part(part, stream_x, y);
    if (part.has(stream_later_weight)) {
      const Pack<A> offset(part.weight_offset);
      update_part(
          part, y, [&](const Pack<A>& v, const Pack<A>& weight) { return mul(v, weight + offset); }, part.read(stream_later_weight, memory));
      round_part(part, stream_y, y);
    }
    if (part.has(stream_later_bias)) update_part(part, y, Added<A>(), part.read(stream_later_bias, memory));
    round_part(part, stream_y, y);
  }
  void scale_sets(const Block<A>& part, A* y) const {
    // A cell is a set here, and lies along a row or a column.
    part.each_row([&](index_t at, index_t n) {
      for (index_t i = 0; i < n; ++i) {
        A& of_cell = part.of_cells[part.lanes ? i : 0];
        if (part.pass == Pass::measure) {
          of_cell = largest_magnitude(y + at + i, 1, of_cell);
        } else {
          y[at + i] /= of_cell;
        }
      }
    });
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
    bool gate = false, add = false, gate_grad = false, add_grad = false, sum_grad = false;  ///< which streams there are
  };

  BackwardFusion(const Options& options, const O& op) : options_(options), op_(op) {}

  StreamSet changes(Pass pass) const override {
    const bool gated = options_.gate && !options_.gate_first, active = has_op && !options_.gate;
    StreamSet result = 0;
    if (gated || active || (options_.add_grad && pass == Pass::map)) result |= set_of({stream_dy});
    if ((options_.gate && options_.gate_first) || active || (options_.gate_grad && pass == Pass::map)) result |= set_of({stream_x});
    if (pass == Pass::map && (options_.sum_grad || options_.accumulate || (options_.gate && options_.gate_first)))
      result |= set_of({stream_y});
    return pass == Pass::measure ? 0 : result;
  }

  void enter(const Block<A>& block, A* const* tensor) const override {
    const bool active = has_op && !options_.gate, maps = block.pass == Pass::map;
    block.each_part([&](const Block<A>& part, index_t at) {
      A *const dy = tensor[0] + at, *const x = tensor[1] + at;
      alignas(64) A normalized[Block<A>::most], memory[Block<A>::most];
      if (options_.gate && options_.gate_first) {
        const A* const gate = part.read(stream_gate, memory);
        update_part(
            part, x, [&](const Pack<A>& h, const Pack<A>& g) { return mul(h, op_(g)); }, gate);
      } else if (options_.gate) {
        const A* const gate = part.read(stream_gate, memory);
        if (maps && options_.add_grad) part.write(stream_add_grad, dy);
        if (maps && options_.gate_grad) {
          norm(part, x, normalized);
          update_part(
              part, normalized,
              [&](const Pack<A>& n, const Pack<A>& upstream, const Pack<A>& g) { return mul(mul(upstream, n), op_.derivative(g)); }, 
              static_cast<const A*>(dy), gate);
        }
        update_part(
            part, dy, [&](const Pack<A>& upstream, const Pack<A>& g) { return mul(upstream, op_(g)); }, gate);
        if (maps && options_.gate_grad) part.write(stream_gate_grad, normalized);
        return;
      } else if (active) {
        norm(part, x, normalized);
        if (options_.add) update_part(part, normalized, Added<A>(), part.read(stream_add, memory));
        update_part(
            part, dy, [&](const Pack<A>& upstream, const Pack<A>& z) { return mul(upstream, op_.derivative(z)); },
            static_cast<const A*>(normalized));
      }
      if (maps && options_.add_grad) part.write(stream_add_grad, dy);
    });
  }

  void leave(const Block<A>& block, A* const* tensor) const override {
    if ((changes(block.pass) & set_of({stream_y})) == 0) return;
    block.each_part([&](const Block<A>& part, index_t at) {
      A* const dx = tensor[2] + at;
      alignas(64) A memory[Block<A>::most], other[Block<A>::most];
      if (options_.gate && options_.gate_first) {
        const A* const gate = part.read(stream_gate, memory);
        if (options_.gate_grad) {
          // x is what was multiplied by the gate; it has not been overwritten yet.
          const A* const h = part.read(stream_x, other);
          alignas(64) A gate_grad[Block<A>::most];
          part.each_row([&](index_t row, index_t n) {
            for (index_t i = 0; i < n; ++i) gate_grad[row + i] = dx[row + i];
          });
          update_part(
              part, gate_grad,
              [&](const Pack<A>& d, const Pack<A>& of_x, const Pack<A>& g) { return mul(mul(d, of_x), op_.derivative(g)); }, h, gate);
          update_part(
              part, dx, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, gate);
          part.write(stream_gate_grad, gate_grad);
        } else {
          update_part(
              part, dx, [&](const Pack<A>& d, const Pack<A>& g) { return mul(d, op_(g)); }, gate);
        }
      }
      if (options_.sum_grad) update_part(part, dx, Added<A>(), part.read(stream_sum_grad, memory));
      if (options_.accumulate && part.has(stream_y)) update_part(part, dx, Added<A>(), part.read(stream_y, memory));
    });
  }
  A measured(index_t, A number) const override { return number; }

 private:
  /// n = x_hat * weight + bias of a part.
  void norm(const Block<A>& part, const A* x, A* n) const {
    alignas(64) A memory[Block<A>::most];
    part.each_row([&](index_t at, index_t count) {
      const auto& c = part.x_hat;
      for (index_t i = 0; i < count; ++i) {
        const index_t cell = part.lanes ? i : 0;
        n[at + i] = std::fma(x[at + i] - c.mean[cell], c.rstd[cell], c.shift[cell]);
      }
    });
    const Pack<A> offset(part.weight_offset);
    update_part(
        part, n, [&](const Pack<A>& x_hat, const Pack<A>& weight) { return mul(x_hat, weight + offset); },
        part.read(stream_weight, memory));
    update_part(part, n, Added<A>(), part.read(stream_bias, memory));
  }

  Options options_;
  O op_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
