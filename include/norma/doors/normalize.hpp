// From checked views to the engine: normalize and differentiate, with the statistics of x or given ones.
#pragma once

#include <norma/doors/parameters.hpp>
#include <norma/engine/engine.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// One value everywhere. Stands in for an absent weight or bias; a bias of -0 leaves the sign of a zero alone.
template <class A>
inline Operand constant_operand(const A& value, int rank) {
  Operand operand;
  operand.data = const_cast<A*>(&value);
  operand.access = &element_access<element_type_of<A>>();
  for (int a = 0; a < rank; ++a) operand.strides.push_back(0);
  return operand;
}

/// Operands of a forward; absent parameters are stood in for.
template <class A, class X, class Y>
inline Operands forward_operands(const TensorView<X>& x, const TensorView<Y>& y, const AffineOperands& affine,
                                 const AnyFusion* fusion = nullptr) {
  static_assert(are_numbers<X>, "norma: 8-bit numbers are for y alone, with a scale or row_scales");
  Operands operands;
  operands[stream_x] = Operand(x);
  operands[stream_y] = Operand(y);
  operands[stream_weight] = affine.weight.present() ? affine.weight : constant_operand(one<A>, x.rank());
  operands[stream_bias] = affine.bias.present() ? affine.bias : constant_operand(negative_zero<A>, x.rank());
  if (fusion != nullptr) fusion->join(operands, x.rank(), static_cast<double>(affine.template offset<A>()));
  return operands;
}

/// Where the elements of a tensor lie, which may be of a user's own type with the same bits.
template <class U, class T>
inline U* elements_of(const TensorView<T>& t) {
  return reinterpret_cast<U*>(const_cast<std::remove_const_t<T>*>(t.data()));
}

/// Rows that lie densely: false if x and y do not, or are worth a plan.
template <class A, class U, class X, class Y>
inline bool normalize_dense_rows(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                                 const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics,
                                 Buffer<std::byte>* scratch) {
  DenseRows<A, U, 2> rows;
  if (call.streaming() == Streaming::always) return false;
  if (!rows.find(x.extents(), roles, {&x.strides(), &y.strides()}, {&affine.weight, &affine.bias})) return false;
  rows.data[0] = elements_of<U>(x);
  rows.data[1] = elements_of<U>(y);
  rows.weight = static_cast<const A*>(affine.weight.data);
  rows.bias = static_cast<const A*>(affine.bias.data);
  rows.weight_offset = affine.template offset<A>();
  const index_t done = normalize_rows(rows, statistic, statistics);
  if (done == rows.rows) return true;
  const Extents rest{rows.rows - done, rows.size};
  AffineOperands along_rows = affine;
  along_rows.weight.strides = along_rows.bias.strides = {0, 1};
  const Operands operands = forward_operands<A>(TensorView<X>(x.data() + done * rows.stride[0], rest, {rows.stride[0], 1}),
                                                TensorView<Y>(y.data() + done * rows.stride[1], rest, {rows.stride[1], 1}), along_rows);
  normalize_operands<A, U>(call, statistic, trailing_axes(2, 1), rest, operands, rows.weight_offset, false, statistics.from(done), scratch,
                           {});
  return true;
}

/// y = normalized x over the averaged axes. P is the type of statistics, which are left in the arrays unless those are null; the arithmetic
/// type is the wider of P and X. Allocates only in `scratch`, if there is one. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void normalize(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<X>& x, const TensorView<Y>& y,
                      const AffineOperands& affine, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                      const ForwardHook<Arithmetic<P, X, Y>>& hook = {}) {
  using A = Arithmetic<P, X, Y>;
  using U = KernelElement<A, X, Y>;
  if constexpr (element_type_of<X> == element_type_of<U> && element_type_of<Y> == element_type_of<U>) {
    if (!hook.present() && call.fusion() == nullptr &&
        normalize_dense_rows<A, U>(call, statistic, roles, x, y, affine, statistics, scratch))
      return;
  }
  const Operands operands = forward_operands<A>(x, y, affine, call.fusion());
  if (x.size() == 0) {
    const index_t sets = set_count(x.extents(), roles);
    for (index_t set = 0; set < sets; ++set) statistics.put(set, SetStatistics{});
    return;
  }
  normalize_operands<A, U>(call, statistic, roles, x.extents(), operands, affine.template offset<A>(), streams_output(call, operands, y),
                           statistics, scratch, hook);
}

