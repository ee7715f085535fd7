// map: from elements and the coefficients of their sets to elements, a group at a time; forward and backward.
#pragma once

#include <cstdint>

#include <norma/kernels/fold.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A store that straddles cache lines costs twice: a single row begins with as many elements as lie before its first aligned register.
template <class T, int R, class Y>
NORMA_INLINE index_t head_of(const Rows<T, R>&, const Y& y, index_t n) {
  return R > 1 ? 0 : elements_to_alignment<pack_size<T>>(y.row[0], n);
}
template <class Group, class Y>
NORMA_INLINE index_t head_of(const Group&, const Y&, index_t) {
  return 0;
}
/// Whether what is written is not what is read.
template <class T, int R, class X>
NORMA_INLINE bool apart(const Rows<T, R>&, const X& x, const X& y) {
  return R == 1 && x.row[0] != y.row[0];
}
template <class Group, class X>
NORMA_INLINE bool apart(const Group&, const X&, const X&) {
  return false;
}

/// True if a store walking from `store` on is a little ahead of a load walking from `load` on in the 12 address bits that processors
/// compare first: such loads wait for stores they have nothing to do with.
NORMA_INLINE bool holds_up(const void* store, const void* load) {
  const std::uintptr_t ahead = (reinterpret_cast<std::uintptr_t>(store) - reinterpret_cast<std::uintptr_t>(load)) % 4096;
  return ahead - 1 < 256;
}

