// elementwise: numbers in a row that are made of numbers in other rows.
#pragma once

#include <norma/kernels/group.hpp>
#include <norma/simd/math.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// y[i] = f(in[i]...) for i in [0, n); f takes and gives registers of T, elements are rounded to E. Inputs may be exactly y. Ahead: what
/// lies a page ahead is asked for, where streams are far and come in turns, so that none lasts for what fetches ahead by itself.
/// past_cache: whole registers go there, if y begins where one may.
template <class T, bool Ahead = false, class E, class F, class... In>
NORMA_INLINE void combine_as(E* y, index_t n, bool past_cache, const F& f, const In*... in) {
  const bool streams = past_cache && elements_to_alignment<pack_size<T>>(y, 1) == 0;
  index_t i = 0;
  for (; i + pack_size<T> <= n; i += pack_size<T>) {
    if constexpr (Ahead) {
      (prefetch(in + i, page_bytes), ...);
      prefetch(y + i, page_bytes);
    }
    const Pack<T> v = f(load<T>(Full(), 0, in + i)...);
    if (streams) {
      store_streaming(y + i, v);
    } else {
      store<T>(Full(), 0, y + i, v);
    }
  }
  const Part rest{n - i};
  if (i < n) store<T>(rest, 0, y + i, f(load<T>(rest, 0, in + i)...));
}
template <class T, class F, class... In>
NORMA_INLINE void combine(T* y, index_t n, const F& f, const In*... in) {
  combine_as<T>(y, n, false, f, in...);
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
  constexpr int some = 4;  // that do not wait for each other
  Pack<T> of_lanes[some];
  unroll<some>([&](auto k) NORMA_INLINE_LAMBDA { of_lanes[k] = Pack<T>(largest); });
  index_t i = 0;
  for (; i + some * pack_size<T> <= n; i += some * pack_size<T>)
    unroll<some>([&](auto k) NORMA_INLINE_LAMBDA { of_lanes[k] = larger_magnitude(of_lanes[k], abs(load(y + i + k * pack_size<T>))); });
  for (; i + pack_size<T> <= n; i += pack_size<T>) of_lanes[0] = larger_magnitude(of_lanes[0], abs(load(y + i)));
  if (i < n) of_lanes[0] = larger_magnitude(of_lanes[0], abs(load<T>(Part{n - i}, 0, y + i)));
  alignas(64) T lane[pack_size<T>];
  store(lane, larger_magnitude(larger_magnitude(of_lanes[0], of_lanes[1]), larger_magnitude(of_lanes[2], of_lanes[3])));
  for (int half = pack_size<T> / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lane[l] = (max)(lane[l], lane[l + half]);
  }
  return lane[0];
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
