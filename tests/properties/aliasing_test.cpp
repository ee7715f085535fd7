// Property 5: in place equals out of place, bit for bit; nothing else is written; gradients accumulate.
#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

template <class T>
void check_in_place(const Entry& entry, const Setting& s, const Where& where) {
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 21, 3);
  Plan plan = everywhere(where);
  const auto apart = run(norm, s, inputs, plan);
  for (const Alias alias : {Alias::y_is_x, Alias::dx_is_dy, Alias::dx_is_x}) {
    SCOPED_TRACE(describe(s) + ", alias " + std::to_string(static_cast<int>(alias)));
    plan.alias = alias;
    expect_same(run(norm, s, inputs, plan), apart);
  }
}

/// Three backward passes onto gradients that start at `start` add up as three additions of the first one's gradient do.
template <class T>
void check_accumulation(const Entry& entry, const Setting& s) {
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 22);
  const auto once = run(norm, s, inputs);
  const T start = T(0.75);
  Rig<T, T> repeated(norm, s, inputs, {}, start);
  repeated.train();
  std::vector<T> dweight(once.dweight.size(), start), dbias(once.dbias.size(), start);
  for (int step = 0; step < 3; ++step) {
    EXPECT_TRUE(same(repeated.backward(), once.dx)) << "dx changed in step " << step;
    for (std::size_t i = 0; i < dweight.size(); ++i) dweight[i] += once.dweight[i];
    for (std::size_t i = 0; i < dbias.size(); ++i) dbias[i] += once.dbias[i];
  }
  // The sum of one pass may be rounded before or after the addition: half an ulp of each of three.
  const auto near = [](const std::vector<T>& actual, const std::vector<T>& expected) {
    const std::vector<real> exact(expected.begin(), expected.end());
    std::vector<real> bound;
    for (const T value : expected) bound.push_back(4 * static_cast<real>(std::numeric_limits<T>::epsilon()) * (std::abs(value) + 1));
    return within(actual, exact, bound);
  };
  EXPECT_TRUE(near(repeated.weight_grads(), dweight)) << "dweight";
  EXPECT_TRUE(near(repeated.bias_grads(), dbias)) << "dbias";
  repeated.check();
}

class AliasingByLength : public testing::TestWithParam<LengthCase> {};

TEST_P(AliasingByLength, InPlaceEqualsOutOfPlace) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    for (const std::ptrdiff_t sets : {1, 2, 9}) check_in_place<T>(entry, entry.sets_of(sets, length), {});
    check_accumulation<T>(entry, entry.sets_of(3, length));
  });
}
INSTANTIATE_TEST_SUITE_P(All, AliasingByLength, testing::ValuesIn(thinned_length_cases()), CaseName());

class AliasingByShape : public testing::TestWithParam<ShapeCase> {};

TEST_P(AliasingByShape, InPlaceEqualsOutOfPlace) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    Setting s = shape.setting();
    for (const Layout layout : all_layouts) {
      Where where;
      where.layout = layout;
      s.weight = s.bias = Form::normalized;
      check_in_place<T>(entry, s, where);
      s.weight = Form::full;
      s.bias = Form::per_set;
      check_in_place<T>(entry, s, where);
    }
    check_accumulation<T>(entry, s);
  });
}
INSTANTIATE_TEST_SUITE_P(All, AliasingByShape, testing::ValuesIn(shape_cases()), CaseName());

class AbsentGradients : public testing::TestWithParam<ShapeCase> {};

// Leaving out dx or a gradient does not change the others, and what is absent is not needed.
TEST_P(AbsentGradients, OthersKeepTheirBits) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    const Setting s = shape.setting();
    const auto inputs = random_inputs<T, T, T>(s, 23);
    const auto expected = run(norm, s, inputs);
    Tensor<T> x(s.extents, {}, inputs.x), dy(s.extents, {}, inputs.dy), y(s.extents, {});
    Tensor<T> weight(parameter_extents(s.weight, s), {}, inputs.weight);
    typename Norm<T, T>::Saved saved;
    Options<T> options = options_of(s, inputs);
    options.weight = weight.view();
    norm.train(nullptr, x.view(), y.view(), saved, options);
    for (unsigned wanted = 0; wanted < 8; ++wanted) {
      Tensor<T> dx(s.extents, {}), dweight(weight.extents(), {}, std::vector<T>(inputs.weight.size(), 0));
      Tensor<T> dbias(weight.extents(), {}, std::vector<T>(inputs.weight.size(), 0));
      options.weight_grad = wanted & 1 ? dweight.view() : norma::TensorView<T>();
      options.bias_grad = wanted & 2 ? dbias.view() : norma::TensorView<T>();
      norm.backward(nullptr, dy.view(), x.view(), saved, wanted & 4 ? dx.view() : norma::TensorView<T>(), options);
      if (wanted & 1) {
        EXPECT_TRUE(same(dweight.values(), expected.dweight)) << "dweight, wanted " << wanted;
      }
      if (wanted & 2) {
        EXPECT_TRUE(same(dbias.values(), expected.dbias)) << "dbias, wanted " << wanted;
      }
      if (wanted & 4) {
        EXPECT_TRUE(same(dx.values(), expected.dx)) << "dx, wanted " << wanted;
      }
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, AbsentGradients, testing::ValuesIn(shape_cases()), CaseName());

}  // namespace
}  // namespace norma_test
