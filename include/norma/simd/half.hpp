// Registers of floats from and to 16-bit numbers in memory: the same bits with and without instructions for it. bfloat16 by integers, for
// what processors have flushes subnormals; where there are none, it may be used.
#pragma once

#include <norma/core/half_precision.hpp>
#include <norma/simd/memory.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <class H>
concept Half = std::is_same_v<H, bfloat16> || std::is_same_v<H, float16>;

/// One by one, where there are no instructions. By bytes: they may be objects of another type with the same bits.
template <Half H>
NORMA_INLINE Pack<float> load_one_by_one(const H* p) {
  H halves[pack_size<float>];
  alignas(64) float wide[pack_size<float>];
  std::memcpy(halves, p, sizeof(halves));
  for (int i = 0; i < pack_size<float>; ++i) wide[i] = static_cast<float>(halves[i]);
  return load(wide);
}
template <Half H>
NORMA_INLINE void store_one_by_one(H* p, const Pack<float>& v) {
  H halves[pack_size<float>];
  alignas(64) float wide[pack_size<float>];
  store(wide, v);
  for (int i = 0; i < pack_size<float>; ++i) halves[i] = H(wide[i]);
  std::memcpy(p, halves, sizeof(halves));
}

#if NORMA_AVX512
/// As many 16-bit numbers as a register holds floats.
using HalfRegister = __m256i;

NORMA_INLINE HalfRegister load_halves(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
NORMA_INLINE void store_halves(void* p, HalfRegister v, bool streams) {
  if (streams) {
    _mm256_stream_si256(static_cast<__m256i*>(p), v);
  } else {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v);
  }
}
NORMA_INLINE Pack<float> widened(HalfRegister halves, bfloat16) {
  // Each to the upper half of its float, in one step: 0 to word 1, 1 to word 3, ...
  const __m512i upper = _mm512_setr_epi32(0, 1 << 16, 2 << 16, 3 << 16, 4 << 16, 5 << 16, 6 << 16, 7 << 16, 8 << 16, 9 << 16, 10 << 16,
                                          11 << 16, 12 << 16, 13 << 16, 14 << 16, 15 << 16);
  return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xAAAAAAAA, upper, _mm512_castsi256_si512(halves)));
}
NORMA_INLINE Pack<float> widened(HalfRegister halves, float16) { return _mm512_maskz_cvtph_ps(0xFFFF, halves); }
NORMA_INLINE HalfRegister narrowed(const Pack<float>& v, bfloat16) {
#if NORMA_AVX512_BF16
  constexpr int subnormal = 0x20;
  if (_mm512_fpclass_ps_mask(v, subnormal) == 0) return reinterpret_cast<HalfRegister>(_mm512_cvtneps_pbh(v));
#endif
  const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_maskz_srli_epi32(0xFFFF, bits, 16), _mm512_set1_epi32(1));
  const __m512i carry = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
  const __m512i nearest = _mm512_mask_add_epi32(bits, _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), bits, carry);
  return _mm512_maskz_cvtepi32_epi16(0xFFFF, _mm512_maskz_srli_epi32(0xFFFF, nearest, 16));
}
NORMA_INLINE HalfRegister narrowed(const Pack<float>& v, float16) { return _mm512_maskz_cvtps_ph(0xFFFF, v, _MM_FROUND_TO_NEAREST_INT); }
template <Half H>
inline constexpr bool converts_registers = true;

#elif NORMA_AVX2
/// As many 16-bit numbers as a register holds floats.
using HalfRegister = __m128i;

NORMA_INLINE HalfRegister load_halves(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
NORMA_INLINE void store_halves(void* p, HalfRegister v, bool streams) {
  if (streams) {
    _mm_stream_si128(static_cast<__m128i*>(p), v);
  } else {
    _mm_storeu_si128(static_cast<__m128i*>(p), v);
  }
}
NORMA_INLINE Pack<float> widened(HalfRegister halves, bfloat16) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
NORMA_INLINE HalfRegister narrowed(const Pack<float>& v, bfloat16) {
  const __m256i bits = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i carry = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)), number = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_ORD_Q));
  const __m256i nearest = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_and_si256(carry, number)), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(nearest), _mm256_extracti128_si256(nearest, 1));
}
#if NORMA_F16C
NORMA_INLINE Pack<float> widened(HalfRegister halves, float16) { return _mm256_cvtph_ps(halves); }
NORMA_INLINE HalfRegister narrowed(const Pack<float>& v, float16) { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT); }
template <Half H>
inline constexpr bool converts_registers = true;
#else
template <Half H>
inline constexpr bool converts_registers = std::is_same_v<H, bfloat16>;
#endif

#else
template <Half H>
inline constexpr bool converts_registers = false;
#endif

/// Loads pack_size<float> numbers.
template <Half H>
NORMA_INLINE Pack<float> load(const H* p) {
  if constexpr (converts_registers<H>) {
    return widened(load_halves(p), H());
  } else {
    return load_one_by_one(p);
  }
}
/// Stores pack_size<float> numbers, rounded to the nearest. They come from arithmetic: NaN are quiet.
template <Half H>
NORMA_INLINE void store(H* p, const Pack<float>& v) {
  if constexpr (converts_registers<H>) {
    store_halves(p, narrowed(v, H()), false);
  } else {
    store_one_by_one(p, v);
  }
}
/// The same past the cache; p must be aligned to what is stored.
template <Half H>
NORMA_INLINE void store_streaming(H* p, const Pack<float>& v) {
  if constexpr (converts_registers<H>) {
    store_halves(p, narrowed(v, H()), true);
  } else {
    store_one_by_one(p, v);
  }
}

/// The first `count` of them; other lanes are 0.
template <Half H>
NORMA_INLINE Pack<float> load_first(const H* p, int count) {
  H halves[pack_size<float>] = {};
  std::memcpy(halves, p, static_cast<std::size_t>(count) * sizeof(H));
  return load(halves);
}
template <Half H>
NORMA_INLINE void store_first(H* p, const Pack<float>& v, int count) {
  H halves[pack_size<float>];
  store(halves, v);
  std::memcpy(p, halves, static_cast<std::size_t>(count) * sizeof(H));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
