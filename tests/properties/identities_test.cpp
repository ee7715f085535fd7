// The identities between norms, their gradients and their outputs, and the LayerNorm paper's invariance table, its "not invariant" cells
// too.
#include <cmath>

#include "support/property.hpp"

namespace norma_test { namespace {

using Check = void (*)(const Subject& subject, const Types& t, std::ptrdiff_t length);

const char* trained(const Subject& subject) { return subject.infers_apart ? "y of training" : "y"; }

/// The allowed error of a row's element, and of sums of them.
real allowed(const Exact& exact, const char* row, std::size_t i) {
  const ExactRow& r = exact.rows.at(row);
  return bound_of(r.numbers[i], r.precision);
}

/// sum dx = 0 per centred set, and sum dx x_hat = rstd (sum g x_hat) eps / (variance + eps).
void sums_of_the_input_gradient(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  Setting s = sets_of(subject, 4, length);
  set_eps(subject, s, 0.125);
  const Data data = random_data(subject, t, s, 71);
  const Rows rows = run(subject, t, s, data);
  const Exact exact(subject, t, s, data);
  const reference::Answer& a = exact.answers[0];
  for (std::size_t set = 0; set < a.sets.size(); ++set) {
    real sum = 0, sum_bound = 0, projection = 0, projection_bound = 0, sum_gx = 0;
    for (const std::size_t i : a.sets[set].set) {
      const real dx = rows.at("dx")[i], x_hat = a.x_hat[i].value, bound = allowed(exact, "dx", i);
      sum += dx;
      sum_bound += bound;
      projection += dx * x_hat;
      projection_bound += bound * std::abs(x_hat);
      sum_gx += exact.problems[0].g(i).value * x_hat;
    }
    if (subject.centred) {
      EXPECT_LE(std::abs(sum), sum_bound) << "set " << set;
    }
    const real expected = a.rstd[set].value * sum_gx * s.eps / (a.sets[set].variance.value + s.eps);
    EXPECT_LE(std::abs(projection - expected), projection_bound) << "set " << set;
  }
}

/// y of x -> a x + b, a and b such that nothing is rounded.
Values transformed(const Subject& subject, const Types& t, const Setting& s, const Data& data, double a, double b) {
  Data changed = data;
  for (double& x : changed.x[0]) x = b == 0 ? a * x : a * x + b;  // a zero keeps its sign
  return run(subject, t, s, changed).at(trained(subject));
}

/// Table 1 of Ba et al.: invariant to re-scaling a sample; a centred norm is invariant to re-centring it, others are not.
void invariance_under_scale_and_shift(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  Setting s = sets_of(subject, 4, length);
  set_eps(subject, s, 0);
  Data data = random_data(subject, t, s, 72);
  for (double& x : data.x[0]) x = std::round(x * 1024) / 1024;  // so that x + 8 is exact
  for (auto& [name, values] : data.parameters) {
    for (double& w : values) w = w == 0 ? 1 : w;
  }
  const Values y = run(subject, t, s, data).at(trained(subject));
  EXPECT_TRUE(same(transformed(subject, t, s, data, 4, 0), y)) << "scaled";
  const Values shifted = transformed(subject, t, s, data, 1, 8), negated = transformed(subject, t, s, data, -1, 0);
  std::size_t changed = 0, kept = 0;
  Data at_eight = data;
  for (double& x : at_eight.x[0]) x += 8;
  const Exact exact(subject, t, s, data), exact_at_eight(subject, t, s, at_eight);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const real bound = 2 * (allowed(exact, trained(subject), i) + allowed(exact_at_eight, trained(subject), i));
    ++(std::abs(static_cast<real>(shifted[i]) - y[i]) <= bound ? kept : changed);
    // Negating x negates x_hat: y - bias changes its sign.
    EXPECT_LE(std::abs(static_cast<real>(negated[i]) + y[i] - 2 * exact.problems[0].bias.at(i, 0).value), bound);
  }
  if (subject.centred) {
    EXPECT_EQ(changed, 0u) << "re-centring must not matter";
  } else {
    EXPECT_GT(changed, kept) << "re-centring must matter";
  }
}

/// "Not invariant" cells: re-scaling one element of the sample, or scaling x while eps stays, changes y.
void scale_matters_where_it_should(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  Setting s = sets_of(subject, 1, length);
  set_eps(subject, s, 1);
  s.weight = s.bias = Form::absent;
  if (subject.owns_x) s.weight = Form::per_set;
  const Data data = random_data(subject, t, s, 73);
  const Values y = run(subject, t, s, data).at(trained(subject));
  if (!subject.owns_x) {
    EXPECT_FALSE(same(transformed(subject, t, s, data, 2, 0), y)) << "eps was ignored";
  }
  Data one = data;
  one.x[0][0] = rounded_to(t.x, one.x[0][0] * 3 + 1);
  EXPECT_NE(run(subject, t, s, one).at(trained(subject)).back(), y.back()) << "a single element's weight must change the others";
}

/// Every set of y has mean square below 1 (or sum of squares) and, centred, mean 0; it is variance / (variance + eps).
void moments_of_the_output(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  Setting s = sets_of(subject, 3, length);
  set_eps(subject, s, 0.5);
  s.weight = s.bias = Form::absent;
  if (subject.owns_x) {
    s = sets_of(subject, 3, length);
  }
  const Data data = random_data(subject, t, s, 74, 3);
  const Rows rows = run(subject, t, s, data);
  const Exact exact(subject, t, s, data);
  const reference::Answer& a = exact.answers[0];
  for (std::size_t set = 0; set < a.sets.size(); ++set) {
    real sum = 0, squares = 0, slack = 0, exact_squares = 0;
    for (const std::size_t i : a.sets[set].set) {
      const real y = rows.at(trained(subject))[i];
      sum += y;
      squares += y * y;
      exact_squares += a.y[i].value * a.y[i].value;
      slack += allowed(exact, trained(subject), i) * (1 + 2 * std::abs(a.y[i].value));
    }
    if (subject.centred) {
      EXPECT_LE(std::abs(sum), slack);
    }
    EXPECT_LE(std::abs(squares - exact_squares), slack);
    if (subject.owns_x) continue;  // whose rows have length |g|: tested with the layer
    const bool is_mean = subject.reference != reference::unit_norm;
    const real m = is_mean ? static_cast<real>(a.sets[set].set.size()) : 1, variance = a.sets[set].variance.value;
    EXPECT_LE(std::abs(squares / m - variance / (variance + s.eps)), slack / m);
    EXPECT_LT(squares, m);
  }
}

/// dx is linear in dy; unit_offset with weight w equals weight 1 + w; a full-shape weight of equal rows equals the plain weight.
void forms_of_the_parameters_agree(const Subject& subject, const Types& t, std::ptrdiff_t length) {
  const Setting s = sets_of(subject, 4, length);
  Data data = random_data(subject, t, s, 75);
  for (auto& [name, values] : data.parameters) {
    for (double& w : values) w = std::round(w * 64) / 64 + 0.0;  // so that 1 + w is exact, and no zero negative
  }
  const Rows expected = run(subject, t, s, data);
  Data halved = data;
  for (Values& dy : halved.dy) {
    for (double& each : dy) each *= 0.5;
  }
  const Values half = run(subject, t, s, halved).at("dx");
  for (std::size_t i = 0; i < half.size(); ++i) {
    ASSERT_EQ(half[i] * 2, expected.at("dx")[i]);
  }
  for (const Variation& v : subject.variations) {
    if (v.name != "offset") continue;
    Setting offset = s;
    offset.unit_offset = true;
    Data minus_one = data;
    for (auto& [name, values] : minus_one.parameters) {
      if (name.find("weight") == std::string::npos) continue;
      for (double& w : values) w -= 1;
    }
    expect_same(run(subject, t, offset, minus_one), expected);
  }
  if (!subject.function) return;
  const reference::Problem p = problem_of(subject, s, data);
  Data repeated = data;
  Setting full = s;
  full.weight = full.bias = Form::full;
  for (std::size_t i = 0; i < data.x[0].size(); ++i) {
    if (i == 0) repeated.parameters = {{"weight", {}}, {"bias", {}}};
    repeated.parameters["weight"].push_back(static_cast<double>(p.weight.at(i, 1).value));
    repeated.parameters["bias"].push_back(static_cast<double>(p.bias.at(i, 0).value));
  }
  const Rows spread = run(subject, t, full, repeated);
  if (subject.has_axes) {
    EXPECT_TRUE(same(spread.at("y"), expected.at("y")));
    EXPECT_TRUE(same(spread.at("dx"), expected.at("dx")));
  } else {  // a weight for a whole channel may be multiplied into rstd beforehand
    expect_correct(spread, Exact(subject, t, full, repeated));
  }
}

NORMA_PROPERTY(Identities) {
  const std::pair<const char*, Check> identities[] = {{"sums_of_dx", sums_of_the_input_gradient},
                                                      {"invariance", invariance_under_scale_and_shift},
                                                      {"scale_matters", scale_matters_where_it_should},
                                                      {"moments_of_y", moments_of_the_output},
                                                      {"forms_agree", forms_of_the_parameters_agree}};
  for_plain_types([&](const Types& t) {
    for (const std::ptrdiff_t length : {2, 3, 5, 8, 13, 31, 32, 64, 100, 257, 768, 1025, 9000}) {
      for (const auto& [name, check] : identities) {
        cases.add(std::string(name) + "_" + std::to_string(length) + "_" + name_of(t),
                  [=, &subject, check = check] { check(subject, t, static_cast<std::ptrdiff_t>(length)); });
      }
    }
  });
}

}  // namespace
}  // namespace norma_test
