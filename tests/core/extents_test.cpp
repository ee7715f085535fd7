// Extents: a short list of integers from whatever integers come in.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <norma/core/extents.hpp>

namespace {

using norma::Extents;

TEST(Extents, FromBracesSingleNumbersAndRanges) {
  EXPECT_EQ(Extents().size(), 0);
  EXPECT_EQ(Extents().product(), 1) << "rank 0 has one element";
  EXPECT_EQ(Extents(5), (Extents{5}));
  EXPECT_EQ((Extents{std::size_t(2), -3, std::int8_t(4)}), (Extents(std::vector<int>{2, -3, 4})));
  EXPECT_EQ(Extents(std::array<unsigned, 2>{7, 8}), (Extents{7, 8}));
  const std::vector<long> numbers = {1, 2};
  EXPECT_EQ(Extents(std::span<const long>(numbers)), (Extents{1, 2}));
}

TEST(Extents, AreAList) {
  EXPECT_EQ((Extents{2, 3, 4}).product(), 24);
  EXPECT_EQ((Extents{2, 0, 4}).product(), 0);
  EXPECT_NE((Extents{2, 3}), (Extents{3, 2}));
  EXPECT_NE((Extents{2}), (Extents{2, 1}));
  EXPECT_EQ((Extents{}), Extents());
  Extents e{4, 5, 6};
  e[1] = 50;
  EXPECT_EQ(std::vector<norma::index_t>(e.begin(), e.end()), (std::vector<norma::index_t>{4, 50, 6}));
}

TEST(Extents, ProductsBeyondAllIntegersAreTheLargest) {
  const norma::index_t large = norma::index_t{1} << 40;
  EXPECT_EQ((Extents{large, 1 << 22}).product(), norma::index_t{1} << 62);
  EXPECT_EQ((Extents{large, 1 << 23}).product(), norma::largest_index);
  EXPECT_EQ((Extents{large, large, large, 3}).product(), norma::largest_index);
  EXPECT_EQ((Extents{large, large, 0}).product(), 0);
}

TEST(Extents, MoreThanEightIsAnError) {
  EXPECT_EQ(Extents(std::vector<int>(8, 1)).size(), 8);
  EXPECT_THROW(Extents(std::vector<int>(9, 1)), norma::ShapeError);
  EXPECT_THROW((Extents{1, 1, 1, 1, 1, 1, 1, 1, 1}), norma::ShapeError);
}

TEST(Extents, CheckedAxis) {
  EXPECT_EQ(norma::checked_axis("who", 0, 3), 0);
  EXPECT_EQ(norma::checked_axis("who", -1, 3), 2);
  EXPECT_EQ(norma::checked_axis("who", -3, 3), 0);
  for (const norma::index_t axis : {3, -4, 100}) EXPECT_THROW(norma::checked_axis("who", axis, 3), norma::ShapeError);
  EXPECT_THROW(norma::checked_axis("who", 0, 0), norma::ShapeError);
}

}  // namespace
