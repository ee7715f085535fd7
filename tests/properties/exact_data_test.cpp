// Property 2: on data whose sums are exact in any order, statistics, outputs and parameter gradients must match with tolerance 0.
#include <cmath>

#include "support/cases.hpp"
#include "support/compare.hpp"
#include "support/exact_data.hpp"

namespace norma_test {
namespace {

constexpr std::size_t rows = 5;

/// Rows of exact data (mean 2^k, one k a row) and integer dy, weight and bias.
template <class T>
Inputs<T, T, T> exact_inputs(std::size_t length, double step, unsigned largest, bool centred, std::vector<ExactRow>& made) {
  Inputs<T, T, T> in;
  for (std::size_t r = 0; r < rows; ++r) {
    const double mean = centred ? std::ldexp(r % 2 == 0 ? 1.0 : -1.0, static_cast<int>(r)) : 0;
    made.push_back(exact_row(length, mean, step, largest, length + r));
    in.x.insert(in.x.end(), made.back().x.begin(), made.back().x.end());
  }
  in.dy = small_integers<T>(rows * length, length);
  in.weight = small_integers<T>(length, length + 1);
  in.bias = small_integers<T>(length, length + 2);
  return in;
}

/// The correctly rounded 1 / sqrt(m2 / n + eps), and the same by arithmetic in double with m2 / n or m2 * (1 / n): only those are right.
template <class T>
bool is_rstd(T rstd, double m2, std::size_t n, double eps) {
  const long double exact = 1 / std::sqrt(static_cast<long double>(m2) / static_cast<long double>(n) + static_cast<long double>(eps));
  const double by_double = 1 / std::sqrt(m2 / static_cast<double>(n) + eps);
  const volatile double mean_square = m2 * (1 / static_cast<double>(n));  // volatile: no fma with the sum that follows
  const double by_reciprocal = 1 / std::sqrt(mean_square + eps);
  return rstd == static_cast<T>(exact) || rstd == static_cast<T>(by_double) || rstd == static_cast<T>(by_reciprocal);
}

std::vector<LengthCase> exact_lengths() {
  std::vector<LengthCase> cases;
  for (const LengthCase& c : length_cases()) {
    if (c.length >= 2 && c.length <= 8193) cases.push_back(c);
  }
  return cases;
}

// Deviations of many sizes: the moments are exact.
template <class T>
void check_moments(const Norm<T, T>& norm, std::ptrdiff_t length) {
  const std::size_t n = static_cast<std::size_t>(length);
  const bool centred = norm.centred;
  std::vector<ExactRow> made;
  const auto inputs = exact_inputs<T>(n, 0.125, 7, centred, made);
  const Setting s = rows_of(rows, length);
  const auto results = run(norm, s, inputs);
  for (std::size_t r = 0; r < rows; ++r) {
    if (centred) {
      EXPECT_EQ(results.mean[r], static_cast<T>(made[r].mean)) << "row " << r;
    }
    EXPECT_PRED4(is_rstd<T>, results.rstd[r], centred ? made[r].m2 : made[r].sum_squares, n, s.eps) << "row " << r;
  }
}

// Deviations of one size d: x_hat is -1, 0 or 1 in an even row (eps = 0), so y and the parameter gradients are integers.
template <class T>
void check_outputs_and_parameter_gradients(const Norm<T, T>& norm, std::ptrdiff_t length) {
  const std::size_t n = static_cast<std::size_t>(length) / 2 * 2;
  std::vector<ExactRow> made;
  const auto inputs = exact_inputs<T>(n, 0.25, 1, norm.centred, made);
  Setting s = rows_of(rows, static_cast<std::ptrdiff_t>(n));
  s.eps = 0;
  const auto results = run(norm, s, inputs);
  std::vector<T> y(rows * n), dweight(n, 0), dbias(n, 0);
  for (std::size_t i = 0; i < rows * n; ++i) {
    const T x_hat = inputs.x[i] > static_cast<T>(made[i / n].mean) ? T(1) : T(-1);
    y[i] = x_hat * inputs.weight[i % n] + inputs.bias[i % n] + T(0);  // no negative zero
    dweight[i % n] += inputs.dy[i] * x_hat;
    dbias[i % n] += inputs.dy[i];
  }
  EXPECT_EQ(results.dbias, dbias);
  // Dividing m2 by n as m2 * (1 / n) is exact in double for most n only.
  if (sizeof(T) == 8 && (static_cast<double>(n) / 16) * (1 / static_cast<double>(n)) != 1.0 / 16) {
    expect_correct(norm, s, inputs, results);
    return;
  }
  EXPECT_EQ(results.y, y);
  EXPECT_EQ(results.dweight, dweight);
  for (std::size_t r = 0; r < rows; ++r) EXPECT_EQ(results.rstd[r], T(4));
}

// With eps = 3 d^2 the standard deviation is 2 d; with a power of two as length the backward means are exact as well.
template <class T>
void check_input_gradient(const Norm<T, T>& norm, std::ptrdiff_t length) {
  std::size_t power = 2;
  while (2 * power <= static_cast<std::size_t>(length)) power *= 2;
  std::vector<ExactRow> made;
  auto inputs = exact_inputs<T>(power, 0.25, 1, norm.centred, made);
  inputs.dy = small_integers<T>(rows * power, static_cast<std::uint64_t>(length));  // another dy for each length
  Setting s = rows_of(rows, static_cast<std::ptrdiff_t>(power));
  s.eps = 3 * 0.25 * 0.25;
  const auto results = run(norm, s, inputs);
  const reference::Answer exact = norm.reference(problem(s, inputs));
  // g - mean(g) - x_hat mean(g x_hat) needs log2(n) bits behind the point twice; up to n = 256 they fit a float.
  for (std::size_t i = 0; i < rows * power && power <= 256; ++i) EXPECT_EQ(results.dx[i], static_cast<T>(exact.dx[i])) << "at " << i;
  for (std::size_t i = 0; i < rows * power; ++i) EXPECT_EQ(results.y[i], static_cast<T>(exact.y[i])) << "at " << i;
  for (std::size_t r = 0; r < rows; ++r) EXPECT_EQ(results.rstd[r], T(2));
}

class ExactData : public testing::TestWithParam<LengthCase> {};

TEST_P(ExactData, IsReproducedExactly) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    const auto& norm = entry.get<decltype(zero)>();
    check_moments(norm, length);
    check_outputs_and_parameter_gradients(norm, length);
    check_input_gradient(norm, length);
  });
}

INSTANTIATE_TEST_SUITE_P(All, ExactData, testing::ValuesIn(exact_lengths()), CaseName());

}  // namespace
}  // namespace norma_test
