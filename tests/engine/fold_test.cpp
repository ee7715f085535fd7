// fold_sets: exact moments of exact data, chunk by chunk, for any number of rows, with and without a mean.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include <norma/engine/fold.hpp>

#include "support/exact_data.hpp"

namespace {

using norma::index_t;

/// Moments of rows, folded as a tile.
template <class T>
struct Folded {
  alignas(64) std::byte memory_of_table[static_cast<std::size_t>(norma::CellTable<T>::bytes(16))];
  norma::CellTable<T> table{16, memory_of_table};

  Folded(bool centred, const std::vector<std::vector<T>>& rows) {
    const auto sets = static_cast<index_t>(rows.size()), size = static_cast<index_t>(rows[0].size());
    std::vector<T> memory;
    for (const std::vector<T>& row : rows) memory.insert(memory.end(), row.begin(), row.end());
    norma::Operands operands;
    operands[norma::stream_x] = norma::Operand(norma::TensorView<T>(memory.data(), {sets, size}));
    const norma::Layout layout({sets, size}, norma::Roles(0b10u), operands);
    const norma::Sweep<T, T, 1> sweep(layout, operands, {norma::stream_x});
    norma::FoldedTile<T, T> tile(sweep, norma::Order::lanes);
    sweep.start(0, sets, tile.tile);
    norma::fold_cells(centred, tile, size, table);
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

}  // namespace
