// The plain norms: running statistics to the bit and its counter, running statistics that are views, numbers by hand, which of them are one
// function, and a row beside a NaN.
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <type_traits>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::BatchNorm;
using norma::TensorView;

/// Values with exact statistics: mean 3, population variance 4, per channel offset by the channel.
std::vector<float> exact_batch(std::size_t samples, std::size_t channels) {
  std::vector<float> x;
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t c = 0; c < channels; ++c) x.push_back(static_cast<float>(c) + (n % 2 == 0 ? 1.0f : 5.0f));
  }
  return x;
}

TEST(BatchNorm, RunningStatisticsToTheBit) {
  BatchNorm<float> plain(1), torch(2, {.momentum = 0.25}), keras(2, {.momentum = 0.25, .convention = norma::StatsConvention::keras});
  train(plain, exact_batch(2, 1), {2, 1});
  EXPECT_EQ(plain.running_mean()[0], static_cast<float>(0.1 * 3)) << "momentum 0.1";
  train(torch, exact_batch(4, 2), {4, 2});
  EXPECT_EQ(copy_of(torch.running_mean()), (std::vector<float>{0.75f, 1.0f}));
  EXPECT_EQ(torch.running_var()[0], static_cast<float>(0.75 + 0.25 * (16.0 / 3)));
  train(keras, exact_batch(4, 2), {4, 2});
  EXPECT_EQ(copy_of(keras.running_mean()), (std::vector<float>{2.25f, 3.0f}));
  EXPECT_EQ(copy_of(keras.running_var()), (std::vector<float>{0.25f + 3, 0.25f + 3}));
}

TEST(BatchNorm, TheCounterCanBeSetAndWeighsTheNextBatch) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  layer.set_num_batches_tracked(3);
  layer.running_mean()[0] = 7;
  train(layer, exact_batch(2, 1), {2, 1});
  EXPECT_EQ(layer.num_batches_tracked(), 4);
  EXPECT_EQ(layer.running_mean()[0], 6.0f) << "(3 * 7 + 3) / 4";
  static_assert(std::is_same_v<decltype(layer.num_batches_tracked()), std::int64_t>);
}

TEST(BatchNorm, TheCounterNeitherOverflowsNorGoesBelowZero) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  layer.set_num_batches_tracked(last - 1);
  for (int step = 0; step < 2; ++step) {
    train(layer, exact_batch(2, 1), {2, 1});
    EXPECT_EQ(layer.num_batches_tracked(), last);
  }
  EXPECT_THROW(layer.set_num_batches_tracked(-1), norma::ShapeError);
  EXPECT_EQ(layer.num_batches_tracked(), last);
}

TEST(BatchNorm, RunningViewsMayBeStridedAndNeighboursStay) {
  BatchNorm<float> layer(5, {.momentum = 0.3});
  Tensors<float> of_layer({4, 5, 3}), t({4, 5, 3});
  layer.forward(of_layer.x.view(), of_layer.y.view(), of_layer.saved);
  for (const Layout layout : {Layout::contiguous, Layout::strided, Layout::sliced, Layout::flipped}) {
    SCOPED_TRACE(name_of(layout));
    Tensor<float> mean({5}, lying(layout), std::vector<float>(5, 0)), variance({5}, lying(layout), std::vector<float>(5, 1));
    norma::batch_norm(t.x.view(), t.y.view(), t.saved, {.running_mean = mean.view(), .running_var = variance.view(), .momentum = 0.3});
    EXPECT_TRUE(same(t.y.values(), of_layer.y.values()));
    EXPECT_TRUE(same(mean.values(), layer.running_mean()));
    EXPECT_TRUE(same(variance.values(), layer.running_var()));
    EXPECT_TRUE(mean.surroundings_untouched() && variance.surroundings_untouched());
  }
}

/// The running statistics of inference, and its backward, which takes them for constants, in numbers.
template <class L>
void check_inference(L layer) {
  layer.running_mean()[0] = 3;
  layer.running_var()[0] = 3.75;
  layer.running_mean()[1] = -1;
  layer.running_var()[1] = 0;
  layer.weight()[0] = 4;
  layer.bias()[1] = 10;
  const std::vector<float> x = {5, 3, 0, -1}, dy = {5, 3, 1, 2};
  std::vector<float> y(4), dx(4);
  const Values before = state_of(layer);
  layer(shaped(x, {1, 2, 2}), shaped(y, {1, 2, 2}));
  EXPECT_EQ(y, (std::vector<float>{4, 0, 12, 10}));
  EXPECT_EQ(state_of(layer), before);
  layer.backward_frozen(shaped(dy, {1, 2, 2}), shaped(x, {1, 2, 2}), shaped(dx, {1, 2, 2}));
  EXPECT_EQ(dx, (std::vector<float>{10, 6, 2, 4}));
  EXPECT_EQ(copy_of(layer.weight_grad()), (std::vector<float>{5, 2}));
  EXPECT_EQ(copy_of(layer.bias_grad()), (std::vector<float>{8, 3}));
}
TEST(BatchNorm, InferenceUsesTheRunningStatisticsAndKeepsThem) { check_inference(BatchNorm<float>(2, {.eps = 0.25})); }
TEST(InstanceNorm, TrackingInferenceUsesTheRunningStatistics) {
  check_inference(norma::InstanceNorm<float>(2, {.eps = 0.25, .affine = true, .track_running_stats = true}));
}

