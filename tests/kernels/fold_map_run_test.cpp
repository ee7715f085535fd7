// fold_map_rows: the bits of fold_run and of map_run, for every length, whatever rows go together.
#include <gtest/gtest.h>

#include <norma/kernels/fold_map_run.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

template <class Term, bool WeightRuns, bool BiasRuns, class T>
void check(std::size_t n) {
  constexpr std::size_t rows = 3;
  const Runs<T, rows> folded(n, 10, random_numbers<T>), x(n, 20, random_numbers<T>), y(n, 30, random_numbers<T>);
  const std::vector<T> weight = random_numbers<T>(n + 1, 3), bias = random_numbers<T>(n + 1, 4);
  const Coefficients<T, rows> c;
  const T pivot[rows] = {T(0.5), T(1.5), T(2.5)};
  // Every row has parameters of its own.
  const norma::AffineRun<T> affine[rows] = {
      {weight.data(), bias.data(), T(0.5)}, {bias.data(), weight.data(), T(0.25)}, {weight.data(), bias.data(), T(-1)}};
  const auto length = static_cast<norma::index_t>(n);
  Sums<Term, rows> sums;
  norma::fold_map_rows<Term, T>({WeightRuns, BiasRuns, false, true, false}, folded.read, pivot, sums.to, x.read, y.write, rows, length,
                                c.all(), affine);
  for (std::size_t r = 0; r < rows; ++r) {
    const T* const folded_row[1] = {folded.read[r]};
    Sums<Term, 1> alone;
    norma::fold_run<Term>(folded_row, length, pivot + r, alone.to);
    for (std::size_t s = 0; s < Term::sums; ++s) ASSERT_EQ(sums.of[s][r], alone.of[s][0]) << "length " << n << ", row " << r;
    const T* const x_row[1] = {x.read[r]};
    std::vector<T> expected(n);
    T* const target[1] = {expected.data()};
    norma::map_run<WeightRuns, BiasRuns, false, true>(x_row, target, length, c.all().from(static_cast<norma::index_t>(r)), affine[r]);
    ASSERT_EQ(y.rows[r].now(), expected) << "length " << n << ", row " << r;
  }
}

TEST(FoldMapRun, TheBitsOfFoldingAndMappingApart) {
  for (std::size_t n = 0; n <= 140; ++n) {
    check<norma::CentredTerm, true, true, float>(n);
    check<norma::CentredTerm, false, false, float>(n);
    check<norma::SquareTerm, true, false, float>(n);
    check<norma::CentredTerm, false, true, double>(n);
  }
}

}  // namespace
}  // namespace norma_test
