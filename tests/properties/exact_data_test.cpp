// Property 2: on data whose sums are exact in any order, statistics, outputs and parameter gradients must match with tolerance 0.
#include <cmath>

#include "support/cases.hpp"
#include "support/compare.hpp"
#include "support/exact_data.hpp"

namespace norma_test {
namespace {

constexpr std::size_t sets = 6;

/// Sets of exact data (mean 2^k, one k a set) and integer dy, weight and bias. A set of several planes has partners within each plane, so
/// that every plane, and every 8 positions of one, has the set's mean: partial sums of planes are exact too.
template <class T>
Inputs<T, T, T> exact_inputs(const Norm<T, T>& norm, const Setting& s, double step, unsigned largest, std::vector<ExactRow>& made) {
  Inputs<T, T, T> in = random_inputs<T, T, T>(s, 1);
  const std::size_t spatial = s.axes.empty() ? count(Extents(s.extents.begin() + 2, s.extents.end())) : 1;
  const Exact exact(norm, s, in);
  const std::size_t length = in.x.size() / sets;
  const std::size_t plane = spatial > 1 ? spatial : length;
  for (std::size_t set = 0; set < sets; ++set) {
    ExactRow whole;
    whole.mean = norm.centred ? std::ldexp(set % 2 == 0 ? 1.0 : -1.0, static_cast<int>(set)) : 0;
    for (std::size_t first = 0; first < length; first += plane) {
      const ExactRow part = exact_row(plane, whole.mean, step, largest, length + set + first, spatial > 1 ? 8 : 64);
      whole.x.insert(whole.x.end(), part.x.begin(), part.x.end());
      whole.m2 += part.m2;
      whole.sum_squares += part.sum_squares;
    }
    for (std::size_t i = 0; i < length; ++i) in.x[exact.sets()[set][i]] = static_cast<T>(whole.x[i]);
    made.push_back(std::move(whole));
  }
  in.dy = small_integers<T>(in.x.size(), length);
  in.weight = small_integers<T>(in.weight.size(), length + 1);
  in.bias = small_integers<T>(in.bias.size(), length + 2);
  return in;
}

/// Sums of double over the cells of a channel norm are divided cell by cell, which is exact for some numbers only: then two roundings more.
template <class T>
bool divides_cells(const Setting& s) {
  return sizeof(T) == 8 && s.axes.empty() && s.extents.size() > 2;
}

/// The correctly rounded 1 / sqrt(m2 / n + eps), and the same by arithmetic in double with m2 / n or m2 * (1 / n): only those are right.
template <class T>
bool is_rstd(T rstd, double m2, std::size_t n, const Setting& s) {
  const double eps = s.eps;
  const long double exact = 1 / std::sqrt(static_cast<long double>(m2) / static_cast<long double>(n) + static_cast<long double>(eps));
  const double by_double = 1 / std::sqrt(m2 / static_cast<double>(n) + eps);
  const volatile double mean_square = m2 * (1 / static_cast<double>(n));  // volatile: no fma with the sum that follows
  const double by_reciprocal = 1 / std::sqrt(mean_square + eps);
  if (divides_cells<T>(s)) return std::abs(static_cast<long double>(rstd) - exact) <= 2 * std::numeric_limits<double>::epsilon() * exact;
  return rstd == static_cast<T>(exact) || rstd == static_cast<T>(by_double) || rstd == static_cast<T>(by_reciprocal);
}

std::vector<LengthCase> exact_lengths() {
  std::vector<LengthCase> cases;
  for (const LengthCase& c : length_cases(computing_entries(), all_lengths())) {
    if (c.length >= 2 && c.length <= 8193) cases.push_back(c);
  }
  return cases;
}

// Deviations of many sizes: the moments are exact.
template <class T>
void check_moments(const Norm<T, T>& norm, std::ptrdiff_t length) {
  const std::size_t n = static_cast<std::size_t>(length);
  std::vector<ExactRow> made;
  const Setting s = norm.family.sets_of(sets, length);
  const auto inputs = exact_inputs(norm, s, 0.125, 7, made);
  for (const Layout layout : {Layout::contiguous, norm.family.has_axes ? Layout::reversed : Layout::channels_last}) {
    // Leading elements, as many as some power of two, are whole pairs only if a position has 1, 2 or 4 channels.
    const std::ptrdiff_t channels = norm.layer() == "GroupNorm" ? s.extents[1] / s.groups : 1;
    if (layout == Layout::channels_last && (channels & (channels - 1)) != 0) continue;
    SCOPED_TRACE(name_of(layout));
    Where where;
    where.layout = layout;
    const auto results = run(norm, s, inputs, everywhere(where));
    for (std::size_t r = 0; r < sets; ++r) {
      if (norm.centred) {
        EXPECT_EQ(results.mean[r], static_cast<T>(made[r].mean)) << "set " << r;
      }
      EXPECT_PRED4(is_rstd<T>, results.rstd[r], norm.centred ? made[r].m2 : made[r].sum_squares, n, s) << "set " << r;
    }
  }
}

// Deviations of one size d: x_hat is -1, 0 or 1 in an even row (eps = 0), so y and the parameter gradients are integers.
template <class T>
void check_outputs_and_parameter_gradients(const Norm<T, T>& norm, std::ptrdiff_t length) {
  const std::size_t n = static_cast<std::size_t>(length) / 2 * 2;
  std::vector<ExactRow> made;
  Setting s = norm.family.sets_of(sets, static_cast<std::ptrdiff_t>(n));
  s.eps = 0;
  const auto inputs = exact_inputs(norm, s, 0.25, 1, made);
  const Exact exact(norm, s, inputs);
  const auto results = run(norm, s, inputs);
  std::vector<T> y(inputs.x.size()), dweight(inputs.weight.size(), 0), dbias(inputs.bias.size(), 0);
  for (std::size_t i = 0; i < inputs.x.size(); ++i) {
    const T x_hat = inputs.x[i] > static_cast<T>(made[exact.set_of[i]].mean) ? T(1) : T(-1);
    const std::size_t w = exact.problem.weight_cell[i], b = exact.problem.bias_cell[i];
    y[i] = x_hat * inputs.weight[w] + inputs.bias[b] + T(0);  // no negative zero
    dweight[w] += inputs.dy[i] * x_hat;
    dbias[b] += inputs.dy[i];
  }
  EXPECT_EQ(results.dbias, dbias);
  // Dividing m2 by n as m2 * (1 / n) is exact in double for most n only.
  if (divides_cells<T>(s) || (sizeof(T) == 8 && (static_cast<double>(n) / 16) * (1 / static_cast<double>(n)) != 1.0 / 16)) {
    expect_correct(norm, s, inputs, results);
    return;
  }
  EXPECT_EQ(results.y, y);
  EXPECT_EQ(results.dweight, dweight);
  for (const T rstd : results.rstd) EXPECT_EQ(rstd, T(4));
}

// With eps = 3 d^2 the standard deviation is 2 d; with a power of two as length the backward means are exact as well.
template <class T>
void check_input_gradient(const Norm<T, T>& norm, std::ptrdiff_t length) {
  std::size_t power = 2;
  while (2 * power <= static_cast<std::size_t>(length)) power *= 2;
  std::vector<ExactRow> made;
  Setting s = norm.family.sets_of(sets, static_cast<std::ptrdiff_t>(power));
  s.eps = 3 * 0.25 * 0.25;
  auto inputs = exact_inputs(norm, s, 0.25, 1, made);
  inputs.dy = small_integers<T>(inputs.x.size(), static_cast<std::uint64_t>(length));  // another dy for each length
  const auto results = run(norm, s, inputs);
  const reference::Answer exact = norm.reference(problem(s, inputs));
  // g - mean(g) - x_hat mean(g x_hat) needs log2(n) bits behind the point twice; up to n = 256 they fit a float.
  for (std::size_t i = 0; i < inputs.x.size() && power <= 256; ++i) EXPECT_EQ(results.dx[i], static_cast<T>(exact.dx[i])) << "at " << i;
  for (std::size_t i = 0; i < inputs.x.size(); ++i) EXPECT_EQ(results.y[i], static_cast<T>(exact.y[i])) << "at " << i;
  for (const T rstd : results.rstd) EXPECT_EQ(rstd, T(2));
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