/// With `saved`, statistics are left there; the caller commits it.
template <class P, class X, class Y>
inline void normalize(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<X>& x, const TensorView<Y>& y,
                      const AffineOperands& affine, Saved<P>* saved) {
  if (saved == nullptr) return normalize<P>(call, statistic, roles, x, y, affine, StatisticArrays{}, nullptr);
  normalize<P>(call, statistic, roles, x, y, affine, saved->prepare(set_count(x.extents(), roles), statistic.centred()), &saved->scratch());
}

/// Operands of a backward; an absent weight is stood in for.
template <class A, class DY, class X, class DX>
inline Operands backward_operands(const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx, const AffineOperands& affine,
                                  const AnyFusion* fusion) {
  static_assert(are_numbers<DY, X, DX>, "norma: 8-bit numbers are for y alone, with a scale or row_scales");
  Operands operands;
  operands[stream_dy] = Operand(dy);
  operands[stream_x] = Operand(x);
  if (dx.data() != nullptr) operands[stream_y] = Operand(dx);
  operands[stream_weight] = affine.weight.present() ? affine.weight : constant_operand(one<A>, x.rank());
  operands[stream_weight_grad] = affine.weight_grad;
  operands[stream_bias_grad] = affine.bias_grad;
  if (fusion == nullptr) return operands;
  operands[stream_bias] = affine.bias.present() ? affine.bias : constant_operand(negative_zero<A>, x.rank());
  fusion->join(operands, x.rank(), static_cast<double>(affine.template offset<A>()));
  return operands;
}

/// The backward of rows that lie densely: false if dy, x and dx do not, or are worth a plan.
template <class A, class U, class DY, class X, class DX>
inline bool differentiate_dense_rows(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                                     const TensorView<X>& x, const StatisticArrays& statistics, Buffer<std::byte>& scratch,
                                     const TensorView<DX>& dx, const AffineOperands& affine) {
  DenseRows<A, U, 3> rows;
  if (call.streaming() == Streaming::always) return false;
  const Extents& of_dx = dx.data() == nullptr ? x.strides() : dx.strides();
  if (!rows.find(x.extents(), roles, {&dy.strides(), &x.strides(), &of_dx}, {&affine.weight, &affine.weight_grad, &affine.bias_grad}) ||
      rows.rows > sets_per_flush) {
    return false;
  }
  rows.data[0] = elements_of<U>(dy);
  rows.data[1] = elements_of<U>(x);
  rows.data[2] = elements_of<U>(dx);
  rows.weight = static_cast<const A*>(affine.weight.data);
  rows.weight_offset = affine.template offset<A>();
  differentiate_rows(rows, statistic, statistics, scratch, static_cast<A*>(affine.weight_grad.data),
                     static_cast<A*>(affine.bias_grad.data));
  return true;
}

/// dx = ... (or += ...), weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
/// `scratch` grows to what is needed. `reshape` is for norms that are always over cells.
template <class P, class DY, class X, class DX>
inline void differentiate(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                          const TensorView<X>& x, const StatisticArrays& statistics, Buffer<std::byte>& scratch, const TensorView<DX>& dx,
                          const AffineOperands& affine, const Reshape& reshape = {}, Result result = Result::replaced,
                          const BackwardHook<Arithmetic<P, X, DY, DX>>& hook = {}) {
  using A = Arithmetic<P, X, DY, DX>;
  if (x.size() == 0) return;
  using U = KernelElement<A, X, DY, DX>;
  constexpr ElementType taken = element_type_of<U>;
  if constexpr (element_type_of<X> == taken && element_type_of<DY> == taken && element_type_of<DX> == taken) {
    if (result == Result::replaced && !reshape.present() && !hook.present() && call.fusion() == nullptr &&
        differentiate_dense_rows<A, U>(call, statistic, roles, dy, x, statistics, scratch, dx, affine)) {
      return;
    }
  }
  const Operands operands = backward_operands<A>(dy, x, dx, affine, call.fusion());
  const bool streaming = result == Result::replaced && streams_output(call, operands, dx);
  normalize_operands_backward<A, U>(call, statistic, roles, x.extents(), operands, affine.template offset<A>(), streaming, statistics,
                                    scratch, reshape, result, hook);
}

