// fold: from elements to sums, a group at a time; forward, and for the sums of a backward.
#pragma once

#include <array>

#include <norma/kernels/cells.hpp>
#include <norma/kernels/coefficients.hpp>
#include <norma/simd/convert.hpp>
#include <norma/stats/terms.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <std::size_t Sums, int J, class T>
using GroupSums = Pack<T>[Sums][static_cast<std::size_t>(J)];

/// sum[s][j] += the s-th sum of Term over the n elements of each set, about its pivot.
template <class Term, class Group, class X, class T>
NORMA_INLINE void fold(const Group& group, index_t n, X x, const T* pivots, GroupSums<Term::sums, Group::registers, T>& sum) {
  constexpr int J = Group::registers;
  Pack<T> pivot[J];
  unroll<J>([&](auto j) NORMA_INLINE_LAMBDA { pivot[j] = Group::of_set(pivots, j); });
  group.each_step(n, [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
    unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
      constexpr int part = Group::part(j);
      if (!has<T>(mask, part)) return;
      const Pack<T> value = keep(mask, part, Term::value(load<T>(mask, part, x.at(j, t)), pivot[j]));
      if constexpr (Term::sums == 1) {
        Term::add(value, {&sum[0][j]});
      } else {
        Term::add(value, {&sum[0][j], &sum[1][j]});
      }
    });
  });
}

/// Weights of elements: `step` apart, 1 or 0; `offset` is added to each.
template <class T>
struct ElementWeight {
  const T* numbers;
  index_t step;
  T offset;

  NORMA_INLINE ElementWeight from(index_t i) const { return {numbers + step * i, step, offset}; }
};

/// Running parameter gradients per element; padded, so that whole registers may be loaded. Null: not wanted.
template <class T>
struct GradientRun {
  T* weight = nullptr;
  T* bias = nullptr;

  NORMA_INLINE GradientRun from(index_t i) const { return weight == nullptr ? GradientRun() : GradientRun{weight + i, bias + i}; }
};

/// Which running gradients a backward sums: none, both, or that of the weight where nobody wants the bias', nor the sum of g.
enum class Gradients : unsigned char { none, both, weight };

/// How many sums there are: of g and g * x_hat, or of the product alone.
template <Gradients Wanted>
inline constexpr std::size_t backward_sums = Wanted == Gradients::weight ? 1 : 2;

/// Calls f with one of them as a constant.
template <class F>
NORMA_INLINE void with_gradients(bool any, bool weight_alone, F&& f) {
  if (!any) return f(std::integral_constant<Gradients, Gradients::none>());
  if (weight_alone) return f(std::integral_constant<Gradients, Gradients::weight>());
  f(std::integral_constant<Gradients, Gradients::both>());
}

