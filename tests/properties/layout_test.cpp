// Property 4: the same logical tensor in another memory layout gives the same bits.
#include <algorithm>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

/// True if the averaged axes follow each other in memory as they do in row-major order, in either direction: then the sums run in the
/// same order of indices and the bits are promised.
bool same_summation_order(const Shape& shape, Layout layout) {
  const std::vector<bool> is_averaged = averaged(shape.extents, shape.axes);
  std::vector<std::size_t> order;
  for (const std::size_t axis : memory_order(shape.extents.size(), layout)) {
    if (is_averaged[axis] && shape.extents[axis] != 1) order.push_back(axis);
  }
  return std::is_sorted(order.begin(), order.end());
}

class Layouts : public testing::TestWithParam<ShapeCase> {
 protected:
  template <class T>
  void compare(const Setting& s, const Plan& plan, const char* what) {
    SCOPED_TRACE(what);
    const auto& norm = GetParam().entry.template get<T>();
    const auto inputs = random_inputs<T, T, T>(s, 11, 2);
    const auto expected = run(norm, s, inputs);
    const auto actual = run(norm, s, inputs, plan);
    // Norms of channels promise their bound in every layout, not the same bits.
    if (norm.family.has_axes && same_summation_order(GetParam().shape, plan.x.layout)) {
      EXPECT_TRUE(same(actual.y, expected.y)) << "y";
      EXPECT_TRUE(same(actual.mean, expected.mean)) << "mean";
      EXPECT_TRUE(same(actual.rstd, expected.rstd)) << "rstd";
    }
    EXPECT_TRUE(same(actual.y, actual.y_train)) << "inference and training forward differ";
    if (!same(actual.y, expected.y) || !same(actual.dx, expected.dx)) expect_correct(norm, s, inputs, actual);
  }
};

TEST_P(Layouts, OfOneTensorOrAll) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const Setting s = shape.setting();
    for (const Layout layout : all_layouts) {
      SCOPED_TRACE(norma_test::name_of(layout));
      Where where;
      where.layout = layout;
      Plan plan = everywhere(where);
      compare<T>(s, plan, "all");
      plan.x = {};
      compare<T>(s, plan, "all but x");
      plan = {};
      plan.x = where;
      compare<T>(s, plan, "x");
      plan = {};
      plan.y = where;
      compare<T>(s, plan, "y");
      plan = {};
      plan.dy = plan.dx = where;
      compare<T>(s, plan, "dy and dx");
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, Layouts, testing::ValuesIn(shape_cases()), CaseName());

class BroadcastInput : public testing::TestWithParam<ShapeCase> {};

// x and dy with stride 0 along one axis equal the same values written out.
TEST_P(BroadcastInput, StrideZeroAlongEachAxis) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    using Saved = typename Norm<T, T>::Saved;
    const auto& norm = entry.get<T>();
    for (std::size_t axis = 0; axis < shape.extents.size(); ++axis) {
      Extents narrow = shape.extents;
      narrow[axis] = shape.extents[axis] == 0 ? 0 : 1;
      Tensor<T> x(narrow, {}, random_values<T>(count(narrow), axis, 1)), dy(narrow, {}, random_values<T>(count(narrow), axis + 10));
      Setting s = shape.setting();
      s.weight = s.bias = Form::absent;
      Inputs<T, T, T> wide = random_inputs<T, T, T>(s, axis);
      wide.x.clear();
      wide.dy.clear();
      const std::vector<T> x_values = x.values(), dy_values = dy.values();
      for_each_index(shape.extents, [&](const Extents& i) {
        wide.x.push_back(x_values[position(i, narrow)]);
        wide.dy.push_back(dy_values[position(i, narrow)]);
      });
      const auto expected = run(norm, s, wide);
      Tensor<T> y(shape.extents, {}), dx(shape.extents, {});
      const Options<T> options = options_of(s, wide);
      const reference::Problem p = problem(s, wide);
      const reference::Answer exact = norm.reference(p);
      const Bounds bound = bounds(p, exact, precision_of<T>());
      Saved saved;
      const norma::TensorView<const T> x_view = x.view().broadcast(shape.extents), dy_view = dy.view().broadcast(shape.extents);
      norm.infer(nullptr, x_view, y.view(), options);
      // Long runs of a constant: four times the ordinary bound (README, Accuracy).
      const auto is_right = [&] { return norm.family.has_axes ? same(y.values(), expected.y) : within(y.values(), exact.y, bound.y, 4); };
      EXPECT_TRUE(is_right()) << "inference, axis " << axis;
      norm.train(nullptr, x_view, y.view(), saved, options);
      EXPECT_TRUE(is_right()) << "training, axis " << axis;
      norm.backward(nullptr, dy_view, x_view, saved, dx.view(), options);
      EXPECT_TRUE(within(dx.values(), exact.dx, bound.dx, norm.family.has_axes ? 1 : 4)) << "dx, axis " << axis;
      EXPECT_TRUE(same(x.values(), x_values) && same(dy.values(), dy_values));
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, BroadcastInput, testing::ValuesIn(shape_cases()), CaseName());

}  // namespace
}  // namespace norma_test
