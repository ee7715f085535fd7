// Which instructions norma may spell out: each macro is 1 or 0, and all of them are 0 for the portable register.
//
// __FMA__ and the like are not asked elsewhere: emscripten defines __SSE2__ and __AVX__ for what it emulates, Microsoft's compiler does not
// define __SSE2__, __FMA__ and __F16C__, which its /arch:AVX2 implies.
#pragma once

#include <norma/core/config.hpp>

#if !defined(NORMA_PORTABLE) && (defined(__SSE2__) || defined(_M_X64))
#define NORMA_SSE2 1
#else
#define NORMA_SSE2 0
#endif
#if NORMA_SSE2 && defined(__AVX__)
#define NORMA_AVX 1
#else
#define NORMA_AVX 0
#endif
#if NORMA_SSE2 && defined(__AVX2__)
#define NORMA_AVX2 1
#else
#define NORMA_AVX2 0
#endif
#if NORMA_SSE2 && defined(__AVX512F__)
#define NORMA_AVX512 1
#else
#define NORMA_AVX512 0
#endif
#if NORMA_AVX512 && defined(__AVX512BF16__)
#define NORMA_AVX512_BF16 1
#else
#define NORMA_AVX512_BF16 0
#endif
#if NORMA_AVX && (defined(__FMA__) || (defined(_MSC_VER) && NORMA_AVX2))
#define NORMA_FMA 1
#else
#define NORMA_FMA 0
#endif
#if NORMA_AVX2 && (defined(__F16C__) || defined(_MSC_VER))
#define NORMA_F16C 1
#else
#define NORMA_F16C 0
#endif
#if !defined(NORMA_PORTABLE) && defined(__aarch64__)
#define NORMA_NEON 1
#else
#define NORMA_NEON 0
#endif

/// Whether a product and a sum may become one instruction, in the portable register, too: std::fma is that instruction, and a compiler may
/// use it where it was not asked to. Where this is 0 it cannot.
#if defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__) || defined(_M_ARM64) || (defined(_MSC_VER) && defined(__AVX2__)) || \
    defined(__riscv_d) || defined(__s390x__) || defined(__powerpc64__) || defined(__loongarch_double_float)
#define NORMA_FUSES 1
#else
#define NORMA_FUSES 0
#endif

/// NORMA_HIDE(v): may have changed the float or double v, as far as the compiler knows, which keeps it from making one operation of two.
/// Nothing where the compilers known do not do that.
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__)) && defined(__SSE2__)
#define NORMA_HIDE(v) __asm__("" : "+x"(v))
#elif defined(__GNUC__) && defined(__aarch64__)
#define NORMA_HIDE(v) __asm__("" : "+w"(v))
#elif defined(__GNUC__) && !defined(__clang__)
#define NORMA_HIDE(v) __asm__("" : "+m"(v))
#else
#define NORMA_HIDE(v) static_cast<void>(v)
#endif
