// fold_lanes and map_lanes: position by position the bits of fold_run and map_run, for whole and for ragged tiles, next to forbidden
// memory.
#include <gtest/gtest.h>

#include <norma/kernels/fold_lanes.hpp>
#include <norma/kernels/fold_run.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

using norma::index_t;

template <class Term, bool Whole, class T>
void check_fold(index_t n, index_t count) {
  const Matrix<T> x(n, count, static_cast<std::uint64_t>(n), random_numbers<T>);
  alignas(64) T pivot[positions<T, 1>];
  for (std::size_t p = 0; p < positions<T, 1>; ++p) pivot[p] = static_cast<T>(p % 5) / 4;
  Sums<Term, positions<T, 1>> sums;
  norma::fold_lanes<Term, Whole>(x.read(), n, static_cast<int>(count), pivot, sums.to);
  for (index_t p = 0; p < count; ++p) {
    std::vector<T> column;
    for (index_t i = 0; i < n; ++i) column.push_back(x.at(i, p));
    const T* const row[1] = {column.data()};
    Sums<Term, 1> expected;
    norma::fold_run<Term>(row, n, pivot + p, expected.to);
    for (std::size_t s = 0; s < Term::sums; ++s)
      ASSERT_EQ(sums.of[s][p], expected.of[s][0]) << "sum " << s << " of position " << p << ", " << n << " rows of " << count;
  }
}

template <class T>
class FoldLanes : public testing::Test {};
TYPED_TEST_SUITE(FoldLanes, Elements);

TYPED_TEST(FoldLanes, AddsAsFoldRunDoes) {
  constexpr index_t tile = norma::tile_positions<TypeParam>, sweep = norma::lane_sweep<TypeParam>;
  for (const index_t n : {index_t(1), index_t(2), index_t(15), index_t(16), index_t(31), index_t(33), index_t(64), index_t(100), sweep,
                          sweep + 1, 2 * sweep + 7, index_t(1024)}) {
    for (const index_t count : {index_t(1), index_t(2), tile / 2, tile - 1}) {
      check_fold<norma::CentredTerm, false, TypeParam>(n, count);
      check_fold<norma::SumTerm, false, TypeParam>(n, count);
    }
    check_fold<norma::CentredTerm, true, TypeParam>(n, tile);
    check_fold<norma::SquareTerm, true, TypeParam>(n, tile);
  }
}

template <bool Whole, bool Stream, int Tiles, class T>
void check_map(index_t n, index_t count, index_t parameter_stride, bool in_place) {
  const Matrix<T> x(n, count, 7, random_numbers<T>), y(n, count, 8, random_numbers<T>);
  const std::vector<T> weight = random_values<T>(static_cast<std::size_t>(n), 9), bias = random_values<T>(static_cast<std::size_t>(n), 10);
  const Coefficients<T, positions<T, Tiles>> c;
  const Matrix<T>& result = in_place ? x : y;
  norma::map_lanes<Whole, Stream, Tiles>(x.read(), result.write(), n, static_cast<int>(count), c.all(),
                                         {weight.data(), parameter_stride, bias.data(), parameter_stride, T(0.5)});
  for (index_t i = 0; i < n; ++i) {
    const norma::AffineRun<T> of_row{&weight[static_cast<std::size_t>(i * parameter_stride)],
                                     &bias[static_cast<std::size_t>(i * parameter_stride)], T(0.5)};
    for (index_t p = 0; p < count; ++p) {
      // One element as a run of length 1.
      const T element = x.at(i, p);
      const T* const from[1] = {&element};
      T expected = 0;
      T* const to[1] = {&expected};
      norma::map_run<false, false, false, true>(from, to, 1, c.all().from(p), of_row);
      ASSERT_EQ(result.write()[i][p], expected) << "row " << i << ", position " << p << " of " << count;
    }
  }
}

TYPED_TEST(FoldLanes, MapsAsMapRunDoes) {
  constexpr index_t tile = norma::tile_positions<TypeParam>;
  for (const index_t n : {1, 2, 7, 8, 9, 33}) {
    for (const index_t stride : {0, 1}) {
      for (const bool in_place : {false, true}) {
        check_map<false, false, 1, TypeParam>(n, 1, stride, in_place);
        check_map<false, false, 1, TypeParam>(n, tile - 1, stride, in_place);
        check_map<true, false, 1, TypeParam>(n, tile, stride, in_place);
        check_map<true, false, norma::wide_tiles, TypeParam>(n, norma::wide_tiles * tile, stride, in_place);
      }
      // Rows of whole tiles that end at a page are aligned.
      check_map<true, true, 1, TypeParam>(n, tile, stride, false);
      check_map<true, true, norma::wide_tiles, TypeParam>(n, norma::wide_tiles * tile, stride, false);
    }
  }
}

}  // namespace
}  // namespace norma_test
