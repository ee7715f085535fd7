// BatchNorm as a layer and as functions: running statistics, inference, the frozen backward, and the errors at its door.
#include <norma/norma.hpp>

#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "support/channel_layer.hpp"
#include "support/counting_new.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace norma_test {
namespace {

using norma::BatchNorm;
using norma::StatsConvention;
using norma::TensorView;

Setting channels(const Extents& extents, double eps = 1e-3) {
  Setting s;
  s.extents = extents;
  s.axes.clear();
  s.eps = eps;
  return s;
}

template <class M>
class BatchNormTypes : public testing::Test {};
TYPED_TEST_SUITE(BatchNormTypes, MixesOf<BatchNorm>);

TYPED_TEST(BatchNormTypes, TrainingAgreesWithTheReference) {
  using Layer = typename TypeParam::Layer;
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    for (const Extents& extents : std::vector<Extents>{{5, 3}, {33, 65}, {2, 4, 7}, {3, 5, 6, 7}, {2, 33, 4, 4}, {2, 3, 2, 3, 4}}) {
      for (const norma::BatchNormOptions& options :
           {norma::BatchNormOptions{.eps = 1e-3}, norma::BatchNormOptions{.eps = 1e-3, .bias = false},
            norma::BatchNormOptions{.eps = 1e-3, .affine = false, .track_running_stats = false}}) {
        Layer layer(extents[1], options);
        expect_training_correct<typename TypeParam::X, typename TypeParam::Y>(layer, reference::batch_norm, channels(extents), where, 111);
      }
    }
  }
}

TYPED_TEST(BatchNormTypes, InferenceAndItsBackwardAgreeWithTheReference) {
  using T = typename TypeParam::T;
  using X = typename TypeParam::X;
  using Y = typename TypeParam::Y;
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    for (const Extents& extents : std::vector<Extents>{{1, 3}, {5, 65}, {2, 4, 7}, {3, 5, 6, 7}, {1, 33, 1, 1}}) {
      Setting s = channels(extents);
      s.given_statistics = true;
      SCOPED_TRACE(describe(s) + ", " + name_of(layout));
      const auto inputs = random_inputs<X, Y, T>(s, 112, 2);
      typename TypeParam::Layer layer(extents[1], {.eps = s.eps});
      set_parameters_of(layer, inputs);
      std::copy(inputs.mean.begin(), inputs.mean.end(), layer.running_mean().begin());
      std::copy(inputs.variance.begin(), inputs.variance.end(), layer.running_var().begin());
      Tensor<X> x(extents, where, inputs.x), dx(extents, where);
      Tensor<Y> dy(extents, where, inputs.dy), y(extents, where);
      layer(x.view(), y.view());
      layer.backward_frozen(dy.view(), x.view(), dx.view());
      const reference::Problem p = problem(s, inputs);
      const reference::Answer exact = reference::batch_norm_inference(p);
      EXPECT_TRUE(within(y.values(), exact.y, bounds(p, exact, precision_of<norma::Wider<T, X>, Y>()).y)) << "y";
      EXPECT_TRUE(within(dx.values(), exact.dx, bounds(p, exact, precision_from_saved<T, norma::Wider<T, X>, X>()).dx)) << "dx";
      const Bounds statistics = bounds(p, exact, precision_of<T>());
      EXPECT_TRUE(within(copy_of(layer.weight_grad()), exact.dweight, statistics.dweight)) << "dweight";
      EXPECT_TRUE(within(copy_of(layer.bias_grad()), exact.dbias, statistics.dbias)) << "dbias";
      EXPECT_TRUE(same(copy_of(layer.running_mean()), inputs.mean) && same(copy_of(layer.running_var()), inputs.variance));
      EXPECT_EQ(layer.num_batches_tracked(), 0);
    }
  }
}

// --- Running statistics -------------------------------------------------------------------------------------------------------------

struct RunningCase {
  std::string name;
  std::optional<double> momentum;
  StatsConvention convention;
};

