// fold: sums in the promised order, whatever the group, for every length; backward sums and gradients exact on integers.
#include <norma/simd/math.hpp>

#include "kernels/groups.hpp"

namespace norma_test { namespace {

template <class T>
class FoldGroups : public testing::Test {};
TYPED_TEST_SUITE(FoldGroups, Elements);

/// The sums of Term over x about a pivot in scalars: element i in chain i mod chains, then the tree over chains.
template <class Term, class T>
std::vector<double> in_chains(const std::vector<T>& x, T pivot, std::size_t chains) {
  using Scalar = norma::Pack<T>;  // all of whose lanes are the same
  std::vector<std::vector<Scalar>> chain(Term::sums, std::vector<Scalar>(chains, Scalar(T(0))));
  for (std::size_t i = 0; i < x.size(); ++i) {
    Scalar* to[Term::sums];
    for (std::size_t s = 0; s < Term::sums; ++s) to[s] = &chain[s][i % chains];
    Term::add(Term::value(Scalar(x[i]), Scalar(pivot)), to);
  }
  std::vector<double> sums;
  for (auto& c : chain) {
    for (std::size_t half = chains / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) c[k] = c[k] + c[k + half];
    }
    T sum[64];
    norma::store(sum, c[0]);
    sums.push_back(static_cast<double>(sum[0]));
  }
  return sums;
}

template <class Term, class T, class Group>
void check_order(const Group& group, index_t n) {
  const Sets<T, Group> x(group, n, static_cast<std::uint64_t>(10 * n),
                         [](std::size_t size, std::uint64_t seed) { return random_values<T>(size, seed, 2); });
  alignas(64) T pivots[64];
  for (int p = 0; p < 64; ++p) pivots[p] = static_cast<T>(p % 9) + T(0.5);
  norma::GroupSums<Term::sums, Group::registers, T> sum = {};
  alignas(64) double sums[Term::sums][64] = {};
  double* to[Term::sums];
  for (std::size_t s = 0; s < Term::sums; ++s) to[s] = sums[s];
  const auto tensor = x.tensor();
  if constexpr (Group::across_lanes) {
    norma::fold_virtual_lanes<Term::sums, T, Group::registers>(n, sum, [&](index_t k, index_t step, auto& of_lane) {
      norma::fold<Term>(group, (n - k + step - 1) / step, tensor.every(k, step), pivots, of_lane);
    });
  } else {
    norma::fold<Term>(group, n, tensor, pivots, sum);
  }
  norma::add_sums<Term::sums>(group, sum, to);
  const auto chains = static_cast<std::size_t>(norma::lanes<T>);
  for (index_t s = 0; s < x.count; ++s) {
    const std::vector<double> expected = in_chains<Term>(x.of(s), pivots[s], chains);
    for (std::size_t k = 0; k < Term::sums; ++k)
      ASSERT_EQ(sums[k][s], expected[k]) << "length " << n << ", sum " << k << ", set " << s << " of " << x.count;
  }
}

TYPED_TEST(FoldGroups, SumsComeInThePromisedOrder) {
  for_each_group<TypeParam>([]<class Group>(const Group& group) {
    for (index_t n = 0; n <= 4 * norma::lanes<TypeParam> + 3; n += n < 70 ? 1 : 3) {
      check_order<norma::CentredTerm, TypeParam>(group, n);
      check_order<norma::SquareTerm, TypeParam>(group, n);
      check_order<norma::SumTerm, TypeParam>(group, n);
    }
  });
}

template <bool Weighted, norma::Gradients Wanted, class T, class Group>
void check_backward(const Group& group, index_t n, index_t first) {
  const Sets<T, Group> dy(group, n, 10, small_integers<T>), x(group, n, 20, small_integers<T>);
  const PerElement<T> weight(n, true, 30);
  const Coefficients<T> c;
  constexpr std::size_t per_element = Group::across_lanes ? static_cast<std::size_t>(norma::lanes<T>) : 1;
  const auto begin = static_cast<std::size_t>(group.sums_of_element(first));
  const std::size_t room = begin + (static_cast<std::size_t>(n) + 32) * per_element;
  std::vector<T> weight_gradient(room, T(1)), bias_gradient(room, T(2));
  constexpr bool gradients = Wanted != norma::Gradients::none, sums_g = Wanted != norma::Gradients::weight;
  constexpr std::size_t sums = norma::backward_sums<Wanted>;
  norma::GroupSums<sums, Group::registers, T> sum = {};
  const norma::GradientRun<T> gradient{gradients ? weight_gradient.data() : nullptr, gradients ? bias_gradient.data() : nullptr};
  norma::backward_fold<Weighted, Wanted>(group, n, dy.tensor(), x.tensor(), c.forward(), weight.plus(T(5)),
                                         gradient.from(group.sums_of_element(first)), sum);
  alignas(64) double g[64] = {}, g_x_hat[64] = {};
  double* to[sums];
  to[0] = g;
  to[sums - 1] = g_x_hat;
  norma::add_sums<sums>(group, sum, to);
  std::vector<T> expected_weight(static_cast<std::size_t>(n), T(0)), expected_bias = expected_weight;
  for (index_t s = 0; s < x.count; ++s) {
    double sum_g = 0, sum_gx = 0;
    for (index_t i = 0; i < n; ++i) {
      const T of_g = dy.at(s, i) * (Weighted ? weight.at(i) + T(5) : T(1)), x_hat = c.x_hat(x.at(s, i), s);
      sum_g += static_cast<double>(of_g);
      sum_gx += static_cast<double>(of_g * x_hat);
      expected_weight[static_cast<std::size_t>(i)] += dy.at(s, i) * x_hat;
      expected_bias[static_cast<std::size_t>(i)] += dy.at(s, i);
    }
    ASSERT_EQ(g[s], sums_g ? sum_g : 0.0) << "set " << s << " of length " << n;
    ASSERT_EQ(g_x_hat[s], sum_gx) << "set " << s << " of length " << n;
  }
  for (std::size_t i = 0; gradients && i < static_cast<std::size_t>(n); ++i) {
    T of_weight(0), of_bias(0);
    for (std::size_t l = 0; l < per_element; ++l) {
      of_weight += weight_gradient[begin + i * per_element + l] - T(1);
      of_bias += bias_gradient[begin + i * per_element + l] - T(2);
    }
    ASSERT_EQ(of_weight, expected_weight[i]) << "element " << i << " of " << n;
    ASSERT_EQ(of_bias, sums_g ? expected_bias[i] : T(0)) << "element " << i << " of " << n;
  }
  for (std::size_t i = 0; i < begin; ++i) ASSERT_EQ(weight_gradient[i], T(1)) << "before the first element";
}

TYPED_TEST(FoldGroups, BackwardSumsAndGradientsAreExactOnIntegers) {
  for_each_group<TypeParam>([](const auto& group) {
    for (index_t n = 0; n <= 4 * norma::lanes<TypeParam> + 3; n += n < 40 ? 1 : 7) {
      check_backward<true, norma::Gradients::both, TypeParam>(group, n, 0);
      check_backward<false, norma::Gradients::both, TypeParam>(group, n, 3);
      check_backward<true, norma::Gradients::weight, TypeParam>(group, n, 0);
      check_backward<true, norma::Gradients::none, TypeParam>(group, n, 0);
      check_backward<false, norma::Gradients::none, TypeParam>(group, n, 0);
    }
  });
}

/// Chains of cells across lanes, forward and backward: one element after the other, going on where sums were, one or several at a time.
template <class T>
void check_chains(index_t count, index_t n, bool several) {
  const norma::LaneCells<T> cells{count, several};
  using Of = typename norma::LaneCells<T>::template Of<T>;
  const Guarded<T> x(random_values<T>(static_cast<std::size_t>(count * n), 1, 2)), dy(random_values<T>(x.values.size(), 2, 2));
  const Coefficients<T> c;
  alignas(64) T forward[2][64], backward[2][64];
  for (T* const sums : {forward[0], forward[1], backward[0], backward[1]}) std::fill_n(sums, 64, T(3));
  norma::chain_cells<norma::CentredTerm>(cells, n, Of{x.data(), count}, c.mean, {forward[0], forward[1]});
  norma::backward_chain_cells(cells, n, Of{dy.data(), count}, Of{x.data(), count}, c.forward(), {backward[0], backward[1]});
  // Fused where a register's is.
  const auto fma = [](T u, T v, T w) { return norma::first_lane(norma::fma(norma::Pack<T>(u), norma::Pack<T>(v), norma::Pack<T>(w))); };
  for (index_t s = 0; s < count; ++s) {
    T sum(3), squares(3), g(3), g_x_hat(3);
    for (index_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i * count + s);
      const T d = x.values[at] - c.mean[s];
      sum += d;
      squares = fma(d, d, squares);
      g += dy.values[at];
      g_x_hat = fma(dy.values[at], fma(d, c.rstd[s], c.shift[s]), g_x_hat);
    }
    ASSERT_EQ(forward[0][s], sum) << s << " of " << count;
    ASSERT_EQ(forward[1][s], squares) << s << " of " << count;
    ASSERT_EQ(backward[0][s], g) << s << " of " << count;
    ASSERT_EQ(backward[1][s], g_x_hat) << s << " of " << count;
  }
}

