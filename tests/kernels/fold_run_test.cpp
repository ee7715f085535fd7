// fold_run: sums in the fixed lanes, for every length, next to forbidden memory; interleaving rows changes no row.
#include <gtest/gtest.h>

#include <vector>

#include <norma/kernels/fold_run.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

/// The promised order in scalars: element i to lane i mod lanes, ascending i, then the tree.
template <class Term, class T>
std::vector<double> in_lanes(const std::vector<T>& x, T pivot) {
  using Scalar = norma::Pack<T>;  // all of whose lanes are the same
  constexpr std::size_t L = static_cast<std::size_t>(norma::lanes<T>);
  std::vector<std::vector<Scalar>> lane(Term::sums, std::vector<Scalar>(L, Scalar(T(0))));
  for (std::size_t i = 0; i < x.size(); ++i) {
    Scalar* to[Term::sums];
    for (std::size_t s = 0; s < Term::sums; ++s) to[s] = &lane[s][i % L];
    Term::add(Term::value(Scalar(x[i]), Scalar(pivot)), to);
  }
  std::vector<double> sums;
  for (auto& l : lane) {
    for (std::size_t half = L / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) l[k] = l[k] + l[k + half];
    }
    T sum[64];
    norma::store(sum, l[0]);
    sums.push_back(static_cast<double>(sum[0]));
  }
  return sums;
}

template <class Term, std::size_t R, class T>
void check(std::size_t n) {
  const Runs<T, R> x(n, 10 * n, random_numbers<T>, Placement::at_page_start);
  T pivot[R];
  for (std::size_t r = 0; r < R; ++r) pivot[r] = static_cast<T>(r) + T(0.5);
  Sums<Term, R> sums;
  norma::fold_run<Term>(x.read, static_cast<norma::index_t>(n), pivot, sums.to);
  for (std::size_t r = 0; r < R; ++r) {
    const std::vector<double> expected = in_lanes<Term>(x.rows[r].values, pivot[r]);
    for (std::size_t s = 0; s < expected.size(); ++s)
      ASSERT_EQ(sums.of[s][r], expected[s]) << "length " << n << ", sum " << s << ", row " << r << " of " << R;
  }
}

template <class T>
class FoldRun : public testing::Test {};
TYPED_TEST_SUITE(FoldRun, Elements);

TYPED_TEST(FoldRun, EveryLengthOneRow) {
  for (std::size_t n = 0; n <= 140; ++n) {
    check<norma::CentredTerm, 1, TypeParam>(n);
    check<norma::SquareTerm, 1, TypeParam>(n);
    check<norma::SumTerm, 1, TypeParam>(n);
  }
}

TYPED_TEST(FoldRun, InterleavedRowsAreTheSameRows) {
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 31u, 32u, 33u, 100u, 131u, 256u, 1000u, 1024u}) {
    check<norma::CentredTerm, 4, TypeParam>(n);
    check<norma::SquareTerm, 4, TypeParam>(n);
    check<norma::SumTerm, 4, TypeParam>(n);
  }
}

}  // namespace
}  // namespace norma_test
