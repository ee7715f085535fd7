// Which types can be elements, parameters and accumulators.
#pragma once

#include <cstdint>
#include <type_traits>

#include <norma/core/config.hpp>

namespace norma {

/// The element types of tensors.
template <class T>
concept Element = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// The types of parameters and statistics.
template <class T>
concept Parameter = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// An element type at run time, where a tensor passes a door that is not a template.
enum class ElementType : std::uint8_t { f32, f64 };

template <class T>
inline constexpr ElementType element_type_of = std::is_same_v<std::remove_cv_t<T>, float> ? ElementType::f32 : ElementType::f64;

/// Calls f with a null pointer of the element type `type`: the one place that turns the run-time type into a compile-time one.
template <class F>
NORMA_INLINE decltype(auto) with_element_type(ElementType type, F&& f) {
  return type == ElementType::f32 ? f(static_cast<float*>(nullptr)) : f(static_cast<double*>(nullptr));
}

/// Arithmetic happens in the wider of the parameter type and x's element type.
template <class A, class B>
using Wider = std::conditional_t<(sizeof(A) > sizeof(B)), A, B>;

/// Parameter type of the free functions for x of element type T.
template <class T>
using ParameterFor = std::conditional_t<std::is_same_v<std::remove_cv_t<T>, double>, double, float>;

}  // namespace norma
