// Property 2: on data whose sums are exact in any order, statistics, outputs and parameter gradients must match with tolerance 0.
#include "support/exact_data.hpp"
#include "support/property.hpp"

namespace norma_test { namespace {

constexpr std::size_t sets = 6;

/// Where a subject's sets are dealt to ranks or spread over planes, sums are those of parts.
std::size_t plane_size(const Setting& s) {
  return s.axes.empty() && s.extents.size() > 2 ? count({s.extents.begin() + 2, s.extents.end()}) : 1;
}

/// Sets of exact data (mean 2^k, one k a set) and integer dy, weight and bias. A set of several planes has partners within each plane, so
/// that every plane, and every 8 positions of one, has the set's mean: partial sums of planes are exact too.
Data exact_data(const Subject& subject, const Types& t, const Setting& s, double step, unsigned largest, std::vector<ExactSet>& made) {
  Data data = random_data(subject, t, s, 1);
  const std::vector<reference::Moments> of = moments_of(subject, s, data);
  const std::size_t length = data.x[0].size() / sets, spatial = plane_size(s), plane = spatial > 1 ? spatial : length;
  for (std::size_t set = 0; set < sets; ++set) {
    ExactSet whole;
    whole.mean = subject.centred ? std::ldexp(set % 2 == 0 ? 1.0 : -1.0, static_cast<int>(set)) : 0;
    for (std::size_t first = 0; first < length; first += plane) {
      const ExactSet part = exact_row(plane, whole.mean, step, largest, length + set + first, spatial > 1 ? 8 : 64);
      whole.x.insert(whole.x.end(), part.x.begin(), part.x.end());
      whole.m2 += part.m2;
      whole.sum_squares += part.sum_squares;
    }
    for (std::size_t i = 0; i < length; ++i) data.x[0][of[set].set[i]] = whole.x[i];
    made.push_back(std::move(whole));
  }
  data.dy[0] = small_integers(data.x[0].size(), length);
  std::uint64_t seed = length;
  for (auto& [name, values] : data.parameters) values = small_integers(values.size(), ++seed);
  return data;
}

/// Sums of double over the cells of a channel norm are divided cell by cell, which is exact for some numbers only: then two roundings more.
/// So are sums over ranks.
bool divides_cells(const Subject& subject, const Types& t, const Setting& s) {
  return subject.over_ranks || (t.x == Element::f64 && s.axes.empty() && s.extents.size() > 2);
}

/// The correctly rounded 1 / sqrt(m2 / n + eps), and the same by arithmetic in double with m2 / n or m2 * (1 / n): only those are right,
/// unless so many roundings more are allowed.
bool is_rstd(double rstd, double m2, std::size_t n, const Types& t, double eps, int roundings) {
  const real exact = 1 / std::sqrt(static_cast<real>(m2) / static_cast<real>(n) + static_cast<real>(eps));
  const double by_double = 1 / std::sqrt(m2 / static_cast<double>(n) + eps);
  const volatile double mean_square = m2 * (1 / static_cast<double>(n));  // volatile: no fma with the sum that follows
  const double by_reciprocal = 1 / std::sqrt(mean_square + eps);
  if (roundings > 0) return std::abs(static_cast<real>(rstd) - exact) <= roundings * static_cast<real>(epsilon_of(t.parameter)) * exact;
  return rstd == rounded_to(t.parameter, static_cast<double>(exact)) || rstd == rounded_to(t.parameter, by_double) ||
         rstd == rounded_to(t.parameter, by_reciprocal);
}

/// Deviations of many sizes: the moments are exact.
void check_moments(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  std::vector<ExactSet> made;
  const Setting s = sets_of(subject, sets, length);
  const Data data = exact_data(subject, t, s, 0.125, 7, made);
  const int roundings = subject.over_ranks ? 4 : divides_cells(subject, t, s) ? 2 : 0;
  for (const Layout layout : {Layout::contiguous, lanes_layout(subject)}) {
    // Leading elements, as many as some power of two, are whole pairs only if a position has 1, 2 or 4 channels.
    const std::ptrdiff_t channels = subject.reference == reference::group_norm ? s.extents[1] / s.groups : 1;
    if (layout == Layout::channels_last && (channels & (channels - 1)) != 0) continue;
    SCOPED_TRACE(name_of(layout));
    const Rows rows = run(subject, t, s, data, everywhere(lying(layout)));
    for (std::size_t r = 0; r < sets; ++r) {
      if (subject.centred) {
        EXPECT_EQ(rows.at("mean")[r], made[r].mean) << "set " << r;
      }
      const double sum = subject.centred ? made[r].m2 : made[r].sum_squares;
      EXPECT_TRUE(is_rstd(rows.at("rstd")[r], sum, static_cast<std::size_t>(length), t, s.eps, roundings)) << "set " << r;
    }
  }
}

/// Deviations of one size d: x_hat is -1, 0 or 1 in an even row (eps = 0), so y and the parameter gradients are integers.
void check_outputs_and_parameter_gradients(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  const std::size_t n = static_cast<std::size_t>(length) / 2 * 2;
  std::vector<ExactSet> made;
  Setting s = sets_of(subject, sets, static_cast<std::ptrdiff_t>(n));
  s.eps = 0;
  const Data data = exact_data(subject, t, s, 0.25, 1, made);
  const Exact exact(subject, t, s, data);
  const std::vector<std::size_t> set_of = set_of_each(exact.answers[0].sets, data);
  const reference::Problem& p = exact.problems[0];
  const Rows rows = run(subject, t, s, data);
  Values y(data.x[0].size()), dweight(p.weight.numbers.size(), 0), dbias(p.bias.numbers.size(), 0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double x_hat = data.x[0][i] > made[set_of[i]].mean ? 1 : -1;
    y[i] = static_cast<double>((Tracked(x_hat) * p.scale(i) + p.bias.at(i, 0)).value) + 0.0;  // no negative zero
    if (!dweight.empty()) dweight[p.weight.cell[i]] += data.dy[0][i] * x_hat;
    if (!dbias.empty()) dbias[p.bias.cell[i]] += data.dy[0][i];
  }
  for (const char* bias : {"d bias", "d q_norm.bias"}) {
    if (rows.has(bias)) {
      EXPECT_EQ(rows.at(bias), dbias);
    }
  }
  // Dividing m2 by n as m2 * (1 / n) is exact in double for most n only.
  if (divides_cells(subject, t, s) || (t.x == Element::f64 && (static_cast<double>(n) / 16) * (1 / static_cast<double>(n)) != 1.0 / 16)) {
    expect_correct(rows, exact);
    return;
  }
  const char* const name = subject.infers_apart ? "y of training" : "y";
  const Values& actual = rows.at(name);
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(actual[i], y[i]) << "y at " << i;
  }
  for (const char* weight : {"d weight", "d q_norm.weight"}) {
    if (rows.has(weight)) {
      EXPECT_EQ(rows.at(weight), dweight);
    }
  }
  for (std::size_t r = 0; r < sets; ++r) {
    EXPECT_EQ(rows.at("rstd")[r], 4);
  }
}

/// With eps = 3 d^2 the standard deviation is 2 d; with a power of two as length the backward means are exact as well.
void check_input_gradient(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  std::size_t power = 2;
  while (2 * power <= static_cast<std::size_t>(length)) power *= 2;
  std::vector<ExactSet> made;
  Setting s = sets_of(subject, sets, static_cast<std::ptrdiff_t>(power));
  s.eps = 3 * 0.25 * 0.25;
  Data data = exact_data(subject, t, s, 0.25, 1, made);
  data.dy[0] = small_integers(data.x[0].size(), static_cast<std::uint64_t>(length));  // another dy for each length
  const Rows rows = run(subject, t, s, data);
  const Exact exact(subject, t, s, data);
  const auto expect_exactly = [&](const char* row, const reference::Numbers& numbers) {
    const Values& actual = rows.at(row);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      ASSERT_EQ(actual[i], rounded_to(t.x, static_cast<double>(numbers[i].value))) << row << " at " << i;
  };
  // g - mean(g) - x_hat mean(g x_hat) needs log2(n) bits behind the point twice; up to n = 256 they fit a float.
  if (power <= 256) expect_exactly("dx", exact.answers[0].dx);
  expect_exactly(subject.infers_apart ? "y of training" : "y", exact.answers[0].y);
  for (std::size_t r = 0; r < sets; ++r) {
    EXPECT_EQ(rows.at("rstd")[r], 2);
  }
}

NORMA_PROPERTY(ExactData) {
  std::vector<std::ptrdiff_t> lengths = lengths_of(subject, all_lengths());
  std::erase_if(lengths, [](std::ptrdiff_t length) { return length < 2 || length > 8193; });
  add_lengths(cases, lengths, [&subject](const Types& t, std::ptrdiff_t length) {
    check_moments(subject, t, length);
    check_outputs_and_parameter_gradients(subject, t, length);
    check_input_gradient(subject, t, length);
  });
}

}  // namespace
}  // namespace norma_test
