// The public contract: every call of the five plain norms compiles and does what it says.
#include <norma/norma.hpp>

#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using norma::LayerNorm;
using norma::RMSNorm;
using norma::TensorView;

std::vector<float> ramp(std::size_t n) {
  std::vector<float> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<float>((i * 7) % 11) - 4.0f;
  return v;
}

TEST(Api, Construction) {
  LayerNorm<float> ln({768});
  LayerNorm<float> ln2({768}, {.eps = 1e-6, .bias = false});
  RMSNorm<float> rms({4096}, {.eps = 1e-6});
  const std::size_t h = 4, w = 6;
  LayerNorm<float> image({h, w});
  LayerNorm<double> one(768);
  RMSNorm<double> also_one(768, {.bias = true});
  LayerNorm<float> with_int({3, 4}, {.affine = false});
  RMSNorm<float> every_option({8}, {.eps = 1e-6, .affine = true, .bias = true, .unit_offset = true, .eps_outside_sqrt = true});
  LayerNorm<float> every_ln_option({8}, {.eps = 1e-6, .affine = true, .bias = true, .unit_offset = true});
  EXPECT_EQ(ln.weight().size(), 768u);
  EXPECT_EQ(ln.bias().size(), 768u);
  EXPECT_EQ(ln2.weight().size(), 768u);
  EXPECT_TRUE(ln2.bias().empty());
  EXPECT_EQ(rms.weight().size(), 4096u);
  EXPECT_TRUE(rms.bias().empty()) << "RMSNorm has no bias unless asked";
  EXPECT_EQ(image.weight().size(), 24u);
  EXPECT_EQ(one.weight().size(), 768u);
  EXPECT_EQ(also_one.bias().size(), 768u);
  EXPECT_TRUE(with_int.weight().empty());
  EXPECT_TRUE(with_int.bias().empty());
  for (const float v : ln.weight()) ASSERT_EQ(v, 1.0f);
  for (const float v : ln.bias()) ASSERT_EQ(v, 0.0f);
  for (const float v : every_option.weight()) ASSERT_EQ(v, 0.0f) << "a unit-offset weight starts at 0";
  for (const float v : every_ln_option.weight()) ASSERT_EQ(v, 0.0f);
}

TEST(Api, TheBracedShapeMakesALayerAndNoCopy) {
  LayerNorm<float> ln({3});
  LayerNorm<float> copy(ln);
  copy.weight()[0] = 5;
  EXPECT_EQ(ln.weight()[0], 1.0f);
  EXPECT_EQ(copy.weight().size(), 3u);
}

TEST(Api, InferenceIsConstAndTakesAnExecutorFirst) {
  const LayerNorm<float> ln({4});
  const std::vector<float> data = ramp(12);
  std::vector<float> a(12), b(12), c(12), d(12);
  const TensorView<const float> x(data.data(), {3, 4});
  ln(x, TensorView<float>(a.data(), {3, 4}));
  ln(norma::openmp(2), x, TensorView<float>(b.data(), {3, 4}));
  ln(norma::sequential, x, TensorView<float>(c.data(), {3, 4}));
  ln(norma::sequential.with(norma::Streaming::never), x, TensorView<float>(d.data(), {3, 4}));
  EXPECT_EQ(a, b);
  EXPECT_EQ(a, c);
  EXPECT_EQ(a, d);
  const float mean = (data[0] + data[1] + data[2] + data[3]) / 4;
  EXPECT_NEAR(a[0] * (data[1] - mean), a[1] * (data[0] - mean), 1e-5);
}

struct MyPool {
  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    for (norma::index_t i = tasks; i-- > 0;) f(i);
  }
  int concurrency() const { return 2; }
};

