// elementwise: rows of every length around whole registers, in place too, and nothing behind them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <norma/kernels/elementwise.hpp>

namespace {

using norma::index_t;
using norma::Pack;

template <class T>
class Elementwise : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Elementwise, Types);

TYPED_TEST(Elementwise, CombinesEveryLength) {
  using T = TypeParam;
  const auto f = [](const Pack<T>& a, const Pack<T>& b) { return a + b * Pack<T>(T(2)); };
  for (std::size_t n = 0; n <= 2 * static_cast<std::size_t>(norma::pack_size<T>) + 1; ++n) {
    std::vector<T> a(n + 1), b(n + 1), apart(n + 1, T(-7)), expected(n + 1, T(-7));
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = T(i) + T(1);
      b[i] = T(3) - T(i);
      expected[i] = a[i] + 2 * b[i];
    }
    norma::combine(apart.data(), static_cast<index_t>(n), f, static_cast<const T*>(a.data()), static_cast<const T*>(b.data()));
    EXPECT_EQ(apart, expected);
    a[n] = T(-7);
    norma::combine(a.data(), static_cast<index_t>(n), f, static_cast<const T*>(a.data()), static_cast<const T*>(b.data()));
    EXPECT_EQ(a, expected);
  }
}

TYPED_TEST(Elementwise, LargestMagnitude) {
  using T = TypeParam;
  const index_t size = 2 * norma::pack_size<T> + 3;
  for (index_t at = 0; at < size; ++at) {
    std::vector<T> y(static_cast<std::size_t>(size), T(1));
    y[static_cast<std::size_t>(at)] = T(-5);
    EXPECT_EQ(norma::largest_magnitude(y.data(), size, T(0)), T(5)) << at;
    EXPECT_EQ(norma::largest_magnitude(y.data(), size, T(6)), T(6)) << at;
    EXPECT_EQ(norma::largest_magnitude(y.data(), at, T(0)), at == 0 ? T(0) : T(1)) << at;
    y[static_cast<std::size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
    EXPECT_TRUE(std::isnan(norma::largest_magnitude(y.data(), size, T(6)))) << at;
  }
}

}  // namespace
