// Layout: axes split into averaged and kept, ordered by x's memory, collapsed where every stream allows it.
#include <gtest/gtest.h>

#include <vector>

#include <norma/engine/layout.hpp>

namespace {

using norma::AxisSet;
using norma::Extents;
using norma::Operand;
using norma::Operands;
using norma::TensorView;

float memory[1];

/// Only x and y, of these strides.
Operands operands(const Extents& extents, const Extents& x_strides, const Extents& y_strides) {
  Operands result;
  result[norma::stream_x] = Operand(TensorView<float>(memory, extents, x_strides));
  result[norma::stream_y] = Operand(TensorView<float>(memory, extents, y_strides));
  return result;
}

/// x and y both contiguous.
norma::Layout contiguous(const Extents& extents, AxisSet averaged) {
  const TensorView<float> x(memory, extents);
  return norma::Layout(extents, averaged, operands(extents, x.strides(), x.strides()));
}

TEST(Layout, TrailingAxesCollapseToRows) {
  const norma::Layout l = contiguous({2, 3, 4, 5}, 0b1100);
  EXPECT_EQ(l.sets, 6);
  EXPECT_EQ(l.set_size, 20);
  EXPECT_EQ(l.averaged.count, 1);
  EXPECT_EQ(l.averaged.axis[0].stride[norma::stream_x], 1);
  EXPECT_EQ(l.kept.count, 1);
  EXPECT_EQ(l.kept.axis[0].stride[norma::stream_x], 20);
}

TEST(Layout, ChannelsOfNCHWStayInPlace) {
  const norma::Layout l = contiguous({2, 96, 7, 9}, 0b0010);
  EXPECT_EQ(l.sets, 2 * 63);
  EXPECT_EQ(l.set_size, 96);
  ASSERT_EQ(l.averaged.count, 1);
  EXPECT_EQ(l.averaged.axis[0].stride[norma::stream_x], 63);
  EXPECT_EQ(l.kept.count, 2) << "the two spatial axes are one run, the batch another";
}

TEST(Layout, NonAdjacentAxes) {
  const norma::Layout l = contiguous({2, 3, 4}, 0b101);
  EXPECT_EQ(l.sets, 3);
  EXPECT_EQ(l.set_size, 8);
  EXPECT_EQ(l.averaged.count, 2);
}

TEST(Layout, AxesOfExtentOneDoNotMatter) {
  const norma::Layout l = contiguous({1, 5, 1, 7, 1}, 0b11010);
  EXPECT_EQ(l.averaged.count, 1);
  EXPECT_EQ(l.set_size, 35);
  EXPECT_EQ(l.kept.count, 0);
  EXPECT_EQ(l.sets, 1);
}

TEST(Layout, EmptyAxes) {
  EXPECT_EQ(contiguous({0, 5}, 0b10).sets, 0);
  EXPECT_EQ(contiguous({5, 0}, 0b10).set_size, 0);
}

TEST(Layout, AStreamThatDisagreesPreventsCollapsing) {
  const Extents extents{2, 3, 4};
  const norma::Layout l(extents, 0b110, operands(extents, {12, 4, 1}, {12, 1, 3}));
  EXPECT_EQ(l.averaged.count, 2);
  EXPECT_EQ(l.set_size, 12);
}

/// Offsets of a stream along a list visit exactly the tensor's elements.
TEST(Layout, OffsetsReachEveryElementOnce) {
  for (const AxisSet averaged : {0b001u, 0b010u, 0b100u, 0b011u, 0b101u, 0b110u, 0b111u}) {
    for (const Extents& strides : {Extents{12, 4, 1}, Extents{1, 2, 6}, Extents{4, 8, 1}, Extents{3, 1, 6}}) {
      const Extents extents{2, 3, 4};
      const norma::Layout l(extents, averaged, operands(extents, strides, strides));
      std::vector<int> visits(200, 0);
      for (norma::index_t set = 0; set < l.sets; ++set) {
        for (norma::index_t e = 0; e < l.set_size; ++e) {
          ++visits[static_cast<std::size_t>(l.kept.offset(norma::stream_x, set) + l.averaged.offset(norma::stream_x, e))];
        }
      }
      std::vector<int> expected(200, 0);
      for (norma::index_t i = 0; i < 2; ++i) {
        for (norma::index_t j = 0; j < 3; ++j) {
          for (norma::index_t k = 0; k < 4; ++k) ++expected[static_cast<std::size_t>(i * strides[0] + j * strides[1] + k * strides[2])];
        }
      }
      EXPECT_EQ(visits, expected) << "averaged " << averaged;
    }
  }
}

TEST(Layout, StatisticsLieInRowMajorOrderOfTheKeptAxes) {
  const Extents extents{2, 3, 4};
  const norma::Layout l(extents, 0b010, operands(extents, {1, 2, 6}, {1, 2, 6}));  // memory order reversed
  std::vector<int> seen(8, 0);
  for (norma::index_t set = 0; set < l.sets; ++set) {
    const norma::index_t x = l.kept.offset(norma::stream_x, set), stat = l.kept.offset(norma::stream_stat, set);
    const norma::index_t i = x % 2, k = x / 6;
    EXPECT_EQ(stat, i * 4 + k);
    ++seen[static_cast<std::size_t>(stat)];
  }
  EXPECT_EQ(seen, std::vector<int>(8, 1));
}

TEST(Layout, AveragedAxesFollowTheMemoryOfX) {
  const Extents extents{3, 4};
  const norma::Layout l(extents, 0b11, operands(extents, {1, 3}, {4, 1}));
  ASSERT_EQ(l.averaged.count, 2);
  EXPECT_EQ(l.averaged.axis[1].stride[norma::stream_x], 1) << "x's fastest axis is walked innermost";
  const norma::Layout flipped(extents, 0b11, operands(extents, {-1, 3}, {4, 1}));
  EXPECT_EQ(flipped.averaged.axis[1].stride[norma::stream_x], -1) << "the size of a stride orders, not its sign";
}

}  // namespace