/// The same with the statistics a forward left in `saved`, which has been checked.
template <class P, class DY, class X, class DX>
inline void normalize_backward(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<DY>& dy,
                               const TensorView<X>& x, Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine) {
  differentiate<P>(call, statistic, roles, dy, x, saved.statistics(), saved.scratch(), dx, affine);
}

/// Forward in which `between(table, piece)` sees the statistics of at least `span` before they are kept in `statistics` and mapped with; it
/// may replace them (put) or change what is made of them (reshape). x has elements.
template <class P, class X, class Y, class Between>
inline void normalize_between(const CallRef& call, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                              const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics,
                              Buffer<std::byte>* scratch, Span span, const Between& between) {
  normalize<P>(call, statistic, roles, x, y, affine, statistics, scratch, ForwardHook<Arithmetic<P, X, Y>>(span, between));
}

/// Backward of such a norm: resolve(piece, sum dy, sum dy * x_hat, f) calls f(set, scale, slope, offset) for every set of a piece, which
/// are planes of (n, c) and whose norm a fusion sees through `seen`; then dx = dy * scale + (x_hat * slope + offset).
template <class P, class DY, class X, class DX, class Resolve>
inline void normalize_between_backward(const CallRef& call, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                                       const TensorView<DX>& dx, Saved<P>& saved, Span span, const Reshape& seen, const Resolve& resolve) {
  using A = Arithmetic<P, X, DY, DX>;
  const auto hook = [&](SumsTable<A>& table, const Piece& piece) {
    resolve(piece, table.g, table.g_x_hat, [&](index_t set, double scale, double slope, double offset) {
      table.scale[set] = static_cast<A>(scale);
      table.slope[set] = static_cast<A>(slope);
      table.offset[set] = static_cast<A>(offset);
    });
  };
  differentiate<P>(call, {}, roles, dy, x, saved.statistics(), saved.scratch(), dx, {}, seen, Result::replaced,
                   BackwardHook<A>(span, hook));
}

/// y = (x - mean) / sqrt(variance + eps) * weight + bias. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void apply_statistics(const CallRef& call, const Roles& roles, const TensorView<X>& x, const TensorView<Y>& y,
                             const AffineOperands& affine, const GivenStatistics& given) {
  using A = Arithmetic<P, X, Y>;
  if (x.size() == 0) return;
  const Operands operands = forward_operands<A>(x, y, affine, call.fusion());
  apply_statistics_to_operands<A, KernelElement<A, X, Y>>(call, roles, x.extents(), operands, affine.template offset<A>(),
                                                          streams_output(call, operands, y), given);
}

/// Its backward. dx = ..., weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
template <class P, class DY, class X, class DX>
inline void apply_statistics_backward(const CallRef& call, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                                      const TensorView<DX>& dx, const AffineOperands& affine, const GivenStatistics& given, index_t sets) {
  using A = Arithmetic<P, X, DY, DX>;
  if (affine.weight_grad.present() || affine.bias_grad.present() || call.fusion() != nullptr) {
    Saved<P> saved;
    const StatisticArrays statistics = saved.prepare(sets, true);
    for (index_t set = 0; set < sets; ++set) statistics.put(set, given[set]);
    if (call.fusion() != nullptr) {  // x is wanted for dx, too
      const auto constants = [](SumsTable<A>& table, const Piece&) { table.finish_constants(); };
      return differentiate<P>(call, given.statistic, roles, dy, x, statistics, saved.scratch(), dx, affine, {}, Result::replaced,
                              BackwardHook<A>(Span::none, constants));
    }
    differentiate<P>(call, given.statistic, roles, dy, x, statistics, saved.scratch(), TensorView<DX>(), affine);
  }
  if (dx.data() == nullptr || x.size() == 0) return;
  // dx = dy * (rstd * weight) is a forward from dy to dx.
  static constexpr P no_mean(0);
  GivenStatistics without_mean = given;
  without_mean.mean = constant_operand(no_mean, 1);
  AffineOperands weight;
  weight.weight = affine.weight;
  weight.unit_offset = affine.unit_offset;
  const Operands operands = forward_operands<A>(dy, dx, weight);
  apply_statistics_to_operands<A, KernelElement<A, DY, DX>>(call, roles, dy.extents(), operands, weight.template offset<A>(),
                                                            streams_output(call, operands, dx), without_mean);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
