// Errors in units of the last place, and numbers of all sizes to look for them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace norma_test {

/// |result - exact| in units of the last place of `exact` as a T, below the normal numbers of the smallest one; infinite where one of them
/// is NaN, or infinite, and the other is not. Beyond the largest number Inf is exact.
template <class T>
double ulps(T result, long double exact) {
  using Limits = std::numeric_limits<T>;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (std::isnan(result) || std::isnan(exact)) return std::isnan(result) && std::isnan(exact) ? 0 : infinite;
  int exponent = Limits::min_exponent;
  if (exact != 0 && !std::isinf(exact)) std::frexp(exact, &exponent);
  const bool overflows = std::fabs(exact) >= std::ldexp(2 - static_cast<long double>(Limits::epsilon()) / 2, Limits::max_exponent - 1);
  if (std::isinf(result) || overflows) {
    return std::isinf(result) && overflows && std::signbit(result) == std::signbit(exact) ? 0 : infinite;
  }
  const long double place = std::ldexp(1.0L, std::max(exponent, Limits::min_exponent) - Limits::digits);
  return static_cast<double>(std::fabs(static_cast<long double>(result) - exact) / place);
}

/// About n numbers: half of them every so many patterns (all sizes, Inf and NaN among them), half evenly in [-range, range]; and special
/// ones.
template <class T>
std::vector<T> numbers_of_all_sizes(std::size_t n, T range) {
  using Limits = std::numeric_limits<T>;
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::vector<T> result;
  const std::size_t half = n / 2;
  const Bits step = (std::numeric_limits<Bits>::max() / static_cast<Bits>(half)) | 1;
  for (std::size_t i = 0; i < half; ++i) result.push_back(std::bit_cast<T>(static_cast<Bits>(step * static_cast<Bits>(i))));
  for (std::size_t i = 0; i <= half; ++i) result.push_back(range * (2 * static_cast<T>(i) / static_cast<T>(half) - 1));
  for (const T v :
       {T(0), Limits::denorm_min(), Limits::min(), Limits::epsilon(), T(1), Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
    for (const T w : {v, -v, std::nextafter(v, T(0)), std::nextafter(-v, -Limits::infinity())}) result.push_back(w);
  }
  return result;
}

}  // namespace norma_test
