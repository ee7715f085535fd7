// Property 8: constant sets, extreme scales, subnormals, eps = 0, data far from zero, and NaN and Inf, which stay where they belong and are
// never swallowed.
#include <array>
#include <cmath>
#include <limits>

#include "support/property.hpp"

namespace norma_test { namespace {

/// A case for each of some lengths and plain types.
template <class F>
void add_some_lengths(const Subject& subject, Cases& cases, F check) {
  std::vector<std::ptrdiff_t> lengths = {1, 2, 3, 15, 16, 17, 32, 33, 64, 127, 255, 257, 768, 1000, 1025, 8193, 20000};
  std::erase_if(lengths, [&](std::ptrdiff_t length) {
    return length < subject.family.least_length ||
           (!stands_for_others(subject) && (length == 15 || length == 127 || length == 255 || length > 10000));
  });
  add_lengths(cases, lengths, [=, &subject](const Types& t, std::ptrdiff_t length) { check(subject, t, length); });
}

Values scaled(Values x, const std::vector<std::size_t>& set, const Values& factors, Element e) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = rounded_to(e, x[i] * rounded_to(e, factors[set[i] % factors.size()]));
  return x;
}
const char* trained(const Subject& subject) { return subject.given_statistics ? "y" : "y of training"; }

NORMA_PROPERTY(Constant) {
  add_some_lengths(subject, cases, [](const Subject& norm, const Types& t, std::ptrdiff_t length) {
    const Values constants = {0, 1, -3, 0.1, 1e-30, -12345.678, 1e30, 3e38 / 1024};
    Setting s = sets_of(norm, static_cast<std::ptrdiff_t>(constants.size()), length);
    const Data ordinary = random_data(norm, t, s, 61);
    const std::vector<std::size_t> set = set_of_each(moments_of(norm, s, ordinary), ordinary);
    // Where sets of different constants would meet in one statistic, all have the same.
    const bool all_alike = norm.reference == reference::switchable_norm;
    for (std::size_t round = 0; round < (all_alike ? 8u : 4u); ++round) {
      const double eps = std::array{1e-5, 0.0, 1.0, 100.0}[round % 4];
      set_eps(norm, s, eps);
      Data data = ordinary;
      const auto constant = [&](std::size_t i) { return rounded_to(t.x, constants[(all_alike ? round : set[i]) % constants.size()]); };
      for (std::size_t i = 0; i < set.size(); ++i) data.x[0][i] = constant(i);
      // Given statistics, and limits that running ones set, are those of the constant.
      for (const char* mean : {"mean", "running_mean"}) {
        if (data.buffers.count(mean) == 0) continue;
        for (std::size_t i = 0; i < set.size(); ++i) data.buffers[mean][set[i] % data.buffers[mean].size()] = constant(i);
      }
      const Rows rows = run(norm, t, s, data);
      const reference::Problem p = problem_of(norm, s, data);
      for (const char* row : {"y", "y of training"}) {
        if (!rows.has(row)) continue;
        const Values& y = rows.at(row);
        for (std::size_t i = 0; i < set.size(); ++i) {
          // A norm that is not centred turns 0 alone into 0.
          const bool gives_bias = norm.centred || data.x[0][i] == 0;
          if (gives_bias) {
            ASSERT_EQ(y[i], static_cast<double>(p.bias.at(i, 0).value)) << row << " of " << constant(i) << ", eps " << eps;
          }
          ASSERT_TRUE(std::isfinite(y[i])) << row << " of " << constant(i) << ", eps " << eps;
        }
      }
      for (const double dx : rows.at("dx")) {
        ASSERT_TRUE(std::isfinite(dx)) << "dx, eps " << eps;
      }
      if (!norm.keeps_statistics || norm.given_statistics) continue;
      const Values &mean = rows.at("mean"), &rstd = rows.at("rstd");
      for (std::size_t i = 0; i < set.size(); ++i) {
        if (norm.centred) {
          ASSERT_EQ(mean[set[i]], rounded_to(t.parameter, constant(i)));
        }
        const bool no_deviation = (norm.centred || constant(i) == 0) && eps == 0;
        if (no_deviation) {
          ASSERT_EQ(rstd[set[i]], 0) << "variance + eps == 0";
        }
      }
      if (norm.centred && norm.promises_bound && norm.streams.size() == 1 && rows.has("d weight")) {
        for (const double dweight : rows.at("d weight")) {
          ASSERT_EQ(dweight, 0);
        }
      }
    }
  });
}

/// Sets whose squares leave the range of T, beside ordinary ones: ordinary results.
NORMA_PROPERTY(ExtremeScales) {
  add_some_lengths(subject, cases, [](const Subject& norm, const Types& t, std::ptrdiff_t length) {
    const bool f64 = t.x == Element::f64;
    // Statistics that are mixed or sent are doubles: their squares must be.
    const bool in_double = f64 && (norm.over_ranks || !norm.promises_bound);
    const Values scales = in_double ? Values{1e150, 1e-150, 1, 1e100, 1e-100, 3e-151, 1e140}
                          : f64     ? Values{1e200, 1e-200, 1, 1e150, 1e300, 1e-157, 3e-160}
                                    : Values{1e30, 1e-30, 1, 1e19, 1e37, 1e-20, 3e-22};
    Setting s = sets_of(norm, static_cast<std::ptrdiff_t>(scales.size()), length);
    s.bias = Form::absent;
    const Data ordinary = random_data(norm, t, s, 62);
    const std::vector<std::size_t> set = set_of_each(moments_of(norm, s, ordinary), ordinary);
    for (const double eps : {0.0, 1e-5}) {
      for (const double mean : {0.0, 1.0}) {
        set_eps(norm, s, eps);
        Data data = random_data(norm, t, s, 62, mean);
        data.x[0] = scaled(data.x[0], set, scales, t.x);
        // Running statistics as far from one as x.
        for (auto& [name, values] : data.buffers) {
          const bool is_mean = name == "running_mean" || name == "mean", is_variance = name == "running_var" || name == "variance";
          for (std::size_t c = 0; c < values.size() && (is_mean || is_variance); ++c)
            values[c] = rounded_to(t.parameter, values[c] * (is_mean ? scales[c % scales.size()] : 1));
        }
        const Rows rows = run(norm, t, s, data);
        const Exact exact(norm, t, s, data);
        expect_correct(rows, exact);
        for (const double y : rows.at(trained(norm))) {
          ASSERT_TRUE(std::isfinite(y));
        }
        for (const Layout layout : {Layout::reversed, Layout::strided, Layout::channels_last}) {
          SCOPED_TRACE(name_of(layout));
          const Rows elsewhere = run(norm, t, s, data, everywhere(lying(layout)));
          if (norm.has_axes) {
            EXPECT_TRUE(same(elsewhere.at("y"), rows.at("y")));
          } else {
            expect_correct(elsewhere, exact);
          }
        }
      }
    }
  });
}

/// x so small that its squares are found in another scale, and an eps of their size, which must be scaled along.
NORMA_PROPERTY(TinyEps) {
  for (const std::ptrdiff_t length : {2, 17, 64, 768, 1025}) {
    for (const Variation& v : subject.variations) {
      cases.add(std::to_string(length) + "_" + v.name, [=, &subject] {
        Setting s = varied(subject.family.sets_of(3, length), v);
        set_eps(subject, s, s.eps_outside_sqrt ? 1e-15 : 1e-30);
        const Data data = random_data(subject, all_f32, s, 64, 0, 1e-15);
        const Exact exact(subject, all_f32, s, data);
        for (const Layout layout : {Layout::contiguous, lanes_layout(subject)}) {
          SCOPED_TRACE(name_of(layout));
          expect_correct(run(subject, all_f32, s, data, everywhere(lying(layout))), exact);
        }
      });
    }
  }
}

NORMA_PROPERTY(Subnormals) {
  add_some_lengths(subject, cases, [](const Subject& norm, const Types& t, std::ptrdiff_t length) {
    Setting s = sets_of(norm, 3, length);
    Random random(63);
    for (const double eps : {0.0, 1e-5}) {
      // Statistics that are mixed or sent have no second scale: 1 / sigma is beyond T with eps = 0.
      if (eps == 0 && (norm.over_ranks || !norm.promises_bound)) continue;
      set_eps(norm, s, eps);
      Data data = random_data(norm, t, s, 63);
      for (double& x : data.x[0]) x = (static_cast<double>(random.below(2000)) - 700) * least_subnormal_of(t.x);
      for (double& dy : data.dy[0]) dy = rounded_to(t.y, dy * least_normal_of(t.y));  // so that dx stays finite with eps = 0
      const Rows rows = run(norm, t, s, data);
      const Exact exact(norm, t, s, data);
      for (const char* row : {"y", "y of training"}) {
        if (!rows.has(row)) continue;
        ExactRow expected = exact.rows.at(row);
        // In double a mean is rounded to a subnormal, and that times 1 / sigma.
        for (Tracked& y : expected.numbers) y.error += t.x == Element::f64 && eps > 0 ? 8 / std::sqrt(eps) * 0x1p-1074L / 0x1p-52L : 0;
        EXPECT_TRUE(within(rows.at(row), expected)) << row << ", eps " << eps;
      }
    }
  });
}

/// x * 2^k and eps * 4^k: bitwise the same y.
NORMA_PROPERTY(PowerOfTwo) {
  add_some_lengths(subject, cases, [](const Subject& norm, const Types& t, std::ptrdiff_t length) {
    Setting s = sets_of(norm, 3, length);
    set_eps(norm, s, 0x1p-12);
    const Data data = random_data(norm, t, s, 64, 1);
    const Rows expected = run(norm, t, s, data);
    for (const int k : {-20, -3, 1, 2, 9, 30}) {
      SCOPED_TRACE("2^" + std::to_string(k));
      Data larger = data;
      for (double& x : larger.x[0]) x = std::ldexp(x, k);
      for (Values& other : larger.x) {
        if (&other != &larger.x[0]) other.assign(other.size(), 0);  // another stream has an eps of its own to mind
      }
      for (auto& [name, values] : larger.buffers) {
        const bool is_mean = name == "running_mean" || name == "mean", is_variance = name == "running_var" || name == "variance";
        for (double& v : values) v = is_mean ? std::ldexp(v, k) : is_variance ? std::ldexp(v, 2 * k) : v;
      }
      Setting other = s;
      set_eps(norm, other, std::ldexp(s.eps, 2 * k));
      const Rows rows = run(norm, t, other, larger);
      const auto times = [](Values values, int power) {
        for (double& v : values) v = std::ldexp(v, power);
        return values;
      };
      // What MeanOnlyBatchNorm does not divide by sigma grows with x, but for what is added.
      const bool scales = norm.reference != reference::mean_only_batch_norm;
      for (const char* row : {"y", "y of training"}) {
        if (rows.has(row) && scales) {
          EXPECT_TRUE(same(rows.at(row), expected.at(row))) << row;
        }
      }
      for (const char* row : {"dx", "frozen dx"}) {
        if (rows.has(row)) {
          EXPECT_TRUE(same(times(rows.at(row), scales ? k : 0), expected.at(row))) << row;
        }
      }
      for (const State& p : norm.make(t, s, {{}, {}, AnyTensor(t.x, s.extents, {}, data.x[0]).any()})->parameters()) {
        if (!is_x(p.name) && p.name.find("k_") != 0 && p.name.find("original0") == std::string::npos) {
          EXPECT_TRUE(same(rows.at("d " + p.name), expected.at("d " + p.name))) << p.name;
        }
      }
    }
  });
}

/// Data 1e4 and 1e6 sigma from zero, eps = 0, and a scale whose squares T just holds: for every option, in two layouts.
NORMA_PROPERTY(HardData) {
  for_plain_types([&](const Types& t) {
    for (const Setting& shape : subject.family.few_shapes) {
      for (const Variation& v : subject.variations) {
        for (const Layout layout : {Layout::contiguous, lanes_layout(subject)}) {
          const Setting s = varied(shape, v);
          cases.add(case_name(t, s, layout), [=, &subject] {
            const auto check = [&](const Setting& with, double mean, double sigma) {
              SCOPED_TRACE(std::to_string(mean) + " +- " + std::to_string(sigma));
              const Asked& a = asked({&subject, t, with, 1, mean, sigma});
              expect_correct(run(subject, t, with, a.data, everywhere(lying(layout))), a.exact);
            };
            Setting without_eps = s;
            set_eps(subject, without_eps, 0);
            check(s, 1e4, 1);
            check(s, -1e6, 1);
            check(without_eps, 2, 1);
            const double large = t.x == Element::f32 ? 1e15 : 1e150;
            check(s, 2 * large, large);
            check(without_eps, 2 / large, 1 / large);
          });
        }
      }
    }
  });
}

/// Whether what stands at `from` may reach y at `to`.
bool reached(const Subject& subject, const Setting& s, const std::vector<std::size_t>& set, bool running, std::size_t from,
             std::size_t to) {
  return subject.reaches != nullptr ? subject.reaches(s, running && subject.tracks(s), from, to)
         : subject.given_statistics ? from == to
                                    : set[from] == set[to];
}

/// A NaN or an Inf in x spoils what it reaches and changes no bit of anything else; so does a NaN in dy. A weight of 0 does not turn it
/// into a number. It stands amid x, or where a set begins, amid it and where it ends.
void check_containment(const Subject& subject, const Types& t, const Setting& s, bool all_over_a_set, const std::vector<Layout>& layouts) {
  const Data data = random_data(subject, t, s, 65, 1);
  const std::vector<reference::Moments> sets = moments_of(subject, s, data);
  const std::vector<std::size_t> set = set_of_each(sets, data);
  std::vector<std::size_t> places = {set.size() / 2};
  if (all_over_a_set) {
    const reference::Set& bad = sets[sets.size() / 2].set;
    places = {bad.front(), bad[bad.size() / 2], bad.back()};
  }
  const reference::Problem p = problem_of(subject, s, data);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const Layout layout : layouts) {
    SCOPED_TRACE(name_of(layout));
    const Plan plan = everywhere(lying(layout));
    const Rows clean = run(subject, t, s, data, plan);
    for (const double poison : {nan, inf, -inf}) {
      for (const std::size_t at : places) {
        SCOPED_TRACE(std::to_string(poison) + " at " + std::to_string(at));
        Data poisoned = data;
        poisoned.x[0][at] = poison;
        const Rows rows = run(subject, t, s, poisoned, plan);
        for (const char* row : {"y", "y of training", "dx", "frozen dx"}) {
          if (!rows.has(row)) continue;
          const bool running = std::string(row) == "y" || std::string(row) == "frozen dx", is_y = row[0] == 'y';
          const bool given = subject.given_statistics || (running && subject.tracks(s));
          if (!is_y && given && subject.reaches == nullptr) continue;  // statistics are constants: dx does not know x
          const Values &values = rows.at(row), &before = clean.at(row);
          for (std::size_t i = 0; i < set.size(); ++i) {
            if (!reached(subject, s, set, running, at, i) && (is_y || given || !subject.dx_knows_all)) {
              ASSERT_TRUE(same_number(values[i], before[i])) << row << " out of reach changed, at " << i;
            } else if (std::isnan(poison) || subject.centred) {
              if (is_y || !given) {
                ASSERT_FALSE(std::isfinite(values[i])) << row << " swallowed it: " << values[i] << " at " << i;
              }
            } else if (is_y && i != at) {  // 1 / sqrt(Inf) is 0
              ASSERT_TRUE(std::isnan(values[i]) || values[i] == static_cast<double>(p.bias.at(i, 0).value)) << "at " << i;
            } else if (is_y) {  // Inf * 0
              ASSERT_TRUE(std::isnan(values[i])) << "at " << i;
            }
          }
        }
        if (rows.has("d weight")) {
          const std::size_t cell = p.weight.cell[at];
          EXPECT_FALSE(std::isfinite(rows.at("d weight")[cell])) << "the weight gradient swallowed it";
        }
      }
    }
    for (const std::size_t at : places) {
      Data poisoned = data;
      poisoned.dy[0][at] = nan;
      const Rows rows = run(subject, t, s, poisoned, plan);
      EXPECT_TRUE(same(rows.at("y"), clean.at("y")));
      const Values &dx = rows.at("dx"), &before = clean.at("dx");
      for (std::size_t i = 0; i < set.size(); ++i) {
        if (reached(subject, s, set, subject.given_statistics, at, i)) {
          ASSERT_TRUE(std::isnan(dx[i])) << "dx swallowed dy's, at " << i;
        } else {
          ASSERT_TRUE(same_number(dx[i], before[i])) << "dx out of reach changed, at " << i;
        }
      }
      for (const auto& [row, parameter] : {std::pair("d weight", &p.weight), {"d bias", &p.bias}}) {
        if (!rows.has(row)) continue;
        const Values& gradient = rows.at(row);
        for (std::size_t c = 0; c < gradient.size(); ++c) {
          ASSERT_EQ(std::isnan(gradient[c]), c == parameter->cell[at]) << row << " at " << c;
        }
      }
    }
  }
}