TEST(Api, TrainingAndBackward) {
  LayerNorm<float> ln({4});
  const std::vector<float> x = ramp(12), dy = ramp(12);
  std::vector<float> y(12), dx(12);
  norma::Saved<float> saved;
  const TensorView<const float> xv(x.data(), {3, 4}), dyv(dy.data(), {3, 4});
  const TensorView<float> yv(y.data(), {3, 4}), dxv(dx.data(), {3, 4});
  ln.forward(xv, yv, saved);
  ln.backward(dyv, xv, saved, dxv);
  EXPECT_EQ(saved.mean().size(), 3u);
  EXPECT_EQ(saved.rstd().size(), 3u);
  static_assert(std::is_same_v<decltype(saved.mean()), std::span<const float>>);
  const std::vector<float> first(ln.weight_grad().begin(), ln.weight_grad().end());
  ln.forward(MyPool(), xv, yv, saved);
  ln.backward(MyPool(), dyv, xv, saved, dxv);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(ln.weight_grad()[i], 2 * first[i]) << "gradients accumulate";
  ln.zero_grad();
  for (const float g : ln.weight_grad()) EXPECT_EQ(g, 0.0f);
  for (const float g : ln.bias_grad()) EXPECT_EQ(g, 0.0f);
  ln.backward(dyv, xv, saved, TensorView<float>());  // no dx wanted
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(ln.weight_grad()[i], first[i]);
}

TEST(Api, InPlace) {
  RMSNorm<double> rms({5}, {.bias = true});
  std::vector<double> x(15), y(15);
  for (std::size_t i = 0; i < 15; ++i) x[i] = static_cast<double>(i * i % 7) - 2;
  std::vector<double> in_place = x;
  rms(TensorView<double>(x.data(), {3, 5}), TensorView<double>(y.data(), {3, 5}));
  const TensorView<double> v(in_place.data(), {3, 5});
  rms(v, v);
  EXPECT_EQ(in_place, y);
}

TEST(Api, ForEachParameterAndBuffer) {
  LayerNorm<float> ln({3}, {.bias = true});
  std::vector<std::string> names;
  ln.for_each_parameter([&](std::string_view name, std::span<float> value, std::span<float> grad) {
    names.emplace_back(name);
    EXPECT_EQ(value.size(), 3u);
    EXPECT_EQ(grad.size(), 3u);
    value[0] = 42;
    grad[0] = 43;
  });
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(ln.weight()[0], 42.0f);
  EXPECT_EQ(ln.bias_grad()[0], 43.0f);
  names.clear();
  RMSNorm<float>({3}).for_each_parameter([&](std::string_view name, std::span<float>, std::span<float>) { names.emplace_back(name); });
  EXPECT_EQ(names, std::vector<std::string>{"weight"});
  names.clear();
  LayerNorm<float>({3}, {.affine = false}).for_each_parameter([&](std::string_view name, std::span<float>, std::span<float>) {
    names.emplace_back(name);
  });
  EXPECT_TRUE(names.empty());
  ln.for_each_buffer([](std::string_view, std::span<float>) { ADD_FAILURE() << "LayerNorm has no buffers"; });
}

TEST(Api, LayersAreOrdinaryValues) {
  static_assert(std::is_copy_constructible_v<LayerNorm<float>> && std::is_copy_assignable_v<LayerNorm<float>>);
  static_assert(std::is_nothrow_move_constructible_v<LayerNorm<float>> && std::is_nothrow_move_assignable_v<RMSNorm<double>>);
  static_assert(!std::is_polymorphic_v<LayerNorm<float>> && !std::is_polymorphic_v<RMSNorm<float>>);
  static_assert(std::is_same_v<decltype(std::declval<const LayerNorm<float>&>().weight()), std::span<const float>>);
  std::vector<LayerNorm<float>> layers;
  for (int i = 1; i < 6; ++i) layers.emplace_back(i);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(layers[i].weight().size(), i + 1) << "moved while the vector grew";
  layers[0] = layers[4];
  layers[0].weight()[2] = 9;
  EXPECT_EQ(layers[0].weight().size(), 5u);
  EXPECT_EQ(layers[4].weight()[2], 1.0f);
  LayerNorm<float> taken = std::move(layers[0]);
  EXPECT_EQ(taken.weight()[2], 9.0f);
}