TYPED_TEST(FoldGroups, ChainsAddOneElementAfterTheOther) {
  for (const bool several : {false, true}) {
    for (index_t count = 1; count <= 2 * norma::pack_size<TypeParam> + 1; ++count) {
      for (index_t n = 0; n <= 9; ++n) check_chains<TypeParam>(count, n, several);
    }
  }
}

/// Whatever the registers hold: it decides in which order the gradients of many sets are added.
TYPED_TEST(FoldGroups, SetsAcrossLanesAddTheirGradientsInTheLaneOfTheirNumber) {
  using T = TypeParam;
  constexpr index_t lanes = norma::lanes<T>, n = 2;
  for (index_t count = 1; count <= 128; ++count) {
    const std::vector<T> dy = small_integers<T>(static_cast<std::size_t>(n * count) + 64, 40), zeros(256, T(0));
    std::vector<T> weight_gradient(n * lanes + 64, T(0)), bias_gradient = weight_gradient;
    alignas(64) double g[256] = {}, g_x_hat[256] = {};
    const norma::Coefficients<T> c{zeros.data(), zeros.data(), zeros.data()};
    const typename norma::LaneCells<T>::template Of<const T> tensor{dy.data(), count};
    const norma::GradientRun<T> gradient{weight_gradient.data(), bias_gradient.data()};
    norma::backward_sum_cells<false, norma::Gradients::both>(norma::LaneCells<T>{count}, n, tensor, tensor, c,
                                                             norma::ElementWeight<T>{zeros.data(), 0, T(0)}, gradient, g, g_x_hat);
    std::vector<T> expected(bias_gradient.size(), T(0));
    for (index_t t = 0; t < n; ++t) {
      for (index_t p = 0; p < count; ++p)
        expected[static_cast<std::size_t>(t * lanes + p % lanes)] += dy[static_cast<std::size_t>(t * count + p)];
    }
    ASSERT_EQ(bias_gradient, expected) << count << " sets";
  }
}

