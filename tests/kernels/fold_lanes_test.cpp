// fold_lanes and map_lanes: position by position the bits of fold_run and map_run, for whole and for ragged tiles, next to forbidden
// memory.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <norma/kernels/fold_lanes.hpp>
#include <norma/kernels/fold_run.hpp>

#include "support/guarded.hpp"
#include "support/random.hpp"

namespace {

using norma::index_t;

/// `rows` rows of `count` positions, one behind the other, the last one's end at a forbidden page.
template <class T>
struct Matrix {
  Matrix(index_t number_of_rows, index_t count_of_positions, std::uint64_t seed)
      : rows(number_of_rows),
        count(count_of_positions),
        values(norma_test::random_values<T>(static_cast<std::size_t>(rows * count), seed, 1)),
        memory(values.size() * sizeof(T), norma_test::Placement::at_page_end) {
    if (!values.empty()) std::memcpy(memory.data(), values.data(), values.size() * sizeof(T));
  }
  T* data() const { return reinterpret_cast<T*>(memory.data()); }
  norma::LaneRows<const T> read() const { return {data(), count}; }
  norma::LaneRows<T> write() const { return {data(), count}; }
  std::vector<T> column(index_t p) const {
    std::vector<T> result;
    for (index_t i = 0; i < rows; ++i) result.push_back(data()[i * count + p]);
    return result;
  }

  index_t rows, count;
  std::vector<T> values;
  norma_test::Memory memory;
};

template <class Term, bool Whole, class T>
void check_fold(index_t n, index_t count) {
  constexpr std::size_t positions = static_cast<std::size_t>(norma::tile_positions<T>);
  const Matrix<T> x(n, count, static_cast<std::uint64_t>(n));
  alignas(64) T pivot[positions];
  for (std::size_t p = 0; p < positions; ++p) pivot[p] = static_cast<T>(p % 5) / 4;
  alignas(64) double sums[Term::sums][positions];
  if constexpr (Term::sums == 1) {
    norma::fold_lanes<Term, Whole>(x.read(), n, static_cast<int>(count), pivot, {sums[0]});
  } else {
    norma::fold_lanes<Term, Whole>(x.read(), n, static_cast<int>(count), pivot, {sums[0], sums[1]});
  }
  for (index_t p = 0; p < count; ++p) {
    const std::vector<T> column = x.column(p);
    const T* const row[1] = {column.data()};
    const T pivot_of_row[1] = {pivot[p]};
    double expected[Term::sums][4];
    if constexpr (Term::sums == 1) {
      norma::fold_run<Term>(row, n, pivot_of_row, {expected[0]});
    } else {
      norma::fold_run<Term>(row, n, pivot_of_row, {expected[0], expected[1]});
    }
    for (std::size_t s = 0; s < static_cast<std::size_t>(Term::sums); ++s) {
      ASSERT_EQ(sums[s][p], expected[s][0]) << "sum " << s << " of position " << p << ", " << n << " rows of " << count;
    }
  }
}

template <class T>
class FoldLanes : public testing::Test {};
using Elements = testing::Types<float, double>;
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
  constexpr std::size_t positions = static_cast<std::size_t>(Tiles * norma::tile_positions<T>);
  const Matrix<T> x(n, count, 7), y(n, count, 8);
  alignas(64) T mean[positions], rstd[positions], shift[positions];
  for (std::size_t p = 0; p < positions; ++p) {
    mean[p] = static_cast<T>(p % 3);
    rstd[p] = T(1) + static_cast<T>(p % 7) / 8;
    shift[p] = static_cast<T>(p % 2) / 16;
  }
  const std::vector<T> weight = norma_test::random_values<T>(static_cast<std::size_t>(n), 9),
                       bias = norma_test::random_values<T>(static_cast<std::size_t>(n), 10);
  const norma::AffineColumn<T> affine{weight.data(), parameter_stride, bias.data(), parameter_stride, T(0.5)};
  const auto before = x.values;
  norma::map_lanes<Whole, Stream, Tiles>(x.read(), in_place ? x.write() : y.write(), n, static_cast<int>(count), {mean, rstd, shift},
                                         affine);
  const T* const result = (in_place ? x : y).data();
  for (index_t i = 0; i < n; ++i) {
    for (index_t p = 0; p < count; ++p) {
      // One element as a run of length 1.
      const T* const from[1] = {before.data() + i * count + p};
      T expected = 0;
      T* const to[1] = {&expected};
      norma::map_run<false, false, false, true>(from, to, 1, {mean + p, rstd + p, shift + p},
                                                {weight.data() + i * parameter_stride, bias.data() + i * parameter_stride, T(0.5)});
      ASSERT_EQ(result[i * count + p], expected) << "row " << i << ", position " << p << " of " << count;
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