std::vector<RunningCase> running_cases() {
  std::vector<RunningCase> cases;
  const std::pair<const char*, StatsConvention> conventions[] = {
      {"torch", StatsConvention::torch}, {"keras", StatsConvention::keras}, {"onnx", StatsConvention::onnx}};
  for (const auto& [name, convention] : conventions) {
    for (const double momentum : {0.0, 0.1, 0.25, 0.9, 1.0}) {
      cases.push_back({std::string(name) + "_momentum_" + std::to_string(static_cast<int>(momentum * 100)), momentum, convention});
    }
    cases.push_back({std::string(name) + "_cumulative", std::nullopt, convention});
  }
  return cases;
}
void PrintTo(const RunningCase& c, std::ostream* out) { *out << c.name; }

class BatchNormRunning : public testing::TestWithParam<RunningCase> {};

/// Five steps over batches of other sizes and layouts; what the framework's documentation says, in long double.
template <class T>
void check_running(const RunningCase& c) {
  const std::size_t count_of_channels = 5;
  BatchNorm<T> layer(5, {.momentum = c.momentum, .convention = c.convention});
  std::vector<real> mean(count_of_channels, 0), variance(count_of_channels, 1), mean_bound = mean, variance_bound = mean;
  const std::vector<Extents> batches = {{4, 5, 3}, {2, 5, 7, 2}, {33, 5}, {1, 5, 2}, {3, 5, 1, 4}};
  const real half_ulp = static_cast<real>(std::numeric_limits<T>::epsilon()) / 2;
  for (std::size_t step = 0; step < batches.size(); ++step) {
    Where where;
    where.layout = step % 2 == 0 ? Layout::contiguous : Layout::channels_last;
    const Setting s = channels(batches[step], 1e-5);
    const auto inputs = random_inputs<T, T, T>(s, 120 + step, static_cast<double>(step) - 1, 1 + static_cast<double>(step));
    const reference::Problem p = problem(s, inputs);
    const reference::Answer exact = reference::batch_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    Tensor<T> x(s.extents, where, inputs.x), y(s.extents, where);
    norma::Saved<T> saved;
    layer.forward(x.view(), y.view(), saved);

    const bool is_torch = c.convention == StatsConvention::torch;
    const real weight = c.momentum ? static_cast<real>(*c.momentum) : 1 / static_cast<real>(step + 1);
    const real take = !c.momentum || is_torch ? weight : 1 - weight;
    const real m = static_cast<real>(exact.sets[0].size()), unbiased = is_torch ? m / (m - 1) : 1;
    for (std::size_t i = 0; i < count_of_channels; ++i) {
      mean[i] = (1 - take) * mean[i] + take * exact.mean[i];
      variance[i] = (1 - take) * variance[i] + take * exact.variance[i] * unbiased;
      mean_bound[i] = (1 - take) * mean_bound[i] + take * bound.mean[i] + half_ulp * std::abs(mean[i]);
      // rstd's relative error, twice for its square, is that of the variance.
      const real of_variance = 2 * exact.variance[i] * bound.rstd[i] / exact.rstd[i];
      variance_bound[i] = (1 - take) * variance_bound[i] + take * of_variance * unbiased + half_ulp * variance[i];
    }
    EXPECT_EQ(layer.num_batches_tracked(), static_cast<std::int64_t>(step + 1));
    EXPECT_TRUE(within(copy_of(layer.running_mean()), mean, mean_bound, 2)) << "running_mean, step " << step;
    EXPECT_TRUE(within(copy_of(layer.running_var()), variance, variance_bound, 2)) << "running_var, step " << step;
  }
}

TEST_P(BatchNormRunning, FollowsItsConventionOverSeveralSteps) {
  check_running<float>(GetParam());
  check_running<double>(GetParam());
}
INSTANTIATE_TEST_SUITE_P(All, BatchNormRunning, testing::ValuesIn(running_cases()), [](const auto& each) { return each.param.name; });

