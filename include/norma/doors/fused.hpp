// Fused calls: other tensors and an activation that are swept together with those of a norm.
#pragma once

#include <optional>

#include <norma/core/view.hpp>
#include <norma/doors/normalize.hpp>
#include <norma/engine/roles.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A tensor of a fused call that is read: takes whatever norma::view takes, of any element type and strides, with x's extents, or 1 where
/// it repeats. A null pointer means absent.
class InputStream {
 public:
  /// Absent.
  InputStream() = default;
  /// Whatever norma::view takes; a temporary that owns its elements is refused.
  template <class U>
    requires(!std::is_base_of_v<InputStream, std::remove_cvref_t<U>> && Viewable<U>)
  InputStream(U&& t) : InputStream(norma::view(t), 0) {
    static_assert(!is_owning_temporary<U>, "norma: this temporary owns its elements, and a view of it would dangle; give it a name first");
  }

  ///@{
  /// Whether it is present, its extents, and what the engine sees of it.
  bool has_value() const { return operand_.present(); }
  const Extents& extents() const { return extents_; }
  const Operand& operand() const { return operand_; }
  ///@}

 protected:
  template <class E>
  InputStream(const TensorView<E>& view, int) : operand_(view), extents_(view.extents()) {
    static_assert(are_numbers<E>, "norma: 8-bit numbers are for y alone, with a scale or row_scales");
  }

 private:
  Operand operand_;
  Extents extents_;
};

/// The same of one that is written, with x's extents.
class OutputStream : public InputStream {
 public:
  /// Absent.
  OutputStream() = default;
  /// Whatever norma::view takes and is writable.
  template <class U>
    requires(!std::is_base_of_v<InputStream, std::remove_cvref_t<U>> && Viewable<U>)
  OutputStream(U&& t) : InputStream(norma::output_view(std::forward<U>(t)), 0) {}
};

/// What goes with a forward: h = x + residual, stored in sum; v = h * op(gate) with gate_first, h else; n = norm(v); y = n * op(gate) + add
/// with a gate (not first), op(n + add) else. Parameter gradients and dx are those of the whole. sum may be exactly x or residual, add
/// exactly y. For a y of std::int8_t either scale, y = round(v / scale), or row_scales (LayerNorm, RMSNorm), a float for each set in
/// row-major order of the kept axes: t = max |v| / 127 goes there and y = round(v / t); nearest even, within [-127, 127], NaN is 0.
/// ShapeError before anything is written where a stream or option does not fit.
struct Fused {
  InputStream residual = {};                                       ///< added to x
  OutputStream sum = {};                                           ///< takes x + residual; wants a residual
  InputStream gate = {};                                           ///< op(gate) is a factor of y, or of x
  bool gate_first = false;                                         ///< the factor is that of x, before the norm; wants a gate
  InputStream add = {};                                            ///< added to y, before the activation
  ResidualRounding residual_rounding = ResidualRounding::rounded;  ///< what sees x + residual unrounded
  std::optional<double> scale = {};                                ///< of a y of 8 bits; positive
  OptionalView<float> row_scales = {};                             ///< written; of a y of 8 bits, a number for each set
};

/// What goes with its backward, x being what was normalized (the sum, where there was a residual): dx = d of h + sum_grad. gate_grad,
/// add_grad and dx are written; with accumulate, dx += instead. dx may be exactly sum_grad, gate_grad exactly gate or dy, add_grad exactly
/// dy.
struct FusedBackward {
  InputStream sum_grad = {};    ///< the gradient that came to the sum; added to dx
  InputStream gate = {};        ///< op(gate) is a factor of y, or of x
  bool gate_first = false;      ///< the factor is that of x, before the norm; wants a gate
  OutputStream gate_grad = {};  ///< written; wants a gate
  InputStream add = {};         ///< added to y, before the activation
  OutputStream add_grad = {};   ///< written
  bool accumulate = false;      ///< dx += instead of dx =
};

