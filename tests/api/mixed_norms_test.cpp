// SwitchableNorm, BatchInstanceNorm, MeanOnlyBatchNorm: the plain norms that their switches make of them, and numbers by hand.
#include <cmath>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::BatchInstanceNorm;
using norma::MeanOnlyBatchNorm;
using norma::SwitchableNorm;

/// A training step of a mixed norm whose switches leave one plain norm of it: that norm's answer, within the mixed one's bounds. The mean
/// of means and variances is one sum more than the plain norm has, and a coefficient one rounding.
void expect_plain_norm(const Subject& mixed, const Case& c, const Data& data, reference::Answer (*plain)(const reference::Problem&),
                       const std::vector<std::string>& unmoved = {}) {
  const Rows rows = run(mixed, c.types, c.setting, data, everywhere(lying(c.layout)));
  const Exact here(mixed, c.types, c.setting, data);
  const reference::Answer exact = plain(problem_of(mixed, c.setting, data));
  const auto expect = [&](const std::string& name, const reference::Numbers& numbers) {
    if (!rows.has(name)) return;
    ExactRow row = here.rows.at(name);
    ASSERT_EQ(row.numbers.size(), numbers.size()) << name;
    for (std::size_t i = 0; i < numbers.size(); ++i) row.numbers[i].value = numbers[i].value;
    EXPECT_TRUE(within(rows.at(name), row)) << name;
  };
  expect("y of training", exact.y);
  expect("dx", exact.dx);
  expect("d weight", exact.dweight);
  expect("d bias", exact.dbias);
  for (const std::string& name : unmoved) expect(name, reference::Numbers(rows.at(name).size()));
}

std::vector<Case> plain_cases(const char* name) { return cases_of(subject_named(name), few_channel_shapes(), two_layouts); }

class SwitchableNormOneHot : public testing::TestWithParam<Case> {
 protected:
  void expect_is(std::size_t which, reference::Answer (*plain)(const reference::Problem&)) {
    Case c = GetParam();
    c.setting.authors = false;
    Data data = random_data(subject_named("SwitchableNorm"), c.types, c.setting, 1, 2);
    for (const char* logits : {"mean_weight", "var_weight"}) {
      data.parameters[logits] = {0, 0, 0};
      data.parameters[logits][which] = 2000;
    }
    // No logit moves what another norm would have done.
    expect_plain_norm(subject_named("SwitchableNorm"), c, data, plain, {"d mean_weight", "d var_weight"});
  }
};
TEST_P(SwitchableNormOneHot, IsInstanceNorm) { expect_is(0, reference::instance_norm); }
TEST_P(SwitchableNormOneHot, IsLayerNorm) { expect_is(1, reference::group_norm); }  // of one group
TEST_P(SwitchableNormOneHot, IsBatchNorm) { expect_is(2, reference::batch_norm); }
INSTANTIATE_TEST_SUITE_P(All, SwitchableNormOneHot, testing::ValuesIn(plain_cases("SwitchableNorm")), CaseName());

/// Numbers by hand: planes (1, 3) and (5, 9) of one channel; unbiased variances 2 and 8, means 2 and 7.
TEST(SwitchableNorm, AuthorsTakeTheUnbiasedInstanceVariance) {
  SwitchableNorm<double> authors(1, {.eps = 0.5, .momentum = 0.25, .variance = norma::SwitchableVariance::authors});
  SwitchableNorm<double> population(1, {.eps = 0.5, .momentum = 0.25});
  const std::vector<double> x = {1, 3, 5, 9};
  EXPECT_EQ(authors.running_var()[0], 0);
  EXPECT_EQ(population.running_var()[0], 1);
  // With one channel layer and instance statistics agree. The batch's mean is 4.5, its variance (2 + 8) / 2 + 2.5^2.
  const double batch = 5 + 6.25, mean = (2 + 2 + 4.5) / 3, variance = (2 + 2 + batch) / 3;
  EXPECT_DOUBLE_EQ(train(authors, x, {2, 1, 2})[0], (1 - mean) / std::sqrt(variance + 0.5));
  EXPECT_DOUBLE_EQ(authors.running_mean()[0], 0.25 * 4.5);
  EXPECT_DOUBLE_EQ(authors.running_var()[0], 0.25 * batch) << "as it is, not made unbiased once more";
  const double of_batch = 2.5 + 6.25;
  EXPECT_DOUBLE_EQ(train(population, x, {2, 1, 2})[0], (1 - mean) / std::sqrt((1 + 1 + of_batch) / 3 + 0.5));
  EXPECT_DOUBLE_EQ(population.running_var()[0], 0.75 + 0.25 * of_batch * 4 / 3);
}

