// What the algorithms of math.hpp do to registers beside + - * /: signs, bounds, powers of two, and what a rounding left over.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// |v| and -|v|; `with_sign_of` gives a number that is not negative, or has it already, the sign of v.
template <class T>
NORMA_INLINE Pack<T> minus_abs(const Pack<T>& v) {
  return v | Pack<T>(T(-0.0));
}
template <class T>
NORMA_INLINE Pack<T> abs(const Pack<T>& v) {
  return minus_abs(v) ^ Pack<T>(T(-0.0));
}
template <class T>
NORMA_INLINE Pack<T> with_sign_of(const Pack<T>& magnitude, const Pack<T>& v) {
  return magnitude | (v & Pack<T>(T(-0.0)));
}

/// The larger (smaller) of v and a bound that is not NaN; v where it is NaN, and of equals (zeros of either sign).
template <class T>
NORMA_INLINE Pack<T> at_least(const Pack<T>& v, std::type_identity_t<T> bound) {
#if NORMA_AVX512  // these instructions give their second operand in both of these cases
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_max_ps(0xFFFF, Pack<T>(bound), v);
  } else {
    return _mm512_maskz_max_pd(0xFF, Pack<T>(bound), v);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    return _mm256_max_ps(Pack<T>(bound), v);
  } else {
    return _mm256_max_pd(Pack<T>(bound), v);
  }
#else
  return select(v < Pack<T>(bound), Pack<T>(bound), v);
#endif
}
template <std::floating_point T>
NORMA_INLINE T at_least(T v, std::type_identity_t<T> bound) {
  return v < bound ? bound : v;
}
template <class T>
NORMA_INLINE Pack<T> at_most(const Pack<T>& v, std::type_identity_t<T> bound) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_min_ps(0xFFFF, Pack<T>(bound), v);
  } else {
    return _mm512_maskz_min_pd(0xFF, Pack<T>(bound), v);
  }
#elif NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    return _mm256_min_ps(Pack<T>(bound), v);
  } else {
    return _mm256_min_pd(Pack<T>(bound), v);
  }
#else
  return select(Pack<T>(bound) < v, Pack<T>(bound), v);
#endif
}

/// The number whose exponent field is in the lowest bits of v's pattern and whose fraction is 0: the pattern moved up behind the sign.
template <class T>
NORMA_INLINE Pack<T> exponent_from_low_bits(const Pack<T>& v) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xFFFF, _mm512_castps_si512(v), 23));
  } else {
    return _mm512_castsi512_pd(_mm512_maskz_slli_epi64(0xFF, _mm512_castpd_si512(v), 52));
  }
#elif NORMA_AVX2
  if constexpr (sizeof(T) == 4) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 23));
  } else {
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(v), 52));
  }
#elif NORMA_SSE2 && !NORMA_AVX
  if constexpr (sizeof(T) == 4) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(v), 23));
  } else {
    return _mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(v), 52));
  }
#elif NORMA_NEON
  if constexpr (sizeof(T) == 4) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(v), 23));
  } else {
    return vreinterpretq_f64_s64(vshlq_n_s64(vreinterpretq_s64_f64(v), 52));
  }
#else
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  alignas(64) T lanes[pack_size<T>];
  store(lanes, v);
  for (T& lane : lanes) lane = std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(lane) << (sizeof(T) == 4 ? 23 : 52)));
  return load(lanes);
#endif
}

/// c - a * b in one rounding wherever the hardware has it.
template <class T>
NORMA_INLINE Pack<T> minus_product(const Pack<T>& c, const Pack<T>& a, const Pack<T>& b) {
#if defined(NORMA_PORTABLE)
  return Pack<T>::each([](T u, T v, T w) { return fused(-u, v, w); }, a, b, c);
#elif NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_fnmadd_ps(a, b, c);
  } else {
    return _mm512_fnmadd_pd(a, b, c);
  }
#elif NORMA_FMA
  if constexpr (sizeof(T) == 4) {
    return _mm256_fnmadd_ps(a, b, c);
  } else {
    return _mm256_fnmadd_pd(a, b, c);
  }
#elif NORMA_NEON
  if constexpr (sizeof(T) == 4) {
    return vfmsq_f32(c, a, b);
  } else {
    return vfmsq_f64(c, a, b);
  }
#else
  return c - a * b;
#endif
}

/// c - a * b where c is nearly a * b: what rounding left over, exact. Without a fused instruction a and b are split in halves (Dekker
/// 1971), whose products are exact, of doubles but for 2^-104 of the whole.
template <class T>
NORMA_INLINE Pack<T> residual(const Pack<T>& c, const Pack<T>& a, const Pack<T>& b) {
#if defined(NORMA_PORTABLE) || NORMA_AVX512 || NORMA_FMA || NORMA_NEON
  return minus_product(c, a, b);
#else
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const Pack<T> upper(std::bit_cast<T>(static_cast<Bits>(~Bits(0) << (sizeof(T) == 4 ? 12 : 27))));
  const Pack<T> a_high = a & upper, a_low = a - a_high, b_high = b & upper, b_low = b - b_high;
  return ((c - a_high * b_high) - a_high * b_low - a_low * b_high) - a_low * b_low;
#endif
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