/// True if p starts a cache line.
NORMA_INLINE bool lines_up(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

/// Whether rows go side by side where tensor `s` is written and the first `Inputs` are read: short ones always, others not where stores
/// straddle cache lines, whose halves then meet in the store buffer, nor where the stores of one row hold up the loads of another.
template <class T, std::size_t Inputs, class Rows>
inline bool rows_go_together(index_t rows, index_t size, const Rows* tensor, std::size_t s) {
  constexpr index_t R = static_cast<index_t>(interleaved_rows<T>);
  if (size <= short_row<T>) return rows > 1;
  if (R == 1 || rows < R) return false;
  for (index_t r = 0; r < rows; ++r) {
    if (!lines_up(tensor[s].of_cell(r))) return false;
  }
  for (std::size_t in = 0; in < Inputs; ++in) {
    bool others = false;
    for (index_t i = 0; i < R; ++i) {
      for (index_t j = 0; j < R; ++j) others = others || (i != j && holds_up(tensor[s].of_cell(i), tensor[in].of_cell(j)));
    }
    if (others && !holds_up(tensor[s].of_cell(0), tensor[in].of_cell(0))) return false;
  }
  return true;
}

/// What is done about memory that is far: outputs bypass the cache, inputs (x; dy and x) are asked for so many bytes ahead, if not 0.
struct FarMemory {
  bool streams = false;
  index_t ahead[2] = {0, 0};

  bool present() const { return streams || ahead[0] != 0; }
};

/// Asks for what lies `ahead` bytes behind the registers of a step of one tensor.
template <class T, class Group, class X>
NORMA_INLINE void read_ahead(const X& x, index_t t, index_t ahead) {
  constexpr int registers_of_line = 64 / static_cast<int>(sizeof(*x.at(0, 0))) / pack_size<T>;
  if (ahead == 0) return;
  for (int j = 0; j < Group::registers; j += registers_of_line) prefetch(x.at(j, t), ahead);
}

template <bool Far, class T, class Mask, class E>
NORMA_INLINE void store_result(const Mask& mask, int part, E* p, const Pack<T>& v, const FarMemory& far_memory) {
  if constexpr (Far && std::is_same_v<Mask, Full>) {
    if (far_memory.streams) return store_streaming(p, v);
  }
  store<T>(mask, part, p, v);
}

/// Which parameters of a forward are numbers per element. With a weight alone, the bias is one number.
enum class PerElement : unsigned char { nothing, weight, weight_and_bias };

/// Calls f with one of them as a constant.
template <class F>
NORMA_INLINE void with_per_element(PerElement p, F&& f) {
  if (p == PerElement::nothing) return f(std::integral_constant<PerElement, PerElement::nothing>());
  if (p == PerElement::weight) return f(std::integral_constant<PerElement, PerElement::weight>());
  f(std::integral_constant<PerElement, PerElement::weight_and_bias>());
}

/// y = (x - mean) * rstd + shift, and that * weight + bias where these are numbers per element. y may be exactly x. To bypass the cache
/// wants what is stored in whole registers aligned to them, as it is behind the head of a single row.
template <PerElement Parameters, bool Far, class Group, class X, class T>
NORMA_INLINE void map(const Group& group, index_t n, X x, X y, const Coefficients<T>& c, const ElementWeight<T>& weights,
                      const ElementWeight<T>& biases, const FarMemory& far_memory) {
  constexpr int J = Group::registers, E = Group::elements;
  constexpr bool weighted = Parameters != PerElement::nothing, biased = Parameters == PerElement::weight_and_bias;
  Pack<T> mean[J], rstd[J], shift[J], weight[E], bias[E];
  const auto take_set = [&](const Coefficients<T>& of) NORMA_INLINE_LAMBDA {
    unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
      mean[j] = Group::of_set(of.mean, j);
      rstd[j] = Group::of_set(of.rstd, j);
      shift[j] = Group::of_set(of.shift, j);
    });
  };
  const Pack<T> offset(weights.offset);
  const T *const of_weight = weights.numbers, *const of_bias = biases.numbers;  // copies: a store could change them through a reference
  const index_t weight_step = weights.step, bias_step = biases.step;
  Pack<T> one_bias(T(0));
  if constexpr (weighted && !biased) one_bias = Pack<T>(*of_bias);
  const auto take_elements = [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
    unroll<E>([&](auto e) NORMA_INLINE_LAMBDA {
      if (!weighted || !has<T>(mask, e)) return;
      weight[e] = group.of_element(mask, of_weight, weight_step, t, e) + offset;
      bias[e] = biased ? group.of_element(mask, of_bias, bias_step, t, e) : one_bias;
    });
  };
  if constexpr (steps_over_sets<Group>) {
    take_elements(0, group.mask);
  } else {
    take_set(c);
  }
  group.each_step_of_map(n, head_of(group, y, n), apart(group, x, y) && !far_memory.streams, [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
    if constexpr (Far) read_ahead<T, Group>(x, t, far_memory.ahead[0]);
    if constexpr (steps_over_sets<Group>) {
      take_set(c.from(t));
    } else {
      take_elements(t, mask);
    }
    const auto from = of_step<Group>(x, t), to = of_step<Group>(y, t);
    unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
      constexpr int part = Group::part(j);
      if (!has<T>(mask, part)) return;
      Pack<T> v = x_hat(load<T>(mask, part, from.at(j, t)), mean[j], rstd[j], shift[j]);
      if constexpr (weighted) v = fma(v, weight[Group::element(j)], bias[Group::element(j)]);
      store_result<Far, T>(mask, part, to.at(j, t), v, far_memory);
    });
  });
}

/// The same of all groups of some cells.
template <PerElement Parameters, bool Far, class Cells, class X, class T>
NORMA_NOINLINE void map_cells(const Cells& cells, index_t n, X x, X y, const Coefficients<T>& c, const ElementWeight<T>& weights,
                              const ElementWeight<T>& biases, const FarMemory& far_memory) {
  cells.template each_strip<4>(n, [&](auto group, index_t cell, index_t t, index_t elements) NORMA_INLINE_LAMBDA {
    map<Parameters, Far>(group, elements, x.of(group, cell, t), y.of(group, cell, t), c.from(cell), weights.from(t), biases.from(t),
                         far_memory);
  });
}

