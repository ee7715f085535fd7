// The activations: functions of one number, and their derivatives, for scalars and registers alike.
#pragma once

#include <concepts>
#include <type_traits>

#include <norma/simd/math.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What can stand as an op: a function of one number and its derivative, of float and double (and of norma's registers, which are not named
/// to users: a template). `V operator()(V z) const`, `V derivative(V z) const`; see Relu for one.
template <class F>
concept Op = requires(const std::remove_cvref_t<F>& op, float single, double wide) {
  { op(single) } -> std::same_as<float>;
  { op(wide) } -> std::same_as<double>;
  { op.derivative(single) } -> std::same_as<float>;
  { op.derivative(wide) } -> std::same_as<double>;
};

/// No activation.
struct Identity {
  ///@{
  /// The value and the derivative at z.
  template <class V>
  NORMA_INLINE V operator()(const V& v) const {
    return v;
  }
  template <class V>
  NORMA_INLINE V derivative(const V&) const {
    return V(1);
  }
  ///@}
};

/// max(z, 0); -0 and NaN stay. The derivative is 0 at 0, as in PyTorch.
struct Relu {
  ///@{
  /// The value and the derivative at z.
  template <class V>
  NORMA_INLINE V operator()(V z) const {
    return at_least(z, 0);
  }
  template <class V>
  NORMA_INLINE V derivative(V z) const {
    return select(z > V(0), V(1), select(z <= V(0), V(0), z));
  }
  ///@}
};
/// As an op, and as a function of one number.
inline constexpr Relu relu;

/// z, or slope z where z is not positive.
struct leaky_relu {
  double slope = 0.01;  ///< of negative z

  ///@{
  /// The value and the derivative at z.
  template <class V>
  NORMA_INLINE V operator()(V z) const {
    return select(z > V(0), z, mul(z, splat<V>(slope)));
  }
  template <class V>
  NORMA_INLINE V derivative(V z) const {
    return select(z > V(0), V(1), select(z <= V(0), splat<V>(slope), z));
  }
  ///@}
};

/// The nearest number in [lo, hi]; NaN stays. The derivative is 1 from lo to hi, both included, as that of torch.clamp.
struct clip {
  double lo;  ///< the least result
  double hi;  ///< the largest result

  ///@{
  /// The value and the derivative at z.
  template <class V>
  NORMA_INLINE V operator()(V z) const {
    const V least = splat<V>(lo), most = splat<V>(hi);
    return select(z < least, least, select(z > most, most, z));
  }
  template <class V>
  NORMA_INLINE V derivative(V z) const {
    const V least = splat<V>(lo), most = splat<V>(hi);
    return select(z < least, V(0), select(z > most, V(0), select(z == z, V(1), z)));
  }
  ///@}
};

/// An op whose value and slope are functions of registers: a scalar's have the bits of a lane's.
template <class Functions>
struct RegisterOp {
  ///@{
  /// The value and the derivative at z.
  template <class V>
  NORMA_INLINE V operator()(V z) const {
    if constexpr (std::is_floating_point_v<V>) {
      return first_lane(Functions::value(Pack<V>(z)));
    } else {
      return Functions::value(z);
    }
  }
  template <class V>
  NORMA_INLINE V derivative(V z) const {
    if constexpr (std::is_floating_point_v<V>) {
      return first_lane(Functions::slope(Pack<V>(z)));
    } else {
      return Functions::slope(z);
    }
  }
  ///@}
};

/// 1 / (1 + exp(-z)); 0 at -Inf.
struct Sigmoid : RegisterOp<Sigmoid> {
  ///@{
  /// Of a register.
  template <class T>
  NORMA_INLINE static Pack<T> value(const Pack<T>& z) {
    return logistic(z);
  }
  template <class T>
  NORMA_INLINE static Pack<T> slope(const Pack<T>& z) {
    const Pack<T> tail = logistic(minus_abs(z));
    return minus_product(tail, tail, tail);
  }
  ///@}
};
/// As an op, and as a function of one number: sigmoid(0.5f), sigmoid.derivative(0.5f).
inline constexpr Sigmoid sigmoid;

/// tanh(z), as a function and as an op; the sign of a zero stays.
struct Tanh : RegisterOp<Tanh> {
  ///@{
  /// Of a register.
  template <class T>
  NORMA_INLINE static Pack<T> value(const Pack<T>& z) {
    return hyperbolic_tangent(z);
  }
  template <class T>
  NORMA_INLINE static Pack<T> slope(const Pack<T>& z) {
    const Pack<T> y = hyperbolic_tangent(z);
    return minus_product(Pack<T>(T(1)), y, y);
  }
  ///@}
};
/// As an op, and as a function of one number: tanh(0.5f), tanh.derivative(0.5f).
inline constexpr Tanh tanh;

/// z / (1 + exp(-z)) (Elfwing, Uchibe and Doya 2018; also called swish); -0 at -Inf. The derivative is 0 at -Inf and 1 at Inf, as those of
/// gelu and gelu_tanh.
struct Silu : RegisterOp<Silu> {
  ///@{
  /// Of a register.
  template <class T>
  NORMA_INLINE static Pack<T> value(const Pack<T>& z) {
    return z_times_logistic(z);
  }
  template <class T>
  NORMA_INLINE static Pack<T> slope(const Pack<T>& z) {
    return z_times_logistic_slope(z);
  }
  ///@}
};
/// As an op, and as a function of one number: silu(0.5f), silu.derivative(0.5f).
inline constexpr Silu silu;

/// z Phi(z), Phi the normal distribution function (Hendrycks and Gimpel 2016); -0 at -Inf.
struct Gelu : RegisterOp<Gelu> {
  ///@{
  /// Of a register.
  template <class T>
  NORMA_INLINE static Pack<T> value(const Pack<T>& z) {
    return z_times_normal(z);
  }
  template <class T>
  NORMA_INLINE static Pack<T> slope(const Pack<T>& z) {
    return z_times_normal_slope(z);
  }
  ///@}
};
/// As an op, and as a function of one number: gelu(0.5f), gelu.derivative(0.5f).
inline constexpr Gelu gelu;

/// z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2, gelu's approximation (Hendrycks and Gimpel 2016); -0 at -Inf.
struct GeluTanh : RegisterOp<GeluTanh> {
  ///@{
  /// Of a register.
  template <class T>
  NORMA_INLINE static Pack<T> value(const Pack<T>& z) {
    return z_times_cubic_logistic(z);
  }
  template <class T>
  NORMA_INLINE static Pack<T> slope(const Pack<T>& z) {
    return z_times_cubic_logistic_slope(z);
  }
  ///@}
};
/// As an op, and as a function of one number: gelu_tanh(0.5f), gelu_tanh.derivative(0.5f).
inline constexpr GeluTanh gelu_tanh;

}}  // namespace norma::NORMA_ISA_NAMESPACE
