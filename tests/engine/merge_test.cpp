// merge_cells: cells in any number, alone or side by side, have the moments of all their elements in the table.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include <norma/engine/merge.hpp>

#include "support/exact_data.hpp"

namespace norma_test { namespace {

using norma::index_t;

template <class T>
class Merge : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Merge, Elements);

/// Cells of 8 elements; the sets they belong to, tile by tile.
template <class T>
void check_merge(const std::vector<std::vector<index_t>>& tiles, index_t sets) {
  alignas(64) std::byte memory[static_cast<std::size_t>(norma::SetTable<T>::bytes(32))];
  norma::SetTable<T> table(32, memory);
  table.start(sets);
  table.clear();
  std::vector<std::vector<double>> numbers(static_cast<std::size_t>(sets));
  std::uint64_t seed = 1;
  for (const auto& set : tiles) {
    alignas(64) std::byte memory_of_cells[static_cast<std::size_t>(norma::CellTable<T>::bytes(32))];
    const norma::CellTable<T> moments(32, memory_of_cells);
    for (std::size_t i = 0; i < set.size(); ++i) {
      const ExactSet cell = exact_row(8, static_cast<double>(seed % 5) * 16 + 1e6, 1, 7, seed);
      ++seed;
      moments.pivot[i] = cell.mean - 3;
      moments.mean[i] = 3;
      moments.m2[i] = cell.m2;
      auto& all = numbers[static_cast<std::size_t>(set[i])];
      all.insert(all.end(), cell.x.begin(), cell.x.end());
    }
    norma::merge_cells(moments, 0, 8, set.data(), static_cast<index_t>(set.size()), table);
  }
  for (index_t s = 0; s < sets; ++s) {
    const auto& all = numbers[static_cast<std::size_t>(s)];
    double mean = 0, m2 = 0;
    for (const double v : all) mean += (v - 1e6) / static_cast<double>(all.size());
    for (const double v : all) m2 += (v - 1e6 - mean) * (v - 1e6 - mean);
    EXPECT_NEAR((table.high[s] - 1e6) + table.low[s], mean, 1e-13) << "set " << s;
    EXPECT_NEAR(table.second[s], m2, 1e-13 * m2) << "set " << s;
    EXPECT_EQ(table.merged[s] * 8, static_cast<double>(all.size()));
  }
}

std::vector<index_t> from_to(index_t first, index_t last) {
  std::vector<index_t> result(static_cast<std::size_t>(last - first));
  std::iota(result.begin(), result.end(), first);
  return result;
}

TYPED_TEST(Merge, CellsOfOneSetAfterEachOther) { check_merge<TypeParam>({{0, 0, 0}, {0}, {0, 0}}, 1); }
TYPED_TEST(Merge, NeighboursInWholeRegistersAndARest) { check_merge<TypeParam>({from_to(0, 21), from_to(0, 21), from_to(0, 21)}, 21); }
// Neighbours of sets that have different numbers of cells already must not go side by side.
TYPED_TEST(Merge, NeighboursOfUnequalSets) { check_merge<TypeParam>({from_to(0, 9), {3, 5}, from_to(0, 9), from_to(0, 9)}, 9); }
TYPED_TEST(Merge, AnyOrder) { check_merge<TypeParam>({{2, 0, 1, 2}, {1, 1, 0, 2}, {0, 2, 1, 0}}, 3); }

/// The first of many cells has a pivot far from all others: what each merge rounds away is as large as that pivot says.
TYPED_TEST(Merge, MeansKeepWhatIsLostBesideAFarPivot) {
  constexpr index_t cells = 400;
  alignas(64) std::byte memory[static_cast<std::size_t>(norma::SetTable<TypeParam>::bytes(1))];
  norma::SetTable<TypeParam> table(1, memory);
  table.start(1);
  table.clear();
  long double sum = 0;
  for (index_t c = 0; c < cells; ++c) {
    alignas(64) std::byte memory_of_cell[static_cast<std::size_t>(norma::CellTable<TypeParam>::bytes(1))];
    const norma::CellTable<TypeParam> cell(1, memory_of_cell);
    const double mean = c == 0 ? 1e4 : 0.1 / static_cast<double>(c + 1);
    cell.pivot[0] = c == 0 ? 1e6 : 0;
    cell.mean[0] = c == 0 ? mean - 1e6 : mean;
    cell.m2[0] = 1;
    sum += static_cast<long double>(mean);
    const index_t set = 0;
    norma::merge_cells(cell, 0, 8, &set, 1, table);
  }
  ASSERT_TRUE(table.finish({norma::Statistic::Kind::deviation, 0}, 8 * cells, true));
  const long double exact = sum / cells;
  EXPECT_NEAR(table.high[0], static_cast<double>(exact), 1e-13 * static_cast<double>(exact)) << "and the low part is small";
}

}}  // namespace norma_test
