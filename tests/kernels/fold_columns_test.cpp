// fold_columns, backward_fold_columns, sum_columns: exact where the data allow it, for whole and for ragged tiles, next to forbidden
// memory.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <norma/kernels/fold_columns.hpp>

#include "support/exact_data.hpp"
#include "support/guarded.hpp"

namespace {

using norma::index_t;

/// `rows` rows of `count` values, one behind the other, the last one's end at a forbidden page.
template <class T>
struct Rows {
  Rows(index_t number_of_rows, index_t count_of_positions, const std::vector<T>& elements)
      : rows(number_of_rows),
        count(count_of_positions),
        values(elements),
        memory(values.size() * sizeof(T), norma_test::Placement::at_page_end) {
    std::memcpy(memory.data(), values.data(), values.size() * sizeof(T));
  }
  static Rows integers(index_t rows, index_t count, std::uint64_t seed) {
    return {rows, count, norma_test::small_integers<T>(static_cast<std::size_t>(rows * count), seed)};
  }
  norma::LaneRows<const T> read() const { return {reinterpret_cast<const T*>(memory.data()), count}; }
  T at(index_t i, index_t p) const { return values[static_cast<std::size_t>(i * count + p)]; }

  index_t rows, count;
  std::vector<T> values;
  norma_test::Memory memory;
};

/// One number per position: p modulo `period`, 0 behind the last position.
template <class T, int Tiles>
struct Column {
  static constexpr std::size_t positions = static_cast<std::size_t>(Tiles * norma::tile_positions<T>);
  alignas(64) T value[positions];

  Column(std::size_t period, index_t count) {
    for (std::size_t p = 0; p < positions; ++p) value[p] = static_cast<index_t>(p) < count ? static_cast<T>(p % period) : T(0);
  }
};

template <class T>
class FoldColumns : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(FoldColumns, Elements);

template <class T, bool Whole, int Tiles>
void check_forward(index_t n, index_t count) {
  const auto x = Rows<T>::integers(n, count, 1);
  const Column<T, Tiles> pivot(5, count);
  alignas(64) double sums[2][Column<T, Tiles>::positions];
  norma::fold_columns<norma::CentredTerm, Whole, Tiles, T>(x.read(), n, static_cast<int>(count), pivot.value, {sums[0], sums[1]});
  for (index_t p = 0; p < count; ++p) {
    double sum = 0, sum_of_squares = 0;
    for (index_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(x.at(i, p) - pivot.value[p]);
      sum += d;
      sum_of_squares += d * d;
    }
    ASSERT_EQ(sums[0][p], sum) << "position " << p << " of " << count << ", " << n << " rows";
    ASSERT_EQ(sums[1][p], sum_of_squares) << "position " << p << " of " << count << ", " << n << " rows";
  }
}

template <class T, bool Whole, int Tiles>
void check_backward(index_t n, index_t count) {
  const auto dy = Rows<T>::integers(n, count, 2), x = Rows<T>::integers(n, count, 3);
  const Column<T, Tiles> mean(3, count), rstd(2, count), shift(4, count);
  alignas(64) double sums[2][Column<T, Tiles>::positions];
  norma::backward_fold_columns<Whole, Tiles, T>(dy.read(), x.read(), n, static_cast<int>(count), {mean.value, rstd.value, shift.value},
                                                {sums[0], sums[1]});
  for (index_t p = 0; p < count; ++p) {
    double sum = 0, sum_x_hat = 0;
    for (index_t i = 0; i < n; ++i) {
      const T x_hat = (x.at(i, p) - mean.value[p]) * rstd.value[p] + shift.value[p];
      sum += static_cast<double>(dy.at(i, p));
      sum_x_hat += static_cast<double>(dy.at(i, p) * x_hat);
    }
    ASSERT_EQ(sums[0][p], sum) << "position " << p << " of " << count << ", " << n << " rows";
    ASSERT_EQ(sums[1][p], sum_x_hat) << "position " << p << " of " << count << ", " << n << " rows";
  }
}

TYPED_TEST(FoldColumns, SumsAreExactOnIntegers) {
  constexpr index_t tile = norma::tile_positions<TypeParam>, wide = norma::wide_tiles * tile, block = norma::column_rows;
  for (const index_t n : {index_t(1), index_t(2), index_t(7), block - 1, block, block + 1, 3 * block, 3 * block + 5}) {
    for (const index_t count : {index_t(1), tile / 2 + 1, tile - 1}) {
      check_forward<TypeParam, false, 1>(n, count);
      check_backward<TypeParam, false, 1>(n, count);
    }
    check_forward<TypeParam, true, 1>(n, tile);
    check_forward<TypeParam, true, norma::wide_tiles>(n, wide);
    check_backward<TypeParam, true, 1>(n, tile);
    check_backward<TypeParam, true, norma::wide_tiles>(n, wide);
  }
}

/// 0.1 has no exact multiples but by powers of two: any other order of additions would round.
template <class T, bool Whole, int Tiles>
void check_constant(index_t n, index_t count) {
  std::vector<T> values(static_cast<std::size_t>(n * count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(0.1) * static_cast<T>(i % static_cast<std::size_t>(count) + 1);
  const Rows<T> x(n, count, values);
  alignas(64) double sums[Column<T, Tiles>::positions];
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
