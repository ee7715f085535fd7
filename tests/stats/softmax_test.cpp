// The softmax of a few logits.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include <norma/stats/softmax.hpp>

namespace {

TEST(Softmax, IsTheExponentialsOverTheirSum) {
  const std::array<float, 3> logits = {0.5f, -1.0f, 2.0f};
  const auto shares = norma::softmax(logits);
  const double sum = std::exp(0.5) + std::exp(-1.0) + std::exp(2.0);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(shares[i], std::exp(static_cast<double>(logits[i])) / sum, 1e-15);
  for (const double share : norma::softmax(std::array<double, 4>{7, 7, 7, 7})) EXPECT_EQ(share, 0.25);
}

TEST(Softmax, LargeLogitsOverflowNothing) {
  const auto shares = norma::softmax(std::array<double, 3>{-1e300, 1000, 999});
  EXPECT_EQ(shares[0], 0);
  EXPECT_NEAR(shares[1], 1 / (1 + std::exp(-1.0)), 1e-15);
  EXPECT_NEAR(shares[1] + shares[2], 1, 1e-15);
}

TEST(Softmax, NaNShows) {
  for (const double share : norma::softmax(std::array<double, 3>{0, std::nan(""), 1})) EXPECT_TRUE(std::isnan(share));
}

}  // namespace
