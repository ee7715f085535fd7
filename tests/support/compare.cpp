#include "support/compare.hpp"

namespace norma_test {

testing::AssertionResult within(const Values& actual, const ExactRow& exact, real times) {
  if (actual.size() != exact.numbers.size())
    return testing::AssertionFailure() << "size " << actual.size() << " instead of " << exact.numbers.size();
  const auto value = [&](std::size_t i) { return exact.numbers[i].value; };
  const auto judge = [&](const char* whose, auto bound) {
    real worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const real error = std::abs(static_cast<real>(actual[i]) - value(i)), allowed = bound(i);
      if (error <= times * allowed || error == 0 || allowed == HUGE_VALL) continue;
      // Quotients take longer than all the rest, and only a failure needs them. A NaN, or any error where the bound is 0, is infinite.
      const real ratio = allowed > 0 && error <= HUGE_VALL ? error / allowed : HUGE_VALL;
      if (ratio > worst) worst = ratio, at = i;
    }
    if (worst == 0) return testing::AssertionSuccess();
    return testing::AssertionFailure() << actual[at] << " instead of " << value(at) << " at " << at << ": " << worst << " times " << whose
                                       << " bound " << bound(at);
  };
  // What the type does not hold may be anything.
  const testing::AssertionResult of_arithmetic = judge("the arithmetic's", [&](std::size_t i) {
    return std::abs(value(i)) > exact.precision.huge ? HUGE_VALL : bound_of(exact.numbers[i], exact.precision);
  });
  if (!of_arithmetic || exact.promised.empty()) return of_arithmetic;
  return judge("the promised", [&](std::size_t i) { return exact.promised[i]; });
}

void expect_correct(const Rows& rows, const Exact& exact, real times) {
  for (const auto& [name, values] : rows) {
    const auto found = exact.rows.find(name);
    if (found != exact.rows.end()) {
      EXPECT_TRUE(within(values, found->second, times)) << name;
    } else {
      EXPECT_TRUE(name == "mean" || name == "rstd") << "the reference has no answer to " << name;
    }
  }
}

void expect_same(const Rows& a, const Rows& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same(a[i].second, b[i].second)) << a[i].first;
}

}  // namespace norma_test
