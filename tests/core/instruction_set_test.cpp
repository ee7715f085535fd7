// Which instruction set is in use, in the header-only form; tests/build/compiled is about that of norma::compiled.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include <norma/core/instruction_set.hpp>

namespace {

TEST(InstructionSet, IsNamed) {
  const std::string name = norma::instruction_set();
#if defined(NORMA_PORTABLE)
  EXPECT_EQ(name, "generic");
#elif defined(__AVX512F__)
  EXPECT_EQ(name, "avx512");
#elif defined(__AVX2__) && defined(__FMA__)
  EXPECT_EQ(name, "avx2");
#elif defined(__SSE2__) && !defined(__AVX__)
  EXPECT_EQ(name, "sse2");
#elif defined(__aarch64__)
  EXPECT_EQ(name, "neon");
#endif
}

TEST(InstructionSet, ThereIsNoOther) {
  norma::use_instruction_set(norma::instruction_set());
  EXPECT_THROW(norma::use_instruction_set("pentium"), std::invalid_argument);
}

}  // namespace
