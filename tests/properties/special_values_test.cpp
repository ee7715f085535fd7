// Property 8: constant sets, extreme scales, subnormals, eps = 0, and NaN and Inf, which stay in their set and are never swallowed.
#include <cmath>
#include <limits>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

class SpecialValues : public testing::TestWithParam<LengthCase> {};

std::vector<LengthCase> some_lengths() {
  return length_cases(computing_entries(), {1, 2, 3, 15, 16, 17, 32, 33, 64, 127, 255, 257, 768, 1000, 1025, 8193, 20000});
}

/// Sets of the given scales, as many as scales.
template <class T>
Inputs<T, T, T> scaled_sets(const Norm<T, T>& norm, const Setting& s, std::uint64_t seed, const std::vector<double>& scales,
                            double mean = 0) {
  auto inputs = random_inputs<T, T, T>(s, seed, mean);
  const Exact exact(norm, s, inputs);
  for (std::size_t i = 0; i < inputs.x.size(); ++i) inputs.x[i] = static_cast<T>(inputs.x[i] * static_cast<T>(scales[exact.set_of[i]]));
  return inputs;
}

TEST_P(SpecialValues, ConstantSetsGiveExactlyTheBias) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    const std::vector<double> constants = {0, 1, -3, 0.1, 1e-30, -12345.678, 1e30, 3e38 / 1024};
    Setting s = entry.sets_of(static_cast<std::ptrdiff_t>(constants.size()), length);
    for (const double eps : {1e-5, 0.0, 1.0, 100.0}) {
      s.eps = eps;
      auto inputs = random_inputs<T, T, T>(s, 61);
      const Exact exact(norm, s, inputs);
      const auto constant = [&](std::size_t i) { return constants[exact.set_of[i]]; };
      for (std::size_t i = 0; i < inputs.x.size(); ++i) inputs.x[i] = static_cast<T>(constant(i));
      const auto r = run(norm, s, inputs);
      for (std::size_t i = 0; i < r.y.size(); ++i) {
        const bool gives_bias = norm.centred || inputs.x[i] == 0;
        if (gives_bias) {
          ASSERT_EQ(r.y[i], inputs.bias[exact.problem.bias_cell[i]]) << "set of " << constant(i) << ", eps " << eps;
        }
        if (gives_bias) {
          ASSERT_EQ(r.y_train[i], inputs.bias[exact.problem.bias_cell[i]]) << "set of " << constant(i) << ", eps " << eps;
        }
        ASSERT_TRUE(std::isfinite(r.y[i]) && std::isfinite(r.dx[i])) << "set of " << constant(i) << ", eps " << eps;
      }
      if (norm.centred) {
        for (std::size_t set = 0; set < constants.size(); ++set) EXPECT_EQ(r.mean[set], static_cast<T>(constants[set]));
        for (const T dweight : r.dweight) ASSERT_EQ(dweight, T(0));
      }
      for (std::size_t set = 0; set < constants.size(); ++set) {
        const bool no_deviation = (norm.centred || constants[set] == 0) && eps == 0;
        if (no_deviation) {
          EXPECT_EQ(r.rstd[set], T(0)) << "variance + eps == 0";
        }
      }
    }
  });
}

TEST_P(SpecialValues, ExtremeScalesGiveOrdinaryResults) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    const bool f64 = sizeof(T) == 8;
    const std::vector<double> scales = f64 ? std::vector<double>{1e200, 1e-200, 1, 1e150, 1e300, 1e-157, 3e-160}
                                           : std::vector<double>{1e30, 1e-30, 1, 1e19, 1e37, 1e-20, 3e-22};
    Setting s = entry.sets_of(static_cast<std::ptrdiff_t>(scales.size()), length);
    s.bias = Form::absent;
    for (const double eps : {0.0, 1e-5}) {
      for (const double mean : {0.0, 100.0}) {
        s.eps = eps;
        const auto inputs = scaled_sets<T>(norm, s, 62, scales, mean / 100);
        const auto r = run(norm, s, inputs);
        expect_correct(norm, s, inputs, r);
        for (const T y : r.y) ASSERT_TRUE(std::isfinite(y));
        for (const Layout layout : {Layout::reversed, Layout::strided, Layout::channels_last}) {
          SCOPED_TRACE(name_of(layout));
          Where where;
          where.layout = layout;
          const auto elsewhere = run(norm, s, inputs, everywhere(where));
          if (norm.family.has_axes) {
            EXPECT_TRUE(same(elsewhere.y, r.y));
          } else {
            expect_correct(norm, s, inputs, elsewhere);
          }
        }
      }
    }
  });
}