/// Sums of rows of the means of whose first elements the pivots are: those found apart, whatever the number of rows.
template <class T>
void check_leading(index_t count, index_t n) {
  const auto x = random_values<T>(static_cast<std::size_t>(count * n), 7, 2);
  index_t offset[16];
  for (index_t r = 0; r < count; ++r) offset[r] = r * n;
  const norma::RowCells<T> cells{count, true};
  const typename norma::RowCells<T>::template Of<const T> of{x.data(), offset};
  alignas(64) double sums[2][16] = {}, expected[2][16] = {}, of_pivots[16] = {};
  alignas(64) T pivots[16] = {}, expected_pivots[16] = {};
  const index_t leading = norma::pivot_length(n);
  norma::sum_cells<norma::CentredTerm>(cells, n, of, pivots, {sums[0], sums[1]}, leading);
  norma::sum_cells<norma::SumTerm>(cells, leading, of, expected_pivots, {of_pivots});
  for (index_t r = 0; r < count; ++r) expected_pivots[r] = static_cast<T>(of_pivots[r] / static_cast<double>(leading));
  norma::sum_cells<norma::CentredTerm>(cells, n, of, expected_pivots, {expected[0], expected[1]});
  for (index_t r = 0; r < count; ++r) {
    ASSERT_EQ(pivots[r], expected_pivots[r]) << "row " << r << " of " << count << ", " << n << " elements";
    ASSERT_EQ(sums[0][r], expected[0][r]);
    ASSERT_EQ(sums[1][r], expected[1][r]);
  }
}

TYPED_TEST(FoldGroups, RowsFindTheirPivotsOnTheWay) {
  for (index_t count = 1; count <= 3; ++count) {
    for (index_t n = 1; n <= 150; n += 7) check_leading<TypeParam>(count, n);
  }
}

}  // namespace
}  // namespace norma_test
