// fold_sets: exact moments of exact data, chunk by chunk, for any number of rows side by side, with and without a mean.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include <norma/engine/fold.hpp>

#include "support/exact_data.hpp"

namespace {

using norma::index_t;

/// Moments of rows, folded as a tile; across_lanes: where they lie beside each other.
template <class T>
struct Folded {
  norma::TileMoments<T> table;

  Folded(bool centred, const std::vector<std::vector<T>>& rows, bool across_lanes = false, norma::Order order = norma::Order::lanes) {
    const auto sets = static_cast<index_t>(rows.size()), size = static_cast<index_t>(rows[0].size());
    std::vector<T> memory(rows.size() * rows[0].size());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::size_t i = 0; i < rows[r].size(); ++i) memory[across_lanes ? i * rows.size() + r : r * rows[r].size() + i] = rows[r][i];
    }
    const norma::Extents strides = across_lanes ? norma::Extents{1, sets} : norma::Extents{size, 1};
    norma::Operands operands;
    operands[norma::stream_x] = norma::Operand(norma::TensorView<T>(memory.data(), {sets, size}, strides));
    const norma::Layout layout({sets, size}, norma::Roles(0b10u), operands);
    const norma::Sweep<T, 1> sweep(layout, operands, {norma::stream_x}, 0, false, order == norma::Order::chain);
    norma::FoldedTile<T> tile(sweep, order);
    sweep.start(0, sets, tile.tile);
    norma::fold_cells(centred, tile, size, table.columns());
  }
};

template <class T>
class Fold : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Fold, Elements);

TYPED_TEST(Fold, MomentsOfExactDataAreExact) {
  using T = TypeParam;
  for (const std::size_t sets : {1u, 2u, 3u, 4u, 7u, 8u, 16u}) {
    for (const std::size_t n : {1u, 2u, 16u, 31u, 64u, 100u, 1024u, 1025u, 8192u}) {
      std::vector<std::vector<T>> rows;
      std::vector<norma_test::ExactSet> made;
      for (std::size_t r = 0; r < sets; ++r) {
        made.push_back(norma_test::exact_row(n, 4.0 * static_cast<double>(r) - 8, 0.125, 7, n + r));
        rows.emplace_back(made[r].x.begin(), made[r].x.end());
      }
      const Folded<T> folded(true, rows);
      const Folded<T> uncentred(false, rows);
      for (std::size_t r = 0; r < sets; ++r) {
        EXPECT_EQ(folded.table.pivot[r] + folded.table.mean[r], made[r].mean) << "row " << r << " of " << n;
        EXPECT_EQ(folded.table.m2[r], made[r].m2) << "row " << r << " of " << n;
        EXPECT_EQ(uncentred.table.mean[r], 0);
        EXPECT_NEAR(uncentred.table.m2[r], made[r].sum_squares,
                    4 * static_cast<double>(std::numeric_limits<T>::epsilon()) * made[r].sum_squares);
      }
    }
  }
}

// Chunks of very different means, powers of two of them: (0, 0, 6) has mean 2 and variance 8.
TYPED_TEST(Fold, ChunksAreMergedByTheirCounts) {
  using T = TypeParam;
  const auto chunk = static_cast<std::size_t>(norma::chunk_length);
  std::vector<T> row(2 * chunk, 0);
  row.insert(row.end(), 2 * chunk, 6);
  const Folded<T> folded(true, {row});
  EXPECT_EQ(folded.table.pivot[0] + folded.table.mean[0], 3);
  EXPECT_EQ(folded.table.m2[0], 9 * 4 * static_cast<double>(chunk));
  row.assign(chunk + chunk / 2, 1);  // the last chunk is half a chunk
  for (std::size_t i = chunk; i < row.size(); ++i) row[i] = 4;
  const Folded<T> uneven(true, {row});
  EXPECT_DOUBLE_EQ(uneven.table.pivot[0] + uneven.table.mean[0], 2);
  EXPECT_DOUBLE_EQ(uneven.table.m2[0], 2 * 1.5 * static_cast<double>(chunk));
}

TYPED_TEST(Fold, ARowDoesNotDependOnItsNeighbours) {
  using T = TypeParam;
  std::vector<std::vector<T>> rows;
  for (std::size_t r = 0; r < 13; ++r) rows.push_back(norma_test::random_values<T>(777, r, static_cast<double>(r)));
  const Folded<T> together(true, rows);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Folded<T> alone(true, {rows[r]});
    EXPECT_EQ(together.table.pivot[r], alone.table.pivot[0]);
    EXPECT_EQ(together.table.mean[r], alone.table.mean[0]);
    EXPECT_EQ(together.table.m2[r], alone.table.m2[0]);
  }
}

/// Sets that lie beside each other have the bits of rows, unless they are summed in a chain.
TYPED_TEST(Fold, AcrossLanesInTheOrderOfRows) {
  using T = TypeParam;
  for (const std::size_t n : {1u, 7u, 33u, 500u, 1100u, 9000u}) {
    std::vector<std::vector<T>> rows;
    for (std::size_t r = 0; r < 13; ++r) rows.push_back(norma_test::random_values<T>(n, r, static_cast<double>(r)));
    const Folded<T> as_rows(true, rows), across(true, rows, true), chain(true, rows, true, norma::Order::chain);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      EXPECT_EQ(across.table.pivot[r], as_rows.table.pivot[r]) << n;
      EXPECT_EQ(across.table.mean[r], as_rows.table.mean[r]) << n;
      EXPECT_EQ(across.table.m2[r], as_rows.table.m2[r]) << n;
      EXPECT_EQ(chain.table.pivot[r], as_rows.table.pivot[r]) << "the pivot of a constant set is that constant in any order";
      EXPECT_NEAR(chain.table.m2[r], as_rows.table.m2[r], 1e-5 * as_rows.table.m2[r]) << n;
    }
  }
}

}  // namespace