TEST_P(SpecialValues, Subnormals) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(3, length);
    Random random(63);
    for (const double eps : {0.0, 1e-5}) {
      s.eps = eps;
      auto inputs = random_inputs<T, T, T>(s, 63);
      for (T& x : inputs.x) x = static_cast<T>(static_cast<int>(random.below(2000)) - 700) * std::numeric_limits<T>::denorm_min();
      for (T& dy : inputs.dy) dy *= std::numeric_limits<T>::min();  // so that dx stays finite with eps = 0
      const auto r = run(norm, s, inputs);
      const reference::Problem p = problem(s, inputs);
      const reference::Answer exact = norm.reference(p);
      EXPECT_TRUE(within(r.y, exact.y, bounds(p, exact, precision_of<T>()).y)) << "eps " << eps;
    }
  });
}

TEST_P(SpecialValues, PowerOfTwoScalingKeepsTheBits) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(3, length);
    s.eps = 0x1p-12;
    const auto inputs = random_inputs<T, T, T>(s, 64, 1);
    const auto expected = run(norm, s, inputs);
    for (const int k : {-20, -3, 1, 2, 9, 30}) {
      auto scaled = inputs;
      for (T& x : scaled.x) x = std::ldexp(x, k);
      Setting t = s;
      t.eps = std::ldexp(s.eps, 2 * k);
      const auto r = run(norm, t, scaled);
      EXPECT_TRUE(same(r.y, expected.y)) << "2^" << k;
      std::vector<T> dx = r.dx;
      for (T& v : dx) v = std::ldexp(v, k);
      EXPECT_TRUE(same(dx, expected.dx)) << "2^" << k;
      EXPECT_TRUE(same(r.dweight, expected.dweight)) << "2^" << k;
      EXPECT_TRUE(same(r.dbias, expected.dbias)) << "2^" << k;
    }
  });
}

TEST_P(SpecialValues, NotANumberStaysInItsSet) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    constexpr T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    const std::size_t n = static_cast<std::size_t>(length), bad_set = 4;
    const Setting s = entry.sets_of(9, length);
    const auto inputs = random_inputs<T, T, T>(s, 65, 1);
    const Exact exact(norm, s, inputs);
    for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::strided}) {
      Where where;
      where.layout = layout == Layout::reversed && !norm.family.has_axes ? Layout::channels_last : layout;
      const auto clean = run(norm, s, inputs, everywhere(where));
      for (const T poison : {nan, inf, -inf}) {
        for (const std::size_t of_set : {std::size_t(0), n / 2, n - 1}) {
          const std::size_t at = exact.sets()[bad_set][of_set];
          SCOPED_TRACE(std::string(name_of(where.layout)) + ", value " + std::to_string(poison) + " at " + std::to_string(at));
          auto poisoned = inputs;
          poisoned.x[at] = poison;
          const auto r = run(norm, s, poisoned, everywhere(where));
          for (std::size_t i = 0; i < r.y.size(); ++i) {
            if (exact.set_of[i] != bad_set) {
              ASSERT_TRUE(same_bits(r.y[i], clean.y[i])) << "y of another set changed, at " << i;
              ASSERT_TRUE(same_bits(r.dx[i], clean.dx[i])) << "dx of another set changed, at " << i;
            } else if (norm.centred || std::isnan(poison)) {
              ASSERT_TRUE(std::isnan(r.y[i])) << "swallowed: y is " << r.y[i] << " at " << i;
              ASSERT_TRUE(std::isnan(r.dx[i])) << "swallowed: dx is " << r.dx[i] << " at " << i;
            } else if (i != at) {  // 1 / sqrt(Inf) is 0
              ASSERT_EQ(r.y[i], inputs.bias[exact.problem.bias_cell[i]]) << "at " << i;
            } else {  // Inf * 0
              ASSERT_TRUE(std::isnan(r.y[i])) << "at " << i;
            }
          }
          if (std::isnan(poison)) {
            EXPECT_TRUE(std::isnan(r.rstd[bad_set]));
          }
          EXPECT_TRUE(std::isnan(r.dweight[exact.problem.weight_cell[at]])) << "the weight gradient swallowed it";
        }
      }
    }
  });
}