/// dx = g * scale + (x_hat * slope + offset) with g = dy * weight, or dy where it is not Weighted; Adds: dx += that. dx may be exactly dy
/// or x. Far memory as above.
template <bool Weighted, bool Far, bool Adds, class Group, class X, class T>
NORMA_INLINE void backward_map(const Group& group, index_t n, X dy, X x, X dx, const Coefficients<T>& c, const DxCoefficients<T>& d,
                               const ElementWeight<T>& weights, const FarMemory& far_memory) {
  constexpr int J = Group::registers, E = Group::elements;
  Pack<T> mean[J], rstd[J], shift[J], scale[J], slope[J], constant[J], weight[E];
  const auto take_set = [&](const Coefficients<T>& of, const DxCoefficients<T>& of_dx) NORMA_INLINE_LAMBDA {
    unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
      mean[j] = Group::of_set(of.mean, j);
      rstd[j] = Group::of_set(of.rstd, j);
      shift[j] = Group::of_set(of.shift, j);
      scale[j] = Group::of_set(of_dx.scale, j);
      slope[j] = Group::of_set(of_dx.slope, j);
      constant[j] = Group::of_set(of_dx.offset, j);
    });
  };
  const Pack<T> offset(weights.offset);
  const T* const numbers = weights.numbers;
  const index_t step = weights.step;
  const auto take_elements = [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
    unroll<E>([&](auto e) NORMA_INLINE_LAMBDA {
      if (Weighted && has<T>(mask, e)) weight[e] = group.of_element(mask, numbers, step, t, e) + offset;
    });
  };
  if constexpr (steps_over_sets<Group>) {
    take_elements(0, group.mask);
  } else {
    take_set(c, d);
  }
  group.each_step_of_map(n, head_of(group, dx, n), !Adds && apart(group, dy, dx) && apart(group, x, dx) && !far_memory.streams,
                         [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
                           if constexpr (Far) {
                             read_ahead<T, Group>(dy, t, far_memory.ahead[0]);
                             read_ahead<T, Group>(x, t, far_memory.ahead[1]);
                           }
                           if constexpr (steps_over_sets<Group>) {
                             take_set(c.from(t), d.from(t));
                           } else {
                             take_elements(t, mask);
                           }
                           const auto from_dy = of_step<Group>(dy, t), from_x = of_step<Group>(x, t), to = of_step<Group>(dx, t);
                           unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
                             constexpr int part = Group::part(j);
                             if (!has<T>(mask, part)) return;
                             const Pack<T> normalized = x_hat(load<T>(mask, part, from_x.at(j, t)), mean[j], rstd[j], shift[j]);
                             const Pack<T> upstream = load<T>(mask, part, from_dy.at(j, t));
                             const Pack<T> g = Weighted ? mul(upstream, weight[Group::element(j)]) : upstream;
                             Pack<T> v = fma(g, scale[j], fma(normalized, slope[j], constant[j]));
                             if constexpr (Adds) v = v + load<T>(mask, part, to.at(j, t));
                             store_result<Far, T>(mask, part, to.at(j, t), v, far_memory);
                           });
                         });
}

/// The same of all groups of some cells.
template <bool Weighted, bool Far, bool Adds, class Cells, class X, class T>
NORMA_NOINLINE void backward_map_cells(const Cells& cells, index_t n, X dy, X x, X dx, const Coefficients<T>& c, const DxCoefficients<T>& d,
                                       const ElementWeight<T>& weights, const FarMemory& far_memory) {
  cells.template each_strip<4>(n, [&](auto group, index_t cell, index_t t, index_t elements) NORMA_INLINE_LAMBDA {
    backward_map<Weighted, Far, Adds>(group, elements, dy.of(group, cell, t), x.of(group, cell, t), dx.of(group, cell, t), c.from(cell),
                                      d.from(cell), weights.from(t), far_memory);
  });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