/// Values with exact statistics: mean 3, population variance 4, per channel offset by the channel.
std::vector<float> exact_batch(std::size_t samples, std::size_t count_of_channels) {
  std::vector<float> x;
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t c = 0; c < count_of_channels; ++c) x.push_back(static_cast<float>(c) + (n % 2 == 0 ? 1.0f : 5.0f));
  }
  return x;
}

TEST(BatchNorm, RunningStatisticsToTheBit) {
  BatchNorm<float> torch(2, {.momentum = 0.25}), keras(2, {.momentum = 0.25, .convention = StatsConvention::keras});
  std::vector<float> x = exact_batch(4, 2), y(8);
  const TensorView<const float> xv(x.data(), {4, 2});
  norma::Saved<float> saved;
  torch.forward(xv, TensorView<float>(y.data(), {4, 2}), saved);
  EXPECT_EQ(copy_of(torch.running_mean()), (std::vector<float>{0.75f, 1.0f}));
  EXPECT_EQ(torch.running_var()[0], static_cast<float>(0.75 + 0.25 * (16.0 / 3)));
  keras.forward(xv, TensorView<float>(y.data(), {4, 2}), saved);
  EXPECT_EQ(copy_of(keras.running_mean()), (std::vector<float>{2.25f, 3.0f}));
  EXPECT_EQ(copy_of(keras.running_var()), (std::vector<float>{0.25f + 3, 0.25f + 3}));
}

TEST(BatchNorm, TheCounterCanBeSetAndWeighsTheNextBatch) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  layer.set_num_batches_tracked(3);
  layer.running_mean()[0] = 7;
  std::vector<float> x = exact_batch(2, 1), y(2);
  norma::Saved<float> saved;
  layer.forward(TensorView<float>(x.data(), {2, 1}), TensorView<float>(y.data(), {2, 1}), saved);
  EXPECT_EQ(layer.num_batches_tracked(), 4);
  EXPECT_EQ(layer.running_mean()[0], 6.0f) << "(3 * 7 + 3) / 4";
  static_assert(std::is_same_v<decltype(layer.num_batches_tracked()), std::int64_t>);
}

TEST(BatchNorm, TheCounterNeitherOverflowsNorGoesBelowZero) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  layer.set_num_batches_tracked(last - 1);
  std::vector<float> x = exact_batch(2, 1), y(2);
  norma::Saved<float> saved;
  for (int step = 0; step < 2; ++step) {
    layer.forward(TensorView<float>(x.data(), {2, 1}), TensorView<float>(y.data(), {2, 1}), saved);
    EXPECT_EQ(layer.num_batches_tracked(), last);
  }
  EXPECT_THROW(layer.set_num_batches_tracked(-1), norma::ShapeError);
  EXPECT_EQ(layer.num_batches_tracked(), last);
}

TEST(BatchNorm, RunningStatisticsDoNotDependOnTheExecutor) {
  const Setting s = channels({6, 37, 9, 5});
  const auto inputs = random_inputs<float, float, float>(s, 131, 3);
  for (const Layout layout : {Layout::contiguous, Layout::channels_last}) {
    Where where;
    where.layout = layout;
    Tensor<float> x(s.extents, where, inputs.x), y(s.extents, where);
    const auto running = [&](const auto& executor) {
      BatchNorm<float> layer(37);
      norma::Saved<float> saved;
      layer.forward(executor, x.view(), y.view(), saved);
      std::vector<float> both = copy_of(layer.running_mean());
      both.insert(both.end(), layer.running_var().begin(), layer.running_var().end());
      return both;
    };
    const std::vector<float> expected = running(norma::sequential);
    EXPECT_TRUE(same(running(norma::openmp(2)), expected));
    EXPECT_TRUE(same(running(ShuffledPool(7)), expected));
    EXPECT_TRUE(same(running(ThreadPool(2)), expected));
  }
}

