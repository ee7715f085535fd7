// Which instruction set computes: the one of this file's flags, or the one that norma::compiled has chosen.
#pragma once

#include <norma/core/error.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

#if defined(NORMA_COMPILED)
/// Name of the instruction set in use: "sse2", "avx2" (with FMA), "avx512", "neon", or "generic" for the portable register. With
/// norma::compiled the best that the processor has, unless the environment variable NORMA_ISA or use_instruction_set() says another.
/// ShapeError where NORMA_ISA names none that there is.
const char* instruction_set();

/// Of norma::compiled: uses that one from now on and returns nothing, or changes nothing and returns the names of those that there are.
std::string_view select_instruction_set(std::string_view name);
#else
/// Name of the instruction set in use: "sse2", "avx2" (with FMA), "avx512", "neon", or "generic" for the portable register ("avx" is
/// AVX or AVX2 without FMA, "avx_fma" AVX with it). Without norma::compiled that of the translation unit's flags.
constexpr const char* instruction_set() noexcept { return NORMA_TEXT(NORMA_KERNELS); }

inline std::string_view select_instruction_set(std::string_view name) {
  return name == instruction_set() ? std::string_view() : std::string_view(instruction_set());
}
#endif

/// Uses another from now on, in all threads. ShapeError (a std::invalid_argument) unless it is one that this processor and norma::compiled
/// have; without that library there is one alone. Calls that are running may take parts of themselves with either.
inline void use_instruction_set(std::string_view name) {
  const std::string_view others = select_instruction_set(name);
  if (!others.empty()) raise_shape_error("use_instruction_set: ", name, " is not to be had here; what is: ", others);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
