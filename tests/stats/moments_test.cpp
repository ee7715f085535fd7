// The algebra of (count, mean, m2) against two-pass moments in long double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <norma/stats/moments.hpp>

#include "support/random.hpp"

namespace {

using norma::Moments;
using real = long double;

Moments<> moments_of(const std::vector<double>& x) {
  real mean = 0, m2 = 0;
  for (const double v : x) mean += v / static_cast<real>(x.size());
  for (const double v : x) m2 += (v - mean) * (v - mean);
  return {static_cast<double>(x.size()), static_cast<double>(mean), static_cast<double>(m2)};
}

constexpr double eps = std::numeric_limits<double>::epsilon();

TEST(Moments, FromSums) {
  for (const std::size_t n : {1u, 2u, 7u, 100u, 1000u}) {
    const auto d = norma_test::random_values<double>(n, n, 0.1);
    real sum = 0, squares = 0;
    for (const double v : d) {
      sum += v;
      squares += static_cast<real>(v) * v;
    }
    const auto m = Moments<>::from_sums(static_cast<double>(n), static_cast<double>(sum), static_cast<double>(squares));
    const Moments<> exact = moments_of(d);
    EXPECT_EQ(m.count, exact.count);
    EXPECT_NEAR(m.mean, exact.mean, 4 * eps);
    EXPECT_NEAR(m.m2, exact.m2, 8 * eps * static_cast<double>(squares));
    EXPECT_NEAR(m.variance(), exact.m2 / exact.count, 8 * eps * static_cast<double>(squares));
  }
}

TEST(Moments, M2IsNeverNegativeButKeepsNotANumber) {
  EXPECT_EQ(Moments<>::from_sums(3, 3, 3 - 1e-15).m2, 0.0) << "rounding made it negative";
  EXPECT_TRUE(std::isnan(Moments<>::from_sums(3, std::nan(""), 1).m2));
  EXPECT_TRUE(std::isnan(Moments<>::from_sums(3, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()).m2));
}

TEST(Moments, MergeIsTheMomentsOfTheUnion) {
  for (const double offset : {0.0, 1.0, 1e6, 1e12}) {
    for (const std::size_t na : {1u, 3u, 64u}) {
      for (const std::size_t nb : {1u, 5u, 1000u}) {
        auto a = norma_test::random_values<double>(na, na), b = norma_test::random_values<double>(nb, nb + 7, offset, 2);
        const Moments<> merged = norma::merge(moments_of(a), moments_of(b));
        a.insert(a.end(), b.begin(), b.end());
        const Moments<> exact = moments_of(a);
        EXPECT_EQ(merged.count, exact.count);
        EXPECT_NEAR(merged.mean, exact.mean, 4 * eps * (1 + offset));
        EXPECT_NEAR(merged.m2, exact.m2, 16 * eps * exact.m2);
      }
    }
  }
}

TEST(Moments, NothingAndEqualMeansMergeExactly) {
  const Moments<> some{5, 2, 3}, none;
  for (const Moments<>& m : {norma::merge(some, none), norma::merge(none, some)}) {
    EXPECT_EQ(m.count, 5);
    EXPECT_EQ(m.mean, 2);
    EXPECT_EQ(m.m2, 3);
  }
  EXPECT_EQ(norma::merge(none, none).count, 0);
  const Moments<> equal = norma::merge(Moments<>{3, 1e8, 2}, Moments<>{5, 1e8, 4});
  EXPECT_EQ(equal.mean, 1e8);
  EXPECT_EQ(equal.m2, 6);
}

TEST(TwoSum, LosesNothing) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    norma_test::Random random(seed);
    const double a = random.normal() * 0x1p40, b = random.normal();
    const auto sum = norma::two_sum(a, b);
    EXPECT_EQ(sum.high, a + b);
    EXPECT_EQ(static_cast<real>(sum.high) + sum.low, static_cast<real>(a) + b);
  }
}

}  // namespace