/// Everything of a layer that a call may change.
template <class T>
struct State {
  explicit State(const BatchNorm<T>& layer)
      : mean(copy_of(layer.running_mean())),
        variance(copy_of(layer.running_var())),
        weight_grad(copy_of(layer.weight_grad())),
        bias_grad(copy_of(layer.bias_grad())),
        batches(layer.num_batches_tracked()) {}
  bool operator==(const State&) const = default;
  std::vector<T> mean, variance, weight_grad, bias_grad;
  std::int64_t batches;
};

TEST(BatchNorm, AnEmptyBatchChangesNothing) {
  for (const Extents& extents : std::vector<Extents>{{0, 3}, {0, 3, 4, 4}, {2, 3, 0}}) {
    BatchNorm<float> layer(3);
    layer.running_mean()[1] = 5;
    layer.set_num_batches_tracked(9);
    const State before(layer);
    norma::Saved<float> saved;
    float nowhere = 7;
    for (float* const pointer : {static_cast<float*>(nullptr), &nowhere}) {
      const TensorView<float> empty(pointer, extents);
      layer(empty, empty);
      layer.forward(empty, empty, saved);
      layer.backward(empty, empty, saved, empty);
      layer.backward_frozen(empty, empty, empty);
      EXPECT_TRUE(State(layer) == before) << to_string(extents);
      EXPECT_EQ(nowhere, 7);
    }
  }
}

TEST(BatchNorm, OneValuePerChannelIsAnErrorInTrainingAndTouchesNothing) {
  for (const Extents& extents : std::vector<Extents>{{1, 3}, {1, 3, 1}, {1, 3, 1, 1}, {1, 3, 1, 1, 1}}) {
    BatchNorm<float> layer(3);
    std::vector<float> x = exact_batch(4, 3), y(12, 5), dx(12);
    norma::Saved<float> saved;
    layer.forward(TensorView<float>(x.data(), {4, 3}), TensorView<float>(y.data(), {4, 3}), saved);
    const State before(layer);
    const std::vector<float> mean = copy_of(saved.mean()), y_before = y;
    expect_shape_error("BatchNorm", {"more than one value per channel", "(" + to_string(extents, ", ") + ")"},
                       [&] { layer.forward(TensorView<float>(x.data(), extents), TensorView<float>(y.data(), extents), saved); });
    EXPECT_TRUE(State(layer) == before);
    EXPECT_EQ(y, y_before);
    EXPECT_EQ(copy_of(saved.mean()), mean);
    // The forward before can still be pulled back, and inference of one value is legal.
    EXPECT_NO_THROW(layer.backward(TensorView<float>(x.data(), {4, 3}), TensorView<float>(x.data(), {4, 3}), saved,
                                   TensorView<float>(dx.data(), {4, 3})));
    EXPECT_NO_THROW(layer(TensorView<float>(x.data(), extents), TensorView<float>(y.data(), extents)));
  }
}

TEST(BatchNorm, WithoutTrackingBatchStatisticsServeInferenceToo) {
  BatchNorm<float> layer(3, {.track_running_stats = false});
  EXPECT_TRUE(layer.running_mean().empty() && layer.running_var().empty());
  std::vector<float> x = random_values<float>(60, 3), inferred(60), trained(60);
  norma::Saved<float> saved;
  layer(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(inferred.data(), {4, 3, 5}));
  layer.forward(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(trained.data(), {4, 3, 5}), saved);
  EXPECT_EQ(inferred, trained);
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  expect_shape_error("BatchNorm", {"backward_frozen", "running statistics"}, [&] {
    layer.backward_frozen(TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>(x.data(), {4, 3, 5}), TensorView<float>());
  });
  for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0f);
}

