// Layout: axes split into averaged and kept, ordered by x's memory, collapsed where every stream allows it.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include <norma/engine/layout.hpp>

namespace {

using norma::AxisSet;
using norma::Extents;
using norma::index_t;
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

TEST(Layout, AxesCollapseWhereTheyLieAsOneRun) {
  struct Row {
    const char* what;
    Extents extents;
    AxisSet averaged;
    norma::index_t sets, set_size;
    int averaged_runs, kept_runs;
  };
  for (const Row& row :
       {Row{"trailing axes are rows", {2, 3, 4, 5}, 0b1100, 6, 20, 1, 1},
        Row{"channels of NCHW: two spatial axes are one run, the batch another", {2, 96, 7, 9}, 0b0010, 126, 96, 1, 2},
        Row{"axes apart", {2, 3, 4}, 0b101, 3, 8, 2, 1}, Row{"extents of one do not matter", {1, 5, 1, 7, 1}, 0b11010, 1, 35, 1, 0}}) {
    SCOPED_TRACE(row.what);
    const norma::Layout l = contiguous(row.extents, row.averaged);
    EXPECT_EQ(l.sets, row.sets);
    EXPECT_EQ(l.set_size, row.set_size);
    EXPECT_EQ(l.averaged.count, row.averaged_runs);
    EXPECT_EQ(l.kept.count, row.kept_runs);
  }
  const norma::Layout rows = contiguous({2, 3, 4, 5}, 0b1100);
  EXPECT_EQ(rows.averaged.axis[0].stride[norma::stream_x], 1);
  EXPECT_EQ(rows.kept.axis[0].stride[norma::stream_x], 20);
  EXPECT_EQ(contiguous({2, 96, 7, 9}, 0b0010).averaged.axis[0].stride[norma::stream_x], 63);
  EXPECT_EQ(contiguous({0, 5}, 0b10).sets, 0);
  EXPECT_EQ(contiguous({5, 0}, 0b10).set_size, 0);
}

TEST(Layout, AStreamThatDisagreesPreventsCollapsing) {
  const Extents extents{2, 3, 4};
  const norma::Layout l(extents, 0b110, operands(extents, {12, 4, 1}, {12, 1, 3}));
  EXPECT_EQ(l.averaged.count, 2);
  EXPECT_EQ(l.set_size, 12);
}

TEST(Layout, AveragedAxesFollowTheMemoryOfX) {
  const Extents extents{3, 4};
  const norma::Layout l(extents, 0b11, operands(extents, {1, 3}, {4, 1}));
  ASSERT_EQ(l.averaged.count, 2);
  EXPECT_EQ(l.averaged.axis[1].stride[norma::stream_x], 1) << "x's fastest axis is walked innermost";
  const norma::Layout flipped(extents, 0b11, operands(extents, {-1, 3}, {4, 1}));
  EXPECT_EQ(flipped.averaged.axis[1].stride[norma::stream_x], -1) << "the size of a stride orders, not its sign";
}

TEST(Layout, OffsetsOfManyAreThoseOfEach) {
  norma::AxisList list;
  list.count = 4;
  // Steps that continue each other, repeat, go back, and lie anyhow.
  for (const std::array<index_t, 4>& strides : {std::array<index_t, 4>{60, 20, 5, 1},
                                                {0, 20, 5, 1},
                                                {60, 0, 0, 1},
                                                {1, 3, 12, 36},
                                                {-60, 20, -5, 1},
                                                {7, 0, 11, 0},
                                                {9, 1, 1, 1},
                                                {0, 0, 0, 0},
                                                {100, 20, 5, 1}}) {
    constexpr index_t extents[4] = {2, 3, 4, 5};
    for (std::size_t a = 0; a < 4; ++a) list.axis[a] = {extents[a], {strides[a]}};
    for (index_t first = 0; first < 120; ++first) {
      for (const index_t n : {index_t{1}, index_t{4}, index_t{17}, 120 - first}) {
        if (first + n > 120) continue;
        index_t place[120];
        list.offsets(norma::stream_x, first, n, place);
        for (index_t i = 0; i < n; ++i) ASSERT_EQ(place[i], list.offset(norma::stream_x, first + i)) << first << '+' << i;
      }
    }
  }
}

TEST(Layout, NeighboursAbreastAreCellsOfTheSameSets) {
  const Extents extents{2, 3, 4, 10}, strides{120, 1, 30, 3};  // channels-last
  norma::Roles roles = norma::Roles(0b1101).of_planes();
  roles.abreast = 5;
  const norma::Layout l(extents, roles, operands(extents, strides, strides));
  EXPECT_EQ(l.sets, 15);
  EXPECT_EQ(l.set_size, 16);
  ASSERT_EQ(l.averaged.count, 1) << "samples and rows of five positions are one run";
  EXPECT_EQ(l.averaged.axis[0].stride[norma::stream_x], 15);
  norma::index_t place[15], set[15];
  l.kept.offsets(norma::stream_x, 0, 15, place);
  l.kept.offsets(norma::stream_stat, 0, 15, set);
  for (int i = 0; i < 15; ++i) {
    EXPECT_EQ(place[i], i);
    EXPECT_EQ(set[i], i % 3);
  }
}

}  // namespace
