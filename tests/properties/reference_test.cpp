// Property 1: forward and backward against the reference, within a bound that is a function of length, magnitude and kappa.
#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

template <class X, class Y>
void check(const Norm<X, Y>& norm, const Setting& setting, const Plan& plan, std::uint64_t seed) {
  SCOPED_TRACE(norm.name + ": " + describe(setting));
  const auto inputs = random_inputs<X, Y, norma::ParameterFor<X>>(setting, seed, 0.5);
  expect_correct(norm, setting, inputs, run(norm, setting, inputs, plan));
}

class ReferenceByLength : public testing::TestWithParam<LengthCase> {};

TEST_P(ReferenceByLength, ForwardAndBackward) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    const auto& norm = entry.get<decltype(zero)>();
    const bool is_long = length > 2000;
    for (const std::ptrdiff_t sets : {is_long ? 2 : 1, is_long ? 1 : 7}) {
      Setting s = entry.sets_of(sets, length);
      check(norm, s, {}, static_cast<std::uint64_t>(length));
      s.weight = s.bias = Form::absent;
      check(norm, s, {}, 17);
      s.weight = Form::normalized;
      s.unit_offset = true;
      check(norm, s, {}, 18);
      s.eps_outside_sqrt = norm.family.has_eps_outside_sqrt;
      s.eps = 0.25;
      s.bias = Form::per_set;
      check(norm, s, {}, 19);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceByLength, testing::ValuesIn(length_cases()), CaseName());

class ReferenceByLayout : public testing::TestWithParam<LayoutCase> {};

TEST_P(ReferenceByLayout, EveryTensorInThisLayout) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  const Layout layout = GetParam().layout;
  with_element(entry, [&](auto zero) {
    const auto& norm = entry.get<decltype(zero)>();
    Where where;
    where.layout = layout;
    // Each layout gets its share of the parameter forms, all of them together all.
    const std::vector<Parameters> parameters = parameters_of(entry);
    for (std::size_t p = static_cast<std::size_t>(layout) % 3; p < parameters.size(); p += 3) {
      Setting s = shape.setting();
      set_parameters(s, parameters[p]);
      check(norm, s, everywhere(where), p + 1);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceByLayout, testing::ValuesIn(layout_cases()), CaseName());

// Shapes of real models, too large for the long lists of cases.
TEST(ReferenceOfModels, ForwardAndBackward) {
  for (const Entry& entry : all_entries()) {
    for (const Shape& shape : entry.family().model_shapes) {
      with_element(entry, [&](auto zero) { check(entry.get<decltype(zero)>(), shape.setting(), {}, 9); });
    }
  }
}

class ReferenceByParameters : public testing::TestWithParam<ShapeCase> {};

TEST_P(ReferenceByParameters, EveryTensorInAnotherLayout) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    const auto& norm = entry.get<decltype(zero)>();
    Random random(static_cast<std::uint64_t>(count(shape.extents)));
    const auto any = [&] {
      Where where;
      where.layout = all_layouts[random.below(all_layouts.size())];
      where.misalignment = static_cast<std::ptrdiff_t>(random.below(8));
      return where;
    };
    for (const Parameters& parameters : parameters_of(entry)) {
      Setting s = shape.setting();
      set_parameters(s, parameters);
      s.eps_outside_sqrt = norm.family.has_eps_outside_sqrt && random.below(2) == 0;
      check(norm, s, {any(), any(), any(), any(), any(), any()}, random.bits());
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceByParameters, testing::ValuesIn(shape_cases()), CaseName());

class ReferenceMixedTypes : public testing::TestWithParam<ShapeCase> {};

// The case's f64 bit says which of x and y is double.
TEST_P(ReferenceMixedTypes, ForwardAndBackward) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::strided}) {
    Where where;
    where.layout = layout;
    Plan plan;
    plan.x = plan.dx = where;
    for (const Parameters& parameters : parameters_of(entry)) {
      Setting s = shape.setting();
      set_parameters(s, parameters);
      if (entry.f64) {
        check(catalogue<double, float>()[entry.norm], s, plan, 5);
      } else {
        check(catalogue<float, double>()[entry.norm], s, plan, 6);
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceMixedTypes, testing::ValuesIn(shape_cases()), CaseName());

}  // namespace
}  // namespace norma_test
