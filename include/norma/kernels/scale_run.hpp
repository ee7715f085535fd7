// scale_run: a contiguous run times one number.
#pragma once

#include <norma/kernels/group.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// y[i] = x[i] * factor, or y[i] += x[i] * factor. y may be exactly x. Streaming wants y aligned to 64 bytes.
template <bool Stream, bool Adds, class T>
NORMA_INLINE void scale_run(const T* x, T* y, index_t n, T factor) {
  constexpr int W = pack_size<T>;
  const Pack<T> factors(factor);
  index_t i = 0;
  for (; i + W <= n; i += W) {
    const Pack<T> v = Adds ? fma(load(x + i), factors, load(y + i)) : load(x + i) * factors;
    if constexpr (Stream) {
      store_streaming(y + i, v);
    } else {
      store(y + i, v);
    }
  }
  if (i < n) {
    const int count = static_cast<int>(n - i);
    const Pack<T> rest = load_first(x + i, count);
    store_first(y + i, Adds ? fma(rest, factors, load_first(y + i, count)) : rest * factors, count);
  }
}

/// scale_run for flags known at run time; what is added is not streamed.
template <class T>
void scale_block(bool stream, bool adds, const T* x, T* y, index_t n, T factor) {
  if (adds) return scale_run<false, true>(x, y, n, factor);
  with_bool(stream, [&](auto streams) { scale_run<streams.value, false>(x, y, n, factor); });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
