// map_run: y = ((x - mean) * rstd + shift) * weight + bias for every length, next to forbidden memory, in every form of the parameters.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <norma/kernels/map_run.hpp>

#include "support/guarded.hpp"
#include "support/random.hpp"

namespace {

using norma_test::Memory;
using norma_test::Placement;

template <class T>
Memory guarded(const std::vector<T>& values) {
  Memory memory(values.size() * sizeof(T), Placement::at_page_end);
  if (!values.empty()) std::memcpy(memory.data(), values.data(), values.size() * sizeof(T));
  return memory;
}

template <bool WeightRuns, bool BiasRuns, std::size_t R, bool Centred = true, class T>
void check(std::size_t n, T weight_offset) {
  const auto weight = norma_test::random_values<T>(WeightRuns ? n : 1, 3), bias = norma_test::random_values<T>(BiasRuns ? n : 1, 4);
  const Memory weight_memory = guarded(weight), bias_memory = guarded(bias);
  std::vector<std::vector<T>> rows;
  std::vector<Memory> x_memory, y_memory;
  const T* x[R];
  T* y[R];
  T mean[R], rstd[R], shift[R];
  for (std::size_t r = 0; r < R; ++r) {
    rows.push_back(norma_test::random_values<T>(n, 10 + r));
    x_memory.push_back(guarded(rows[r]));
    y_memory.push_back(guarded(std::vector<T>(n, T(0))));
    x[r] = reinterpret_cast<const T*>(x_memory[r].data());
    y[r] = reinterpret_cast<T*>(y_memory[r].data());
    mean[r] = static_cast<T>(r) + T(0.25);
    rstd[r] = T(2) / (static_cast<T>(r) + T(3));
    shift[r] = static_cast<T>(r) * T(0.001);
  }
  const norma::AffineRun<T> affine{reinterpret_cast<const T*>(weight_memory.data()), reinterpret_cast<const T*>(bias_memory.data()),
                                   weight_offset};
  norma::map_run<WeightRuns, BiasRuns, false, Centred>(x, y, static_cast<norma::index_t>(n), norma::Coefficients<T>{mean, rstd, shift},
                                                       affine);
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t i = 0; i < n; ++i) {
      const double w = static_cast<double>(weight[WeightRuns ? i : 0]) + static_cast<double>(weight_offset),
                   b = static_cast<double>(bias[BiasRuns ? i : 0]);
      const double x_hat =
          (static_cast<double>(rows[r][i]) - (Centred ? static_cast<double>(mean[r]) : 0.0)) * static_cast<double>(rstd[r]) +
          static_cast<double>(shift[r]);
      const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
      ASSERT_NEAR(static_cast<double>(y[r][i]), x_hat * w + b, 4 * eps * ((std::abs(x_hat) + 1) * (std::abs(w) + 1) + std::abs(b)))
          << "length " << n << ", row " << r << " of " << R << ", element " << i;
    }
  }
}

template <class T>
class MapRun : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(MapRun, Elements);

TYPED_TEST(MapRun, EveryLengthAndFormOfParameters) {
  using T = TypeParam;
  for (std::size_t n = 0; n <= 140; ++n) {
    check<true, true, 1>(n, -T(0));
    check<true, true, 1, false>(n, -T(0));
    check<false, false, 4, false>(n, T(1));
    check<true, false, 1>(n, T(1));
    check<false, true, 1>(n, -T(0));
    check<false, false, 1>(n, T(1));
    check<true, true, 4>(n, T(1));
    check<false, true, 4>(n, -T(0));
  }
}

}  // namespace
