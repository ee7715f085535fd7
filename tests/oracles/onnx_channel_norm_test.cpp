// The BatchNormalization and InstanceNormalization node tests that ONNX ships, training mode included, and the BatchNorm models that were
// converted from PyTorch, whose parameters come inside the model: as stored, in every layout and in place, at our tolerance.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "oracles/onnx_reader.hpp"
#include "support/channel_layer.hpp"

namespace norma_test {
namespace {

const std::filesystem::path nodes = NORMA_ONNX_NODE_TESTS;

/// The stored value was itself computed in float: it may be as far from the truth as ours.
std::vector<real> doubled(std::vector<real> bound) {
  for (real& b : bound) b *= 2;
  return bound;
}
std::vector<real> exact(const std::vector<float>& values) { return {values.begin(), values.end()}; }

Setting setting_of(const onnx::Test& test, const Extents& extents) {
  Setting s;
  s.extents = extents;
  s.axes.clear();
  s.eps = test.model.attribute("epsilon", static_cast<double>(1e-5f));
  return s;
}

const Norm<float, float>& named(const std::string& name) {
  for (const Norm<float, float>& norm : catalogue<float, float>()) {
    if (norm.name == name) return norm;
  }
  throw std::logic_error("no such norm: " + name);
}

/// y of this norm in every layout and in place.
void expect_y(const Norm<float, float>& norm, const Setting& s, const Inputs<float, float, float>& inputs, const std::vector<float>& y) {
  const reference::Problem p = problem(s, inputs);
  const Bounds bound = bounds(p, norm.reference(p), precision_of<float>());
  for (const Layout layout : all_layouts) {
    for (const Alias alias : {Alias::none, Alias::y_is_x}) {
      SCOPED_TRACE(std::string(name_of(layout)) + (alias == Alias::none ? "" : ", in place"));
      Where where;
      where.layout = layout;
      Plan plan = everywhere(where);
      plan.alias = alias;
      const auto r = run(norm, s, inputs, plan);
      EXPECT_TRUE(within(r.y, exact(y), doubled(bound.y))) << "Y";
      expect_correct(norm, s, inputs, r);
    }
  }
}

/// The five tensors of a BatchNormalization: input, scale, bias, mean, variance.
struct BatchNormCase {
  explicit BatchNormCase(const onnx::Test& test) {
    for (int i = 0; i < 5; ++i) {
      // A model converted from PyTorch has all but the input inside, under the names 1 to 4.
      bool inside = false;
      for (const onnx::Stored& tensor : test.model.initializers) {
        if (tensor.name != std::to_string(i)) continue;
        tensors.push_back(tensor);
        inside = true;
      }
      if (!inside) tensors.push_back(test.input(i));
    }
    y = test.output(0);
    s = setting_of(test, tensors[0].extents);
    s.given_statistics = true;
    inputs = random_inputs<float, float, float>(s, 1);
    inputs.x = tensors[0].values;
    inputs.weight = tensors[1].values;
    inputs.bias = tensors[2].values;
    inputs.mean = tensors[3].values;
    inputs.variance = tensors[4].values;
  }
  std::vector<onnx::Stored> tensors;
  onnx::Stored y;
  Setting s;
  Inputs<float, float, float> inputs;
};

class OnnxBatchNormInference : public testing::TestWithParam<std::string> {};

TEST_P(OnnxBatchNormInference, Matches) {
  const onnx::Test test(nodes / GetParam());
  const BatchNormCase c(test);
  ASSERT_EQ(c.inputs.weight.size(), static_cast<std::size_t>(c.s.extents[1]));
  expect_y(named("BatchNorm_inference"), c.s, c.inputs, c.y.values);
  // And as a layer whose running statistics were loaded.
  norma::BatchNorm<float> layer(c.s.extents[1], {.eps = c.s.eps});
  set_parameters_of(layer, c.inputs);
  std::copy(c.inputs.mean.begin(), c.inputs.mean.end(), layer.running_mean().begin());
  std::copy(c.inputs.variance.begin(), c.inputs.variance.end(), layer.running_var().begin());
  std::vector<float> y(c.inputs.x.size());
  layer(norma::TensorView<const float>(c.inputs.x.data(), c.s.extents), norma::TensorView<float>(y.data(), c.s.extents));
  const reference::Problem p = problem(c.s, c.inputs);
  EXPECT_TRUE(within(y, exact(c.y.values), doubled(bounds(p, reference::batch_norm_inference(p), precision_of<float>()).y)));
}

std::vector<std::string> inference_tests() {
  std::vector<std::string> names = {"test_batchnorm_epsilon", "test_batchnorm_example"};
  for (const std::string& name : onnx::tests_in(nodes / ".." / "pytorch-converted", "test_BatchNorm")) {
    names.push_back("../pytorch-converted/" + name);
  }
  return names;
}
std::string last_part(const testing::TestParamInfo<std::string>& each) { return each.param.substr(each.param.rfind('/') + 1); }
INSTANTIATE_TEST_SUITE_P(All, OnnxBatchNormInference, testing::ValuesIn(inference_tests()), last_part);

class OnnxBatchNormTraining : public testing::TestWithParam<std::string> {};

// training_mode = 1: batch statistics; momentum weighs the old value, the running variance is the population's.
TEST_P(OnnxBatchNormTraining, Matches) {
  const onnx::Test test(nodes / GetParam());
  BatchNormCase c(test);
  ASSERT_EQ(test.model.attribute("training_mode", 0), 1);
  norma::BatchNorm<float> layer(c.s.extents[1], {.eps = c.s.eps,
                                                 .momentum = test.model.attribute("momentum", static_cast<double>(0.9f)),
                                                 .convention = norma::StatsConvention::onnx});
  set_parameters_of(layer, c.inputs);
  std::copy(c.inputs.mean.begin(), c.inputs.mean.end(), layer.running_mean().begin());
  std::copy(c.inputs.variance.begin(), c.inputs.variance.end(), layer.running_var().begin());
  std::vector<float> y(c.inputs.x.size());
  norma::Saved<float> saved;
  layer.forward(norma::TensorView<const float>(c.inputs.x.data(), c.s.extents), norma::TensorView<float>(y.data(), c.s.extents), saved);
  c.s.given_statistics = false;
  const reference::Problem p = problem(c.s, c.inputs);
  const reference::Answer answer = reference::batch_norm(p);
  const Bounds bound = bounds(p, answer, precision_of<float>());
  EXPECT_TRUE(within(y, exact(c.y.values), doubled(bound.y))) << "Y";
  // Roundings of two products, a sum and the statistic, in theirs and in ours.
  const real eps = static_cast<real>(std::numeric_limits<float>::epsilon());
  const onnx::Stored mean = test.output(1), variance = test.output(2);
  std::vector<real> mean_bound, variance_bound;
  for (std::size_t i = 0; i < mean.values.size(); ++i) {
    mean_bound.push_back(2 * (bound.mean[i] + 2 * eps * (std::abs(c.inputs.mean[i]) + std::abs(answer.mean[i]))));
    variance_bound.push_back(
        2 * (2 * answer.variance[i] * bound.rstd[i] / answer.rstd[i] + 2 * eps * (c.inputs.variance[i] + answer.variance[i])));
  }
  EXPECT_TRUE(within(copy_of(layer.running_mean()), exact(mean.values), mean_bound)) << "output_mean";
  EXPECT_TRUE(within(copy_of(layer.running_var()), exact(variance.values), variance_bound)) << "output_var";
  c.inputs.mean.clear();
  c.inputs.variance.clear();
  expect_y(named("BatchNorm"), c.s, c.inputs, c.y.values);
}
INSTANTIATE_TEST_SUITE_P(All, OnnxBatchNormTraining,
                         testing::Values("test_batchnorm_epsilon_training_mode", "test_batchnorm_example_training_mode"), last_part);

class OnnxInstanceNorm : public testing::TestWithParam<std::string> {};

TEST_P(OnnxInstanceNorm, Matches) {
  const onnx::Test test(nodes / GetParam());
  const onnx::Stored x = test.input(0);
  const Setting s = setting_of(test, x.extents);
  auto inputs = random_inputs<float, float, float>(s, 2);
  inputs.x = x.values;
  inputs.weight = test.input(1).values;
  inputs.bias = test.input(2).values;
  const onnx::Stored y = test.output(0);
  expect_y(named("InstanceNorm"), s, inputs, y.values);
  // GroupNorm with as many groups as channels is the same function.
  Setting in_groups = s;
  in_groups.groups = s.extents[1];
  expect_y(named("GroupNorm"), in_groups, inputs, y.values);
}
INSTANTIATE_TEST_SUITE_P(All, OnnxInstanceNorm, testing::ValuesIn(onnx::tests_in(nodes, "test_instancenorm_")), last_part);

TEST(OnnxChannelNorms, ThereAreElevenCases) {
  EXPECT_EQ(inference_tests().size(), 7u) << "two nodes and five models";
  EXPECT_EQ(onnx::tests_in(nodes, "test_batchnorm_").size(), 4u) << "two of inference, two of training";
  EXPECT_EQ(onnx::tests_in(nodes, "test_instancenorm_").size(), 2u);
}

}  // namespace
}  // namespace norma_test