/// ShapeError unless an optional stream has x's extents, or 1 where it may repeat.
inline void check_stream(const char* layer, const char* name, const InputStream& stream, const Extents& x, bool repeats) {
  if (!stream.has_value()) return;
  const Extents& extents = stream.extents();
  bool fits = extents.size() == x.size();
  for (int a = 0; fits && a < x.size(); ++a) fits = extents[a] == x[a] || (repeats && extents[a] == 1);
  if (!fits) raise_shape_error(layer, ": ", name, " has extents ", extents, ", x has ", x);
}
/// It becomes an operand of a call on an x of this rank, whose last axis may have been added.
inline void join_stream(Operands& operands, Stream s, const InputStream& stream, int rank) {
  if (!stream.has_value()) return;
  operands[s] = stream.operand();
  for (int a = 0; a < stream.extents().size(); ++a) {
    if (stream.extents()[a] == 1) operands[s].strides[a] = 0;
  }
  if (operands[s].strides.size() < rank) operands[s].strides.push_back(0);
}

/// A fused forward into a y of type Y, arithmetic in A.
template <class A, class Y>
class FusedForward final : public ForwardFusion<A> {
 public:
  FusedForward(const Fused& fused, const Activation<A>& op, Rounding rounding)
      : ForwardFusion<A>(options_of(fused, rounding), op), fused_(fused), rounding_(rounding) {}

  void check(const char* layer, const Extents& x, const Roles& roles) const override {
    if (x.product() > 0) {  // of an empty tensor a null pointer is as good as any
      if (fused_.sum.has_value() && !fused_.residual.has_value()) raise_shape_error(layer, ": sum wants a residual");
      if (fused_.gate_first && !fused_.gate.has_value()) raise_shape_error(layer, ": gate_first wants a gate");
    }
    check_stream(layer, "residual", fused_.residual, x, true);
    check_stream(layer, "sum", fused_.sum, x, false);
    check_stream(layer, "gate", fused_.gate, x, true);
    check_stream(layer, "add", fused_.add, x, true);
    check_scales(layer, x, roles);
  }
  void join(Operands& operands, int rank, double weight_offset) const override {
    join_stream(operands, stream_residual, fused_.residual, rank);
    join_stream(operands, stream_sum, fused_.sum, rank);
    join_stream(operands, stream_gate, fused_.gate, rank);
    join_stream(operands, stream_add, fused_.add, rank);
    if (rounding_ == Rounding::once) return;
    // Kernels leave x_hat as it is.
    operands[stream_later_weight] = operands[stream_weight];
    operands[stream_later_bias] = operands[stream_bias];
    operands[stream_weight] = constant_operand(weight_offset == 1 ? negative_zero<A> : one<A>, rank);
    operands[stream_bias] = constant_operand(negative_zero<A>, rank);
  }

 private:
  static typename ForwardFusion<A>::Options options_of(const Fused& fused, Rounding rounding) {
    return {.gate_first = fused.gate_first,
            .residual_rounding = fused.residual_rounding,
            .rounding = rounding,
            .scales = fused.scale.has_value(),
            .scale = static_cast<A>(fused.scale.value_or(1)),
            .scales_of_sets = fused.row_scales->data(),
            .residual = fused.residual.has_value(),
            .gate = fused.gate.has_value(),
            .add = fused.add.has_value()};
  }
  void check_scales(const char* layer, const Extents& x, const Roles& roles) const {
    const bool both = fused_.scale.has_value() && fused_.row_scales.has_value(),
               any = fused_.scale.has_value() || fused_.row_scales.has_value();
    if constexpr (are_numbers<Y>) {
      if (any) raise_shape_error(layer, ": scale and row_scales are for a y of std::int8_t");
      return;
    }
    if (both || (!any && x.product() > 0)) raise_shape_error(layer, ": a y of std::int8_t wants either scale or row_scales");
    const A scale = static_cast<A>(fused_.scale.value_or(1));
    if (!(scale > A(0) && scale <= (std::numeric_limits<A>::max)()))
      raise_shape_error(layer, ": scale is ", *fused_.scale, "; a positive number of the arithmetic's type is wanted");
    if (!fused_.row_scales.has_value()) return;
    const TensorView<float>& scales = *fused_.row_scales;
    if (roles.planes || roles.groups > 0) raise_shape_error(layer, ": row_scales are for LayerNorm and RMSNorm");
    if (roles.shared) raise_shape_error(layer, ": row_scales are for sets that no other process has a part of");
    const index_t sets = set_count(x, roles);
    if (scales.rank() != 1 || scales.extent(0) != sets || (sets > 1 && scales.stride(0) != 1))
      raise_shape_error(layer, ": row_scales has extents ", scales.extents(), "; wanted is one float for each of ", sets,
                        " sets, one behind the other");
  }

  const Fused& fused_;
  Rounding rounding_;
};