/// sum[0] += g and sum[1] += g * x_hat, or the latter alone, with g = dy * weight, or dy where it is not Weighted; also the running sums of
/// dy * x_hat and of dy for each element, as far as they are wanted.
template <bool Weighted, Gradients Wanted, class Group, class X, class T>
NORMA_INLINE void backward_fold(const Group& group, index_t n, X dy, X x, const Coefficients<T>& c, const ElementWeight<T>& weights,
                                const GradientRun<T>& gradient, GroupSums<backward_sums<Wanted>, Group::registers, T>& sum) {
  constexpr int J = Group::registers, E = Group::elements, G = J < lane_packs<T> ? J : lane_packs<T>;
  Pack<T> mean[J], rstd[J], shift[J];
  unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
    mean[j] = Group::of_set(c.mean, j);
    rstd[j] = Group::of_set(c.rstd, j);
    shift[j] = Group::of_set(c.shift, j);
  });
  const Pack<T> offset(weights.offset);
  constexpr bool gradients = Wanted != Gradients::none, of_g = Wanted != Gradients::weight;
  const T* const numbers = weights.numbers;  // copies: a store could change what is read through a reference
  const index_t step = weights.step;
  T *const of_weight = gradient.weight, *const of_bias = gradient.bias;
  group.each_step(n, [&](index_t t, auto mask) NORMA_INLINE_LAMBDA {
    Pack<T> weight[E], weight_gradient[G], bias_gradient[G];
    if constexpr (Weighted) {
      unroll<E>([&](auto e) NORMA_INLINE_LAMBDA { weight[e] = group.of_element(mask, numbers, step, t, e) + offset; });
    }
    if constexpr (gradients) {
      unroll<G>([&](auto k) NORMA_INLINE_LAMBDA {
        weight_gradient[k] = load(of_weight + group.sums_of_element(t) + k * pack_size<T>);
        if constexpr (of_g) bias_gradient[k] = load(of_bias + group.sums_of_element(t) + k * pack_size<T>);
      });
    }
    unroll<J>([&](auto j) NORMA_INLINE_LAMBDA {
      constexpr int part = Group::part(j);
      if (!has<T>(mask, part)) return;
      const Pack<T> upstream = held(load<T>(mask, part, dy.at(j, t)));
      const Pack<T> normalized = keep(mask, part, x_hat(load<T>(mask, part, x.at(j, t)), mean[j], rstd[j], shift[j]));
      const Pack<T> g = Weighted ? keep(mask, part, mul(upstream, weight[Group::element(j)])) : upstream;
      if constexpr (of_g) sum[0][j] = sum[0][j] + g;
      Pack<T>& product = sum[backward_sums<Wanted> - 1][j];
      product = fma(g, normalized, product);
      if constexpr (gradients) weight_gradient[j % G] = fma(upstream, normalized, weight_gradient[j % G]);
      if constexpr (gradients && of_g) bias_gradient[j % G] = bias_gradient[j % G] + upstream;
    });
    if constexpr (gradients) {
      unroll<G>([&](auto k) NORMA_INLINE_LAMBDA {
        store(of_weight + group.sums_of_element(t) + k * pack_size<T>, weight_gradient[k]);
        if constexpr (of_g) store(of_bias + group.sums_of_element(t) + k * pack_size<T>, bias_gradient[k]);
      });
    }
  });
}

/// Registers of R rows as running sums of each.
template <int R, class T>
NORMA_INLINE std::array<LaneSum<T>, static_cast<std::size_t>(R)> rows_of(
    const Pack<T> (&registers)[static_cast<std::size_t>(R * lane_packs<T>)]) {
  std::array<LaneSum<T>, static_cast<std::size_t>(R)> rows;
  unroll<R * lane_packs<T>>([&](auto j) NORMA_INLINE_LAMBDA { rows[j / lane_packs<T>].packs[j % lane_packs<T>] = registers[j]; });
  return rows;
}

/// to[s][r] += the sums of rows, each folded by the one tree of virtual lanes.
template <std::size_t Sums, class T, int R>
NORMA_INLINE void add_sums(const Rows<T, R>&, const GroupSums<Sums, R * lane_packs<T>, T>& sum, double* const (&to)[Sums]) {
  unroll<static_cast<int>(Sums)>([&](auto s) NORMA_INLINE_LAMBDA {
    T folded[R < 4 ? 4 : R];
    fold_trees(rows_of<R, T>(sum[s]), folded);
    if constexpr (R == 4) {
      add_piece(to[s], folded);
    } else {
      for (int r = 0; r < R; ++r) add_one(to[s] + r, static_cast<double>(folded[r]));
    }
  });
}
/// The same of lanes; `to` reaches to whole registers.
template <std::size_t Sums, class T, int K>
NORMA_INLINE void add_sums(const Lanes<T, K>&, const GroupSums<Sums, K, T>& sum, double* const (&to)[Sums]) {
  alignas(64) T numbers[K * pack_size<T>];
  unroll<static_cast<int>(Sums)>([&](auto s) NORMA_INLINE_LAMBDA {
    unroll<K>([&](auto j) NORMA_INLINE_LAMBDA { store(numbers + j * pack_size<T>, sum[s][j]); });
    for (int p = 0; p < K * pack_size<T>; p += pack_size<double>) store(to[s] + p, load(to[s] + p) + load_doubles(numbers + p));
  });
}

