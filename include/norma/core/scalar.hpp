// Which types can be elements, parameters and accumulators.
#pragma once

#include <cstdint>
#include <type_traits>

#include <norma/core/config.hpp>
#include <norma/core/half_precision.hpp>

namespace norma {

/// How elements lie in memory, where a tensor passes a door that is not a template.
enum class ElementType : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i8  ///< of quantized outputs alone
};

/// Customisation point: a type of your own whose objects are numbers of an element type, and nothing else, is one with
/// `template <> struct norma::ElementOf<T> { static constexpr norma::ElementType type = norma::ElementType::bf16; };`.
template <class T>
struct ElementOf;

template <>
struct ElementOf<float> {
  static constexpr ElementType type = ElementType::f32;
};
template <>
struct ElementOf<double> {
  static constexpr ElementType type = ElementType::f64;
};
template <>
struct ElementOf<float16> {
  static constexpr ElementType type = ElementType::f16;
};
template <>
struct ElementOf<bfloat16> {
  static constexpr ElementType type = ElementType::bf16;
};
template <>
struct ElementOf<std::int8_t> {
  static constexpr ElementType type = ElementType::i8;
};
// g++ before 13 describes _Float16 on ARM, but has it in C only.
#if defined(__FLT16_MANT_DIG__) && !(defined(__ARM_ARCH) && !defined(__clang__) && __GNUC__ < 13)
template <>
struct ElementOf<_Float16> {
  static constexpr ElementType type = ElementType::f16;
};
#endif
#if defined(__STDCPP_BFLOAT16_T__)
template <>
struct ElementOf<decltype(0.0bf16)> {
  static constexpr ElementType type = ElementType::bf16;
};
#elif defined(__BFLT16_MANT_DIG__)
template <>
struct ElementOf<__bf16> {
  static constexpr ElementType type = ElementType::bf16;
};
#endif

/// The element types of tensors.
template <class T>
concept Element = requires {
  ElementOf<std::remove_cv_t<T>>::type;
};

/// The types of parameters and statistics.
template <class T>
concept Parameter = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// The element type of T or const T.
template <Element T>
inline constexpr ElementType element_type_of = ElementOf<std::remove_cv_t<T>>::type;

/// Calls f with a null pointer of the parameter type `type`: turns the run-time type into a compile-time one.
template <class F>
NORMA_INLINE decltype(auto) with_parameter_type(ElementType type, F&& f) {
  return type == ElementType::f32 ? f(static_cast<float*>(nullptr)) : f(static_cast<double*>(nullptr));
}

/// Whether tensors that are read can have such elements.
template <class... T>
inline constexpr bool are_numbers = ((element_type_of<T> != ElementType::i8) && ...);

/// Arithmetic happens in the wider of the parameter type and x's element type; where x has 16 bits, in double also if one of the others is.
template <class P, class X, class... Others>
using Arithmetic = std::conditional_t<std::is_same_v<P, double> || std::is_same_v<std::remove_cv_t<X>, double> ||
                                          (sizeof(X) == 2 && (std::is_same_v<std::remove_cv_t<Others>, double> || ...)),
                                      double, float>;

/// What kernels that compute in A take elements of: the type of the tensors if they share one and it has 16 bits, A's else; others are
/// copied.
template <class A, class T, class... Others>
using KernelElement =
    std::conditional_t<std::is_same_v<A, float> && sizeof(T) == 2 && ((element_type_of<T> == element_type_of<Others>)&&...),
                       std::conditional_t<element_type_of<T> == ElementType::f16, float16, bfloat16>, A>;

/// Parameter type of the free functions for x of element type T.
template <class T>
using ParameterFor = std::conditional_t<std::is_same_v<std::remove_cv_t<T>, double>, double, float>;

}  // namespace norma