TEST(Api, SavedIsAnOrdinaryValue) {
  LayerNorm<float> ln({4});
  const std::vector<float> x = ramp(12), dy = ramp(12);
  std::vector<float> y(12), dx(12), dx_of_copy(12), dx_of_moved(12);
  norma::Saved<float> saved;
  const TensorView<const float> xv(x.data(), {3, 4}), dyv(dy.data(), {3, 4});
  ln.forward(xv, TensorView<float>(y.data(), {3, 4}), saved);
  norma::Saved<float> copy = saved;
  ln.backward(dyv, xv, saved, TensorView<float>(dx.data(), {3, 4}));
  ln.backward(dyv, xv, copy, TensorView<float>(dx_of_copy.data(), {3, 4}));
  norma::Saved<float> moved = std::move(saved);
  ln.backward(dyv, xv, moved, TensorView<float>(dx_of_moved.data(), {3, 4}));
  EXPECT_EQ(dx, dx_of_copy);
  EXPECT_EQ(dx, dx_of_moved);
  // Reused for another shape, smaller and larger.
  const std::vector<float> longer = ramp(40);
  std::vector<float> out(40), dx_longer(40), again(12);
  const TensorView<const float> longer_view(longer.data(), {10, 4});
  ln.forward(longer_view, TensorView<float>(out.data(), {10, 4}), moved);
  ln.backward(longer_view, longer_view, moved, TensorView<float>(dx_longer.data(), {10, 4}));
  ln.forward(xv, TensorView<float>(y.data(), {3, 4}), moved);
  ln.backward(dyv, xv, moved, TensorView<float>(again.data(), {3, 4}));
  EXPECT_EQ(again, dx);
  EXPECT_EQ(moved.mean().size(), 3u);
}