template <std::size_t Sums, int J, class T>
NORMA_INLINE void clear(GroupSums<Sums, J, T>& sum) {
  unroll<static_cast<int>(Sums)>([&](auto s)
                                     NORMA_INLINE_LAMBDA { unroll<J>([&](auto j) NORMA_INLINE_LAMBDA { sum[s][j] = Pack<T>(T(0)); }); });
}

/// Sums of n elements of sets across lanes as if they were rows: virtual_lane(first, step, sum) adds elements first, first + step, ..., and
/// what it gives is added by the tree, lane l + lane (l + H) for H = lanes / 2, ... 1. Lanes that no element falls into are left out.
template <std::size_t Sums, class T, int K, class VirtualLane>
NORMA_INLINE void fold_virtual_lanes(index_t n, GroupSums<Sums, K, T>& sum, const VirtualLane& virtual_lane) {
  int used = lanes<T>, levels = 0;
  while (used / 2 >= n && used > 1) used /= 2;
  for (int l = used; l > 1; l /= 2) ++levels;
  GroupSums<Sums, K, T> waiting[6];
  int depth = 0;
  for (int k = 0; k < used; ++k) {
    int lane = 0;
    for (int bit = 0; bit < levels; ++bit) lane |= (k >> bit & 1) << (levels - 1 - bit);
    clear<Sums, K, T>(sum);
    virtual_lane(lane, lanes<T>, sum);
    for (int pairs = k; (pairs & 1) != 0; pairs >>= 1) {
      --depth;
      unroll<static_cast<int>(Sums)>([&](auto s) NORMA_INLINE_LAMBDA {
        unroll<K>([&](auto j) NORMA_INLINE_LAMBDA { sum[s][j] = waiting[depth][s][j] + sum[s][j]; });
      });
    }
    unroll<static_cast<int>(Sums)>(
        [&](auto s) NORMA_INLINE_LAMBDA { unroll<K>([&](auto j) NORMA_INLINE_LAMBDA { waiting[depth][s][j] = sum[s][j]; }); });
    ++depth;
  }
}

/// The pivot of a row: the mean of its first n elements, n a power of two.
template <class T, class X>
NORMA_INLINE T pivot_of(const Rows<T, 1>& group, index_t n, const X& x) {
  GroupSums<1, lane_packs<T>, T> sum;
  clear<1, lane_packs<T>, T>(sum);
  const T about = T(0);
  fold<SumTerm>(group, n, x, &about, sum);
  return fold_tree(rows_of<1, T>(sum[0])[0]) * (T(1) / static_cast<T>(n));
}

/// sums[s][i] += the s-th sum of Term over the n elements of the i-th of some cells, about its pivot. With `leading`, cells are rows, fewer
/// than go side by side, whose pivots are the means of so many elements from the first on, and are found first.
template <class Term, class Cells, class X, class T>
NORMA_NOINLINE void sum_cells(const Cells& cells, index_t n, X x, T* pivots, const std::array<double*, Term::sums>& sums,
                              index_t leading = 0) {
  cells.each_group([&](auto group, index_t cell) NORMA_INLINE_LAMBDA {
    using Group = decltype(group);
    GroupSums<Term::sums, Group::registers, T> sum;
    clear<Term::sums, Group::registers, T>(sum);
    const auto of_group = x.of(group, cell);
    if constexpr (Group::across_lanes) {
      fold_virtual_lanes<Term::sums, T, Group::registers>(n, sum, [&](index_t k, index_t step, auto& of_lane) NORMA_INLINE_LAMBDA {
        fold<Term>(group, (n - k + step - 1) / step, of_group.every(k, step), pivots + cell, of_lane);
      });
    } else {
      if constexpr (Term::pivoted && Group::sets == 1) {
        if (leading > 0) pivots[cell] = pivot_of(group, leading, of_group);
      }
      fold<Term>(group, n, of_group, pivots + cell, sum);
    }
    double* to[Term::sums];
    for (std::size_t s = 0; s < Term::sums; ++s) to[s] = sums[s] + cell;
    add_sums<Term::sums>(group, sum, to);
  });
}

