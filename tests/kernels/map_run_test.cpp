// map_run: y = ((x - mean) * rstd + shift) * weight + bias, exact on small integers, for every length, next to forbidden memory, in every
// form of the parameters.
#include <gtest/gtest.h>

#include <norma/kernels/map_run.hpp>

#include "kernels/rows.hpp"

namespace norma_test {
namespace {

template <bool WeightRuns, bool BiasRuns, std::size_t R, bool Centred = true, class T>
void check(std::size_t n, T weight_offset) {
  const Runs<T, R> x(n, 10, small_integers<T>), y(n, 20, small_integers<T>);
  const Guarded<T> weight(small_integers<T>(WeightRuns ? n : 1, 3)), bias(small_integers<T>(BiasRuns ? n : 1, 4));
  Coefficients<T, R> c;
  norma::map_run<WeightRuns, BiasRuns, false, Centred>(x.read, y.write, static_cast<norma::index_t>(n), c.all(),
                                                       norma::AffineRun<T>{weight.data(), bias.data(), weight_offset});
  for (std::size_t r = 0; r < R; ++r) {
    if (!Centred) c.mean[r] = 0;  // whatever it was
    for (std::size_t i = 0; i < n; ++i) {
      const T w = weight.values[WeightRuns ? i : 0] + weight_offset, b = bias.values[BiasRuns ? i : 0];
      ASSERT_EQ(y.write[r][i], c.x_hat(x.at(r, i), r) * w + b) << "length " << n << ", row " << r << " of " << R << ", element " << i;
    }
  }
}

template <class T>
class MapRun : public testing::Test {};
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
}  // namespace norma_test