TEST(BatchNorm, InferenceUsesTheRunningStatisticsAndKeepsThem) {
  BatchNorm<double> layer(2, {.eps = 0.25});
  layer.running_mean()[0] = 3;
  layer.running_var()[0] = 3.75;
  layer.running_mean()[1] = -1;
  layer.running_var()[1] = 0;
  layer.weight()[0] = 4;
  layer.bias()[1] = 10;
  const State before(layer);
  const std::vector<double> x = {5, 0, 3, -1};
  std::vector<double> y(4);
  const BatchNorm<double>& constant = layer;
  constant(TensorView<const double>(x.data(), {2, 2}), TensorView<double>(y.data(), {2, 2}));
  EXPECT_EQ(y, (std::vector<double>{4, 12, 0, 10}));
  EXPECT_TRUE(State(layer) == before);
}

TEST(BatchNorm, InferenceAllocatesNothing) {
  for (const bool tracks : {true, false}) {
    for (const Layout layout : channel_layouts) {
      Where where;
      where.layout = layout;
      const BatchNorm<float> layer(17, {.track_running_stats = tracks});
      Tensor<float> x({3, 17, 5, 4}, where, random_values<float>(1020, 1)), y({3, 17, 5, 4}, where);
      const auto xv = x.view(), yv = y.view();
      const long before = allocations_so_far();
      layer(xv, yv);
      EXPECT_EQ(allocations_so_far() - before, 0) << name_of(layout) << (tracks ? ", running statistics" : ", batch statistics");
    }
  }
}

// --- The frozen backward ------------------------------------------------------------------------------------------------------------

TEST(BatchNorm, FrozenBackwardAgreesWithDifferencesOfInference) {
  for (const bool has_weight : {false, true}) {
    for (const bool has_bias : {false, true}) {
      Setting s = channels({3, 2, 4}, 0.1);
      s.given_statistics = true;
      s.weight = has_weight ? Form::normalized : Form::absent;
      s.bias = has_weight && has_bias ? Form::normalized : Form::absent;
      auto in = random_inputs<double, double, double>(s, 141, 0.5);
      const auto layer_of = [&] {
        BatchNorm<double> layer(2, {.eps = s.eps, .affine = has_weight, .bias = has_bias});
        set_parameters_of(layer, in);
        std::copy(in.mean.begin(), in.mean.end(), layer.running_mean().begin());
        std::copy(in.variance.begin(), in.variance.end(), layer.running_var().begin());
        return layer;
      };
      const auto view = [&](std::vector<double>& v) { return TensorView<double>(v.data(), {3, 2, 4}); };
      const auto loss = [&] {
        std::vector<double> y(24);
        layer_of()(view(in.x), view(y));
        double sum = 0;
        for (std::size_t i = 0; i < 24; ++i) sum += in.dy[i] * y[i];
        return sum;
      };
      BatchNorm<double> layer = layer_of();
      std::vector<double> dx(24);
      layer.backward_frozen(view(in.dy), view(in.x), view(dx));
      double size = 1, rstd = 0;
      for (const double dy : in.dy) size += 4 * std::abs(dy);
      for (const double v : in.variance) rstd = std::max(rstd, 1 / std::sqrt(v + s.eps));
      const auto compare = [&](const char* what, std::vector<double>& values, const std::vector<double>& gradient) {
        const std::vector<double> expected = finite_differences(values, loss);
        ASSERT_EQ(expected.size(), gradient.size()) << what;
        for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(gradient[i], expected[i], difference_error(size, rstd)) << what;
      };
      compare("dx", in.x, dx);
      compare("dweight", in.weight, copy_of(layer.weight_grad()));
      compare("dbias", in.bias, copy_of(layer.bias_grad()));
    }
  }
}