// Which channels share a group is told apart by groups of very different means.
TEST(GroupNorm, AGroupIsNeighbouringChannels) {
  const std::vector<float> x = {0, 2, 100, 104, -6, -6};  // one sample of 6 channels in 3 groups
  std::vector<float> y(6);
  const norma::GroupNorm<float> layer(3, 6, {.eps = 0});
  layer(shaped(x, {1, 6}), shaped(y, {1, 6}));
  EXPECT_EQ(y, (std::vector<float>{-1, 1, -1, 1, 0, 0}));
}

/// Two norms that should be one function: each gives what the other one's reference says.
void expect_one_function(const Subject& a, const Setting& of_a, const Subject& b, const Setting& of_b, Layout layout) {
  for_plain_types([&](const Types& t) {
    SCOPED_TRACE(a.name + ", " + b.name + ", " + case_name(t, of_a));
    const Data data = random_data(a, t, of_a, 171, 1);
    for (const char* row : {"y", "y of training", "dx", "d weight", "d bias"}) {
      EXPECT_TRUE(within(run(a, t, of_a, data, everywhere(lying(layout))).at(row), Exact(b, t, of_b, data).rows.at(row))) << row;
      EXPECT_TRUE(within(run(b, t, of_b, data, everywhere(lying(layout))).at(row), Exact(a, t, of_a, data).rows.at(row))) << row;
    }
  });
}

/// Groups of a norm of channels without running statistics.
Setting in_groups(const Extents& extents, std::ptrdiff_t groups) {
  Setting s = grouped(shape(extents), groups);
  s.eps = 1e-3;
  s.tracks = false;
  return s;
}

class GroupNormIdentities : public testing::TestWithParam<Layout> {};

TEST_P(GroupNormIdentities, OneGroupIsLayerNormOverChannelsAndPositions) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 130}}) {
    Setting group = in_groups(extents, 1);
    group.weight = group.bias = Form::full;
    Setting layer = group;
    layer.axes.resize(extents.size() - 1);
    std::iota(layer.axes.begin(), layer.axes.end(), 1);
    expect_one_function(subject_named("group_norm"), group, subject_named("layer_norm"), layer, GetParam());
  }
}

TEST_P(GroupNormIdentities, AsManyGroupsAsChannelsIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 65, 1}}) {
    expect_one_function(subject_named("group_norm"), in_groups(extents, extents[1]), subject_named("instance_norm"), in_groups(extents, 1),
                        GetParam());
  }
}

TEST_P(GroupNormIdentities, BatchNormOfOneSampleIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{1, 5, 4}, {1, 64, 7, 7}, {1, 3, 2, 3, 2}}) {
    expect_one_function(subject_named("batch_norm"), in_groups(extents, 1), subject_named("instance_norm"), in_groups(extents, 1),
                        GetParam());
  }
}
INSTANTIATE_TEST_SUITE_P(All, GroupNormIdentities,
                         testing::Values(Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced, Layout::flipped_all),
                         [](const auto& each) { return std::string(norma_test::name_of(each.param)); });

/// A row whose squares sink to 0 has the same bits beside a row with a NaN, which sends its tile another way.
TEST(RowBesideNaN, KeepsItsBits) {
  for (const norma::index_t length : {3, 64, 100, 300, 2000}) {
    const auto n = static_cast<std::size_t>(length);
    for (const float size : {1e-26f, 1e-20f, 1e-3f}) {
      std::vector<float> x = random_values<float>(2 * n, 33, 1);
      for (float& v : x) v *= size;
      std::vector<float> with_nan = x, y(2 * n), y_beside(2 * n);
      with_nan[n + 1] = std::nanf("");
      const norma::LayerNorm<float> layer({length});
      layer(shaped(x, {2, length}), shaped(y, {2, length}));
      layer(shaped(with_nan, {2, length}), shaped(y_beside, {2, length}));
      EXPECT_TRUE(std::isnan(y_beside[n]));
      y.resize(n);
      y_beside.resize(n);
      EXPECT_TRUE(same(y_beside, y)) << length << ", " << size;
    }
  }
}

}  // namespace
}  // namespace norma_test
