// Between registers of doubles and memory of either type.
#pragma once

#include <cstdint>

#include <norma/simd/bits.hpp>
#include <norma/simd/memory.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// `value` as a T. GCC 12 takes a vector of doubles that went to float and back for the vector itself, and with it what was rounded away;
/// so the rounding is hidden from it.
template <class T>
NORMA_INLINE T rounded(double value) {
  T result = static_cast<T>(value);
  NORMA_HIDE(result);
  return result;
}

/// Loads pack_size<double> numbers of type T, widened.
template <class T>
NORMA_INLINE Pack<double> load_doubles(const T* p) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return load(p);
  } else {
#if NORMA_AVX512
    return _mm512_maskz_cvtps_pd(0xFF, _mm256_loadu_ps(p));
#elif NORMA_AVX
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
#elif NORMA_SSE2
    return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
    alignas(64) double wide[pack_size<double>];
    for (int i = 0; i < pack_size<double>; ++i) wide[i] = static_cast<double>(p[i]);
    return load(wide);
#endif
  }
}

/// The same of the first `count`, at most as many; the other lanes are 0 and their memory is not touched.
template <class T>
NORMA_INLINE Pack<double> load_first_doubles(const T* p, int count) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return load_first(p, count);
  } else {
#if NORMA_AVX512
    return _mm512_maskz_cvtps_pd(0xFF, _mm512_castps512_ps256(load_first(p, count)));
#else
    alignas(64) double wide[pack_size<double>] = {};
    for (int i = 0; i < count; ++i) wide[i] = static_cast<double>(p[i]);
    return load(wide);
#endif
  }
}

/// Stores the nearest integers, ties to even, within [-127, 127] and 0 for NaN, as bytes: pack_size<float> of them.
NORMA_INLINE void store_integers(std::int8_t* p, const Pack<float>& v) {
  constexpr float round = 0x1.8p23F;  // a sum with it has the integer in its lowest bits
  const Pack<float> number = select(v == v, at_most(at_least(v, -127.0F), 127.0F), Pack<float>(0.0F)),
                    pattern = number + Pack<float>(round);
#if NORMA_AVX512
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(0xFFFF, _mm512_castps_si512(pattern)));
#elif NORMA_AVX2
  const __m256i lowest = _mm256_set1_epi32(0x0C080400), bytes = _mm256_shuffle_epi8(_mm256_castps_si256(pattern), lowest);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
#else
  alignas(64) float lanes[pack_size<float>];
  store(lanes, pattern);
  for (int i = 0; i < pack_size<float>; ++i) p[i] = static_cast<std::int8_t>(lanes[i] - round);
#endif
}

/// to[0, 4) += from[0, 4), in one piece where registers hold as many.
template <class T>
NORMA_INLINE void add_piece(double* to, const T* from) {
#if NORMA_AVX
  if constexpr (sizeof(T) == sizeof(double)) {
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_loadu_pd(from)));
  } else {
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_cvtps_pd(_mm_loadu_ps(from))));
  }
#else
  for (int i = 0; i < 4; ++i) to[i] += static_cast<double>(from[i]);
#endif
}
/// *to += number; where a piece begins, as one of which the rest is 0.
NORMA_INLINE void add_one(double* to, double number) {
#if NORMA_AVX512
  if (reinterpret_cast<std::uintptr_t>(to) % 32 == 0)
    return _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_zextpd128_pd256(_mm_set_sd(number))));
#endif
  *to += number;
}

/// Loads numbers that were stored a moment ago in smaller pieces (four doubles on AVX-512, single ones elsewhere). A load forwards from one
/// store only; a whole register would wait until all pieces have reached the cache, and everything behind it with it.
NORMA_INLINE Pack<double> load_pieces(const double* p) {
#if NORMA_AVX512
  return _mm512_maskz_insertf64x4(0xFF, _mm512_maskz_broadcast_f64x4(0xFF, _mm256_loadu_pd(p)), _mm256_loadu_pd(p + 4), 1);
#elif NORMA_AVX
  return _mm256_set_pd(p[3], p[2], p[1], p[0]);
#else
  return load(p);
#endif
}

/// Stores pack_size<double> numbers, rounded to T.
template <class T>
NORMA_INLINE void store_doubles(T* p, const Pack<double>& v) {
  if constexpr (sizeof(T) == sizeof(double)) {
    store(p, v);
  } else {
#if NORMA_AVX512
    _mm256_storeu_ps(p, _mm512_maskz_cvtpd_ps(0xFF, v));
#elif NORMA_AVX
    _mm_storeu_ps(p, _mm256_cvtpd_ps(v));
#elif NORMA_SSE2
    _mm_storel_pi(reinterpret_cast<__m64*>(p), _mm_cvtpd_ps(v));
#else
    alignas(64) double wide[pack_size<double>];
    store(wide, v);
    for (int i = 0; i < pack_size<double>; ++i) p[i] = rounded<T>(wide[i]);
#endif
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
