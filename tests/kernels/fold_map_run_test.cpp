// fold_map_rows: the bits of fold_run and of map_run, for every length, whatever rows go together.
#include <gtest/gtest.h>

#include <vector>

#include <norma/kernels/fold_map_run.hpp>

#include "support/random.hpp"

namespace {

template <class T>
class FoldMapRun : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(FoldMapRun, Elements);

template <class Term, class T>
void check(std::size_t n, bool weight_runs, bool bias_runs) {
  constexpr std::size_t rows = 3;
  const auto weight = norma_test::random_values<T>(n + 1, 3), bias = norma_test::random_values<T>(n + 1, 4);
  std::vector<std::vector<T>> folded, x, y, expected;
  T pivot[rows], mean[rows], rstd[rows], shift[rows];
  const T *folded_rows[rows], *x_rows[rows];
  T* y_rows[rows];
  for (std::size_t r = 0; r < rows; ++r) {
    folded.push_back(norma_test::random_values<T>(n + 1, 10 + r));
    x.push_back(norma_test::random_values<T>(n + 1, 20 + r));
    y.emplace_back(n + 1, T(-7));
    expected.push_back(y[r]);
    pivot[r] = static_cast<T>(r) + T(0.5);
    mean[r] = static_cast<T>(r) + T(0.25);
    rstd[r] = T(2) / (static_cast<T>(r) + T(3));
    shift[r] = static_cast<T>(r) * T(0.001);
  }
  for (std::size_t r = 0; r < rows; ++r) {
    folded_rows[r] = folded[r].data();
    x_rows[r] = x[r].data();
    y_rows[r] = y[r].data();
  }
  const auto length = static_cast<norma::index_t>(n);
  const norma::Coefficients<T> c{mean, rstd, shift};
  // Every row has parameters of its own.
  const norma::AffineRun<T> affine[rows] = {
      {weight.data(), bias.data(), T(0.5)}, {bias.data(), weight.data(), T(0.25)}, {weight.data(), bias.data(), T(-1)}};
  double sums[2][rows];
  const auto fold_alone = [&](std::size_t r, double(&of_row)[2]) {
    const T* const row[1] = {folded_rows[r]};
    if constexpr (Term::sums == 1) {
      norma::fold_run<Term>(row, length, pivot + r, {of_row});
    } else {
      norma::fold_run<Term>(row, length, pivot + r, {of_row, of_row + 1});
    }
  };
  const norma::MapFlags flags{weight_runs, bias_runs, false, true, false};
  if constexpr (Term::sums == 1) {
    norma::fold_map_rows<Term, T>(flags, folded_rows, pivot, {sums[0]}, x_rows, y_rows, rows, length, c, affine);
  } else {
    norma::fold_map_rows<Term, T>(flags, folded_rows, pivot, {sums[0], sums[1]}, x_rows, y_rows, rows, length, c, affine);
  }
  for (std::size_t r = 0; r < rows; ++r) {
    double of_row[2];
    fold_alone(r, of_row);
    for (std::size_t s = 0; s < static_cast<std::size_t>(Term::sums); ++s)
      ASSERT_EQ(sums[s][r], of_row[s]) << "length " << n << ", row " << r << ", sum " << s;
    T* const target[1] = {expected[r].data()};
    const T* const source[1] = {x_rows[r]};
    norma::map_rows(flags, source, target, 1, length, c.from(static_cast<norma::index_t>(r)), affine[r]);
    ASSERT_EQ(y[r], expected[r]) << "length " << n << ", row " << r;
  }
}

TYPED_TEST(FoldMapRun, TheBitsOfFoldingAndMappingApart) {
  for (std::size_t n = 0; n <= 140; ++n) {
    check<norma::CentredTerm, TypeParam>(n, true, true);
    check<norma::CentredTerm, TypeParam>(n, false, false);
    check<norma::SquareTerm, TypeParam>(n, true, false);
    check<norma::SquareTerm, TypeParam>(n, false, true);
  }
}

}  // namespace
