// Pack operations against scalars: partial loads and stores of every count next to forbidden memory, single rounding, special values.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <norma/simd/convert.hpp>
#include <norma/simd/memory.hpp>

#include "support/guarded.hpp"
#include "support/random.hpp"

namespace {

using norma::Pack;
using norma_test::Memory;
using norma_test::Placement;

template <class T>
constexpr std::size_t W = static_cast<std::size_t>(norma::pack_size<T>);

template <class T>
std::array<T, W<T>> lanes_of(const Pack<T>& v) {
  std::array<T, W<T>> lanes;
  norma::store(lanes.data(), v);
  return lanes;
}

template <class T>
class PackTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(PackTest, Elements);

TYPED_TEST(PackTest, LoadsAndStoresUnaligned) {
  using T = TypeParam;
  const auto values = norma_test::random_values<T>(3 * W<T>, 1);
  for (std::size_t offset = 0; offset < W<T>; ++offset) {
    std::vector<T> out(values.size(), T(0)), expected = out;
    norma::store(out.data() + offset + 1, norma::load(values.data() + offset));
    for (std::size_t i = 0; i < W<T>; ++i) expected[offset + 1 + i] = values[offset + i];
    EXPECT_EQ(out, expected);
  }
}

TYPED_TEST(PackTest, PartialStoresAndLoadsTouchNothingElse) {
  using T = TypeParam;
  const auto values = norma_test::random_values<T>(W<T>, 2);
  const Pack<T> v = norma::load(values.data());
  for (int count = 0; count <= norma::pack_size<T>; ++count) {
    SCOPED_TRACE(count);
    const auto n = static_cast<std::size_t>(count);
    for (const Placement placement : {Placement::at_page_start, Placement::at_page_end}) {
      const Memory memory(n * sizeof(T), placement);
      T* const p = reinterpret_cast<T*>(memory.data());
      norma::store_first(p, v, count);
      const auto lanes = lanes_of(norma::load_first(static_cast<const T*>(p), count));
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(p[i], values[i]);
      for (std::size_t i = 0; i < W<T>; ++i) EXPECT_EQ(lanes[i], i < n ? values[i] : T(0));
    }
    std::vector<T> inside(W<T> + 2, T(7)), expected = inside;
    norma::store_first(inside.data() + 1, v, count);
    std::copy_n(values.begin(), n, expected.begin() + 1);
    EXPECT_EQ(inside, expected);
  }
}

TYPED_TEST(PackTest, KeepFirstClearsEvenNotANumber) {
  using T = TypeParam;
  for (const T value : {T(3), std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity()}) {
    for (int count = 0; count <= norma::pack_size<T>; ++count) {
      const auto lanes = lanes_of(norma::keep_first(Pack<T>(value), count));
      for (std::size_t i = 0; i < W<T>; ++i) {
        const T expected = i < static_cast<std::size_t>(count) ? value : T(0);
        EXPECT_EQ(std::memcmp(&lanes[i], &expected, sizeof(T)), 0) << "lane " << i << " of " << count;
      }
    }
  }
}

TYPED_TEST(PackTest, FmaMatchesTheScalar) {
  using T = TypeParam;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto a = norma_test::random_values<T>(W<T>, seed), b = norma_test::random_values<T>(W<T>, seed + 100);
    std::vector<T> c(W<T>);
    for (std::size_t i = 0; i < W<T>; ++i) c[i] = -a[i] * b[i];  // all but the rounding cancels
    const auto lanes = lanes_of(norma::fma(norma::load(a.data()), norma::load(b.data()), norma::load(c.data())));
    for (std::size_t i = 0; i < W<T>; ++i) {
#if defined(NORMA_PORTABLE) || defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
      EXPECT_EQ(lanes[i], std::fma(a[i], b[i], c[i])) << "one rounding";
#else
      EXPECT_NEAR(lanes[i], std::fma(a[i], b[i], c[i]), std::abs(c[i]) * std::numeric_limits<T>::epsilon());
#endif
    }
  }
}

TYPED_TEST(PackTest, MulIsRoundedBeforeTheSum) {
  using T = TypeParam;
  const auto a = norma_test::random_values<T>(W<T>, 5), b = norma_test::random_values<T>(W<T>, 6);
  std::vector<T> product(W<T>);
  for (std::size_t i = 0; i < W<T>; ++i) {
    const volatile T rounded = a[i] * b[i];
    product[i] = rounded;
  }
  const auto lanes = lanes_of(norma::mul(norma::load(a.data()), norma::load(b.data())) - norma::load(product.data()));
  for (const T lane : lanes) EXPECT_EQ(lane, T(0)) << "a compiler made one fma of the product and the difference";
}

TYPED_TEST(PackTest, WidensAndRoundsThroughDouble) {
  using T = TypeParam;
  constexpr std::size_t n = W<double>;
  const auto values = norma_test::random_values<T>(n, 8);
  const auto wide = lanes_of(norma::load_doubles(values.data()));
  for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(wide[i], static_cast<double>(values[i]));
  const auto doubles = norma_test::random_values<double>(n, 9);
  std::vector<T> narrow(n);
  norma::store_doubles(narrow.data(), norma::load(doubles.data()));
  for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(narrow[i], static_cast<T>(doubles[i]));
}

TEST(PackOfDoubles, DivisionAndSquareRootAreCorrectlyRounded) {
  constexpr std::size_t n = W<double>;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    auto a = norma_test::random_values<double>(n, seed, 3), b = norma_test::random_values<double>(n, seed + 1000, 5);
    for (double& v : a) v = std::abs(v);
    const auto quotient = lanes_of(norma::divide(norma::load(a.data()), norma::load(b.data())));
    const auto root = lanes_of(norma::square_root(norma::load(a.data())));
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(quotient[i], a[i] / b[i]);
      EXPECT_EQ(root[i], std::sqrt(a[i]));
    }
  }
  EXPECT_EQ(norma::divide(1.0, 4.0), 0.25);
  EXPECT_EQ(norma::square_root(2.0), std::sqrt(2.0));
}

TEST(Unroll, CallsEachIndexOnceInOrder) {
  std::vector<int> seen;
  norma::unroll<5>([&](auto i) { seen.push_back(static_cast<int>(i)); });
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
}

}  // namespace
