// Comparisons for GoogleTest: within a bound, and bit for bit. One failure a comparison, with the worst or first element.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "support/cases.hpp"
#include "support/run.hpp"
#include "support/tolerance.hpp"

namespace norma_test {

/// For INSTANTIATE_TEST_SUITE_P.
struct CaseName {
  template <class C>
  std::string operator()(const testing::TestParamInfo<C>& info) const {
    return name_of(info.param);
  }
};
inline void PrintTo(const Entry& e, std::ostream* out) { *out << e.name(); }
inline void PrintTo(const LengthCase& c, std::ostream* out) { *out << name_of(c); }
inline void PrintTo(const ShapeCase& c, std::ostream* out) { *out << name_of(c); }
inline void PrintTo(const LayoutCase& c, std::ostream* out) { *out << name_of(c); }

/// Bit for bit; any NaN equals any NaN.
template <class T>
testing::AssertionResult same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i]) && !(std::isnan(a[i]) && std::isnan(b[i]))) {
      return testing::AssertionFailure() << "first difference at " << i << ": " << std::hexfloat << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

/// |actual - exact| / bound of the worst element; 0 for none. A NaN, or any error where the bound is 0, counts as infinite.
template <class T>
real worst_ratio(const std::vector<T>& actual, const std::vector<real>& exact, const std::vector<real>& bound,
                 std::size_t* where = nullptr) {
  real worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const real error = std::abs(static_cast<real>(actual[i]) - exact[i]);
    const real ratio = error == 0 ? 0 : error <= bound[i] || bound[i] > 0 ? error / bound[i] : HUGE_VALL;
    if (ratio > worst || std::isnan(ratio)) {
      worst = std::isnan(ratio) ? HUGE_VALL : ratio;
      if (where != nullptr) *where = i;
    }
  }
  return worst;
}

/// Every element within `times` its bound.
template <class T>
testing::AssertionResult within(const std::vector<T>& actual, const std::vector<real>& exact, const std::vector<real>& bound,
                                real times = 1) {
  if (actual.size() != exact.size()) return testing::AssertionFailure() << "size " << actual.size() << " instead of " << exact.size();
  std::size_t i = 0;
  const real worst = worst_ratio(actual, exact, bound, &i);
  if (worst <= times) return testing::AssertionSuccess();
  return testing::AssertionFailure() << actual[i] << " instead of " << exact[i] << " at " << i << ": " << worst << " times the bound "
                                     << bound[i];
}

/// All results of a run, bit for bit.
template <class X, class Y, class P>
void expect_same(const Results<X, Y, P>& a, const Results<X, Y, P>& b) {
  EXPECT_TRUE(same(a.y, b.y)) << "y";
  EXPECT_TRUE(same(a.y_train, b.y_train)) << "y of the training forward";
  EXPECT_TRUE(same(a.mean, b.mean)) << "mean";
  EXPECT_TRUE(same(a.rstd, b.rstd)) << "rstd";
  EXPECT_TRUE(same(a.dx, b.dx)) << "dx";
  EXPECT_TRUE(same(a.dweight, b.dweight)) << "dweight";
  EXPECT_TRUE(same(a.dbias, b.dbias)) << "dbias";
}

/// A problem with its exact answer: which elements form a set, and which set an element belongs to.
template <class X, class Y, class P>
struct Exact {
  Exact(const Norm<X, Y>& norm, const Setting& setting, const Inputs<X, Y, P>& inputs)
      : problem(norma_test::problem(setting, inputs)), answer(norm.reference(problem)), set_of(inputs.x.size()) {
    for (std::size_t s = 0; s < answer.sets.size(); ++s) {
      for (const std::size_t i : answer.sets[s]) set_of[i] = s;
    }
  }
  const std::vector<std::vector<std::size_t>>& sets() const { return answer.sets; }

  reference::Problem problem;
  reference::Answer answer;
  std::vector<std::size_t> set_of;
};

/// All results of a run against the reference, each within its bound.
template <class X, class Y, class P>
void expect_correct(const Norm<X, Y>& norm, const Setting& setting, const Inputs<X, Y, P>& inputs, const Results<X, Y, P>& r,
                    real times = 1) {
  const reference::Problem p = problem(setting, inputs);
  const reference::Answer exact = norm.reference(p);
  const Bounds forward = bounds(p, exact, precision_of<norma::Wider<X, P>, Y>());
  const Bounds backward = bounds(p, exact, precision_of<P, X>());
  EXPECT_TRUE(within(r.y, exact.y, forward.y, times)) << "y";
  EXPECT_TRUE(same(r.y, r.y_train)) << "inference and training forward differ";
  EXPECT_TRUE(within(r.dx, exact.dx, backward.dx, times)) << "dx";
  EXPECT_TRUE(within(r.dweight, exact.dweight, backward.dweight, times)) << "dweight";
  EXPECT_TRUE(within(r.dbias, exact.dbias, backward.dbias, times)) << "dbias";
  const bool has_statistics = !exact.given && !exact.sets.empty() && !exact.sets.front().empty();
  if (!has_statistics) return;
  EXPECT_TRUE(within(r.rstd, exact.rstd, backward.rstd, times)) << "rstd";
  if (exact.centred) {
    EXPECT_TRUE(within(r.mean, exact.mean, backward.mean, times)) << "mean";
  } else {
    EXPECT_TRUE(r.mean.empty()) << "a norm that is not centred has no mean";
  }
}

}  // namespace norma_test
