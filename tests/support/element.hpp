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

namespace norma_test {

/// Logical values of a tensor, row-major, whatever its element type.
using Values = std::vector<double>;

/// What references compute with.
using real = long double;

enum class Element { f32, f64 };

template <class T>
inline constexpr Element element_of = std::is_same_v<std::remove_const_t<T>, float> ? Element::f32 : Element::f64;

inline const char* name_of(Element e) { return e == Element::f32 ? "f32" : "f64"; }
inline std::size_t size_of(Element e) { return e == Element::f32 ? sizeof(float) : sizeof(double); }
inline double rounded_to(Element e, double v) { return e == Element::f32 ? static_cast<double>(static_cast<float>(v)) : v; }

/// std::numeric_limits of an element type.
inline double epsilon_of(Element e) { return e == Element::f32 ? double(std::numeric_limits<float>::epsilon()) : 0x1p-52; }
inline double least_subnormal_of(Element e) { return e == Element::f32 ? double(std::numeric_limits<float>::denorm_min()) : 0x1p-1074; }
inline double least_normal_of(Element e) { return e == Element::f32 ? double(std::numeric_limits<float>::min()) : 0x1p-1022; }

inline Element wider(Element a, Element b) { return a == Element::f64 ? a : b; }

/// Of x and dx; of y and dy; of parameters, statistics and gradients.
struct Types {
  Element x, y, parameter;

  bool same() const { return x == y && x == parameter; }
  Element arithmetic() const { return wider(x, parameter); }
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
  const double largest = e == Element::f32 ? double(std::numeric_limits<float>::max()) : std::numeric_limits<double>::max();
  return {static_cast<real>(epsilon_of(e)), static_cast<real>(least_subnormal_of(e)), static_cast<real>(largest) / 4};
}
inline Precision coarser(const Precision& a, const Precision& b) { return a.eps < b.eps ? b : a; }

}  // namespace norma_test
