// From moments to the coefficients of a set, and to the arrays that a backward pass reads them from.
#pragma once

#include <limits>

#include <norma/core/scalar.hpp>
#include <norma/simd/convert.hpp>
#include <norma/stats/moments.hpp>
#include <norma/stats/statistic.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Statistics per set in the type of parameters, each as high + low; null pointers where nobody asked.
struct StatisticArrays {
  ElementType type = ElementType::f32;
  void* mean = nullptr;
  void* mean_low = nullptr;
  void* rstd = nullptr;
  void* rstd_low = nullptr;
  double* second = nullptr;

  NORMA_INLINE void put(index_t set, const SetStatistics& s) const { put(set, s.mean, s.rstd, s.second); }
  /// One set (V = double), or pack_size<double> neighbours (V = Pack<double>).
  template <class V>
  NORMA_INLINE void put(index_t set, const SplitSum<V>& mean_of_set, const V& rstd_of_set, const V& second_of_set) const {
    if (second != nullptr) write(second + set, second_of_set);
    if (rstd == nullptr) return;
    with_parameter_type(type, [&]<class P>(P*) {
      split(static_cast<P*>(rstd) + set, static_cast<P*>(rstd_low) + set, rstd_of_set, V(0.0));
      if (mean != nullptr) split(static_cast<P*>(mean) + set, static_cast<P*>(mean_low) + set, mean_of_set.high, mean_of_set.low);
    });
  }

  /// The arrays from set `first` on.
  StatisticArrays from(index_t first) const {
    const auto moved = [&](void* p) -> void* {
      return p == nullptr ? p : static_cast<std::byte*>(p) + first * (type == ElementType::f32 ? 4 : 8);
    };
    return {type, moved(mean), moved(mean_low), moved(rstd), moved(rstd_low), second == nullptr ? second : second + first};
  }

  /// One set (V = double), or `count` of pack_size<double> neighbours (V = Pack<double>).
  template <class V>
  NORMA_INLINE SplitSum<V> get_mean(index_t set, int count = pack_size<double>) const {
    if (mean == nullptr) return {V(0.0), V(0.0)};
    return {read<V>(mean, set, count), read<V>(mean_low, set, count)};
  }
  template <class V>
  NORMA_INLINE V get_rstd(index_t set, int count = pack_size<double>) const {
    return type == ElementType::f64 ? read<V>(rstd, set, count) : read<V>(rstd, set, count) + read<V>(rstd_low, set, count);
  }

 private:
  template <class P, class V>
  NORMA_INLINE static void split(P* high, P* low, const V& value, const V& rest) {
    write(high, value);
    write(low, (value - read<V>(high)) + rest);
  }
  template <class P>
  NORMA_INLINE static void write(P* p, double value) {
    *p = rounded<P>(value);
  }
  template <class P>
  NORMA_INLINE static void write(P* p, const Pack<double>& value) {
    store_doubles(p, value);
  }
  template <class V, class P>
  NORMA_INLINE static V read(const P* p, int count = pack_size<double>) {
    if constexpr (std::is_same_v<V, double>) {
      return static_cast<double>(*p);
    } else {
      return count == pack_size<double> ? load_doubles(p) : load_first_doubles(p, count);
    }
  }
  template <class V>
  NORMA_INLINE V read(const void* array, index_t set, int count) const {
    return with_parameter_type(type, [&]<class P>(P*) { return read<V>(static_cast<const P*>(array) + set, count); });
  }
};

/// Sums of squares in A neither overflowed nor sank into subnormals where that would show, if both are below these bounds. NaN is not.
template <class A>
inline constexpr double ordinary_second = sizeof(A) == 4 ? 0x1p120 : 0x1p1000;
template <class A>
inline constexpr double ordinary_rstd = sizeof(A) == 4 ? 0x1p40 : 0x1p450;

/// Of one set, rstd being what its statistic gives: 0 where a constant set has no eps, or squares sank to 0.
template <class A>
NORMA_INLINE bool is_ordinary(double second, double rstd) {
  return second < ordinary_second<A> && rstd < ordinary_rstd<A> && rstd > 0;
}

/// What an absent weight and an absent bias amount to: the bits of x_hat stay as they are, the sign of a zero included.
template <class A>
inline constexpr A one = A(1);
template <class A>
inline constexpr A negative_zero = -A(0);

/// A power of two that brings numbers as large as `largest` near 1, or 1 if there is none such (0, Inf, NaN).
template <class A>
inline A scale_to_one(A largest) {
  if (!(largest > A(0)) || !(largest <= (std::numeric_limits<A>::max)())) return A(1);
  int exponent = 0;
  std::frexp(largest, &exponent);
  constexpr int most = std::numeric_limits<A>::max_exponent - 2;
  return std::ldexp(A(1), exponent < -most ? most : exponent > most ? -most : -exponent);  // whose inverse is a number, too
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
