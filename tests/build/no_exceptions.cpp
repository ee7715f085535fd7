// Compiled without exceptions and RTTI: a wrong shape reaches the handler with the whole sentence, then the program aborts.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <vector>

#include <sys/resource.h>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this test is about a program without exceptions and RTTI"
#endif

namespace {

#define SENTENCE "LayerNorm: x has extents (4, 7), normalized_shape is (8)"

void wrong_shape() {
  const rlimit no_core_file{0, 0};
  setrlimit(RLIMIT_CORE, &no_core_file);
  norma::LayerNorm<float> ln({8});
  std::vector<float> x(28), y(28);
  ln(norma::TensorView<float>(x.data(), {4, 7}), norma::TensorView<float>(y.data(), {4, 7}));
}

TEST(NoExceptionsDeathTest, AWrongShapeIsPrintedAndAborts) {
  EXPECT_EXIT(wrong_shape(), testing::KilledBySignal(SIGABRT), testing::Eq("norma: " SENTENCE "\n"));
}

TEST(NoExceptionsDeathTest, AHandlerHasTheSentenceFirst) {
  const auto with_handler = [] {
    norma::set_error_handler([](const char* message) { std::fprintf(stderr, "handled %s", message); });
    wrong_shape();
  };
  EXPECT_EXIT(with_handler(), testing::KilledBySignal(SIGABRT), testing::Eq("handled " SENTENCE));
}

TEST(NoExceptions, WhatIsRightWorksAsEver) {
  norma::RMSNorm<float> rms({2}, {.eps = 0});
  const std::vector<float> x{3, -3};
  std::vector<float> y(2);
  rms(x, y);
  EXPECT_EQ(y, (std::vector<float>{1, -1}));
}

}  // namespace