TEST(SwitchableNorm, LogitsHaveGradients) {
  SwitchableNorm<double> layer(7);
  Tensors<double>({2, 7, 3}).step(layer);
  const SwitchableNorm<double>& constant = layer;
  EXPECT_NE(copy_of(constant.mean_logits_grad()), std::vector<double>(3));
  EXPECT_NE(copy_of(constant.var_logits_grad()), std::vector<double>(3));
}

class BatchInstanceNormGate : public testing::TestWithParam<Case> {
 protected:
  void expect_is(double gate, reference::Answer (*plain)(const reference::Problem&)) {
    const Case& c = GetParam();
    Data data = random_data(subject_named("BatchInstanceNorm"), c.types, c.setting, 1, 2);
    for (double& g : data.parameters["gate"]) g = gate;
    expect_plain_norm(subject_named("BatchInstanceNorm"), c, data, plain);
  }
};
TEST_P(BatchInstanceNormGate, OpenIsBatchNorm) { expect_is(1, reference::batch_norm); }
TEST_P(BatchInstanceNormGate, ShutIsInstanceNorm) { expect_is(0, reference::instance_norm); }
INSTANTIATE_TEST_SUITE_P(All, BatchInstanceNormGate, testing::ValuesIn(plain_cases("BatchInstanceNorm")), CaseName());

TEST(BatchInstanceNorm, TheGateIsClampedByTheUserAlone) {
  BatchInstanceNorm<float> layer(5, {.affine = false});
  const std::vector<float> values = {-0.5f, 0, 0.25f, 1, 1.5f};
  std::copy(values.begin(), values.end(), layer.gate().begin());
  Tensors<float>({2, 5, 3}).step(layer);
  EXPECT_EQ(copy_of(layer.gate()), values) << "a step does not clip";
  layer.clamp_gate();
  EXPECT_EQ(copy_of(layer.gate()), (std::vector<float>{0, 0, 0.25f, 1, 1}));
  const BatchInstanceNorm<float>& constant = layer;
  EXPECT_NE(copy_of(constant.gate_grad()), std::vector<float>(5));
}

/// Exact numbers, out of reach of squares: no variance is ever looked at.
TEST(MeanOnlyBatchNorm, SubtractsTheMeanWhateverTheScale) {
  for (const float scale : {1.0f, 0x1p100f, 0x1p-100f}) {
    MeanOnlyBatchNorm<float> layer(2, {.momentum = 0.5});
    EXPECT_TRUE(layer.weight().empty() && layer.weight_grad().empty() && layer.running_var().empty());
    layer.bias()[1] = 8 * scale;
    const std::vector<float> x = {1 * scale, 2 * scale, 3 * scale, 6 * scale}, dy = {1, 2, 3, 6};
    std::vector<float> y(4), dx(4);
    norma::Saved<float> saved;
    layer.forward(shaped(x, {2, 2}), shaped(y, {2, 2}), saved);
    EXPECT_EQ(y, (std::vector<float>{-scale, 6 * scale, scale, 10 * scale}));
    EXPECT_EQ(copy_of(layer.running_mean()), (std::vector<float>{scale, 2 * scale}));
    layer.backward(shaped(dy, {2, 2}), shaped(x, {2, 2}), saved, shaped(dx, {2, 2}));
    EXPECT_EQ(dx, (std::vector<float>{-1, -2, 1, 2}));
    EXPECT_EQ(copy_of(layer.bias_grad()), (std::vector<float>{4, 8}));
    layer(shaped(x, {2, 2}), shaped(y, {2, 2}));
    EXPECT_EQ(y, (std::vector<float>{0, 8 * scale, 2 * scale, 12 * scale}));
  }
}

/// A gradient is rounded to float once, however many samples there are.
TEST(SwitchableNorm, GradientsOfManySamplesAreSumsInDouble) {
  constexpr norma::index_t samples = 1 << 16;
  const std::vector<float> x = random_values<float>(2 * samples, 71), dy(2 * samples, 0.1f);
  std::vector<float> y(2 * samples), dx(2 * samples);
  SwitchableNorm<float> layer(2);
  norma::Saved<float> saved;
  layer.forward(shaped(x, {samples, 2, 1}), shaped(y, {samples, 2, 1}), saved);
  layer.backward(shaped(dy, {samples, 2, 1}), shaped(x, {samples, 2, 1}), saved, shaped(dx, {samples, 2, 1}));
  for (const float gradient : layer.bias_grad()) EXPECT_EQ(gradient, samples * 0.1f);
}

}  // namespace
}  // namespace norma_test
