// elementwise: numbers in a row that are made of numbers in other rows.
#pragma once

#include <norma/kernels/group.hpp>
#include <norma/simd/math.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// y[i] = f(in[i]...) for i in [0, n); f takes and gives registers of T, elements are rounded to E. Inputs may be exactly y. What lies a
/// page ahead is asked for: the streams of a fused call come in turns, so that none lasts for what fetches ahead by itself.
template <class T, class E, class F, class... In>
NORMA_INLINE void combine_as(E* y, index_t n, const F& f, const In*... in) {
  constexpr index_t page = 4096;
  index_t i = 0;
  for (; i + pack_size<T> <= n; i += pack_size<T>) {
    (prefetch(in + i, page), ...);
    prefetch(y + i, page);
    store<T>(Full(), 0, y + i, f(load<T>(Full(), 0, in + i)...));
  }
  const Part rest{n - i};
  if (i < n) store<T>(rest, 0, y + i, f(load<T>(rest, 0, in + i)...));
}
template <class T, class F, class... In>
NORMA_INLINE void combine(T* y, index_t n, const F& f, const In*... in) {
  combine_as<T>(y, n, f, in...);
}

template <class T>
struct Sum {
  NORMA_INLINE Pack<T> operator()(const Pack<T>& a, const Pack<T>& b) const { return a + b; }
};
template <class T>
struct Product {
  NORMA_INLINE Pack<T> operator()(const Pack<T>& a, const Pack<T>& b) const { return mul(a, b); }
};

/// The largest of |y[i]| and `largest`, which is not negative; NaN if one of them is.
template <class T>
NORMA_INLINE T largest_magnitude(const T* y, index_t n, T largest) {
  Pack<T> of_lanes(largest);
  index_t i = 0;
  for (; i + pack_size<T> <= n; i += pack_size<T>) of_lanes = (max)(of_lanes, abs(load(y + i)));
  if (i < n) of_lanes = (max)(of_lanes, abs(load<T>(Part{n - i}, 0, y + i)));
  alignas(64) T lane[pack_size<T>];
  store(lane, of_lanes);
  for (const T v : lane) largest = (max)(largest, v);
  return largest;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
