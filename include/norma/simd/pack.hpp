// Pack<T>: one vector register. The only file that names xsimd; it bridges xsimd 8.1 (Debian 12) to the newest.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <utility>

#include <norma/core/extents.hpp>

#if defined(__has_include)
#if !__has_include(<xsimd/xsimd.hpp>)
#error "norma: xsimd was not found; install xsimd 8.1 or newer (Debian: libxsimd-dev), or give the compiler its include directory"
#endif
#endif

// <windows.h> may have made macros of min and max, which xsimd's functions of these names do not survive.
#pragma push_macro("min")
#pragma push_macro("max")
#undef min
#undef max
#include <xsimd/xsimd.hpp>
#pragma pop_macro("min")
#pragma pop_macro("max")

#if XSIMD_VERSION_MAJOR < 8
#error "norma: this xsimd is too old; install xsimd 8.1 or newer (Debian: libxsimd-dev), or put a newer one first on the include path"
#include NORMA_STOP
#endif

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// xsimd's register of the widest instruction set this translation unit may use; load, store, + - * / < come with it.
template <class T>
using Pack = xsimd::batch<T, xsimd::default_arch>;

/// What comparing two of them gives.
template <class T>
using Mask = xsimd::batch_bool<T, xsimd::default_arch>;

template <class T>
inline constexpr int pack_size = static_cast<int>(Pack<T>::size);

/// Calls f(0), f(1), ... f(N - 1) with compile-time indices: the loops over registers, unrolled at every optimisation level.
template <int N, class F>
NORMA_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) { (f(std::integral_constant<int, I>()), ...); }
  (std::make_integer_sequence<int, N>());
}

template <class T>
NORMA_INLINE Pack<T> load(const T* p) {
  return Pack<T>::load_unaligned(p);
}
template <class T>
NORMA_INLINE void store(T* p, const Pack<T>& v) {
  v.store_unaligned(p);
}

/// a * b + c in one rounding wherever the hardware has it. xsimd 8.1 has none for AVX-512.
template <class T>
NORMA_INLINE Pack<T> fma(const Pack<T>& a, const Pack<T>& b, const Pack<T>& c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_fmadd_ps(a, b, c);
  } else {
    return _mm512_fmadd_pd(a, b, c);
  }
#elif defined(__FMA__) && defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    return _mm256_fmadd_ps(a, b, c);
  } else {
    return _mm256_fmadd_pd(a, b, c);
  }
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) {
    return vfmaq_f32(c, a, b);
  } else {
    return vfmaq_f64(c, a, b);
  }
#else
  return a * b + c;
#endif
}

/// a * b, rounded. Compilers contract a product and a later sum into one fma when they please, which would make bits depend on the
/// compiler; the empty statement hides the product from them.
template <class T>
NORMA_INLINE Pack<T> mul(const Pack<T>& a, const Pack<T>& b) {
  Pack<T> product = a * b;
#if defined(__GNUC__) && (defined(__AVX512F__) || defined(__FMA__))
  __asm__("" : "+v"(product.data));
#elif defined(__GNUC__) && defined(__aarch64__)
  __asm__("" : "+w"(product.data));
#endif
  return product;
}

/// The same without vectors.
NORMA_INLINE double fma(double a, double b, double c) { return std::fma(a, b, c); }
template <std::floating_point T>
NORMA_INLINE T mul(T a, T b) {
  T product = a * b;
#if defined(__GNUC__) && defined(__FMA__)
  __asm__("" : "+x"(product));
#elif defined(__GNUC__) && defined(__aarch64__)
  __asm__("" : "+w"(product));
#endif
  return product;
}

/// 0 where v is negative, v itself where it is not, NaN included.
NORMA_INLINE Pack<double> clear_negative(const Pack<double>& v) { return xsimd::select(v < Pack<double>(0.0), Pack<double>(0.0), v); }
NORMA_INLINE double clear_negative(double v) { return v < 0 ? 0 : v; }

/// True if a < b in every lane; false where either is NaN.
NORMA_INLINE bool all_less(const Pack<double>& a, const Pack<double>& b) { return xsimd::all(a < b); }

/// a where the mask of a comparison holds, b where not; of numbers, of registers and their lanes.
template <class T>
NORMA_INLINE Pack<T> select(const Mask<T>& mask, const Pack<T>& a, const Pack<T>& b) {
  return xsimd::select(mask, a, b);
}
NORMA_INLINE constexpr float select(bool condition, float a, float b) { return condition ? a : b; }
NORMA_INLINE constexpr double select(bool condition, double a, double b) { return condition ? a : b; }

/// Exact division, and exact square roots of doubles; xsimd's are estimates on NEON.
template <class T>
NORMA_INLINE Pack<T> divide(const Pack<T>& a, const Pack<T>& b) {
#if defined(__aarch64__)
  if constexpr (sizeof(T) == 4) {
    return vdivq_f32(a, b);
  } else {
    return vdivq_f64(a, b);
  }
#else
  return a / b;
#endif
}
NORMA_INLINE double divide(double a, double b) { return a / b; }
NORMA_INLINE Pack<double> square_root(const Pack<double>& a) {
#if defined(__aarch64__)
  return vsqrtq_f64(a);
#elif defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xFF, a);  // the unmasked spelling warns inside GCC 12's own header
#else
  return xsimd::sqrt(a);
#endif
}
NORMA_INLINE double square_root(double a) { return std::sqrt(a); }

#if defined(__AVX512F__)
template <class T>
NORMA_INLINE auto first_lanes(int count) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<__mmask16>((1u << count) - 1u);
  } else {
    return static_cast<__mmask8>((1u << count) - 1u);
  }
}
#elif defined(__AVX__)
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_loadu_ps(first_lanes<T>(count), p);
  } else {
    return _mm512_maskz_loadu_pd(first_lanes<T>(count), p);
  }
#elif defined(__AVX__)
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, first_lanes<T>(count), v);
  } else {
    _mm512_mask_storeu_pd(p, first_lanes<T>(count), v);
  }
#elif defined(__AVX__)
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_mov_ps(first_lanes<T>(count), v);
  } else {
    return _mm512_maskz_mov_pd(first_lanes<T>(count), v);
  }
#elif defined(__AVX__)
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(p, v);
  } else {
    _mm512_stream_pd(p, v);
  }
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    _mm256_stream_ps(p, v);
  } else {
    _mm256_stream_pd(p, v);
  }
#else
  store(p, v);
#endif
}

/// Asks for the cache line `bytes` behind p, for the second-level cache. Where no memory is, nothing happens.
NORMA_INLINE void prefetch(const void* p, index_t bytes) {
#if defined(__GNUC__)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + static_cast<std::uintptr_t>(bytes)), 0, 2);
#endif
}

/// Orders streaming stores before whatever tells another thread that they are done.
NORMA_INLINE void streaming_fence() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