TEST(BatchNorm, FrozenBackwardAccumulatesAndMayOverwriteItsInputs) {
  BatchNorm<float> layer(3);
  layer.running_mean()[1] = 2;
  layer.running_var()[2] = 4;
  const std::vector<float> x = random_values<float>(60, 5), dy = random_values<float>(60, 6);
  std::vector<float> dx(60), over_dy = dy, over_x = x;
  const auto view = [](auto& v) { return TensorView(v.data(), {4, 3, 5}); };
  layer.backward_frozen(view(dy), view(x), view(dx));
  const std::vector<float> first = copy_of(layer.weight_grad());
  layer.backward_frozen(view(over_dy), view(x), view(over_dy));
  for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(layer.weight_grad()[c], 2 * first[c]);
  layer.backward_frozen(view(dy), view(over_x), view(over_x));
  layer.zero_grad();
  layer.backward_frozen(norma::openmp(2), view(dy), view(x), TensorView<float>());  // no dx wanted
  EXPECT_EQ(copy_of(layer.weight_grad()), first);
  EXPECT_EQ(over_dy, dx);
  EXPECT_EQ(over_x, dx);
}

// --- Values, names ------------------------------------------------------------------------------------------------------------------

TEST(BatchNorm, StateNamesAreTorchs) {
  BatchNorm<float> layer(3);
  std::vector<std::string> names;
  layer.for_each_parameter([&](std::string_view name, std::span<float> value, std::span<float> grad) {
    names.emplace_back(name);
    EXPECT_EQ(value.size(), 3u);
    EXPECT_EQ(grad.size(), 3u);
  });
  layer.for_each_buffer([&](std::string_view name, std::span<float> value) {
    names.emplace_back(name);
    EXPECT_EQ(value.size(), 3u);
    value[0] = name == "running_mean" ? 8.0f : 9.0f;
  });
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias", "running_mean", "running_var"}));
  EXPECT_EQ(layer.running_mean()[0], 8.0f);
  EXPECT_EQ(layer.running_var()[0], 9.0f);
  BatchNorm<float> bare(3, {.affine = false, .track_running_stats = false});
  bare.for_each_parameter([](std::string_view name, std::span<float>, std::span<float>) { ADD_FAILURE() << name; });
  bare.for_each_buffer([](std::string_view name, std::span<float>) { ADD_FAILURE() << name; });
}

TEST(BatchNorm, StartsAsTorchDoes) {
  const BatchNorm<double> layer(4);
  EXPECT_EQ(copy_of(layer.weight()), std::vector<double>(4, 1));
  EXPECT_EQ(copy_of(layer.bias()), std::vector<double>(4, 0));
  EXPECT_EQ(copy_of(layer.running_mean()), std::vector<double>(4, 0));
  EXPECT_EQ(copy_of(layer.running_var()), std::vector<double>(4, 1));
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  EXPECT_EQ(layer.eps(), 1e-5);
}

TEST(BatchNorm, CopiesAndMovesCarryTheWholeState) {
  BatchNorm<float> layer(2);
  std::vector<float> x = exact_batch(4, 2), y(8);
  norma::Saved<float> saved;
  layer.forward(TensorView<float>(x.data(), {4, 2}), TensorView<float>(y.data(), {4, 2}), saved);
  const State before(layer);
  BatchNorm<float> copy = layer;
  copy.forward(TensorView<float>(x.data(), {4, 2}), TensorView<float>(y.data(), {4, 2}), saved);
  EXPECT_TRUE(State(layer) == before) << "a copy shares nothing";
  EXPECT_FALSE(State(copy) == before);
  BatchNorm<float> moved = std::move(layer);
  EXPECT_TRUE(State(moved) == before);
  copy = moved;
  EXPECT_TRUE(State(copy) == before);
  static_assert(std::is_nothrow_move_constructible_v<BatchNorm<float>> && !std::is_polymorphic_v<BatchNorm<float>>);
}

// --- Functions on views -------------------------------------------------------------------------------------------------------------

