// Between registers and memory beyond whole loads and stores: parts of a register, stores past the cache, and what is asked for ahead.
#pragma once

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

#if NORMA_AVX512
template <class T>
NORMA_INLINE auto first_lanes(int count) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<__mmask16>((1u << count) - 1u);
  } else {
    return static_cast<__mmask8>((1u << count) - 1u);
  }
}
#elif NORMA_AVX
template <class T>
NORMA_INLINE __m256i first_lanes(int count) {
  alignas(64) static constexpr std::int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  const int words = count * static_cast<int>(sizeof(T) / 4);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_then_zeros + 8 - words));
}
#endif

/// Loads p[0, count), 0 <= count <= size; the other lanes are 0 and their memory is not touched.
template <class T>
NORMA_INLINE Pack<T> load_first(const T* p, int count) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_loadu_ps(first_lanes<T>(count), p);
  } else {
    return _mm512_maskz_loadu_pd(first_lanes<T>(count), p);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    return _mm256_maskload_ps(p, first_lanes<T>(count));
  } else {
    return _mm256_maskload_pd(p, first_lanes<T>(count));
  }
#else
  alignas(64) T lanes[pack_size<T>] = {};
  for (int i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
#endif
}

/// Stores the first `count` lanes to p; nothing behind them is touched.
template <class T>
NORMA_INLINE void store_first(T* p, const Pack<T>& v, int count) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, first_lanes<T>(count), v);
  } else {
    _mm512_mask_storeu_pd(p, first_lanes<T>(count), v);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_ps(p, first_lanes<T>(count), v);
  } else {
    _mm256_maskstore_pd(p, first_lanes<T>(count), v);
  }
#else
  alignas(64) T lanes[pack_size<T>];
  store(lanes, v);
  for (int i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

/// How many elements lie before the next address that a register of W of them is aligned to: 0 to W - 1, and never more than n.
template <int W, class T>
NORMA_INLINE index_t elements_to_alignment(const T* p, index_t n) {
  constexpr std::uintptr_t bytes = sizeof(T) * static_cast<std::uintptr_t>(W);
  const auto head = static_cast<index_t>((0 - reinterpret_cast<std::uintptr_t>(p)) % bytes / sizeof(T));
  return head < n ? head : n;
}

/// The first `count` lanes of v; the others become +0, whatever they were.
template <class T>
NORMA_INLINE Pack<T> keep_first(const Pack<T>& v, int count) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_mov_ps(first_lanes<T>(count), v);
  } else {
    return _mm512_maskz_mov_pd(first_lanes<T>(count), v);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    return _mm256_and_ps(v, _mm256_castsi256_ps(first_lanes<T>(count)));
  } else {
    return _mm256_and_pd(v, _mm256_castsi256_pd(first_lanes<T>(count)));
  }
#else
  alignas(64) T lanes[pack_size<T>];
  store(lanes, v);
  for (int i = count; i < pack_size<T>; ++i) lanes[i] = T(0);
  return load(lanes);
#endif
}

/// A store that bypasses the cache; p must be aligned to the register. Ordinary where the hardware has none.
template <class T>
NORMA_INLINE void store_streaming(T* p, const Pack<T>& v) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(p, v);
  } else {
    _mm512_stream_pd(p, v);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    _mm256_stream_ps(p, v);
  } else {
    _mm256_stream_pd(p, v);
  }
#else
  store(p, v);
#endif
}

inline constexpr index_t page_bytes = 4096;

/// Asks for the cache line `bytes` behind p, for the second-level cache. Where no memory is, nothing happens.
NORMA_INLINE void prefetch(const void* p, index_t bytes) {
#if defined(__GNUC__)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + static_cast<std::uintptr_t>(bytes)), 0, 2);
#endif
}

/// Orders streaming stores before whatever tells another thread that they are done.
NORMA_INLINE void streaming_fence() {
#if NORMA_AVX
  _mm_sfence();
#endif
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