TEST(Api, FreeFunctions) {
  const std::vector<float> data = ramp(2 * 3 * 5);
  const std::vector<float> w = {1, -2, 0.5f}, b = {0, 1, 2};
  std::vector<float> w5 = ramp(5), y1(30), y2(30), dw(3, 0), db(3, 0), dx(30);
  const TensorView<const float> x(data.data(), {2, 3, 5});
  const TensorView<float> y(y1.data(), {2, 3, 5}), z(y2.data(), {2, 3, 5});
  norma::layer_norm(x, y);  // last axis, no options
  norma::layer_norm(x, z, {.weight = w5, .eps = 1e-5});
  norma::layer_norm(x, z, {.axes = {1}, .weight = w, .bias = b});
  norma::layer_norm(norma::openmp(2), x, y, {.axes = {1}, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y1, y2);
  norma::rms_norm(x, y);
  norma::rms_norm(x, z, {.weight = w5, .eps = 1e-6});
  norma::rms_norm(x, z, {.axes = {-2}, .weight = w, .bias = b, .eps = 1e-6, .unit_offset = true, .eps_outside_sqrt = true});
  norma::Saved<float> saved;
  norma::layer_norm(x, y, saved, {.axes = {-2}, .weight = w, .bias = b});
  norma::layer_norm_backward(x, x, saved, TensorView<float>(dx.data(), {2, 3, 5}),
                             {.axes = {1}, .weight = w, .weight_grad = dw, .bias_grad = db});
  EXPECT_NE(dw, std::vector<float>(3, 0));
  norma::rms_norm(norma::sequential, x, y, saved, {.axes = {0, 2}});
  norma::rms_norm_backward(norma::sequential, x, x, saved, TensorView<float>(dx.data(), {2, 3, 5}), {.axes = {2, 0}});
  EXPECT_EQ(saved.rstd().size(), 3u);
  EXPECT_TRUE(saved.mean().empty());
}

TEST(Api, TheAxisListMaySayTheSameInAnyOrder) {
  const std::vector<float> data = ramp(24);
  std::vector<float> weight = ramp(8), a(24), b(24);
  const TensorView<const float> x(data.data(), {2, 3, 4}), w(weight.data(), {2, 4});
  norma::layer_norm(x, TensorView<float>(a.data(), {2, 3, 4}), {.axes = {0, 2}, .weight = w});
  norma::layer_norm(x, TensorView<float>(b.data(), {2, 3, 4}), {.axes = {-1, 0}, .weight = w});
  EXPECT_EQ(a, b) << "parameter axes follow x's axis order";
}

TEST(Api, OptionalViewsTakeContainersAndEigen) {
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(3, 4), y(3, 4), z(3, 4);
  const Eigen::VectorXf weight = Eigen::VectorXf::Random(4);
  const std::vector<float> same(weight.data(), weight.data() + 4);
  norma::layer_norm(x, y, {.weight = weight});
  norma::layer_norm(x, z, {.weight = same});
  EXPECT_EQ(y, z);
  const std::array<float, 4> array = {weight[0], weight[1], weight[2], weight[3]};
  norma::layer_norm(x, z, {.weight = std::span<const float>(array)});
  EXPECT_EQ(y, z);
  std::vector<float> none;
  norma::layer_norm(x, y, {.weight = none, .bias = TensorView<const float>()});
  norma::layer_norm(x, z);
  EXPECT_EQ(y, z) << "null pointers are absent parameters";
}

TEST(Api, DefaultEpsilons) {
  // A row of equal magnitudes shows eps: y = a / sqrt(a^2 + eps).
  const double tiny = 1e-4, float_tiny = 3e-4f;
  std::vector<double> x = {tiny, -tiny}, y(2), dy(2);
  norma::layer_norm(x, y);
  EXPECT_NEAR(y[0], tiny / std::sqrt(tiny * tiny + 1e-5), 1e-12);
  LayerNorm<double>(2)(x, dy);
  EXPECT_EQ(dy, y);
  const double small = 1e-8;
  x = {small, small};
  norma::rms_norm(x, y);
  EXPECT_NEAR(y[0], small / std::sqrt(small * small + std::numeric_limits<double>::epsilon()), 1e-12);
  std::vector<float> xf = {static_cast<float>(float_tiny), static_cast<float>(float_tiny)}, yf(2), y_layer(2);
  norma::rms_norm(xf, yf);
  EXPECT_NEAR(yf[0], float_tiny / std::sqrt(float_tiny * float_tiny + std::numeric_limits<float>::epsilon()), 1e-6);
  RMSNorm<float>(2)(xf, y_layer);
  EXPECT_EQ(y_layer, yf);
}

TEST(Api, TemporaryViewsAreOutputs) {
  const LayerNorm<float> ln({2});
  std::vector<float> x = ramp(8), y(8, -1), expected(4);
  const TensorView<float> xv(x.data(), {2, 4}), yv(y.data(), {2, 4});
  ln(xv.slice(1, 0, 2), yv.slice(1, 0, 2));
  ln(xv.slice(1, 0, 2), TensorView<float>(expected.data(), {2, 2}));
  EXPECT_EQ(y, (std::vector<float>{expected[0], expected[1], -1, -1, expected[2], expected[3], -1, -1}));
}

// --- Norms of channels ----------------------------------------------------------------------------------------------------------------

TEST(ChannelApi, Construction) {
  norma::BatchNorm<float> bn(64);
  norma::GroupNorm<float> gn(32, 320);  // groups, channels: torch's order
  norma::InstanceNorm<float> in(128, {.affine = true});
  norma::BatchNorm<double> every_bn(4, {.eps = 1e-3,
                                        .momentum = std::nullopt,
                                        .affine = true,
                                        .bias = false,
                                        .track_running_stats = true,
                                        .convention = norma::StatsConvention::keras});
  norma::GroupNorm<double> every_gn(2, 4, {.eps = 1e-3, .affine = true, .bias = true, .unit_offset = true});
  norma::InstanceNorm<double> every_in(4, {.eps = 1e-3, .momentum = 0.2, .affine = true, .bias = false, .track_running_stats = true});
  EXPECT_EQ(bn.weight().size(), 64u);
  EXPECT_EQ(bn.running_var().size(), 64u);
  EXPECT_EQ(gn.bias().size(), 320u);
  EXPECT_EQ(in.weight().size(), 128u);
  EXPECT_TRUE(in.running_mean().empty());
  EXPECT_TRUE(every_bn.bias().empty());
  EXPECT_EQ(every_gn.weight()[0], 0.0) << "a unit-offset weight starts at 0";
  EXPECT_EQ(every_in.running_mean().size(), 4u);
  static_assert(std::is_same_v<decltype(std::declval<const norma::BatchNorm<float>&>().running_mean()), std::span<const float>>);
  static_assert(std::is_copy_assignable_v<norma::InstanceNorm<double>> && std::is_nothrow_move_assignable_v<norma::BatchNorm<float>>);
}

/// The calls of a layer, with and without an executor, on any layer of four channels.
template <class Layer>
void check_calls(Layer layer) {
  const std::vector<float> data = ramp(2 * 4 * 6), dy = ramp(48);
  std::vector<float> y(48), again(48), dx(48), dx_again(48);
  const TensorView<const float> x(data.data(), {2, 4, 6}), upstream(dy.data(), {2, 4, 6});
  const auto out = [](std::vector<float>& v) { return TensorView<float>(v.data(), {2, 4, 6}); };
  const Layer& constant = layer;
  constant(x, out(y));
  constant(norma::openmp(2), x, out(again));
  EXPECT_EQ(y, again);
  norma::Saved<float> saved;
  layer.forward(x, out(y), saved);
  layer.backward(upstream, x, saved, out(dx));
  const std::vector<float> first(layer.weight_grad().begin(), layer.weight_grad().end());
  EXPECT_NE(first, std::vector<float>(4, 0));
  layer.forward(MyPool(), x, out(again), saved);
  EXPECT_EQ(y, again);
  layer.backward(MyPool(), upstream, x, saved, out(dx_again));
  EXPECT_EQ(dx, dx_again);
  for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(layer.weight_grad()[c], 2 * first[c]) << "gradients accumulate";
  layer.zero_grad();
  for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0f);
  // In place, the output through another layout, and temporaries as outputs.
  std::vector<float> in_place = data, nhwc(48), sliced(48, -1);
  constant(x, out(y));
  constant(out(in_place), out(in_place));
  EXPECT_EQ(in_place, y);
  const TensorView<float> channels_last = norma::channels_last(nhwc.data(), {2, 4, 6});
  constant(x, channels_last);
  for (norma::index_t n = 0; n < 2; ++n) {
    for (norma::index_t c = 0; c < 4; ++c) {
      for (norma::index_t p = 0; p < 6; ++p) {
        EXPECT_NEAR(channels_last(n, c, p), y[static_cast<std::size_t>((n * 4 + c) * 6 + p)], 8 * std::numeric_limits<float>::epsilon());
      }
    }
  }
  constant(x.slice(0, 1, 1), out(sliced).slice(0, 0, 1));
  EXPECT_NE(sliced[0], -1);
  EXPECT_EQ(sliced[24], -1);
}

