// Property 3: the backward of every norm, and of every reference, agrees with finite differences of its forward in double.
#include <algorithm>
#include <cmath>

#include "support/cases.hpp"
#include "support/compare.hpp"
#include "support/finite_differences.hpp"

namespace norma_test {
namespace {

using Values = Inputs<double, double, double>;

struct GradientCase {
  std::size_t norm;
  Shape shape;
  Form weight, bias;
  bool unit_offset, eps_outside_sqrt;
};

std::string name_of(const GradientCase& c) {
  return norm_names()[c.norm] + "_" + c.shape.name() + "_weight_" + norma_test::name_of(c.weight) + "_bias_" + norma_test::name_of(c.bias) +
         (c.unit_offset ? "_unit_offset" : "") + (c.eps_outside_sqrt ? "_eps_outside_sqrt" : "");
}

std::vector<GradientCase> gradient_cases() {
  const std::vector<Form> forms = {Form::absent, Form::normalized, Form::per_set, Form::full};
  std::vector<GradientCase> cases;
  for (std::size_t norm = 0; norm < norm_names().size(); ++norm) {
    const Family& family = catalogue<double, double>()[norm].family;
    for (const Shape& shape : family.small_shapes) {
      for (const Form weight : forms) {
        for (const Form bias : forms) {
          const bool outside = family.has_eps_outside_sqrt;
          cases.push_back({norm, shape, weight, bias, false, false});
          if (weight != Form::absent && weight == bias) cases.push_back({norm, shape, weight, bias, true, false});
          if (outside && weight == bias) cases.push_back({norm, shape, weight, bias, false, true});
        }
      }
    }
  }
  return cases;
}

class Gradients : public testing::TestWithParam<GradientCase> {
 protected:
  Setting setting() const {
    const GradientCase& c = GetParam();
    Setting s = c.shape.setting();
    s.weight = c.weight;
    s.bias = c.bias;
    s.unit_offset = c.unit_offset;
    s.eps_outside_sqrt = c.eps_outside_sqrt;
    s.eps = 0.1;
    return s;
  }

  /// Compares a backward's gradients with differences of `forward`, weighed with the random upstream gradient.
  template <class Forward, class G>
  void check(const Setting& s, Values in, Forward forward, const std::vector<G>& dx, const std::vector<G>& dweight,
             const std::vector<G>& dbias) {
    const auto loss = [&] {
      double sum = 0;
      const auto y = forward(in);
      for (std::size_t i = 0; i < y.size(); ++i) sum += in.dy[i] * static_cast<double>(y[i]);
      return sum;
    };
    double size = 1;
    for (const double dy : in.dy) size += 4 * std::abs(dy);  // |y| is a few
    const reference::Answer answer = catalogue<double, double>()[GetParam().norm].reference(problem(s, in));
    double rstd = 0;
    for (const reference::real r : answer.rstd) rstd = std::max(rstd, static_cast<double>(r));
    const auto compare = [&](const char* what, std::vector<double>& values, const std::vector<G>& gradient) {
      const std::vector<double> expected = finite_differences(values, loss);
      ASSERT_EQ(expected.size(), gradient.size()) << what;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(gradient[i]), expected[i], difference_error(size, rstd)) << what << " at " << i;
      }
    };
    compare("dx", in.x, dx);
    compare("dweight", in.weight, dweight);
    compare("dbias", in.bias, dbias);
  }
};

TEST_P(Gradients, AgreeWithDifferencesOfTheForward) {
  const Setting s = setting();
  const auto& norm = catalogue<double, double>()[GetParam().norm];
  const Values in = random_inputs<double, double, double>(s, 3, 0.5);
  const auto results = run(norm, s, in);
  check(
      s, in, [&](const Values& now) { return Rig<double, double>(norm, s, now, {}).infer(); }, results.dx, results.dweight, results.dbias);

  SCOPED_TRACE("the reference");
  const reference::Answer answer = norm.reference(problem(s, in));
  check(
      s, in, [&](const Values& now) { return norm.reference(problem(s, now)).y; }, answer.dx, answer.dweight, answer.dbias);
}

INSTANTIATE_TEST_SUITE_P(All, Gradients, testing::ValuesIn(gradient_cases()), CaseName());

}  // namespace
}  // namespace norma_test
