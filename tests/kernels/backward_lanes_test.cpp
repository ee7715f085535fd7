// The two sweeps of a backward pass with sets across lanes: exact on small integers, and gradients in the lane of their position.
#include <gtest/gtest.h>

#include <norma/kernels/backward_lanes.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

using norma::index_t;

template <class T>
class BackwardLanes : public testing::Test {};
TYPED_TEST_SUITE(BackwardLanes, Elements);

template <class T, bool Whole, bool Gradients>
void check_fold(index_t n, index_t count, index_t weight_stride) {
  const Matrix<T> dy(n, count, 1, small_integers<T>), x(n, count, 2, small_integers<T>);
  const Coefficients<T, positions<T, 1>> c;
  const std::vector<T> weight = small_integers<T>(static_cast<std::size_t>(n), 3);
  const std::size_t lanes = static_cast<std::size_t>(norma::lanes<T>), rows = static_cast<std::size_t>(n);
  std::vector<T> weight_gradient(rows * lanes, 0), bias_gradient(rows * lanes, 0), expected_weight(rows * lanes, 0),
      expected_bias(rows * lanes, 0);
  alignas(64) double sum_g[positions<T, 1>], sum_gx[positions<T, 1>];
  norma::backward_fold_lanes<Whole, Gradients>(dy.read(), x.read(), n, static_cast<int>(count), c.all(),
                                               {weight.data(), weight_stride, T(1)}, {weight_gradient.data(), bias_gradient.data()},
                                               {sum_g, sum_gx});
  for (index_t p = 0; p < count; ++p) {
    double g_sum = 0, gx_sum = 0;
    for (index_t i = 0; i < n; ++i) {
      const T g = dy.at(i, p) * (weight[static_cast<std::size_t>(i * weight_stride)] + T(1)), x_hat = c.x_hat(x.at(i, p), p);
      g_sum += static_cast<double>(g);
      gx_sum += static_cast<double>(g * x_hat);
      const std::size_t cell = static_cast<std::size_t>(i) * lanes + static_cast<std::size_t>(p) % lanes;
      if (Gradients) expected_weight[cell] += dy.at(i, p) * x_hat;
      if (Gradients) expected_bias[cell] += dy.at(i, p);
    }
    ASSERT_EQ(sum_g[p], g_sum) << "position " << p << " of " << count << ", " << n << " rows";
    ASSERT_EQ(sum_gx[p], gx_sum) << "position " << p << " of " << count << ", " << n << " rows";
  }
  ASSERT_EQ(weight_gradient, expected_weight) << count << " positions, " << n << " rows";
  ASSERT_EQ(bias_gradient, expected_bias) << count << " positions, " << n << " rows";
}

TYPED_TEST(BackwardLanes, SumsAndGradientsAreExactOnIntegers) {
  constexpr index_t tile = norma::tile_positions<TypeParam>, sweep = norma::lane_sweep<TypeParam>;
  for (const index_t n : {index_t(1), index_t(2), index_t(15), index_t(17), index_t(33), index_t(64), sweep, sweep + 3, 2 * sweep + 1}) {
    for (const index_t stride : {0, 1}) {
      for (const index_t count : {index_t(1), tile / 2 + 1, tile - 1}) {
        check_fold<TypeParam, false, true>(n, count, stride);
        check_fold<TypeParam, false, false>(n, count, stride);
      }
      check_fold<TypeParam, true, true>(n, tile, stride);
      check_fold<TypeParam, true, false>(n, tile, stride);
    }
  }
}

template <class T, bool Whole, bool Stream, int Tiles>
void check_map(index_t n, index_t count, int alias) {
  const Matrix<T> dy(n, count, 4, small_integers<T>), x(n, count, 5, small_integers<T>), dx(n, count, 6, small_integers<T>);
  const Coefficients<T, positions<T, Tiles>> c;
  alignas(64) T scale[positions<T, Tiles>], slope[positions<T, Tiles>], offset[positions<T, Tiles>];
  for (std::size_t p = 0; p < positions<T, Tiles>; ++p) {
    scale[p] = static_cast<T>(p % 4) + T(1);
    slope[p] = T(-2);
    offset[p] = static_cast<T>(p % 5);
  }
  const std::vector<T> weight = small_integers<T>(static_cast<std::size_t>(n), 7);
  const norma::LaneRows<T> to = (alias == 0 ? dx : alias == 1 ? dy : x).write();
  norma::backward_map_lanes<Whole, Stream, Tiles>(dy.read(), x.read(), to, n, static_cast<int>(count), c.all(), {weight.data(), 1, T(0)},
                                                  {scale, slope, offset});
  for (index_t i = 0; i < n; ++i) {
    for (index_t p = 0; p < count; ++p) {
      const T g = dy.at(i, p) * weight[static_cast<std::size_t>(i)], x_hat = c.x_hat(x.at(i, p), p);
      ASSERT_EQ(to[i][p], g * scale[p] + (x_hat * slope[p] + offset[p])) << "row " << i << ", position " << p << " of " << count;
    }
  }
}

TYPED_TEST(BackwardLanes, MapsExactlyOnIntegersInPlaceToo) {
  constexpr index_t tile = norma::tile_positions<TypeParam>;
  for (const index_t n : {1, 2, 7, 8, 9, 33}) {
    for (const int alias : {0, 1, 2}) {
      check_map<TypeParam, false, false, 1>(n, 1, alias);
      check_map<TypeParam, false, false, 1>(n, tile - 1, alias);
      check_map<TypeParam, true, false, 1>(n, tile, alias);
      check_map<TypeParam, true, false, norma::wide_tiles>(n, norma::wide_tiles * tile, alias);
    }
    check_map<TypeParam, true, true, 1>(n, tile, 0);
    check_map<TypeParam, true, true, norma::wide_tiles>(n, norma::wide_tiles * tile, 0);
  }
}

}  // namespace
}  // namespace norma_test
