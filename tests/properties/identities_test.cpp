// The identities between the norms and the LayerNorm paper's invariance table, its "not invariant" cells too.
#include <cmath>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

class Identities : public testing::TestWithParam<LengthCase> {};

std::vector<LengthCase> identity_lengths() {
  return length_cases(computing_entries(), {2, 3, 5, 8, 13, 31, 32, 64, 100, 257, 768, 1025, 9000});
}

/// sum dx = 0 per centred set, and sum dx x_hat = rstd (sum g x_hat) eps / (variance + eps).
TEST_P(Identities, SumsOfTheInputGradient) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(4, length);
    s.eps = 0.125;
    const auto inputs = random_inputs<T, T, T>(s, 71);
    const auto r = run(norm, s, inputs);
    const reference::Problem p = problem(s, inputs);
    const reference::Answer exact = norm.reference(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    for (std::size_t set = 0; set < exact.sets.size(); ++set) {
      real sum = 0, sum_bound = 0, projection = 0, projection_bound = 0, sum_gx = 0;
      for (const std::size_t i : exact.sets[set]) {
        sum += r.dx[i];
        sum_bound += bound.dx[i];
        projection += r.dx[i] * exact.x_hat[i];
        projection_bound += bound.dx[i] * std::abs(exact.x_hat[i]);
        sum_gx += p.dy[i] * p.scale(i) * exact.x_hat[i];
      }
      if (norm.centred) {
        EXPECT_LE(std::abs(sum), sum_bound) << "set " << set;
      }
      const real expected = exact.rstd[set] * sum_gx * s.eps / (exact.variance[set] + s.eps);
      EXPECT_LE(std::abs(projection - expected), projection_bound) << "set " << set;
    }
  });
}

/// y of x -> a x + b per set, a and b powers of two, compared with y of x.
template <class T>
std::vector<T> transformed(const Norm<T, T>& norm, const Setting& s, const Inputs<T, T, T>& inputs, T a, T b) {
  auto changed = inputs;
  for (T& x : changed.x) x = a * x + b;
  return run(norm, s, changed).y;
}

// Table 1 of Ba et al.: invariant to re-scaling a sample; a centred norm is invariant to re-centring it, RMSNorm is not.
TEST_P(Identities, InvarianceUnderScaleAndShiftOfASample) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(4, length);
    s.eps = 0;
    auto inputs = random_inputs<T, T, T>(s, 72);
    for (T& x : inputs.x) x = std::round(x * T(1024)) / T(1024);  // so that x + 8 is exact
    for (T& w : inputs.weight) w = w == T(0) ? T(1) : w;
    const auto y = run(norm, s, inputs).y;
    EXPECT_TRUE(same(transformed(norm, s, inputs, T(4), T(0)), y)) << "scaled";
    const std::vector<T> shifted = transformed(norm, s, inputs, T(1), T(8)), negated = transformed(norm, s, inputs, T(-1), T(0));
    std::size_t changed = 0, kept = 0;
    const reference::Problem p = problem(s, inputs);
    const reference::Answer exact = norm.reference(p);
    for (std::size_t set = 0; set < exact.sets.size(); ++set) {
      for (const std::size_t i : exact.sets[set]) {
        const real k = kappa(exact.mean[set] + 8, exact.rstd[set]);
        const real bound = 2 * y_bound(precision_of<T>(), exact.y[i], p.bias[i], p.scale(i), k);
        ++(std::abs(static_cast<real>(shifted[i]) - y[i]) <= bound ? kept : changed);
        // Negating x negates x_hat: y - bias changes its sign.
        EXPECT_LE(std::abs(static_cast<real>(negated[i]) + y[i] - 2 * p.bias[i]), bound);
      }
    }
    if (norm.centred) {
      EXPECT_EQ(changed, 0u) << "re-centring must not matter";
    } else {
      EXPECT_GT(changed, kept) << "re-centring must matter";
    }
  });
}

// "Not invariant" cells: re-scaling one element of the sample, or scaling x while eps stays, changes y.
TEST_P(Identities, ScaleMattersWhereItShould) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(1, length);
    s.eps = 1;
    s.weight = s.bias = Form::absent;
    const auto inputs = random_inputs<T, T, T>(s, 73);
    const auto y = run(norm, s, inputs).y;
    const std::vector<T> scaled = transformed(norm, s, inputs, T(2), T(0));
    EXPECT_FALSE(same(scaled, y)) << "eps was ignored";
    auto one = inputs;
    one.x[0] = one.x[0] * 3 + 1;
    EXPECT_NE(run(norm, s, one).y.back(), y.back()) << "a single element's weight must change the others";
  });
}

// Every element of y has mean square below 1 and, centred, mean 0; the mean square is variance / (variance + eps).
TEST_P(Identities, MomentsOfTheOutput) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(3, length);
    s.eps = 0.5;
    s.weight = s.bias = Form::absent;
    const auto inputs = random_inputs<T, T, T>(s, 74, 3);
    const auto r = run(norm, s, inputs);
    const reference::Problem p = problem(s, inputs);
    const reference::Answer exact = norm.reference(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    for (std::size_t set = 0; set < exact.sets.size(); ++set) {
      real sum = 0, squares = 0, slack = 0;
      for (const std::size_t i : exact.sets[set]) {
        sum += r.y[i];
        squares += static_cast<real>(r.y[i]) * r.y[i];
        slack += bound.y[i] * (1 + 2 * std::abs(exact.y[i]));
      }
      const real m = static_cast<real>(exact.sets[set].size());
      if (norm.centred) {
        EXPECT_LE(std::abs(sum), slack);
      }
      EXPECT_LE(std::abs(squares / m - exact.variance[set] / (exact.variance[set] + s.eps)), slack / m);
      EXPECT_LT(squares, m);
    }
  });
}

// dx is linear in dy; unit_offset with weight w equals weight 1 + w; a full-shape weight of equal rows equals the plain weight.
TEST_P(Identities, FormsOfTheParametersAgree) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    Setting s = entry.sets_of(4, length);
    auto inputs = random_inputs<T, T, T>(s, 75);
    for (T& w : inputs.weight) w = std::round(w * T(64)) / T(64);  // so that 1 + w is exact
    const auto expected = run(norm, s, inputs);

    auto halved = inputs;
    for (T& dy : halved.dy) dy *= T(0.5);
    const auto half = run(norm, s, halved);
    for (std::size_t i = 0; i < half.dx.size(); ++i) ASSERT_EQ(half.dx[i] * 2, expected.dx[i]);

    auto minus_one = inputs;
    for (T& w : minus_one.weight) w -= T(1);
    Setting offset = s;
    offset.unit_offset = true;
    expect_same(run(norm, offset, minus_one), expected);

    auto repeated = inputs;
    const reference::Problem p = problem(s, inputs);
    repeated.weight.assign(p.weight.begin(), p.weight.end());
    repeated.bias.assign(p.bias.begin(), p.bias.end());
    Setting full = s;
    full.weight = full.bias = Form::full;
    const auto spread = run(norm, full, repeated);
    if (norm.family.has_axes) {
      EXPECT_TRUE(same(spread.y, expected.y));
      EXPECT_TRUE(same(spread.dx, expected.dx));
    } else {  // a weight for a whole channel may be multiplied into rstd beforehand
      expect_correct(norm, full, repeated, spread);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, Identities, testing::ValuesIn(identity_lengths()), CaseName());

}  // namespace
}  // namespace norma_test
