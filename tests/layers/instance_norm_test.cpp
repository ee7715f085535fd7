// InstanceNorm as a layer: against the reference, with running statistics and without, and its errors.
#include <norma/norma.hpp>

#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "support/channel_layer.hpp"
#include "support/counting_new.hpp"
#include "support/errors.hpp"

namespace norma_test {
namespace {

using norma::InstanceNorm;
using norma::TensorView;

Setting instances(const Extents& extents, double eps = 1e-3) {
  Setting s;
  s.extents = extents;
  s.axes.clear();
  s.eps = eps;
  return s;
}

template <class M>
class InstanceNormTypes : public testing::Test {};
TYPED_TEST_SUITE(InstanceNormTypes, MixesOf<InstanceNorm>);

TYPED_TEST(InstanceNormTypes, AgreesWithTheReference) {
  using Layer = typename TypeParam::Layer;
  using X = typename TypeParam::X;
  using Y = typename TypeParam::Y;
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    for (const Extents& extents : std::vector<Extents>{{5, 3, 1}, {2, 65, 2}, {2, 4, 7}, {3, 5, 6, 7}, {2, 33, 4, 4}, {2, 3, 2, 3, 4}}) {
      const Setting s = instances(extents);
      for (const norma::InstanceNormOptions& options :
           {norma::InstanceNormOptions{.eps = s.eps}, norma::InstanceNormOptions{.eps = s.eps, .affine = true},
            norma::InstanceNormOptions{.eps = s.eps, .affine = true, .bias = false, .track_running_stats = true}}) {
        Layer layer(extents[1], options);
        expect_training_correct<X, Y>(layer, reference::instance_norm, s, where, 181);
      }
    }
  }
}

TEST(InstanceNorm, HasNeitherParametersNorRunningStatisticsByDefault) {
  InstanceNorm<float> layer(3);
  EXPECT_TRUE(layer.weight().empty() && layer.bias().empty() && layer.running_mean().empty() && layer.running_var().empty());
  layer.for_each_parameter([](std::string_view name, std::span<float>, std::span<float>) { ADD_FAILURE() << name; });
  layer.for_each_buffer([](std::string_view name, std::span<float>) { ADD_FAILURE() << name; });
  std::vector<float> x = random_values<float>(60, 3), inferred(60), trained(60);
  norma::Saved<float> saved;
  layer(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(inferred.data(), {4, 3, 5}));
  layer.forward(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(trained.data(), {4, 3, 5}), saved);
  EXPECT_EQ(inferred, trained);
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  expect_shape_error("InstanceNorm", {"backward_frozen", "running statistics"}, [&] {
    layer.backward_frozen(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>());
  });
}

TEST(InstanceNorm, StateNamesAreTorchs) {
  InstanceNorm<float> layer(3, {.affine = true, .track_running_stats = true});
  std::vector<std::string> names;
  layer.for_each_parameter([&](std::string_view name, std::span<float>, std::span<float>) { names.emplace_back(name); });
  layer.for_each_buffer([&](std::string_view name, std::span<float>) { names.emplace_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias", "running_mean", "running_var"}));
}

class InstanceNormRunning : public testing::TestWithParam<std::optional<double>> {};

/// Running statistics take the mean over the samples of each one's mean and unbiased variance; a single position has variance 0.
template <class T>
void check_running(std::optional<double> momentum) {
  InstanceNorm<T> layer(4, {.momentum = momentum, .track_running_stats = true});
  std::vector<real> mean(4, 0), variance(4, 1), mean_bound(4, 0), variance_bound(4, 0);
  const std::vector<Extents> batches = {{4, 4, 3}, {1, 4, 7, 2}, {33, 4, 2}, {3, 4, 1, 1}, {2, 4, 5, 5}};
  const real half_ulp = static_cast<real>(std::numeric_limits<T>::epsilon()) / 2;
  for (std::size_t step = 0; step < batches.size(); ++step) {
    Where where;
    where.layout = step % 2 == 0 ? Layout::channels_last : Layout::contiguous;
    const Setting s = instances(batches[step], 1e-5);
    const auto inputs = random_inputs<T, T, T>(s, 190 + step, static_cast<double>(step), 2);
    const reference::Problem p = problem(s, inputs);
    const reference::Answer exact = reference::instance_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    Tensor<T> x(s.extents, where, inputs.x), y(s.extents, where);
    norma::Saved<T> saved;
    layer.forward(x.view(), y.view(), saved);
    const real take = momentum ? static_cast<real>(*momentum) : 1 / static_cast<real>(step + 1);
    const real m = static_cast<real>(exact.sets[0].size()), unbiased = m > 1 ? m / (m - 1) : 0;
    const auto n = static_cast<real>(batches[step][0]);
    for (std::size_t c = 0; c < 4; ++c) {
      real mean_of_samples = 0, variance_of_samples = 0, mean_error = 0, variance_error = 0;
      for (std::size_t set = c; set < exact.sets.size(); set += 4) {
        mean_of_samples += exact.mean[set] / n;
        variance_of_samples += exact.variance[set] * unbiased / n;
        mean_error += bound.mean[set] / n;
        variance_error += 2 * exact.variance[set] * unbiased * bound.rstd[set] / exact.rstd[set] / n;
      }
      mean[c] = (1 - take) * mean[c] + take * mean_of_samples;
      variance[c] = (1 - take) * variance[c] + take * variance_of_samples;
      mean_bound[c] = (1 - take) * mean_bound[c] + take * mean_error + half_ulp * std::abs(mean[c]);
      variance_bound[c] = (1 - take) * variance_bound[c] + take * variance_error + half_ulp * variance[c];
    }
    EXPECT_EQ(layer.num_batches_tracked(), static_cast<std::int64_t>(step + 1));
    EXPECT_TRUE(within(copy_of(layer.running_mean()), mean, mean_bound, 2)) << "running_mean, step " << step;
    EXPECT_TRUE(within(copy_of(layer.running_var()), variance, variance_bound, 2)) << "running_var, step " << step;
  }
}

TEST_P(InstanceNormRunning, AveragesTheSamplesStatistics) {
  check_running<float>(GetParam());
  check_running<double>(GetParam());
}
INSTANTIATE_TEST_SUITE_P(All, InstanceNormRunning, testing::Values(0.0, 0.1, 0.75, 1.0, std::nullopt), [](const auto& each) {
  return each.param ? "momentum_" + std::to_string(static_cast<int>(*each.param * 100)) : std::string("cumulative");
});

TEST(InstanceNorm, TrackingInferenceUsesTheRunningStatistics) {
  InstanceNorm<float> layer(2, {.eps = 0.25, .affine = true, .track_running_stats = true});
  layer.running_mean()[0] = 3;
  layer.running_var()[0] = 3.75f;
  layer.running_mean()[1] = -1;
  layer.running_var()[1] = 0;
  layer.weight()[0] = 4;
  layer.bias()[1] = 10;
  std::vector<float> x = {5, 3, 0, -1}, y(4), dx(4);
  const TensorView<float> xv(x.data(), {1, 2, 2});
  layer(xv, TensorView<float>(y.data(), {1, 2, 2}));
  EXPECT_EQ(y, (std::vector<float>{4, 0, 12, 10}));
  layer.backward_frozen(xv, xv, TensorView<float>(dx.data(), {1, 2, 2}));
  EXPECT_EQ(dx, (std::vector<float>{10, 6, 0, -2}));
  EXPECT_EQ(copy_of(layer.weight_grad()), (std::vector<float>{5, 0}));
  EXPECT_EQ(copy_of(layer.bias_grad()), (std::vector<float>{8, -1}));
}

TEST(InstanceNorm, AnEmptyBatchChangesNothing) {
  InstanceNorm<float> layer(3, {.affine = true, .track_running_stats = true});
  layer.set_num_batches_tracked(4);
  norma::Saved<float> saved;
  const TensorView<float> empty(nullptr, {0, 3, 5});
  layer(empty, empty);
  layer.forward(empty, empty, saved);
  layer.backward(empty, empty, saved, empty);
  layer.backward_frozen(empty, empty, empty);
  EXPECT_EQ(layer.num_batches_tracked(), 4);
  EXPECT_EQ(copy_of(layer.running_mean()), std::vector<float>(3, 0));
  EXPECT_EQ(copy_of(layer.running_var()), std::vector<float>(3, 1));
  EXPECT_EQ(copy_of(layer.weight_grad()), std::vector<float>(3, 0));
}

TEST(InstanceNorm, OneValueASetGivesTheBias) {
  InstanceNorm<double> layer(2, {.affine = true});
  layer.bias()[0] = 3;
  layer.bias()[1] = -4;
  std::vector<double> x = {1e6, 2, 3, -1e6}, y(4), dx(4, 1);
  norma::Saved<double> saved;
  const TensorView<double> xv(x.data(), {2, 2, 1});
  layer.forward(xv, TensorView<double>(y.data(), {2, 2, 1}), saved);
  layer.backward(xv, xv, saved, TensorView<double>(dx.data(), {2, 2, 1}));
  EXPECT_EQ(y, (std::vector<double>{3, -4, 3, -4}));
  EXPECT_EQ(dx, std::vector<double>(4, 0));
  EXPECT_EQ(copy_of(layer.weight_grad()), std::vector<double>(2, 0));
}

TEST(InstanceNorm, InferenceAllocatesNothing) {
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    const InstanceNorm<float> layer(16, {.affine = true});
    Tensor<float> x({3, 16, 5, 4}, where, random_values<float>(960, 1)), y({3, 16, 5, 4}, where);
    const auto xv = x.view(), yv = y.view();
    const long before = allocations_so_far();
    layer(xv, yv);
    EXPECT_EQ(allocations_so_far() - before, 0) << name_of(layout);
  }
}

TEST(InstanceNorm, TemporaryViewsAreOutputs) {
  const InstanceNorm<float> layer(4);
  std::vector<float> x = random_values<float>(2 * 6 * 5, 7), y(60, -9), expected(40);
  const TensorView<float> xv(x.data(), {2, 6, 5}), yv(y.data(), {2, 6, 5});
  layer(xv.slice(1, 0, 4), yv.slice(1, 0, 4));
  layer(xv.slice(1, 0, 4), TensorView<float>(expected.data(), {2, 4, 5}));
  for (std::size_t i = 0; i < 60; ++i) {
    const std::size_t n = i / 30, c = i / 5 % 6;
    EXPECT_EQ(y[i], c < 4 ? expected[n * 20 + c * 5 + i % 5] : -9.0f) << "at " << i;
  }
}

TEST(InstanceNorm, ErrorsNameTheLayerTheRuleAndTheShapes) {
  expect_shape_error("InstanceNorm", {"-2 channels"}, [] { InstanceNorm<float> layer(-2); });
  InstanceNorm<float> layer(3, {.affine = true, .track_running_stats = true});
  std::vector<float> x(64, 1), y(64, 5);
  norma::Saved<float> saved;
  const auto in = [&](const norma::Extents& e) { return TensorView<const float>(x.data(), e); };
  const auto out = [&](const norma::Extents& e) { return TensorView<float>(y.data(), e); };
  expect_shape_error("InstanceNorm", {"(2, 3)", "(N, C, spatial...)"}, [&] { layer(in({2, 3}), out({2, 3})); });
  expect_shape_error("InstanceNorm", {"(2, 4, 2)", "4 channels", "has 3"}, [&] { layer(in({2, 4, 2}), out({2, 4, 2})); });
  expect_shape_error("InstanceNorm", {"y", "(2, 3, 2)"}, [&] { layer.forward(in({2, 3, 2}), out({2, 3, 3}), saved); });
  expect_shape_error("InstanceNorm", {"never filled"}, [&] { layer.backward(in({2, 3, 2}), in({2, 3, 2}), saved, out({2, 3, 2})); });
  expect_shape_error("InstanceNorm", {"dy"}, [&] { layer.backward_frozen(in({2, 3}), in({2, 3, 2}), out({2, 3, 2})); });
  EXPECT_EQ(y, std::vector<float>(64, 5));
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  EXPECT_EQ(copy_of(layer.running_var()), std::vector<float>(3, 1));
  EXPECT_TRUE(saved.rstd().empty());
}

}  // namespace
}  // namespace norma_test