/// Its backward.
template <class A>
class FusedDerivative final : public BackwardFusion<A> {
 public:
  FusedDerivative(const FusedBackward& fused, const Activation<A>& op) : BackwardFusion<A>(options_of(fused), op), fused_(fused) {}

  void check(const char* layer, const Extents& x, const Roles&) const override {
    if (!fused_.gate.has_value() && x.product() > 0) {
      if (fused_.gate_grad.has_value()) raise_shape_error(layer, ": gate_grad wants a gate");
      if (fused_.gate_first) raise_shape_error(layer, ": gate_first wants a gate");
    }
    check_stream(layer, "sum_grad", fused_.sum_grad, x, true);
    check_stream(layer, "gate", fused_.gate, x, true);
    check_stream(layer, "gate_grad", fused_.gate_grad, x, false);
    check_stream(layer, "add", fused_.add, x, true);
    check_stream(layer, "add_grad", fused_.add_grad, x, false);
  }
  void join(Operands& operands, int rank, double) const override {
    join_stream(operands, stream_sum_grad, fused_.sum_grad, rank);
    join_stream(operands, stream_gate, fused_.gate, rank);
    join_stream(operands, stream_gate_grad, fused_.gate_grad, rank);
    join_stream(operands, stream_add, fused_.add, rank);
    join_stream(operands, stream_add_grad, fused_.add_grad, rank);
  }

 private:
  static typename BackwardFusion<A>::Options options_of(const FusedBackward& fused) {
    return {.gate_first = fused.gate_first,
            .accumulate = fused.accumulate,
            .gate = fused.gate.has_value(),
            .add = fused.add.has_value(),
            .gate_grad = fused.gate_grad.has_value(),
            .add_grad = fused.add_grad.has_value(),
            .sum_grad = fused.sum_grad.has_value()};
  }

  const FusedBackward& fused_;
};

/// What may stand behind the tensors of a call where nothing else is fused: nothing, or an activation.
template <class... O>
concept AtMostOneOp = sizeof...(O) <= 1 && (Op<O> && ...);

/// Whether numbers may be rounded on their way from x_hat to y, which then is asked for.
template <class A, class X, class Y>
inline constexpr bool rounds_between = sizeof(X) < sizeof(A) || (are_numbers<Y> && sizeof(Y) < sizeof(A));

/// run(call) with what is fused. Out of line, for only who fuses should pay for the stack.
template <class P, class X, class Y, class Run, class O>
NORMA_NOINLINE void fused_forward(const CallRef& call, const TensorView<X>&, const TensorView<Y>&, Rounding rounding, const Run& run,
                                  const Fused& fused, const O& op) {
  using A = Arithmetic<P, X, Y>;
  const FusedForward<A, Y> fusion(fused, Activation<A>(op), rounds_between<A, X, Y> ? rounding : Rounding::once);
  run(CallRef(call, fusion));
}
/// The same with nothing but another rounding, if that: numbers of the arithmetic's type are rounded once, whatever `rounding` says.
template <class P, class X, class Y, class Run>
inline void fused_forward(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Rounding rounding, const Run& run) {
  if constexpr (rounds_between<Arithmetic<P, X, Y>, X, Y>) {
    if (rounding == Rounding::normalized_first) return fused_forward<P>(call, x, y, rounding, run, Fused(), Identity());
  }
  run(call);
}
/// The same of an activation alone.
template <class P, class X, class Y, class Run, Op O>
inline void fused_forward(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Rounding rounding, const Run& run,
                          const O& op) {
  fused_forward<P>(call, x, y, rounding, run, Fused(), op);
}

/// run(call, dy, x, dx) with what is fused. Out of line, as above.
template <class P, class DY, class X, class DX, class Run, class O>
NORMA_NOINLINE void fused_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx,
                                   const Run& run, const FusedBackward& fused, const O& op) {
  using A = Arithmetic<P, X, DY, DX>;
  const FusedDerivative<A> fusion(fused, Activation<A>(op));
  run(CallRef(call, fusion), dy, x, dx);
}
/// The same with nothing.
template <class P, class DY, class X, class DX, class Run>
inline void fused_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx,
                           const Run& run) {
  run(call, dy, x, dx);
}
/// The same of an activation alone.
template <class P, class DY, class X, class DX, class Run, Op O>
inline void fused_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx, const Run& run,
                           const O& op) {
  fused_backward<P>(call, dy, x, dx, run, FusedBackward(), op);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
