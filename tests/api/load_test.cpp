// load, for every layer: parameters and buffers of 16 bits arrive under their state names, and a wrong one leaves the layer as it was.
#include <map>
#include <string>
#include <vector>

#include "api/layers.hpp"

namespace norma_test { namespace {

using Checkpoint = std::map<std::string, std::vector<norma::bfloat16>>;

/// Whole numbers that 16 bits hold, others for each name, under all names of a layer.
template <class L>
Checkpoint checkpoint_of(const L& layer) {
  Checkpoint checkpoint;
  for (const auto& [name, size] : names_of(layer)) {
    std::vector<norma::bfloat16>& values = checkpoint[name];
    for (std::size_t i = 0; i < size; ++i) values.emplace_back(static_cast<float>(10 * checkpoint.size() + i % 7));
  }
  return checkpoint;
}

template <class L>
void expect_loads(L layer) {
  Checkpoint checkpoint = checkpoint_of(layer);
  const std::size_t tensors = checkpoint.size();
  ASSERT_GT(tensors, 0u);
  const Values before = state_of(layer);
  // One element more in what is asked for last: nothing before it is written.
  const std::string last = names_of(layer).back().first;
  checkpoint[last].emplace_back(1.0f);
  expect_shape_error("load", {last}, [&] { norma::load(layer, checkpoint); });
  EXPECT_EQ(state_of(layer), before);
  checkpoint[last].pop_back();

  if constexpr (requires { layer.num_batches_tracked(); }) checkpoint["num_batches_tracked"] = {norma::bfloat16(42)};
  checkpoint["of another layer"] = {};
  const auto [missing, unexpected] = norma::load(layer, checkpoint);
  EXPECT_EQ(missing, std::vector<std::string>());
  EXPECT_EQ(unexpected, std::vector<std::string>{"of another layer"});
  const auto expect_is = [&](std::string_view name, auto value) {
    const auto& wanted = checkpoint.at(std::string(name));
    EXPECT_TRUE(std::equal(value.begin(), value.end(), wanted.begin(), wanted.end())) << name;
  };
  layer.for_each_parameter([&](std::string_view name, auto value, auto grad) {
    expect_is(name, value);
    for (const auto g : grad) EXPECT_EQ(g, 0) << name;
  });
  layer.for_each_buffer(expect_is);
  if constexpr (requires { layer.num_batches_tracked(); }) {
    EXPECT_EQ(layer.num_batches_tracked(), 42);
  }

  checkpoint.erase(last);
  EXPECT_EQ(norma::load(layer, checkpoint).missing, std::vector<std::string>{last});
}

template <class T>
class LoadOf : public testing::Test {};
using ParameterTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(LoadOf, ParameterTypes);

TYPED_TEST(LoadOf, ChannelNorms) {
  using T = TypeParam;
  expect_loads(norma::BatchNorm<T>(3));
  expect_loads(norma::BatchNorm<T>(3, {.affine = false}));
  expect_loads(norma::SyncBatchNorm<T>(3));
  expect_loads(norma::BatchRenorm<T>(3));
  expect_loads(norma::SwitchableNorm<T>(3));
  expect_loads(norma::BatchInstanceNorm<T>(3));
  expect_loads(norma::MeanOnlyBatchNorm<T>(3));
  expect_loads(norma::InstanceNorm<T>(3, {.affine = true, .track_running_stats = true}));
}

TYPED_TEST(LoadOf, NormsOfSamplesQueriesAndWeights) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(24, 301);
  expect_loads(norma::GroupNorm<T>(2, 6));
  expect_loads(norma::LayerNorm<T>({4, 6}));
  expect_loads(norma::RMSNorm<T>({6}, {.bias = true}));
  expect_loads(norma::QKNorm<T>(6));
  expect_loads(norma::QKNorm<T>(6, {.form = norma::QKForm::layer}));
  expect_loads(norma::QKNorm<T>(6, {.form = norma::QKForm::l2, .sequence_length = 16}));
  expect_loads(norma::WeightNorm<T>(shaped(weight, {4, 3, 2})));
  expect_loads(norma::WeightNorm<T>(shaped(weight, {4, 6}), {.dim = 1, .legacy_names = true}));
  expect_loads(norma::SpectralNorm<T>(shaped(weight, {4, 6})));
}

}  // namespace
}  // namespace norma_test