TEST(ChannelApi, Calls) {
  check_calls(norma::BatchNorm<float>(4));
  check_calls(norma::BatchNorm<float>(4, {.track_running_stats = false}));
  check_calls(norma::GroupNorm<float>(2, 4));
  check_calls(norma::InstanceNorm<float>(4, {.affine = true}));
}

TEST(ChannelApi, FreeFunctions) {
  const std::vector<float> data = ramp(2 * 4 * 6), w = {1, -2, 0.5f, 3}, b = {0, 1, 2, 3};
  std::vector<float> y(48), z(48), dx(48), dw(4), db(4), m(4, 0), v(4, 1);
  const TensorView<const float> x(data.data(), {2, 4, 6});
  const auto out = [](std::vector<float>& values) { return TensorView<float>(values.data(), {2, 4, 6}); };
  norma::Saved<float> saved;
  norma::group_norm(x, out(y), {.groups = 2, .weight = w, .bias = b});
  norma::group_norm(x, out(z), saved, {.groups = 2, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y, z);
  norma::group_norm_backward(x, x, saved, out(dx), {.groups = 2, .weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  EXPECT_NE(dw, std::vector<float>(4, 0));
  EXPECT_EQ(saved.mean().size(), 4u) << "two samples, two groups";
  norma::instance_norm(x, out(y), {.weight = w, .bias = b});
  norma::instance_norm(x, out(z), saved, {.weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y, z);
  norma::instance_norm_backward(x, x, saved, out(dx), {.weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  EXPECT_EQ(saved.rstd().size(), 8u);
  norma::instance_norm(x, out(y));
  norma::batch_norm(x, out(y), {.mean = m, .variance = v, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_NEAR(y[6], data[6] * -2 + 1, 1e-3);
  norma::batch_norm(x, out(y), saved,
                    {.running_mean = m, .running_var = v, .momentum = 0.5, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_NE(m, std::vector<float>(4, 0));
  norma::batch_norm(x, out(z), saved);
  norma::batch_norm_backward(x, x, saved, out(dx), {.weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  norma::batch_norm_backward_frozen(
      x, x, out(dx), {.mean = m, .variance = v, .weight = w, .eps = 1e-5, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  norma::batch_norm(norma::openmp(2), x, out(y), {.mean = m, .variance = v});
}

// FiLM, AdaIN, adaptive GroupNorm: y = x_hat * (1 + weight) + bias with a weight per sample and channel.
TEST(ChannelApi, ConditioningTakesParametersPerSampleAndGivesGradientsOfTheirShape) {
  const std::vector<float> data = ramp(2 * 4 * 3 * 2), dy = ramp(48), film_w = ramp(8), film_b = ramp(8);
  const TensorView<const float> x(data.data(), {2, 4, 3, 2}), upstream(dy.data(), {2, 4, 3, 2});
  const TensorView<const float> w(film_w.data(), {2, 4, 1, 1}), b(film_b.data(), {2, 4, 1, 1});
  std::vector<float> plain(48), y(48), dx(48), dw(8, 0), db(8, 0);
  const auto out = [](std::vector<float>& v) { return TensorView<float>(v.data(), {2, 4, 3, 2}); };
  norma::Saved<float> saved;
  norma::group_norm(x, out(plain), {.groups = 2});
  norma::group_norm(x, out(y), saved, {.groups = 2, .weight = w, .bias = b, .unit_offset = true});
  norma::group_norm_backward(upstream, x, saved, out(dx),
                             {.groups = 2,
                              .weight = w,
                              .unit_offset = true,
                              .weight_grad = TensorView<float>(dw.data(), {2, 4, 1, 1}),
                              .bias_grad = TensorView<float>(db.data(), {2, 4, 1, 1})});
  const float tolerance = 32 * std::numeric_limits<float>::epsilon();
  for (std::size_t c = 0; c < 8; ++c) {
    float weight_gradient = 0, bias_gradient = 0;
    for (std::size_t p = 0; p < 6; ++p) {
      const std::size_t i = c * 6 + p;
      EXPECT_NEAR(y[i], plain[i] * (1 + film_w[c]) + film_b[c], tolerance * (1 + std::abs(film_w[c]) + std::abs(film_b[c])));
      weight_gradient += dy[i] * plain[i];
      bias_gradient += dy[i];
    }
    EXPECT_NEAR(dw[c], weight_gradient, 40 * tolerance) << "of six products of up to 7 times 3";
    EXPECT_EQ(db[c], bias_gradient);
  }
}

TEST(ChannelApi, RunningStatisticsSurviveInAStateDictionary) {
  norma::BatchNorm<float> trained(4), loaded(4);
  std::vector<float> x = ramp(48), y(48), z(48);
  norma::Saved<float> saved;
  trained.forward(TensorView<float>(x.data(), {2, 4, 6}), TensorView<float>(y.data(), {2, 4, 6}), saved);
  std::map<std::string, std::vector<float>> state;
  trained.for_each_parameter([&](std::string_view name, std::span<float> value, std::span<float>) {
    state[std::string(name)].assign(value.begin(), value.end());
  });
  trained.for_each_buffer(
      [&](std::string_view name, std::span<float> value) { state[std::string(name)].assign(value.begin(), value.end()); });
  const auto load = [&](std::string_view name, std::span<float> value) {
    std::copy(state.at(std::string(name)).begin(), state.at(std::string(name)).end(), value.begin());
  };
  loaded.for_each_parameter([&](std::string_view name, std::span<float> value, std::span<float>) { load(name, value); });
  loaded.for_each_buffer(load);
  loaded.set_num_batches_tracked(trained.num_batches_tracked());
  trained(TensorView<float>(x.data(), {2, 4, 6}), TensorView<float>(y.data(), {2, 4, 6}));
  loaded(TensorView<float>(x.data(), {2, 4, 6}), TensorView<float>(z.data(), {2, 4, 6}));
  EXPECT_EQ(y, z);
  EXPECT_EQ(loaded.num_batches_tracked(), 1);
}

}  // namespace
