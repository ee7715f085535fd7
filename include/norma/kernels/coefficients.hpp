// What a sweep needs to know of each set, in the arithmetic type.
#pragma once

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Forward: y = (x - mean) * rstd + shift, and what is made of that element by element. One number per set in each array. `shift` carries
/// the part of the mean that one T cannot hold. Where a set has one weight and one bias they are in rstd and shift.
template <class T>
struct Coefficients {
  const T* mean;
  const T* rstd;
  const T* shift;

  NORMA_INLINE Coefficients from(index_t set) const { return {mean + set, rstd + set, shift + set}; }
};

/// Backward: dx = g * scale + (x_hat * slope + offset).
template <class T>
struct DxCoefficients {
  const T* scale;
  const T* slope;
  const T* offset;

  NORMA_INLINE DxCoefficients from(index_t set) const { return {scale + set, slope + set, offset + set}; }
};

template <class T>
NORMA_INLINE Pack<T> x_hat(const Pack<T>& x, const Pack<T>& mean, const Pack<T>& rstd, const Pack<T>& shift) {
  return fma(x - mean, rstd, shift);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
