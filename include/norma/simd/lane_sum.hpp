// The fixed virtual lanes of a reduction and the one tree that folds them: the same bits on every vector width.
#pragma once

#include <array>

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A reduction over T runs in 32 float or 16 double lanes, whatever the hardware has: element i goes to lane i mod lanes<T>.
template <class T>
inline constexpr int lanes = 128 / static_cast<int>(sizeof(T));

/// Registers that hold those lanes: 2 (AVX-512), 4 (AVX), 8 (SSE, NEON).
template <class T>
inline constexpr int lane_packs = lanes<T> / pack_size<T>;

/// The lanes of one running sum.
template <class T>
struct LaneSum {
  Pack<T> packs[lane_packs<T>];
};

/// First half of the tree: lane l + lane (l + H) for H = lanes / 2, ... down to one register.
template <class T>
NORMA_INLINE Pack<T> fold_packs(const LaneSum<T>& sum) {
  constexpr int P = lane_packs<T>;
  if constexpr (P == 2) {
    return sum.packs[0] + sum.packs[1];
  } else if constexpr (P == 4) {
    return (sum.packs[0] + sum.packs[2]) + (sum.packs[1] + sum.packs[3]);
  } else {
    static_assert(P == 8);
    return ((sum.packs[0] + sum.packs[4]) + (sum.packs[2] + sum.packs[6])) +
           ((sum.packs[1] + sum.packs[5]) + (sum.packs[3] + sum.packs[7]));
  }
}

#if NORMA_AVX
NORMA_INLINE float fold_register(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}
NORMA_INLINE double fold_register(__m128d v) { return _mm_cvtsd_f64(_mm_add_sd(v, _mm_unpackhi_pd(v, v))); }
NORMA_INLINE float fold_register(__m256 v) { return fold_register(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1))); }
NORMA_INLINE double fold_register(__m256d v) { return fold_register(_mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1))); }
#endif
#if NORMA_AVX512
// All lanes kept: GCC 12 warns inside its own header ("used uninitialized") about the unmasked spellings of these intrinsics.
inline constexpr __mmask16 all16 = 0xFFFF;
inline constexpr __mmask8 all8 = 0xFF;

template <int Which>
NORMA_INLINE __m256d half(__m512d v) {
  return _mm512_maskz_extractf64x4_pd(0xF, v, Which);
}
NORMA_INLINE float fold_register(__m512 v) {
  const __m512d bits = _mm512_castps_pd(v);
  return fold_register(_mm256_add_ps(_mm256_castpd_ps(half<0>(bits)), _mm256_castpd_ps(half<1>(bits))));
}
NORMA_INLINE double fold_register(__m512d v) { return fold_register(_mm256_add_pd(half<0>(v), half<1>(v))); }
#endif

/// The whole tree: lane l + lane (l + H) for H = lanes / 2, lanes / 4, ... 1.
template <class T>
NORMA_INLINE T fold_tree(const LaneSum<T>& sum) {
#if NORMA_AVX
  return fold_register(fold_packs(sum).data);
#else
  alignas(64) T lane[pack_size<T>];
  store(lane, fold_packs(sum));
  for (int half = pack_size<T> / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
  }
  return lane[0];
#endif
}

/// The trees of R sums at once: out[r] = fold_tree(sums[r]). Four at a time share their shuffles on AVX-512. Stored as one piece of four
/// there: out must have room for four.
template <class T, std::size_t R>
NORMA_INLINE void fold_trees(const std::array<LaneSum<T>, R>& sums, T* out) {
#if NORMA_AVX512
  if constexpr (R == 4 && sizeof(T) == 4) {
    const __m512 a = fold_packs(sums[0]), b = fold_packs(sums[1]), c = fold_packs(sums[2]), d = fold_packs(sums[3]);
    const __m512 ab = _mm512_add_ps(_mm512_maskz_shuffle_f32x4(all16, a, b, 0x44), _mm512_maskz_shuffle_f32x4(all16, a, b, 0xEE));
    const __m512 cd = _mm512_add_ps(_mm512_maskz_shuffle_f32x4(all16, c, d, 0x44), _mm512_maskz_shuffle_f32x4(all16, c, d, 0xEE));
    const __m512 quads = _mm512_add_ps(_mm512_maskz_shuffle_f32x4(all16, ab, cd, 0x88), _mm512_maskz_shuffle_f32x4(all16, ab, cd, 0xDD));
    const __m512 pairs = _mm512_add_ps(quads, _mm512_maskz_permute_ps(all16, quads, 0x4E));
    const __m512 ones = _mm512_add_ps(pairs, _mm512_maskz_permute_ps(all16, pairs, 0xB1));
    const __m512i every_fourth = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    _mm_storeu_ps(out, _mm512_maskz_extractf32x4_ps(0xF, _mm512_maskz_permutexvar_ps(all16, every_fourth, ones), 0));
    return;
  } else if constexpr (R == 4) {
    const __m512d a = fold_packs(sums[0]), b = fold_packs(sums[1]), c = fold_packs(sums[2]), d = fold_packs(sums[3]);
    const __m512d ab = _mm512_add_pd(_mm512_maskz_shuffle_f64x2(all8, a, b, 0x44), _mm512_maskz_shuffle_f64x2(all8, a, b, 0xEE));
    const __m512d cd = _mm512_add_pd(_mm512_maskz_shuffle_f64x2(all8, c, d, 0x44), _mm512_maskz_shuffle_f64x2(all8, c, d, 0xEE));
    const __m512d pairs = _mm512_add_pd(_mm512_maskz_shuffle_f64x2(all8, ab, cd, 0x88), _mm512_maskz_shuffle_f64x2(all8, ab, cd, 0xDD));
    const __m512d ones = _mm512_add_pd(pairs, _mm512_maskz_permute_pd(all8, pairs, 0x55));
    const __m512i every_second = _mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6);
    _mm256_storeu_pd(out, half<0>(_mm512_maskz_permutexvar_pd(all8, every_second, ones)));
    return;
  }
#endif
  for (std::size_t r = 0; r < R; ++r) out[r] = fold_tree(sums[r]);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
