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

}}  // namespace norma_test
