// The fixed lanes and their fold tree: exactly lane l + lane (l + H), whatever the register width.
#include <gtest/gtest.h>

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
class LaneSumTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(LaneSumTest, Elements);

TYPED_TEST(LaneSumTest, ThereAre32FloatsOr16Doubles) {
  EXPECT_EQ(norma::lanes<TypeParam>, sizeof(TypeParam) == 4 ? 32 : 16);
  EXPECT_EQ(norma::lane_packs<TypeParam> * norma::pack_size<TypeParam>, norma::lanes<TypeParam>);
}

TYPED_TEST(LaneSumTest, StartsAtZero) {
  LaneSum<TypeParam> sum;
  sum.clear();
  EXPECT_EQ(norma::fold_tree(sum), TypeParam(0));
}

TYPED_TEST(LaneSumTest, FoldsInTheOrderOfTheTree) {
  using T = TypeParam;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    // Very different magnitudes, so that every other order rounds differently sooner or later.
    auto lane = norma_test::random_values<T>(static_cast<std::size_t>(norma::lanes<T>), seed);
    norma_test::Random random(seed);
    for (T& v : lane) v *= static_cast<T>(1 << random.below(24));
    EXPECT_EQ(norma::fold_tree(sum_of(lane)), tree(lane)) << "seed " << seed;
  }
}

template <std::size_t R, class T>
void check_trees() {
  LaneSum<T> sums[R];
  double out[R];
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<T> expected;
    for (std::size_t r = 0; r < R; ++r) {
      const auto lane = norma_test::random_values<T>(static_cast<std::size_t>(norma::lanes<T>), seed * 10 + r, static_cast<double>(r));
      sums[r] = sum_of(lane);
      expected.push_back(tree(lane));
    }
    norma::fold_trees(sums, out);
    for (std::size_t r = 0; r < R; ++r) EXPECT_EQ(out[r], static_cast<double>(expected[r])) << r << " of " << R;
  }
}

TYPED_TEST(LaneSumTest, SeveralTreesAtOnceAreTheSameTrees) {
  check_trees<1, TypeParam>();
  check_trees<2, TypeParam>();
  check_trees<3, TypeParam>();
  check_trees<4, TypeParam>();
}

TYPED_TEST(LaneSumTest, NotANumberInAnyLaneReachesTheRoot) {
  using T = TypeParam;
  for (std::size_t l = 0; l < static_cast<std::size_t>(norma::lanes<T>); ++l) {
    std::vector<T> lane(static_cast<std::size_t>(norma::lanes<T>), T(1));
    lane[l] = std::numeric_limits<T>::quiet_NaN();
    EXPECT_NE(norma::fold_tree(sum_of(lane)), norma::fold_tree(sum_of(lane))) << "lane " << l;
    LaneSum<T> sums[4] = {sum_of(std::vector<T>(lane.size(), T(1))), sum_of(lane), sum_of(lane), sum_of(std::vector<T>(lane.size(), T(2)))};
    double out[4];
    norma::fold_trees(sums, out);
    EXPECT_EQ(out[0], static_cast<double>(lane.size()));
    EXPECT_EQ(out[3], 2.0 * static_cast<double>(lane.size()));
    EXPECT_NE(out[1], out[1]);
    EXPECT_NE(out[2], out[2]);
  }
}

}  // namespace
