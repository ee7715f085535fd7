// The public contract: every line of api.md that applies to LayerNorm and RMSNorm compiles and does what it says.
#include <norma/norma.hpp>

#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>
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

}  // namespace
