// elementwise: numbers in a row that are made of numbers in other rows.
#pragma once

#include <norma/kernels/group.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// y[i] = f(y[i], in[i]...) for i in [0, n); f takes and gives registers. Tensors may be exactly y.
template <class T, class F, class... In>
NORMA_INLINE void update(T* y, index_t n, const F& f, const In*... in) {
  index_t i = 0;
  for (; i + pack_size<T> <= n; i += pack_size<T>) store(y + i, f(load(y + i), load(in + i)...));
  const Part rest{n - i};
  if (i < n) store<T>(rest, 0, y + i, f(load<T>(rest, 0, y + i), load<T>(rest, 0, in + i)...));
}

/// The largest |y[i]| and `largest`; NaN if one of them is.
template <class T>
NORMA_INLINE T largest_magnitude(const T* y, index_t n, T largest) {
  for (index_t i = 0; i < n; ++i) {
    const T magnitude = y[i] < T(0) ? -y[i] : y[i];
    if (!(magnitude <= largest) && largest == largest) largest = magnitude;
  }
  return largest;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