TEST_P(SpecialValues, NotANumberInTheUpstreamGradient) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    const std::size_t n = static_cast<std::size_t>(length), bad_set = 2;
    const Setting s = entry.sets_of(5, length);
    auto inputs = random_inputs<T, T, T>(s, 66);
    const auto clean = run(norm, s, inputs);
    const Exact exact(norm, s, inputs);
    const std::size_t at = exact.sets()[bad_set][n / 2];
    inputs.dy[at] = std::numeric_limits<T>::quiet_NaN();
    const auto r = run(norm, s, inputs);
    EXPECT_TRUE(same(r.y, clean.y));
    for (std::size_t i = 0; i < r.dx.size(); ++i) {
      if (exact.set_of[i] == bad_set) {
        ASSERT_TRUE(std::isnan(r.dx[i])) << "at " << i;
      } else {
        ASSERT_TRUE(same_bits(r.dx[i], clean.dx[i])) << "at " << i;
      }
    }
    for (std::size_t i = 0; i < r.dweight.size(); ++i) {
      ASSERT_EQ(std::isnan(r.dweight[i]), i == exact.problem.weight_cell[at]) << "at " << i;
      ASSERT_EQ(std::isnan(r.dbias[i]), i == exact.problem.bias_cell[at]) << "at " << i;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, SpecialValues, testing::ValuesIn(some_lengths()), CaseName());

class OneElementSets : public testing::TestWithParam<Entry> {};

// A centred set of one element: y is the bias, dx and the weight gradient are exactly 0, whatever the mean.
TEST_P(OneElementSets, GiveZeroGradients) {
  with_element(GetParam(), [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = GetParam().get<T>();
    if (!norm.centred) {
      // x / |x| is the sign, up to the roundings of rstd and of the product.
      Setting s = rows_of(50, 1);
      s.eps = 0;
      s.weight = s.bias = Form::absent;
      const auto inputs = random_inputs<T, T, T>(s, 67);
      const auto r = run(norm, s, inputs);
      for (std::size_t i = 0; i < r.y.size(); ++i) {
        EXPECT_NEAR(r.y[i], inputs.x[i] > 0 ? T(1) : T(-1), std::numeric_limits<T>::epsilon());
      }
      return;
    }
    std::vector<Shape> shapes = {{{50, 1}, {1}}, {{1, 50}, {0}}, {{7, 1, 5}, {1}}, {{4, 1, 1, 9}, {1, 2}}};
    if (!norm.family.has_axes) shapes = GetParam().family().shapes;
    for (const Shape& shape : shapes) {
      for (const double mean : {0.0, 1e3, 1e6}) {
        for (const double eps : {1e-5, 0.0, 1.0, 100.0}) {
          Setting s = shape.setting();
          s.eps = eps;
          const auto inputs = random_inputs<T, T, T>(s, 68, mean);
          const Exact exact(norm, s, inputs);
          if (exact.sets().empty() || exact.sets().front().size() != 1) continue;
          const auto r = run(norm, s, inputs);
          for (std::size_t i = 0; i < r.y.size(); ++i) ASSERT_EQ(r.y[i], inputs.bias[exact.problem.bias_cell[i]]);
          for (const T dx : r.dx) ASSERT_EQ(dx, T(0));
          for (const T dweight : r.dweight) ASSERT_EQ(dweight, T(0));
        }
      }
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, OneElementSets, testing::ValuesIn(entries_where([](const Family& family) {
                           return family.least_length < 2 && !family.given_statistics;
                         })),
                         CaseName());

}  // namespace
}  // namespace norma_test
