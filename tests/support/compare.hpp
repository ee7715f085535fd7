// Comparisons for GoogleTest: within a bound, and bit for bit. One failure a comparison, with the worst or first element.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "support/exact.hpp"

namespace norma_test {

/// Bit for bit; any NaN equals any NaN.
template <class A, class B>
testing::AssertionResult same(const A& a, const B& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_number(static_cast<double>(a[i]), static_cast<double>(b[i]))) {
      return testing::AssertionFailure() << "first difference at " << i << ": " << std::hexfloat << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

template <class T>
std::vector<std::remove_const_t<T>> copy_of(std::span<T> values) {
  return {values.begin(), values.end()};
}

/// Every number within `times` the bound of its arithmetic, and README's where there is one.
testing::AssertionResult within(const Values& actual, const ExactRow& exact, real times = 1);
template <class T>
testing::AssertionResult within(const std::vector<T>& actual, const reference::Numbers& exact, const Precision& p) {
  return within(Values(actual.begin(), actual.end()), ExactRow{exact, p});
}

/// All results of a run against the exact ones, each within `times` its bounds. What a norm keeps in its Saved is its own business where
/// the reference does not know it.
void expect_correct(const Rows& rows, const Exact& exact, real times = 1);

/// All results of two runs, bit for bit.
void expect_same(const Rows& a, const Rows& b);

}  // namespace norma_test
