// The activations against their formulas in long double over all sizes of numbers, their limits and derivatives; and ops of users.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <norma/core/execution.hpp>
#include <norma/doors/saved.hpp>
#include <norma/kernels/ops.hpp>

#include "support/ulps.hpp"

namespace {

using norma::Pack;
using Real = long double;

Real logistic(Real x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
Real cubic(Real z) { return 1.5957691216057307117597842397375L * (z + 0.044715L * z * z * z); }
Real cubic_slope(Real z) { return 1.5957691216057307117597842397375L * (1 + 3 * 0.044715L * z * z); }
Real density(Real z) { return 0.39894228040143267793994605993438L * std::exp(-z * z / 2); }
/// The normal distribution function; the argument of erfc in two parts, for erfc makes its error many times larger.
Real distribution(Real z) {
  if (std::fabs(z) > 1000) return z > 0;
  const Real c = 0.70710678118654752440084436210484903928L, c_low = -std::fma(c, c, -0.5L) / (2 * c);
  const Real x = -z * c, low = std::fma(-z, c, -x) - z * c_low;
  return (std::erfc(x) - low * 1.1283791670955125738961589031215L * std::exp(-x * x)) / 2;
}
/// z times f(z), 0 at -Inf.
Real times(Real z, Real f) { return f == 0 ? -0.0L : z * f; }

struct Formula {
  const char* name;
  Real (*value)(Real z);
  Real (*derivative)(Real z);
};

/// f(op, its formulas) for every op of norma.
template <class F>
void for_each_op(F f) {
  f(norma::relu, Formula{"relu", [](Real z) { return z < 0 ? 0 : z; }, [](Real z) { return std::isnan(z) ? z : Real(z > 0); }});
  f(norma::leaky_relu{0.125},
    Formula{"leaky_relu", [](Real z) { return z > 0 ? z : z / 8; }, [](Real z) { return std::isnan(z) ? z
                                                                                        : z > 0       ? 1
                                                                                                      : 0.125L; }});
  f(norma::clip{-1, 2}, Formula{"clip", [](Real z) { return z < -1  ? -1
                                                            : z > 2 ? 2
                                                                    : z; },
                                [](Real z) { return std::isnan(z) ? z : Real(z >= -1 && z <= 2); }});
  f(norma::sigmoid, Formula{"sigmoid", logistic, [](Real z) { return logistic(z) * logistic(-z); }});
  f(norma::tanh, Formula{"tanh", [](Real z) { return std::tanh(z); }, [](Real z) { return 1 - std::tanh(z) * std::tanh(z); }});
  f(norma::silu, Formula{"silu", [](Real z) { return times(z, logistic(z)); },
                         [](Real z) { return logistic(z) + times(z, logistic(z) * logistic(-z)); }});
  f(norma::gelu,
    Formula{"gelu", [](Real z) { return times(z, distribution(z)); }, [](Real z) { return distribution(z) + times(z, density(z)); }});
  f(norma::gelu_tanh, Formula{"gelu_tanh", [](Real z) { return times(z, logistic(cubic(z))); },
                              [](Real z) {
                                const Real s = logistic(cubic(z)), slope = s * logistic(-cubic(z));
                                return s + times(z, slope == 0 ? 0 : slope * cubic_slope(z));
                              }});
}

template <class T>
class OpsTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(OpsTest, Elements);

/// Where |op - formula| is largest, over many numbers: error(result, exact), and whether it is within the bound.
template <class T>
void expect_within(double bound, std::size_t count, const char* name, auto op, auto exact, auto error) {
  constexpr auto W = static_cast<std::size_t>(norma::pack_size<T>);
  double worst = 0;
  T where = 0;
  for (const T range : {T(12), sizeof(T) == 4 ? T(112) : T(760)}) {
    std::vector<T> z = norma_test::numbers_of_all_sizes<T>(count / 2, range);
    z.resize((z.size() + W - 1) / W * W);
    std::array<T, W> y;
    for (std::size_t i = 0; i < z.size(); i += W) {
      norma::store(y.data(), op(norma::load(z.data() + i)));
      for (std::size_t lane = 0; lane < W; ++lane) {
        const double e = error(y[lane], exact(static_cast<Real>(z[i + lane])));
        if (e > worst) worst = e, where = z[i + lane];
      }
    }
  }
  EXPECT_LE(worst, bound) << name << " at " << where;
}

TYPED_TEST(OpsTest, AreWithinTwoUlpInFloatAndFourInDouble) {
  using T = TypeParam;
  for_each_op([](auto op, const Formula& formula) {
    expect_within<T>(
        sizeof(T) == 4 ? 2 : 4, sizeof(T) == 4 ? 1'000'000 : 100'000, formula.name, [&](auto z) { return op(z); }, formula.value,
        [](T result, Real exact) { return norma_test::ulps(result, exact); });
  });
}

TYPED_TEST(OpsTest, DerivativesAreWithinFourEpsilon) {
  using T = TypeParam;
  for_each_op([](auto op, const Formula& formula) {
    expect_within<T>(
        4, 100'000, formula.name, [&](auto z) { return op.derivative(z); }, formula.derivative,
        [](T result, Real exact) {
          if (std::isnan(result) || std::isnan(exact)) return std::isnan(result) && std::isnan(exact) ? 0 : HUGE_VAL;
          const Real unit = static_cast<Real>(std::numeric_limits<T>::epsilon()) * std::max(Real(1), std::fabs(exact));
          return static_cast<double>(std::fabs(static_cast<Real>(result) - exact) / unit);
        });
  });
}

TEST(Ops, FormulasOfDerivativesAreThoseOfTheValues) {
  for_each_op([](auto, const Formula& formula) {
    for (Real z = -8.03L; z < 8; z += 0.1L) {
      const Real h = 1e-5L, difference = (formula.value(z + h) - formula.value(z - h)) / (2 * h);
      EXPECT_NEAR(static_cast<double>(difference), static_cast<double>(formula.derivative(z)), 1e-9) << formula.name << ' ' << z;
    }
  });
}

TYPED_TEST(OpsTest, LimitsAndZeros) {
  using T = TypeParam;
  constexpr T inf = std::numeric_limits<T>::infinity();
  const auto check = [](auto op, T at_minus_inf, T at_inf, T slope_at_minus_inf, T slope_at_inf, T at_zero) {
    const auto same = [](T result, T expected) { return std::memcmp(&result, &expected, sizeof(T)) == 0; };
    EXPECT_TRUE(same(op(-inf), at_minus_inf) && same(op(inf), at_inf)) << op(-inf) << ' ' << op(inf);
    EXPECT_TRUE(same(op.derivative(-inf), slope_at_minus_inf) && same(op.derivative(inf), slope_at_inf))
        << op.derivative(-inf) << ' ' << op.derivative(inf);
    EXPECT_TRUE(same(op(T(0)), at_zero) && same(op(T(-0.0)), at_zero == 0 ? -at_zero : at_zero)) << op(T(0)) << ' ' << op(T(-0.0));
  };
  check(norma::relu, 0, inf, 0, 1, 0);
  check(norma::leaky_relu{0.25}, -inf, inf, T(0.25), 1, 0);
  check(norma::clip{-1, 2}, -1, 2, 0, 0, 0);
  check(norma::sigmoid, 0, 1, 0, 0, T(0.5));
  check(norma::tanh, -1, 1, 0, 0, 0);
  check(norma::silu, T(-0.0), inf, 0, 1, 0);
  check(norma::gelu, T(-0.0), inf, 0, 1, 0);
  check(norma::gelu_tanh, T(-0.0), inf, 0, 1, 0);
  EXPECT_EQ(norma::relu.derivative(T(0)), T(0));
}

/// Every lane of op and derivative has the bits of the scalar's.
template <class T>
void expect_lanes_as_scalars(auto op, const char* name) {
  constexpr auto W = static_cast<std::size_t>(norma::pack_size<T>);
  std::vector<T> z = norma_test::numbers_of_all_sizes<T>(20'000, T(20));
  z.resize((z.size() + W - 1) / W * W);
  std::array<T, W> y, slope;
  for (std::size_t i = 0; i < z.size(); i += W) {
    norma::store(y.data(), op(norma::load(z.data() + i)));
    norma::store(slope.data(), op.derivative(norma::load(z.data() + i)));
    for (std::size_t lane = 0; lane < W; ++lane) {
      const T v = z[i + lane], scalar = op(v), scalar_slope = op.derivative(v);
      ASSERT_TRUE(std::isnan(v) ? std::isnan(y[lane]) && std::isnan(scalar) : std::memcmp(&y[lane], &scalar, sizeof(T)) == 0)
          << name << ' ' << v;
      ASSERT_TRUE(std::isnan(v) ? std::isnan(slope[lane]) && std::isnan(scalar_slope)
                                : std::memcmp(&slope[lane], &scalar_slope, sizeof(T)) == 0)
          << name << ' ' << v;
    }
  }
}

/// What a user may write: ELU, cut off at 6.
struct CutElu {
  template <class V>
  V operator()(V z) const {
    return norma::min(norma::select(z > V(0), z, norma::exp(norma::min(z, V(0))) - V(1)), V(6));
  }
  template <class V>
  V derivative(V z) const {
    return norma::select(z > V(6), V(0), norma::select(z > V(0), V(1), norma::exp(norma::min(z, V(0)))));
  }
};

TYPED_TEST(OpsTest, LanesAreScalars) {
  for_each_op([](auto op, const Formula& formula) { expect_lanes_as_scalars<TypeParam>(op, formula.name); });
  expect_lanes_as_scalars<TypeParam>(CutElu(), "a user's");
}

TEST(Ops, OfAUser) {
  EXPECT_EQ(CutElu()(2.5f), 2.5f);
  EXPECT_EQ(CutElu()(7.0), 6.0);
  EXPECT_NEAR(CutElu()(-1.0), std::exp(-1.0) - 1, 1e-15);
  EXPECT_TRUE(std::isnan(CutElu()(std::nanf(""))));
}

struct OnlyFloat {
  float operator()(float z) const { return z; }
  float derivative(float) const { return 1; }
};
struct Options {
  float slope = 1;
};

TEST(Ops, AreToldFromEverythingElse) {
  for_each_op([](auto op, const Formula&) { static_assert(norma::Op<decltype(op)>); });
  static_assert(norma::Op<CutElu> && norma::Op<const norma::clip&> && norma::Op<decltype((norma::silu))>);
  static_assert(!norma::Op<decltype(norma::sequential)> && !norma::Op<norma::Saved<float>> && !norma::Op<Options> && !norma::Op<float>);
  static_assert(!norma::Op<float (*)(float)> && !norma::Op<OnlyFloat>);
}

}  // namespace
