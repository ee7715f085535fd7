// The two sweeps of a backward pass over runs: exact on small integers, every length and tail, one row and several side by side.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <norma/kernels/backward_run.hpp>

#include "support/exact_data.hpp"
#include "support/guarded.hpp"

namespace {

using norma::index_t;

/// A run of small integers whose end is a forbidden page.
template <class T>
struct Run {
  Run(std::size_t n, std::uint64_t seed)
      : values(norma_test::small_integers<T>(n, seed)), memory(n * sizeof(T), norma_test::Placement::at_page_end) {
    if (n > 0) std::memcpy(memory.data(), values.data(), n * sizeof(T));
  }
  T* data() const { return reinterpret_cast<T*>(memory.data()); }
  std::vector<T> values;
  norma_test::Memory memory;
};

template <class T>
class BackwardRun : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(BackwardRun, Elements);

/// R rows of n small integers with mean r, rstd 2 and shift 1: x_hat = 2 (x - r) + 1, all exact.
template <class T, std::size_t R, bool WeightRuns, bool Gradients>
void check_fold(std::size_t n) {
  std::vector<Run<T>> dy, x;
  for (std::size_t r = 0; r < R; ++r) {
    dy.emplace_back(n, 10 + r);
    x.emplace_back(n, 20 + r);
  }
  const Run<T> weight(WeightRuns ? n : 1, 30);
  T mean[R], rstd[R], shift[R];
  const T *dy_rows[R], *x_rows[R];
  for (std::size_t r = 0; r < R; ++r) {
    mean[r] = static_cast<T>(r);
    rstd[r] = T(2);
    shift[r] = T(1);
    dy_rows[r] = dy[r].data();
    x_rows[r] = x[r].data();
  }
  const std::size_t padded = (n + 31) / 32 * 32;
  std::vector<T> weight_gradient(padded, 3), bias_gradient(padded, 4);
  double of_g[4], of_g_x_hat[4];  // room for four rows at least
  norma::backward_fold_run<WeightRuns, Gradients>(dy_rows, x_rows, static_cast<index_t>(n), {mean, rstd, shift},
                                                  {weight.data(), nullptr, T(5)}, {weight_gradient.data(), bias_gradient.data()}, of_g,
                                                  of_g_x_hat);
  std::vector<T> expected_weight(n, 3), expected_bias(n, 4);
  for (std::size_t r = 0; r < R; ++r) {
    double sum_g = 0, sum_gx = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T g = dy[r].values[i] * (weight.values[WeightRuns ? i : 0] + T(5));
      const T x_hat = T(2) * (x[r].values[i] - mean[r]) + T(1);
      sum_g += static_cast<double>(g);
      sum_gx += static_cast<double>(g * x_hat);
      expected_weight[i] += Gradients ? dy[r].values[i] * x_hat : T(0);
      expected_bias[i] += Gradients ? dy[r].values[i] : T(0);
    }
    ASSERT_EQ(of_g[r], sum_g) << "row " << r << " of length " << n;
    ASSERT_EQ(of_g_x_hat[r], sum_gx) << "row " << r << " of length " << n;
  }
  weight_gradient.resize(n);
  bias_gradient.resize(n);
  ASSERT_EQ(weight_gradient, expected_weight) << "length " << n;
  ASSERT_EQ(bias_gradient, expected_bias) << "length " << n;
}

TYPED_TEST(BackwardRun, SumsAndGradientsAreExactOnIntegers) {
  for (std::size_t n = 0; n <= 131; ++n) {
    check_fold<TypeParam, 1, true, true>(n);
    check_fold<TypeParam, 4, true, true>(n);
    check_fold<TypeParam, 1, false, true>(n);
    check_fold<TypeParam, 4, false, false>(n);
    check_fold<TypeParam, 4, true, false>(n);
  }
}

/// Seven rows are four side by side and three more: each adds to its own total, and gradients see the rows in their order.
TYPED_TEST(BackwardRun, RowsAddToTheirTotals) {
  using T = TypeParam;
  constexpr std::size_t rows = 7, n = 50;
  const Run<T> weight(n, 3);
  std::vector<Run<T>> dy, x;
  for (std::size_t r = 0; r < rows; ++r) {
    dy.emplace_back(n, 10 + r);
    x.emplace_back(n, 20 + r);
  }
  const T *dy_rows[rows], *x_rows[rows];
  T zero[rows], one[rows];
  for (std::size_t r = 0; r < rows; ++r) {
    dy_rows[r] = dy[r].data();
    x_rows[r] = x[r].data();
    zero[r] = T(0);
    one[r] = T(1);
  }
  std::vector<double> sum_g(rows, 100), sum_g_x_hat(rows, 200);
  std::vector<T> weight_gradient(64, T(0)), bias_gradient(64, T(0));
  norma::backward_fold_rows<T>(true, dy_rows, x_rows, rows, n, {zero, one, zero}, {weight.data(), nullptr, T(0)},
                               {weight_gradient.data(), bias_gradient.data()}, sum_g.data(), sum_g_x_hat.data());
  std::vector<T> expected_bias(64, T(0));
  for (std::size_t r = 0; r < rows; ++r) {
    double g = 100, g_x_hat = 200;
    for (std::size_t i = 0; i < n; ++i) {
      g += static_cast<double>(dy[r].values[i] * weight.values[i]);
      g_x_hat += static_cast<double>(dy[r].values[i] * weight.values[i] * x[r].values[i]);
      expected_bias[i] += dy[r].values[i];
    }
    EXPECT_EQ(sum_g[r], g) << "row " << r;
    EXPECT_EQ(sum_g_x_hat[r], g_x_hat) << "row " << r;
  }
  EXPECT_EQ(bias_gradient, expected_bias);
}

/// dx = g * scale + (x_hat * slope + offset), into another run, over dy, or over x.
template <class T, std::size_t R, bool WeightRuns>
void check_map(std::size_t n, int alias) {
  std::vector<Run<T>> dy, x, dx;
  for (std::size_t r = 0; r < R; ++r) {
    dy.emplace_back(n, 40 + r);
    x.emplace_back(n, 50 + r);
    dx.emplace_back(n, 60 + r);
  }
  const Run<T> weight(WeightRuns ? n : 1, 70);
  T mean[R], rstd[R], shift[R], scale[R], slope[R], offset[R];
  const T *dy_rows[R], *x_rows[R];
  T* dx_rows[R];
  for (std::size_t r = 0; r < R; ++r) {
    mean[r] = T(1);
    rstd[r] = T(2);
    shift[r] = T(-1);
    scale[r] = static_cast<T>(r) + T(1);
    slope[r] = T(-3);
    offset[r] = static_cast<T>(r);
    dy_rows[r] = dy[r].data();
    x_rows[r] = x[r].data();
    dx_rows[r] = alias == 0 ? dx[r].data() : alias == 1 ? dy[r].data() : x[r].data();
  }
  norma::backward_map_run<WeightRuns, false, false>(dy_rows, x_rows, dx_rows, static_cast<index_t>(n), {mean, rstd, shift},
                                                    {weight.data(), nullptr, T(0.5)}, {scale, slope, offset});
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t i = 0; i < n; ++i) {
      const T g = dy[r].values[i] * (weight.values[WeightRuns ? i : 0] + T(0.5));
      const T x_hat = T(2) * (x[r].values[i] - T(1)) - T(1);
      ASSERT_EQ(dx_rows[r][i], g * scale[r] + (x_hat * slope[r] + offset[r])) << "row " << r << " at " << i << " of " << n;
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