NORMA_PROPERTY(Containment) {
  add_some_lengths(subject, cases, [](const Subject& norm, const Types& t, std::ptrdiff_t length) {
    check_containment(norm, t, sets_of(norm, 9, length), true, {Layout::contiguous, lanes_layout(norm)});
  });
  for_plain_types([&](const Types& t) {
    for (const Setting& shape : subject.family.few_shapes) {
      for (const Variation& v : subject.variations) {
        const Setting s = varied(shape, v);
        if (subject.function && (s.weight != Form::normalized || s.bias == Form::full)) continue;  // cells of other forms hold several sets
        for (const Layout layout : {Layout::contiguous, lanes_layout(subject)})
          cases.add(case_name(t, s, layout), [=, &subject] { check_containment(subject, t, s, false, {layout}); });
      }
    }
  });
}

/// A centred set of one element: y is the bias, dx and the weight gradient are exactly 0, whatever the mean. Without a centre x / |x| is
/// the sign, up to the roundings of rstd and of the product.
NORMA_PROPERTY(OneElement) {
  for_plain_types([&](const Types& t) {
    for (const double mean : {0.0, 1e3, 1e6}) {
      for (const double eps : {1e-5, 0.0, 1.0, 100.0}) {
        if (!subject.centred && eps != 0) continue;
        cases.add("mean_" + std::to_string(static_cast<long>(mean)) + "_eps_" + std::to_string(static_cast<long>(eps * 1e5)) + "e_5_" +
                      name_of(t),
                  [=, &subject] {
                    for (const std::ptrdiff_t sets : {1, 50}) {
                      Setting s = sets_of(subject, sets, 1);
                      set_eps(subject, s, eps);
                      const Data data = random_data(subject, t, s, 68, mean);
                      const Rows rows = run(subject, t, s, data);
                      const reference::Problem p = problem_of(subject, s, data);
                      for (std::size_t i = 0; i < data.x[0].size(); ++i) {
                        const double scale = static_cast<double>(p.scale(i).value), bias = static_cast<double>(p.bias.at(i, 0).value);
                        const double sign = subject.centred    ? 0
                                            : data.x[0][i] > 0 ? scale
                                                               : -scale,
                                     rounding = 2 * epsilon_of(t.x) * (std::abs(scale) + std::abs(bias));
                        ASSERT_NEAR(rows.at(trained(subject))[i], sign + bias, subject.centred ? 0 : rounding);
                        if (subject.centred) {
                          ASSERT_EQ(rows.at("dx")[i], 0);
                        }
                      }
                      if (!subject.centred || !rows.has("d weight")) continue;
                      for (const double dweight : rows.at("d weight")) {
                        ASSERT_EQ(dweight, 0);
                      }
                    }
                  });
      }
    }
  });
}

}  // namespace
}  // namespace norma_test