/// g[i] and g_x_hat[i] += the sums of backward_fold over the n elements of the i-th of some cells.
template <bool Weighted, Gradients Wanted, class Cells, class X, class T>
NORMA_NOINLINE void backward_sum_cells(const Cells& cells, index_t n, X dy, X x, const Coefficients<T>& c, const ElementWeight<T>& weights,
                                       const GradientRun<T>& gradient, double* g, double* g_x_hat) {
  cells.each_group([&](auto group, index_t cell) NORMA_INLINE_LAMBDA {
    using Group = decltype(group);
    constexpr std::size_t sums = backward_sums<Wanted>;
    GroupSums<sums, Group::registers, T> sum;
    clear<sums, Group::registers, T>(sum);
    const auto dy_of_group = dy.of(group, cell), x_of_group = x.of(group, cell);
    if constexpr (Group::across_lanes) {
      fold_virtual_lanes<sums, T, Group::registers>(n, sum, [&](index_t k, index_t step, auto& of_lane) NORMA_INLINE_LAMBDA {
        Group every = group;
        every.element_step = step;
        const GradientRun<T> of_lanes = gradient.from(group.sums_of_element(k) + cell % lanes<T>);
        backward_fold<Weighted, Wanted>(every, (n - k + step - 1) / step, dy_of_group.every(k, step), x_of_group.every(k, step),
                                        c.from(cell), weights.from(k), of_lanes, of_lane);
      });
    } else {
      backward_fold<Weighted, Wanted>(group, n, dy_of_group, x_of_group, c.from(cell), weights, gradient, sum);
    }
    if constexpr (sums == 1) {
      add_sums<1>(group, sum, {g_x_hat + cell});
    } else {
      add_sums<2>(group, sum, {g + cell, g_x_hat + cell});
    }
  });
}

/// Calls add(group, first cell, first element, elements, sum) for strips of cells across lanes, with their sums from memory and back:
/// chains go on where they were.
template <int Several, std::size_t Sums, class T, class Add>
NORMA_INLINE void continue_chains(const LaneCells<T>& cells, index_t n, const std::array<T*, Sums>& sums, const Add& add) {
  cells.template each_strip<Several>(n, [&](auto group, index_t cell, index_t t, index_t elements) NORMA_INLINE_LAMBDA {
    constexpr int J = decltype(group)::registers;
    GroupSums<Sums, J, T> sum;
    unroll<static_cast<int>(Sums)>([&](auto s) NORMA_INLINE_LAMBDA {
      unroll<J>([&](auto j) NORMA_INLINE_LAMBDA { sum[s][j] = load(sums[s] + cell + j * pack_size<T>); });
    });
    add(group, cell, t, elements, sum);
    unroll<static_cast<int>(Sums)>([&](auto s) NORMA_INLINE_LAMBDA {
      unroll<J>([&](auto j) NORMA_INLINE_LAMBDA { store(sums[s] + cell + j * pack_size<T>, sum[s][j]); });
    });
  });
}

/// sums[s][i] += the s-th sum of Term over n elements of the i-th of some cells, one after the other in T, about its pivot.
template <class Term, class X, class T>
NORMA_NOINLINE void chain_cells(const LaneCells<T>& cells, index_t n, X x, const T* pivots, const std::array<T*, Term::sums>& sums) {
  continue_chains<8, Term::sums>(cells, n, sums, [&](auto group, index_t cell, index_t t, index_t elements, auto& sum) NORMA_INLINE_LAMBDA {
    fold<Term>(group, elements, x.of(group, cell, t), pivots + cell, sum);
  });
}

/// The same with the sums of dy and of dy * x_hat.
template <class X, class T>
NORMA_NOINLINE void backward_chain_cells(const LaneCells<T>& cells, index_t n, X dy, X x, const Coefficients<T>& c,
                                         const std::array<T*, 2>& sums) {
  continue_chains<4, 2>(cells, n, sums, [&](auto group, index_t cell, index_t t, index_t elements, auto& sum) NORMA_INLINE_LAMBDA {
    backward_fold<false, Gradients::none>(group, elements, dy.of(group, cell, t), x.of(group, cell, t), c.from(cell), ElementWeight<T>{},
                                          GradientRun<T>{}, sum);
  });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
