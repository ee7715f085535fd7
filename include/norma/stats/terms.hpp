// What a reduction sums per element. `value` prepares an element (padding lanes are cleared after it), `add` sums it. pivoted: about a
// pivot.
#pragma once

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// sum x: finds the pivot of a set.
struct SumTerm {
  static constexpr std::size_t sums = 1;
  static constexpr bool pivoted = false;
  template <class V>
  NORMA_INLINE static V value(const V& x, const V&) {
    return x;
  }
  template <class V>
  NORMA_INLINE static void add(const V& x, V* const (&sum)[1]) {
    *sum[0] = *sum[0] + x;
  }
};

/// sum (x - p): finds it near a number of the set, which it is exactly where all are equal.
struct DifferenceTerm : SumTerm {
  static constexpr bool pivoted = true;
  template <class V>
  NORMA_INLINE static V value(const V& x, const V& pivot) {
    return x - pivot;
  }
};

/// sum (x - p) and sum (x - p)^2: mean and variance, free of cancellation when the pivot p is near the mean.
struct CentredTerm {
  static constexpr std::size_t sums = 2;
  static constexpr bool pivoted = true;
  template <class V>
  NORMA_INLINE static V value(const V& x, const V& pivot) {
    return x - pivot;
  }
  template <class V>
  NORMA_INLINE static void add(const V& d, V* const (&sum)[2]) {
    *sum[0] = *sum[0] + d;
    *sum[1] = fma(d, d, *sum[1]);
  }
};

/// sum x^2: the mean square.
struct SquareTerm {
  static constexpr std::size_t sums = 1;
  static constexpr bool pivoted = false;
  template <class V>
  NORMA_INLINE static V value(const V& x, const V&) {
    return x;
  }
  template <class V>
  NORMA_INLINE static void add(const V& x, V* const (&sum)[1]) {
    *sum[0] = fma(x, x, *sum[0]);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
