// fold_run: sums in the fixed lanes, for every length, next to forbidden memory; interleaving rows changes no row.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <norma/kernels/fold_run.hpp>

#include "support/guarded.hpp"
#include "support/random.hpp"

namespace {

/// The promised order in scalars: element i to lane i mod lanes, ascending i, then the tree.
template <class Term, class T>
std::vector<double> in_lanes(const std::vector<T>& x, T pivot) {
  constexpr std::size_t L = static_cast<std::size_t>(norma::lanes<T>);
  std::vector<std::vector<T>> lane(Term::sums, std::vector<T>(L, T(0)));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const norma::Pack<T> value = Term::value(norma::Pack<T>(x[i]), norma::Pack<T>(pivot));
    norma::Pack<T> acc[2] = {norma::Pack<T>(lane[0][i % L]), norma::Pack<T>(lane[Term::sums - 1][i % L])};
    if constexpr (Term::sums == 1) {
      Term::add(value, {&acc[0]});
    } else {
      Term::add(value, {&acc[0], &acc[1]});
    }
    for (std::size_t s = 0; s < static_cast<std::size_t>(Term::sums); ++s) {
      T first[64];
      norma::store(first, acc[s]);
      lane[s][i % L] = first[0];
    }
  }
  std::vector<double> sums;
  for (auto& l : lane) {
    for (std::size_t half = L / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) l[k] = l[k] + l[k + half];
    }
    sums.push_back(static_cast<double>(l[0]));
  }
  return sums;
}

/// fold_run takes an array of pointers, one for each sum.
template <class Term, std::size_t R, class T>
void call(const T* const (&x)[R], std::size_t n, const T (&pivot)[R], double (&sums)[Term::sums][R]) {
  if constexpr (Term::sums == 1) {
    norma::fold_run<Term>(x, static_cast<norma::index_t>(n), pivot, {sums[0]});
  } else {
    norma::fold_run<Term>(x, static_cast<norma::index_t>(n), pivot, {sums[0], sums[1]});
  }
}

template <class Term, std::size_t R, class T>
void check(std::size_t n) {
  const std::size_t bytes = n * sizeof(T);
  std::vector<norma_test::Memory> memory;
  memory.reserve(R);
  std::vector<std::vector<T>> rows;
  const T* x[R];
  T pivot[R];
  for (std::size_t r = 0; r < R; ++r) {
    rows.push_back(norma_test::random_values<T>(n, 10 * n + r, 2));
    memory.emplace_back(bytes, r % 2 == 0 ? norma_test::Placement::at_page_end : norma_test::Placement::at_page_start);
    if (bytes > 0) std::memcpy(memory.back().data(), rows.back().data(), bytes);
    x[r] = reinterpret_cast<const T*>(memory.back().data());
    pivot[r] = static_cast<T>(r) + T(0.5);
  }
  double sums[static_cast<std::size_t>(Term::sums)][R];
  call<Term>(x, n, pivot, sums);
  for (std::size_t r = 0; r < R; ++r) {
    const std::vector<double> expected = in_lanes<Term>(rows[r], pivot[r]);
    for (std::size_t s = 0; s < expected.size(); ++s)
      ASSERT_EQ(sums[s][r], expected[s]) << "length " << n << ", sum " << s << ", row " << r << " of " << R;
  }
}

template <class T>
class FoldRun : public testing::Test {};
using Elements = testing::Types<float, double>;
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
    check<norma::CentredTerm, 2, TypeParam>(n);
    check<norma::CentredTerm, 4, TypeParam>(n);
    check<norma::SquareTerm, 4, TypeParam>(n);
    check<norma::SumTerm, 3, TypeParam>(n);
  }
}

}  // namespace
