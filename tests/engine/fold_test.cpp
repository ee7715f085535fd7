// fold_sets: exact moments of exact data, chunk by chunk, for any number of rows side by side, with and without a mean.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include <norma/engine/fold.hpp>

#include "support/exact_data.hpp"

namespace {

using norma::index_t;

template <class T>
struct Folded {
  norma::MomentTable<T, norma::tile_rows> table;

  Folded(bool centred, const std::vector<std::vector<T>>& rows) {
    const auto read = [&](index_t first, index_t) {
      for (std::size_t r = 0; r < rows.size(); ++r) at_[r] = rows[r].data() + first;
      return static_cast<const T* const*>(at_);
    };
    const norma::RowSource<T, decltype(read)> source{static_cast<index_t>(rows.size()), read};
    norma::fold_sets(centred, static_cast<index_t>(rows[0].size()), static_cast<index_t>(rows.size()), table, source);
  }

 private:
  const T* at_[norma::tile_rows] = {};
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
        EXPECT_EQ(folded.table.second[r], made[r].m2 * (1.0 / static_cast<double>(n))) << "row " << r << " of " << n;
        EXPECT_EQ(uncentred.table.mean[r], 0);
        EXPECT_NEAR(uncentred.table.second[r], made[r].sum_squares / static_cast<double>(n),
                    4 * static_cast<double>(std::numeric_limits<T>::epsilon()) * made[r].sum_squares / static_cast<double>(n));
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
  EXPECT_EQ(folded.table.second[0], 9);
  row.assign(chunk + chunk / 2, 1);  // the last chunk is half a chunk
  for (std::size_t i = chunk; i < row.size(); ++i) row[i] = 4;
  const Folded<T> uneven(true, {row});
  EXPECT_DOUBLE_EQ(uneven.table.pivot[0] + uneven.table.mean[0], 2);
  EXPECT_DOUBLE_EQ(uneven.table.second[0], 2);
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
    EXPECT_EQ(together.table.second[r], alone.table.second[0]);
  }
}

}  // namespace
