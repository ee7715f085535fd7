// The LayerNormalization, BatchNormalization and InstanceNormalization node tests that ONNX ships, and its BatchNorm models that were
// converted from PyTorch: all that they store, in every layout and in place, at our tolerance.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "oracles/onnx_reader.hpp"
#include "support/compare.hpp"

namespace norma_test { namespace {

const std::filesystem::path nodes = NORMA_ONNX_NODE_TESTS;

/// Which of an operator's inputs is a parameter or a buffer of ours.
const std::map<std::string, int> input_of = {{"weight", 1},       {"bias", 2},     {"mean", 3},
                                             {"running_mean", 3}, {"variance", 4}, {"running_var", 4}};

Setting setting_of(const onnx::Test& test) {
  Setting s = shape(test.input(0).extents);
  s.eps = test.model.attribute("epsilon", static_cast<double>(1e-5f));
  return s;
}

/// A subject on a test's inputs gives the test's outputs in these rows, and the reference's answer in all.
void check(const onnx::Test& test, const char* name, const Setting& s, const std::vector<std::string>& rows_of_outputs) {
  SCOPED_TRACE(name);
  const Subject& subject = subject_named(name);
  Data data = random_data(subject, all_f32, s, 1);
  data.x[0] = test.input(0).values;
  for (auto* const values : {&data.parameters, &data.buffers}) {
    for (auto& [state, of_state] : *values) {
      const Values stored = test.input(input_of.at(state)).values;
      ASSERT_EQ(stored.size(), of_state.size()) << state;
      of_state = stored;
    }
  }
  const Exact exact(subject, all_f32, s, data);
  for (const Layout layout : all_layouts) {
    for (const Alias alias : {Alias::none, Alias::y_is_x}) {
      SCOPED_TRACE(std::string(name_of(layout)) + (alias == Alias::none ? "" : ", in place"));
      Plan plan = everywhere(lying(layout));
      plan.alias = alias;
      const Rows rows = run(subject, all_f32, s, data, plan);
      for (std::size_t i = 0; i < rows_of_outputs.size(); ++i) {
        const std::string& row = rows_of_outputs[i];
        const Values stored = test.output(static_cast<int>(i)).values;
        ExactRow expected = exact.rows.at(row);
        ASSERT_EQ(stored.size(), expected.numbers.size()) << row;
        for (std::size_t k = 0; k < stored.size(); ++k) expected.numbers[k].value = stored[k];
        // The stored value was itself computed in float: it may be as far from the truth as ours.
        EXPECT_TRUE(within(rows.at(row), expected, 2)) << row << " as stored";
      }
      expect_correct(rows, exact);
    }
  }
}

class OnnxTest : public testing::TestWithParam<std::string> {
 protected:
  const onnx::Test test{nodes / GetParam()};
  Setting s = setting_of(test);
};
std::string last_part(const testing::TestParamInfo<std::string>& each) { return each.param.substr(each.param.rfind('/') + 1); }

class OnnxLayerNorm : public OnnxTest {};

TEST_P(OnnxLayerNorm, Matches) {
  const auto rank = static_cast<std::ptrdiff_t>(s.extents.size()), axis = static_cast<std::ptrdiff_t>(test.model.attribute("axis", -1));
  for (std::ptrdiff_t a = axis < 0 ? axis + rank : axis; a < rank; ++a) s.axes.push_back(a);
  ASSERT_EQ(parameter_extents(Form::normalized, s), test.input(1).extents);
  for (const char* const name : {"layer_norm", "LayerNorm"}) check(test, name, s, {"y", "mean", "rstd"});
}
std::vector<std::string> layer_norm_tests() { return onnx::tests_in(nodes, "test_layer_normalization_"); }
INSTANTIATE_TEST_SUITE_P(All, OnnxLayerNorm, testing::ValuesIn(layer_norm_tests()), last_part);

class OnnxBatchNormInference : public OnnxTest {};

/// Statistics that are given, and those of a layer that were loaded.
TEST_P(OnnxBatchNormInference, Matches) {
  for (const char* const name : {"batch_norm_inference", "BatchNorm"}) check(test, name, s, {"y"});
}
std::vector<std::string> inference_tests() {
  std::vector<std::string> names = {"test_batchnorm_epsilon", "test_batchnorm_example"};
  for (const std::string& name : onnx::tests_in(nodes / ".." / "pytorch-converted", "test_BatchNorm"))
    names.push_back("../pytorch-converted/" + name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, OnnxBatchNormInference, testing::ValuesIn(inference_tests()), last_part);

class OnnxBatchNormTraining : public OnnxTest {};

/// training_mode = 1: batch statistics; momentum weighs the old value, the running variance is the population's.
TEST_P(OnnxBatchNormTraining, Matches) {
  ASSERT_EQ(test.model.attribute("training_mode", 0), 1);
  s.convention = Convention::onnx;
  s.momentum = test.model.attribute("momentum", static_cast<double>(0.9f));
  check(test, "BatchNorm", s, {"y of training", "running_mean", "running_var"});
  s.tracks = false;  // the function knows PyTorch's convention only
  check(test, "batch_norm", s, {"y"});
}
INSTANTIATE_TEST_SUITE_P(All, OnnxBatchNormTraining,
                         testing::Values("test_batchnorm_epsilon_training_mode", "test_batchnorm_example_training_mode"), last_part);

class OnnxInstanceNorm : public OnnxTest {};

TEST_P(OnnxInstanceNorm, Matches) {
  s.tracks = false;
  for (const char* const name : {"instance_norm", "InstanceNorm"}) check(test, name, s, {"y"});
  // GroupNorm with as many groups as channels is the same function.
  check(test, "group_norm", grouped(s, s.extents[1]), {"y"});
}
INSTANTIATE_TEST_SUITE_P(All, OnnxInstanceNorm, testing::ValuesIn(onnx::tests_in(nodes, "test_instancenorm_")), last_part);

TEST(Onnx, ShipsThirtyTests) {
  EXPECT_EQ(layer_norm_tests().size(), 19u);
  EXPECT_EQ(inference_tests().size(), 7u) << "two nodes and five models";
  EXPECT_EQ(onnx::tests_in(nodes, "test_batchnorm_").size(), 4u) << "two of inference, two of training";
  EXPECT_EQ(onnx::tests_in(nodes, "test_instancenorm_").size(), 2u);
}

}  // namespace
}  // namespace norma_test
