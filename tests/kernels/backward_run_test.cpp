// The two sweeps of a backward pass over runs: exact on small integers, every length and tail, one row and several side by side.
#include <gtest/gtest.h>

#include <norma/kernels/backward_run.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

using norma::index_t;

template <class T>
class BackwardRun : public testing::Test {};
TYPED_TEST_SUITE(BackwardRun, Elements);

/// Four rows side by side, on every machine, or seven as this machine takes them: each adds to its own totals, and gradients see the rows
/// in their order.
template <class T, std::size_t R, bool WeightRuns, bool Gradients>
void check_fold(std::size_t n) {
  const Runs<T, R> dy(n, 10, small_integers<T>), x(n, 20, small_integers<T>);
  const Guarded<T> weight(small_integers<T>(WeightRuns ? n : 1, 30));
  const Coefficients<T, R> c;
  const std::size_t padded = (n + 31) / 32 * 32;
  std::vector<T> weight_gradient(padded, 3), bias_gradient(padded, 4), expected_weight = weight_gradient, expected_bias = bias_gradient;
  std::vector<double> of_g(R, 100), of_g_x_hat(R, 200);
  const auto length = static_cast<index_t>(n);
  const norma::AffineRun<T> affine{weight.data(), nullptr, T(5)};
  const norma::GradientRun<T> gradient{Gradients ? weight_gradient.data() : nullptr, Gradients ? bias_gradient.data() : nullptr};
  if constexpr (R == 4) {
    norma::backward_fold_run<WeightRuns, Gradients>(dy.read, x.read, length, c.all(), affine, gradient, of_g.data(), of_g_x_hat.data());
    for (double& sum : of_g) sum += 100;
    for (double& sum : of_g_x_hat) sum += 200;
  } else {
    norma::backward_fold_rows<T>(WeightRuns, dy.read, x.read, index_t(R), length, c.all(), affine, gradient, of_g.data(),
                                 of_g_x_hat.data());
  }
  for (std::size_t r = 0; r < R; ++r) {
    double sum_g = 100, sum_gx = 200;
    for (std::size_t i = 0; i < n; ++i) {
      const T g = dy.at(r, i) * (weight.values[WeightRuns ? i : 0] + T(5)), x_hat = c.x_hat(x.at(r, i), r);
      sum_g += static_cast<double>(g);
      sum_gx += static_cast<double>(g * x_hat);
      expected_weight[i] += Gradients ? dy.at(r, i) * x_hat : T(0);
      expected_bias[i] += Gradients ? dy.at(r, i) : T(0);
    }
    ASSERT_EQ(of_g[r], sum_g) << "row " << r << " of length " << n;
    ASSERT_EQ(of_g_x_hat[r], sum_gx) << "row " << r << " of length " << n;
  }
  ASSERT_EQ(weight_gradient, expected_weight) << "length " << n;
  ASSERT_EQ(bias_gradient, expected_bias) << "length " << n;
}

TYPED_TEST(BackwardRun, SumsAndGradientsAreExactOnIntegers) {
  for (std::size_t n = 0; n <= 131; ++n) {
    check_fold<TypeParam, 7, true, true>(n);
    check_fold<TypeParam, 7, false, true>(n);
    check_fold<TypeParam, 7, true, false>(n);
    check_fold<TypeParam, 7, false, false>(n);
    check_fold<TypeParam, 4, true, true>(n);
    check_fold<TypeParam, 4, false, false>(n);
  }
}

/// dx = g * scale + (x_hat * slope + offset), into another run, over dy, or over x.
template <class T, std::size_t R, bool WeightRuns>
void check_map(std::size_t n, int alias) {
  const Runs<T, R> dy(n, 40, small_integers<T>), x(n, 50, small_integers<T>), dx(n, 60, small_integers<T>);
  const Guarded<T> weight(small_integers<T>(WeightRuns ? n : 1, 70));
  const Coefficients<T, R> c;
  T scale[R], slope[R], offset[R];
  for (std::size_t r = 0; r < R; ++r) {
    scale[r] = static_cast<T>(r) + T(1);
    slope[r] = T(-3);
    offset[r] = static_cast<T>(r);
  }
  const Runs<T, R>& to = alias == 0 ? dx : alias == 1 ? dy : x;
  norma::backward_map_run<WeightRuns, false, false>(dy.read, x.read, to.write, static_cast<index_t>(n), c.all(),
                                                    {weight.data(), nullptr, T(0.5)}, {scale, slope, offset});
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t i = 0; i < n; ++i) {
      const T g = dy.at(r, i) * (weight.values[WeightRuns ? i : 0] + T(0.5)), x_hat = c.x_hat(x.at(r, i), r);
      ASSERT_EQ(to.write[r][i], g * scale[r] + (x_hat * slope[r] + offset[r])) << "row " << r << " at " << i << " of " << n;
    }
  }
}

TYPED_TEST(BackwardRun, MapsExactlyOnIntegersInPlaceToo) {
  for (std::size_t n = 0; n <= 70; ++n) {
    for (const int alias : {0, 1, 2}) {
      check_map<TypeParam, 1, true>(n, alias);
      check_map<TypeParam, 4, true>(n, alias);
      check_map<TypeParam, 4, false>(n, alias);
    }
  }
}

}  // namespace
}  // namespace norma_test
