// fold_columns, backward_fold_columns, sum_columns: exact where the data allow it, for whole and for ragged tiles, next to forbidden
// memory.
#include <gtest/gtest.h>

#include <norma/kernels/fold_columns.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

using norma::index_t;

template <class T>
class FoldColumns : public testing::Test {};
TYPED_TEST_SUITE(FoldColumns, Elements);

/// fold_columns of x, and backward_fold_columns of dy and x.
template <class T, bool Whole, int Tiles>
void check(index_t n, index_t count) {
  const Matrix<T> dy(n, count, 2, small_integers<T>), x(n, count, 3, small_integers<T>);
  const Coefficients<T, positions<T, Tiles>> c;
  const T* const pivot = c.mean;
  Sums<norma::CentredTerm, positions<T, Tiles>> forward, backward;
  norma::fold_columns<norma::CentredTerm, Whole, Tiles, T>(x.read(), n, static_cast<int>(count), pivot, forward.to);
  norma::backward_fold_columns<Whole, Tiles, T>(dy.read(), x.read(), n, static_cast<int>(count), c.all(), backward.to);
  for (index_t p = 0; p < count; ++p) {
    double sum = 0, squares = 0, sum_dy = 0, sum_dy_x_hat = 0;
    for (index_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(x.at(i, p) - pivot[p]);
      sum += d;
      squares += d * d;
      sum_dy += static_cast<double>(dy.at(i, p));
      sum_dy_x_hat += static_cast<double>(dy.at(i, p) * c.x_hat(x.at(i, p), p));
    }
    SCOPED_TRACE(testing::Message() << "position " << p << " of " << count << ", " << n << " rows");
    ASSERT_EQ(forward.of[0][p], sum);
    ASSERT_EQ(forward.of[1][p], squares);
    ASSERT_EQ(backward.of[0][p], sum_dy);
    ASSERT_EQ(backward.of[1][p], sum_dy_x_hat);
  }
}

TYPED_TEST(FoldColumns, SumsAreExactOnIntegers) {
  constexpr index_t tile = norma::tile_positions<TypeParam>, wide = norma::wide_tiles * tile, block = norma::column_rows;
  for (const index_t n : {index_t(1), index_t(2), index_t(7), block - 1, block, block + 1, 3 * block, 3 * block + 5}) {
    for (const index_t count : {index_t(1), tile / 2 + 1, tile - 1}) check<TypeParam, false, 1>(n, count);
    check<TypeParam, true, 1>(n, tile);
    check<TypeParam, true, norma::wide_tiles>(n, wide);
  }
}

/// 0.1 has no exact multiples but by powers of two: any other order of additions would round.
template <class T, bool Whole, int Tiles>
void check_constant(index_t n, index_t count) {
  const auto constant_columns = [&](std::size_t size, std::uint64_t) {
    std::vector<T> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = T(0.1) * static_cast<T>(i % static_cast<std::size_t>(count) + 1);
    return values;
  };
  const Matrix<T> x(n, count, 0, constant_columns);
  alignas(64) double sums[positions<T, Tiles>];
  norma::sum_columns<Whole, Tiles, T>(x.read(), n, static_cast<int>(count), sums);
  for (index_t p = 0; p < count; ++p)
    ASSERT_EQ(sums[p], static_cast<double>(n) * static_cast<double>(x.at(0, p)))
        << "position " << p << " of " << count << ", " << n << " rows";
}

TYPED_TEST(FoldColumns, TheSumOfAPowerOfTwoEqualNumbersIsExact) {
  constexpr index_t tile = norma::tile_positions<TypeParam>;
  for (const index_t n : {1, 2, 4, 8, 16, 32, 64}) {
    check_constant<TypeParam, false, 1>(n, 3);
    check_constant<TypeParam, true, 1>(n, tile);
    check_constant<TypeParam, true, norma::wide_tiles>(n, norma::wide_tiles * tile);
  }
}

}  // namespace
}  // namespace norma_test
