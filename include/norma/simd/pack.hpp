// Pack<T>: one vector register, xsimd's or the portable one. The only file that knows which; it bridges xsimd 8.1 (Debian 12) to the
// newest.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <utility>

#include <norma/core/extents.hpp>
#include <norma/simd/instructions.hpp>

#if defined(NORMA_PORTABLE)
#include <norma/simd/portable_pack.hpp>
#else

#if defined(__has_include)
#if !__has_include(<xsimd/xsimd.hpp>)
#error \
    "norma: xsimd was not found; install xsimd 8.1 or newer (Debian: libxsimd-dev), give the compiler its directory, or define NORMA_PORTABLE"
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

#endif

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The register of the widest instruction set this translation unit may use; load, store, + - * / < come with it. Mask: what comparing two
/// of them gives.
#if defined(NORMA_PORTABLE)
template <class T>
using Pack = PortablePack<T>;
template <class T>
using Mask = PortableMask<T>;
#else
#if NORMA_NEON
using Architecture = xsimd::neon64;  // also where the default is SVE
#else
using Architecture = xsimd::default_arch;
#endif
template <class T>
using Pack = xsimd::batch<T, Architecture>;
template <class T>
using Mask = xsimd::batch_bool<T, Architecture>;

static_assert(sizeof(Pack<float>) == (NORMA_AVX512 ? 64
                                      : NORMA_AVX  ? 32
                                                   : 16),
              "norma: xsimd's default architecture is not that of this translation unit's flags. XSIMD_DEFAULT_ARCH may not make registers "
              "narrower or wider than they: compile with other -m flags instead, or define NORMA_PORTABLE");
#endif

template <class T>
inline constexpr int pack_size = static_cast<int>(Pack<T>::size);

/// Calls f(0), f(1), ... f(N - 1) with compile-time indices: the loops over registers, unrolled at every optimisation level.
template <int N, class F>
NORMA_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) NORMA_INLINE_LAMBDA { (f(std::integral_constant<int, I>()), ...); }
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
#if defined(NORMA_PORTABLE)
  return Pack<T>::each([](T u, T v, T w) { return fused(u, v, w); }, a, b, c);
#elif NORMA_AVX512
  if constexpr (sizeof(T) == 4) {
    return _mm512_fmadd_ps(a, b, c);
  } else {
    return _mm512_fmadd_pd(a, b, c);
  }
#elif NORMA_FMA
  if constexpr (sizeof(T) == 4) {
    return _mm256_fmadd_ps(a, b, c);
  } else {
    return _mm256_fmadd_pd(a, b, c);
  }
#elif NORMA_NEON
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
/// compiler: the product is hidden from them, or is a fused operation itself, with -0.
template <std::floating_point T>
NORMA_INLINE T mul(T a, T b) {
#if NORMA_FMA || NORMA_NEON
  T product = a * b;
  NORMA_HIDE(product);
  return product;
#elif NORMA_FUSES
  return std::fma(a, b, T(-0.0));
#else
  return a * b;
#endif
}
template <class T>
NORMA_INLINE Pack<T> mul(const Pack<T>& a, const Pack<T>& b) {
#if defined(NORMA_PORTABLE)
  return Pack<T>::each([](T u, T v) { return mul(u, v); }, a, b);
#else
  Pack<T> product = a * b;
#if defined(__GNUC__) && (NORMA_AVX512 || NORMA_FMA)
  __asm__("" : "+v"(product.data));
#elif defined(__GNUC__) && NORMA_NEON
  __asm__("" : "+w"(product.data));
#endif
  return product;
#endif
}

/// v, in a register: of what is used more than once compilers make an operand in memory of each use, which costs a load each.
template <class T>
NORMA_INLINE Pack<T> held(const Pack<T>& v) {
  Pack<T> result = v;
#if defined(__GNUC__) && NORMA_AVX
  __asm__("" : "+v"(result.data));
#endif
  return result;
}

/// a * b + c of scalars, with the bits of a register's lane: which of the two takes a number must not show.
NORMA_INLINE double fma(double a, double b, double c) {
#if defined(NORMA_PORTABLE) || NORMA_AVX512 || NORMA_FMA || NORMA_NEON
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// a where the mask of a comparison holds, b where not; of numbers, of registers and their lanes.
template <class T>
NORMA_INLINE Pack<T> select(const Mask<T>& mask, const Pack<T>& a, const Pack<T>& b) {
#if defined(NORMA_PORTABLE)
  return Pack<T>::select(mask, a, b);
#else
  return xsimd::select(mask, a, b);
#endif
}
NORMA_INLINE constexpr float select(bool condition, float a, float b) { return condition ? a : b; }
NORMA_INLINE constexpr double select(bool condition, double a, double b) { return condition ? a : b; }

/// 0, 1, ... in the lanes of a register.
NORMA_INLINE Pack<double> lane_numbers() {
  alignas(64) static constexpr double numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
  return load(numbers);
}

/// 0 where v is negative, v itself where it is not, NaN included.
NORMA_INLINE Pack<double> clear_negative(const Pack<double>& v) { return select(v < Pack<double>(0.0), Pack<double>(0.0), v); }
NORMA_INLINE double clear_negative(double v) { return v < 0 ? 0 : v; }

/// True if a < b in every lane; false where either is NaN.
NORMA_INLINE bool all_less(const Pack<double>& a, const Pack<double>& b) {
#if defined(NORMA_PORTABLE)
  return (a < b).all();
#else
  return xsimd::all(a < b);
#endif
}

/// Exact division, and exact square roots of doubles; xsimd's are estimates on NEON.
template <class T>
NORMA_INLINE Pack<T> divide(const Pack<T>& a, const Pack<T>& b) {
#if NORMA_NEON
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
#if defined(NORMA_PORTABLE)
  return Pack<double>::each([](double v) { return std::sqrt(v); }, a);
#elif NORMA_NEON
  return vsqrtq_f64(a);
#elif NORMA_AVX512
  return _mm512_maskz_sqrt_pd(0xFF, a);  // the unmasked spelling warns inside GCC 12's own header
#else
  return xsimd::sqrt(a);
#endif
}
NORMA_INLINE double square_root(double a) { return std::sqrt(a); }

}}  // namespace norma::NORMA_ISA_NAMESPACE
