// The fixed lanes and their fold tree: exactly lane l + lane (l + H), whatever the register width.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <norma/simd/lane_sum.hpp>

#include "support/random.hpp"

namespace {

using norma::LaneSum;

/// The promised tree in scalars.
template <class T>
T tree(std::vector<T> lane) {
  for (std::size_t half = lane.size() / 2; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) {
      const volatile T sum = lane[l] + lane[l + half];
      lane[l] = sum;
    }
  }
  return lane[0];
}

template <class T>
LaneSum<T> sum_of(const std::vector<T>& lane) {
  LaneSum<T> sum;
  for (int k = 0; k < norma::lane_packs<T>; ++k) sum.packs[k] = norma::load(lane.data() + k * norma::pack_size<T>);
  return sum;
}

template <class T>
constexpr std::size_t L = static_cast<std::size_t>(norma::lanes<T>);

template <class T>
class LaneSumTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(LaneSumTest, Elements);

TYPED_TEST(LaneSumTest, ThereAre32FloatsOr16Doubles) {
  EXPECT_EQ(norma::lanes<TypeParam>, sizeof(TypeParam) == 4 ? 32 : 16);
  EXPECT_EQ(norma::lane_packs<TypeParam> * norma::pack_size<TypeParam>, norma::lanes<TypeParam>);
}

template <std::size_t R, class T>
void check_trees() {
  std::array<LaneSum<T>, R> sums;
  T out[R < 4 ? 4 : R];
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<T> expected;
    for (std::size_t r = 0; r < R; ++r) {
      // Very different magnitudes, so that every other order rounds differently sooner or later.
      auto lane = norma_test::random_values<T>(L<T>, seed * 10 + r, static_cast<double>(r));
      norma_test::Random random(seed);
      for (T& v : lane) v *= static_cast<T>(1 << random.below(24));
      sums[r] = sum_of(lane);
      expected.push_back(tree(lane));
      EXPECT_EQ(norma::fold_tree(sums[r]), expected[r]) << "seed " << seed;
    }
    norma::fold_trees(sums, out);
    for (std::size_t r = 0; r < R; ++r) EXPECT_EQ(out[r], expected[r]) << r << " of " << R;
  }
}

TYPED_TEST(LaneSumTest, FoldsOneOrSeveralInTheOrderOfTheTree) {
  check_trees<1, TypeParam>();
  check_trees<2, TypeParam>();
  check_trees<3, TypeParam>();
  check_trees<4, TypeParam>();
}

TYPED_TEST(LaneSumTest, NotANumberInAnyLaneReachesTheRoot) {
  using T = TypeParam;
  const std::vector<T> ones(L<T>, T(1)), twos(L<T>, T(2));
  for (std::size_t l = 0; l < L<T>; ++l) {
    std::vector<T> lane = ones;
    lane[l] = std::numeric_limits<T>::quiet_NaN();
    EXPECT_TRUE(std::isnan(norma::fold_tree(sum_of(lane)))) << "lane " << l;
    const std::array<LaneSum<T>, 4> sums = {sum_of(ones), sum_of(lane), sum_of(lane), sum_of(twos)};
    T out[4];
    norma::fold_trees(sums, out);
    EXPECT_EQ(out[0], static_cast<T>(L<T>));
    EXPECT_EQ(out[3], T(2) * static_cast<T>(L<T>));
    EXPECT_TRUE(std::isnan(out[1]) && std::isnan(out[2])) << "lane " << l;
  }
}

}  // namespace
