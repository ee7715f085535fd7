// The LayerNormalization node tests that ONNX ships: Y, Mean and InvStdDev, each as stored, as a permuted view and in place, at our
// tolerance.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "oracles/onnx_reader.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

std::vector<std::string> case_names() { return onnx::tests_in(NORMA_ONNX_NODE_TESTS, "test_layer_normalization_"); }

struct Case {
  explicit Case(const std::string& name) {
    const onnx::Test test(std::filesystem::path(NORMA_ONNX_NODE_TESTS) / name);
    x = test.input(0);
    weight = test.input(1);
    bias = test.input(2);
    y = test.output(0);
    mean = test.output(1);
    inv_std_dev = test.output(2);
    setting.extents = x.extents;
    setting.eps = test.model.attribute("epsilon", static_cast<double>(1e-5f));
    setting.axes.clear();
    const auto rank = static_cast<std::ptrdiff_t>(x.extents.size()), axis = static_cast<std::ptrdiff_t>(test.model.attribute("axis", -1));
    for (std::ptrdiff_t a = axis < 0 ? axis + rank : axis; a < rank; ++a) setting.axes.push_back(a);
  }

  onnx::Stored x, weight, bias, y, mean, inv_std_dev;
  Setting setting;
};

/// The stored value was itself computed in float: it may be as far from the truth as ours.
std::vector<real> doubled(std::vector<real> bound) {
  for (real& b : bound) b *= 2;
  return bound;
}

std::vector<real> exact(const std::vector<float>& values) { return {values.begin(), values.end()}; }

class OnnxLayerNorm : public testing::TestWithParam<std::string> {};

TEST_P(OnnxLayerNorm, MatchesAsStoredPermutedAndInPlace) {
  const Case c(GetParam());
  const auto& norm = catalogue<float, float>().front();
  ASSERT_EQ(norm.name, "LayerNorm");
  ASSERT_EQ(parameter_extents(Form::normalized, c.setting), c.weight.extents);
  Inputs<float, float, float> inputs;
  inputs.x = c.x.values;
  inputs.dy.assign(c.x.values.size(), 0);
  inputs.weight = c.weight.values;
  inputs.bias = c.bias.values;
  const reference::Problem p = problem(c.setting, inputs);
  const Bounds bound = bounds(p, norm.reference(p), precision_of<float>());
  for (const Layout layout : all_layouts) {
    for (const Alias alias : {Alias::none, Alias::y_is_x}) {
      SCOPED_TRACE(std::string(name_of(layout)) + (alias == Alias::none ? "" : ", in place"));
      Where where;
      where.layout = layout;
      Plan plan = everywhere(where);
      plan.alias = alias;
      const auto r = run(norm, c.setting, inputs, plan);
      EXPECT_TRUE(within(r.y, exact(c.y.values), doubled(bound.y))) << "Y";
      EXPECT_TRUE(within(r.mean, exact(c.mean.values), doubled(bound.mean))) << "Mean";
      EXPECT_TRUE(within(r.rstd, exact(c.inv_std_dev.values), doubled(bound.rstd))) << "InvStdDev";
      expect_correct(norm, c.setting, inputs, r);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, OnnxLayerNorm, testing::ValuesIn(case_names()), [](const auto& each) { return each.param; });

TEST(OnnxLayerNorm, ThereAreNineteenCases) { EXPECT_EQ(case_names().size(), 19u); }

}  // namespace
}  // namespace norma_test
