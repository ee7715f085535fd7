// Compiler settings norma insists on, version, and the inline namespace that carries the instruction set.
#pragma once

// What norma cannot be compiled with is one sentence. NORMA_STOP is no file: compilers end where they cannot include one, and so the
// sentence is not followed by thousands of lines about what it is the reason of.
#define NORMA_STOP <the sentence above says why>

#if defined(_MSVC_LANG) ? _MSVC_LANG <= 201703L : __cplusplus <= 201703L
#error "norma: this is compiled as C++17 or older, norma needs C++20: compile with -std=c++20, or link the CMake target norma::norma"
#include NORMA_STOP
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__ASSOCIATIVE_MATH__) || \
    defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__) || defined(_M_FP_FAST)
#error \
    "norma: -ffast-math and its parts (-funsafe-math-optimizations, -fassociative-math, -freciprocal-math, -ffinite-math-only, -fno-signed-zeros) reorder sums and lose NaN or -0; norma promises bits and accuracy, compile without them"
#include NORMA_STOP
#endif

#include <cassert>
#include <cfloat>

#define NORMA_VERSION_MAJOR 0
#define NORMA_VERSION_MINOR 1
#define NORMA_VERSION_PATCH 0

#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error \
    "norma: this target computes float or double in more digits than they have (FLT_EVAL_METHOD), and norma promises bits; on 32-bit x86 compile with -msse2 -mfpmath=sse"
#include NORMA_STOP
#endif

/// Precondition check of plain accessors; follows NDEBUG unless the user defines it.
#ifndef NORMA_ASSERT
#define NORMA_ASSERT(condition) assert(condition)
#endif

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define NORMA_EXCEPTIONS 1
#else
#define NORMA_EXCEPTIONS 0
#endif

// What compilers other than GCC and clang do without: they inline, and lay out cold code, as they please. NORMA_INLINE_LAMBDA stands behind
// a lambda's parameters, where standard attributes would mean its type.
#if defined(__GNUC__)
#define NORMA_INLINE [[gnu::always_inline]] inline
#define NORMA_INLINE_LAMBDA __attribute__((always_inline))
#define NORMA_COLD [[gnu::cold, gnu::noinline]]
#define NORMA_NOINLINE [[gnu::noinline]]
#else
#define NORMA_INLINE inline
#define NORMA_INLINE_LAMBDA
#define NORMA_COLD
#define NORMA_NOINLINE
#endif

// Where NORMA_COMPILED is defined, which linking norma::compiled does, the engine is that library's and not compiled here; what is left of
// norma needs no intrinsics. The library itself defines NORMA_COMPILED_ENGINE, too.
#if defined(NORMA_COMPILED) && !defined(NORMA_COMPILED_ENGINE)
#define NORMA_ENGINE_HERE 0
#ifndef NORMA_PORTABLE
#define NORMA_PORTABLE
#endif
#else
#define NORMA_ENGINE_HERE 1
#endif

// Kernels are written for x86 with SSE2 and what came after it, and for 64-bit ARM. Everywhere else, and where NORMA_PORTABLE is defined,
// they are compiled for the register in standard C++ (simd/portable_pack.hpp). By processor: emscripten's -msse2 defines __SSE2__, too.
#if !defined(NORMA_PORTABLE) && !((defined(__x86_64__) || defined(__i386__)) && defined(__SSE2__)) && !defined(_M_X64) && \
    !(defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__))
#define NORMA_PORTABLE
#endif

// Two translation units with different -m flags may meet in one program. Everything that could hold vector code therefore
// lives in an inline namespace named after the instruction set, so that the linker never merges an AVX body into an SSE2 half.
// What must be one type across such units (TensorView, ShapeError, executors) stays outside and is force-inlined.
// NORMA_KERNELS: what kernels are made of, whichever of these it is; the bits of one name are one.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BF16__)
#define NORMA_ISA avx512_bf16
#define NORMA_KERNELS avx512
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define NORMA_ISA avx512
#define NORMA_KERNELS avx512
#elif defined(__AVX512F__)
#define NORMA_ISA avx512f
#define NORMA_KERNELS avx512
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define NORMA_ISA avx2_f16c
#define NORMA_KERNELS avx2
#elif defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))  // of which Microsoft's /arch:AVX2 stands for all three
#define NORMA_ISA avx2
#define NORMA_KERNELS avx2
#elif defined(__AVX2__)
#define NORMA_ISA avx2_without_fma
#define NORMA_KERNELS avx
#elif defined(__AVX__) && defined(__FMA__)
#define NORMA_ISA avx_fma
#define NORMA_KERNELS avx_fma
#elif defined(__AVX__)
#define NORMA_ISA avx
#define NORMA_KERNELS avx
#elif defined(__SSE4_2__)
#define NORMA_ISA sse4_2
#define NORMA_KERNELS sse2
#elif defined(__SSE4_1__)
#define NORMA_ISA sse4_1
#define NORMA_KERNELS sse2
#elif defined(__SSE2__) || defined(_M_X64)
#define NORMA_ISA sse2
#define NORMA_KERNELS sse2
#elif defined(__aarch64__)
#define NORMA_ISA neon
#define NORMA_KERNELS neon
#else
#define NORMA_ISA standard
#define NORMA_KERNELS generic
#endif

#define NORMA_JOIN_TOKENS(a, b) a##b
#define NORMA_JOIN(a, b) NORMA_JOIN_TOKENS(a, b)
#define NORMA_TEXT_OF(a) #a
#define NORMA_TEXT(a) NORMA_TEXT_OF(a)

// The portable register is compiled to whatever instructions there are: its namespace says both.
#if defined(NORMA_PORTABLE)
#undef NORMA_KERNELS
#define NORMA_KERNELS generic
#define NORMA_REGISTER_NAMESPACE NORMA_JOIN(generic_on_, NORMA_ISA)
#else
#define NORMA_REGISTER_NAMESPACE NORMA_ISA
#endif
// norma::compiled and those who link it name the same types; what it has compiled for one instruction set or another it keeps to itself.
#if defined(NORMA_COMPILED)
#define NORMA_ISA_NAMESPACE compiled
#elif NORMA_EXCEPTIONS
#define NORMA_ISA_NAMESPACE NORMA_REGISTER_NAMESPACE
#else
#define NORMA_ISA_NAMESPACE NORMA_JOIN(NORMA_REGISTER_NAMESPACE, _no_exceptions)
#endif

/// Normalization layers on strided tensors, forward and backward. What could hold vector code is in an inline namespace named after the
/// instruction set.
namespace norma { inline namespace NORMA_ISA_NAMESPACE {
}}
