// Element types as values: properties choose them at run time and see every number as a double, which holds each of them exactly.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <norma/core/half_precision.hpp>

namespace norma_test {

/// Logical values of a tensor, row-major, whatever its element type.
using Values = std::vector<double>;

/// What references compute with.
using real = long double;

enum class Element { f32, f64, f16, bf16 };

/// Calls f with a number of the element type.
template <class F>
decltype(auto) with_element(Element e, F f) {
  if (e == Element::f32) return f(float{});
  if (e == Element::f64) return f(double{});
  if (e == Element::f16) return f(norma::float16{});
  return f(norma::bfloat16{});
}

template <class T>
inline constexpr Element element_of = std::is_same_v<std::remove_const_t<T>, float>            ? Element::f32
                                      : std::is_same_v<std::remove_const_t<T>, double>         ? Element::f64
                                      : std::is_same_v<std::remove_const_t<T>, norma::float16> ? Element::f16
                                                                                               : Element::bf16;

inline const char* name_of(Element e) { return e == Element::f32 ? "f32" : e == Element::f64 ? "f64" : e == Element::f16 ? "f16" : "bf16"; }
inline std::size_t size_of(Element e) {
  return with_element(e, [](auto number) { return sizeof(number); });
}

/// std::numeric_limits of an element type.
template <class F>
double limit_of(Element e, F f) {
  return with_element(e, [&]<class T>(T) { return static_cast<double>(f(std::numeric_limits<T>())); });
}
inline double epsilon_of(Element e) {
  return limit_of(e, [](auto limits) { return limits.epsilon(); });
}
inline double least_subnormal_of(Element e) {
  return limit_of(e, [](auto limits) { return limits.denorm_min(); });
}
inline double least_normal_of(Element e) {
  return limit_of(e, [](auto limits) { return limits.min(); });
}
inline double largest_of(Element e) {
  return limit_of(e, [](auto limits) { return limits.max(); });
}

/// An element as a number, and a number as an element, rounded once.
template <class T>
double number_of(T element) {
  if constexpr (sizeof(T) == 2) {
    return static_cast<double>(static_cast<float>(element));
  } else {
    return static_cast<double>(element);
  }
}
template <class T>
void put_number(T& element, double v) {
  if constexpr (sizeof(T) == 2) {
    element = T(norma::rounded_to_odd(v));
  } else {
    element = static_cast<T>(v);
  }
}
inline double rounded_to(Element e, double v) {
  return with_element(e, [&]<class T>(T element) {
    put_number(element, v);
    return number_of(element);
  });
}

inline Element wider(Element a, Element b) { return a == Element::f64 || b == Element::f64 ? Element::f64 : Element::f32; }

/// Of x and dx; of y and dy; of parameters, statistics and gradients.
struct Types {
  Element x, y, parameter;

  bool same() const { return x == y && x == parameter; }
  bool half() const { return size_of(x) == 2 || size_of(y) == 2; }
  Element arithmetic() const { return wider(wider(x, parameter), size_of(x) == 2 ? y : x); }
  friend bool operator==(const Types&, const Types&) = default;
};
inline constexpr Types all_f32{Element::f32, Element::f32, Element::f32}, all_f64{Element::f64, Element::f64, Element::f64};

inline std::string name_of(const Types& t) {
  if (t.same()) return name_of(t.x);
  std::string name = name_of(t.x);
  for (const char* const part : {"_to_", name_of(t.y), "_by_", name_of(t.parameter)}) name += part;
  return name;
}

/// The same number to the bit; any NaN is any other.
inline bool same_number(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (std::isnan(a) && std::isnan(b));
}

/// The arithmetic whose rounding a bound allows for.
struct Precision {
  real eps;   // of the coarsest type on the way
  real tiny;  // its least subnormal: what underflow may cost
  real huge;  // beyond this a sum of such numbers may overflow
};
inline Precision precision_of(Element e) {
  return {static_cast<real>(epsilon_of(e)), static_cast<real>(least_subnormal_of(e)), static_cast<real>(largest_of(e)) / 4};
}
inline Precision coarser(const Precision& a, const Precision& b) { return a.eps < b.eps ? b : a; }

}  // namespace norma_test