TEST(BatchNorm, RunningViewsMayBeStridedAndNeighboursStay) {
  const Setting s = channels({4, 5, 3}, 1e-5);
  auto in = random_inputs<float, float, float>(s, 151, 2);
  BatchNorm<float> layer(5, {.momentum = 0.3});
  set_parameters_of(layer, in);
  std::vector<float> y(60), y_of_layer(60);
  norma::Saved<float> saved;
  layer.forward(TensorView<float>(in.x.data(), s.extents), TensorView<float>(y_of_layer.data(), s.extents), saved);
  for (const norma::index_t stride : {1, 2, 4, -1, -3}) {
    SCOPED_TRACE("stride " + std::to_string(stride));
    // Columns 1 of two matrices of |stride| columns each, bottom up where it is negative.
    const auto width = static_cast<std::size_t>(std::abs(stride));
    const std::size_t column = width == 1 ? 0 : 1, first = stride < 0 ? 4 * width + column : column;
    std::vector<float> mean(5 * width, 77), variance(5 * width, 88);
    for (std::size_t c = 0; c < 5; ++c) {
      mean[c * width + column] = 0;
      variance[c * width + column] = 1;
    }
    norma::batch_norm(TensorView<float>(in.x.data(), s.extents), TensorView<float>(y.data(), s.extents), saved,
                      {.running_mean = TensorView<float>(mean.data() + first, {5}, {stride}),
                       .running_var = TensorView<float>(variance.data() + first, {5}, {stride}),
                       .momentum = 0.3,
                       .weight = in.weight,
                       .bias = in.bias,
                       .eps = 1e-5});
    EXPECT_EQ(y, y_of_layer);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const bool is_ours = i % width == column;
      const std::size_t c = stride < 0 ? 4 - i / width : i / width;
      EXPECT_EQ(mean[i], is_ours ? layer.running_mean()[c] : 77.0f) << "at " << i;
      EXPECT_EQ(variance[i], is_ours ? layer.running_var()[c] : 88.0f) << "at " << i;
    }
    // And as given statistics of inference.
    std::vector<float> inferred(60), inferred_by_layer(60);
    norma::batch_norm(TensorView<float>(in.x.data(), s.extents), TensorView<float>(inferred.data(), s.extents),
                      {.mean = TensorView<const float>(mean.data() + first, {5}, {stride}),
                       .variance = TensorView<const float>(variance.data() + first, {5}, {stride}),
                       .weight = in.weight,
                       .bias = in.bias});
    layer(TensorView<float>(in.x.data(), s.extents), TensorView<float>(inferred_by_layer.data(), s.extents));
    EXPECT_EQ(inferred, inferred_by_layer);
    std::vector<float> dx(60), dx_of_layer(60), dw(5), db(5);
    layer.zero_grad();
    layer.backward_frozen(TensorView<float>(in.dy.data(), s.extents), TensorView<float>(in.x.data(), s.extents),
                          TensorView<float>(dx_of_layer.data(), s.extents));
    norma::batch_norm_backward_frozen(TensorView<float>(in.dy.data(), s.extents), TensorView<float>(in.x.data(), s.extents),
                                      TensorView<float>(dx.data(), s.extents),
                                      {.mean = TensorView<const float>(mean.data() + first, {5}, {stride}),
                                       .variance = TensorView<const float>(variance.data() + first, {5}, {stride}),
                                       .weight = in.weight,
                                       .weight_grad = dw,
                                       .bias_grad = db});
    EXPECT_EQ(dx, dx_of_layer);
    EXPECT_EQ(dw, copy_of(layer.weight_grad()));
    EXPECT_EQ(db, copy_of(layer.bias_grad()));
  }
}

