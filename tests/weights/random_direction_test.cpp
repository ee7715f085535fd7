// RandomDirection: unit vectors that prefer no direction, the same for a seed on every machine.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <norma/weights/random_direction.hpp>

namespace {

template <class T>
std::vector<T> drawn(std::uint64_t seed, std::size_t n) {
  std::vector<T> direction(n);
  norma::RandomDirection(seed).draw(std::span<T>(direction));
  return direction;
}

TEST(RandomDirection, HasLengthOneAndPrefersNone) {
  for (const std::uint64_t seed : {0u, 1u, 5u, 1234567u}) {
    const std::vector<double> direction = drawn<double>(seed, 4096);
    double sum = 0, squares = 0, fourth = 0;
    for (const double e : direction) {
      sum += e;
      squares += e * e;
      fourth += e * e * e * e;
    }
    EXPECT_NEAR(squares, 1, 1e-14);
    EXPECT_LT(std::abs(sum), 4) << "the sum of n elements of size 1 / sqrt(n) is of size 1";
    EXPECT_NEAR(fourth * 4096, 2.7, 0.3) << "four uniform numbers have kurtosis 2.7";
  }
}

TEST(RandomDirection, FollowsFromTheSeedAlone) {
  EXPECT_EQ(drawn<float>(5, 40), drawn<float>(5, 40));
  EXPECT_NE(drawn<float>(5, 40), drawn<float>(6, 40));
  const std::vector<double> twice = [] {
    std::vector<double> all(6);
    norma::RandomDirection stream(5);
    stream.draw(std::span<double>(all).first(3));
    stream.draw(std::span<double>(all).last(3));
    return all;
  }();
  EXPECT_EQ(std::vector<double>(twice.begin(), twice.begin() + 3), drawn<double>(5, 3));
  EXPECT_NE(std::vector<double>(twice.begin() + 3, twice.end()), drawn<double>(5, 3));
}

}  // namespace