TEST(BatchNorm, WrongRunningViewsAreErrorsBeforeAnythingIsWritten) {
  std::vector<float> x = exact_batch(4, 3), y(12, 5), mean(3, 6), variance(3, 7), four(4, 8);
  const TensorView<float> xv(x.data(), {4, 3}), yv(y.data(), {4, 3});
  norma::Saved<float> saved;
  expect_shape_error("BatchNorm", {"running_mean and running_var", "both"},
                     [&] { norma::batch_norm(xv, yv, saved, {.running_mean = mean}); });
  expect_shape_error("BatchNorm", {"running_mean and running_var", "both"},
                     [&] { norma::batch_norm(xv, yv, saved, {.running_var = variance}); });
  expect_shape_error("BatchNorm", {"running_mean", "(4)", "3"},
                     [&] { norma::batch_norm(xv, yv, saved, {.running_mean = four, .running_var = variance}); });
  expect_shape_error("BatchNorm", {"running_var", "(4)", "3"},
                     [&] { norma::batch_norm(xv, yv, saved, {.running_mean = mean, .running_var = four}); });
  expect_shape_error("BatchNorm", {"more than one value"}, [&] {
    norma::batch_norm(TensorView<float>(x.data(), {1, 3}), TensorView<float>(y.data(), {1, 3}), saved,
                      {.running_mean = mean, .running_var = variance});
  });
  expect_shape_error("BatchNorm", {"mean and variance"}, [&] { norma::batch_norm(xv, yv, {.mean = mean}); });
  expect_shape_error("BatchNorm", {"bias", "(4)"},
                     [&] { norma::batch_norm(xv, yv, saved, {.running_mean = mean, .running_var = variance, .bias = four}); });
  EXPECT_EQ(y, std::vector<float>(12, 5));
  EXPECT_EQ(mean, std::vector<float>(3, 6));
  EXPECT_EQ(variance, std::vector<float>(3, 7));
  EXPECT_EQ(four, std::vector<float>(4, 8));
  EXPECT_TRUE(saved.mean().empty());
}

TEST(BatchNorm, WrongTensorsAreErrorsOfTheLayerToo) {
  BatchNorm<float> layer(3);
  std::vector<float> x(64, 1), y(64, 5);
  norma::Saved<float> saved, filled;
  const auto in = [&](const norma::Extents& e) { return TensorView<const float>(x.data(), e); };
  const auto out = [&](const norma::Extents& e) { return TensorView<float>(y.data(), e); };
  expect_shape_error("BatchNorm", {"-1 channels"}, [] { BatchNorm<float> negative(-1); });
  expect_shape_error("BatchNorm", {"(2, 4)", "4 channels", "has 3"}, [&] { layer(in({2, 4}), out({2, 4})); });
  expect_shape_error("BatchNorm", {"(2, 4, 3)", "4 channels", "has 3"}, [&] { layer.forward(in({2, 4, 3}), out({2, 4, 3}), saved); });
  expect_shape_error("BatchNorm", {"(3)", "(N, C)"}, [&] { layer(in({3}), out({3})); });
  expect_shape_error("BatchNorm", {"y", "(2, 3, 4)", "(2, 3, 5)"}, [&] { layer.forward(in({2, 3, 4}), out({2, 3, 5}), saved); });
  expect_shape_error("BatchNorm", {"dy", "(2, 3)"}, [&] { layer.backward_frozen(in({2, 3}), in({2, 3, 4}), out({2, 3, 4})); });
  expect_shape_error("BatchNorm", {"dx", "(2, 3)"}, [&] { layer.backward_frozen(in({2, 3, 4}), in({2, 3, 4}), out({2, 3})); });
  expect_shape_error("BatchNorm", {"(2, 5)", "has 3"}, [&] { layer.backward_frozen(in({2, 5}), in({2, 5}), out({2, 5})); });
  expect_shape_error("BatchNorm", {"never filled"}, [&] { layer.backward(in({2, 3}), in({2, 3}), saved, out({2, 3})); });
  std::vector<float> elsewhere(64);
  norma::InstanceNorm<float>(3).forward(in({2, 3, 4}), TensorView<float>(elsewhere.data(), {2, 3, 4}), filled);
  expect_shape_error("BatchNorm", {"InstanceNorm"}, [&] { layer.backward(in({2, 3, 4}), in({2, 3, 4}), filled, out({2, 3, 4})); });
  const State untouched{BatchNorm<float>(3)};
  EXPECT_TRUE(State(layer) == untouched);
  EXPECT_EQ(y, std::vector<float>(64, 5));
}

}  // namespace
}  // namespace norma_test
