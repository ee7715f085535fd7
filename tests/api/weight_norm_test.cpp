// WeightNorm: the function of the weight it takes apart, rows of zeros, of subnormals and of any size, and initialization from data.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::WeightNorm;

/// The function a weight was part of does not change when the weight is taken apart: v = w0, w = w0 and g = ||w0 row||.
template <class T>
void expect_function_kept(const Setting& s, Layout layout, const std::vector<T>& values) {
  const bool none = *s.dim == static_cast<std::ptrdiff_t>(s.extents.size());  // one behind the last
  Tensor<T> w0(s.extents, lying(layout), values), w(s.extents, lying(layout));
  const WeightNorm<T> layer(norma::TensorView<const T>(w0.view()), {.dim = none ? std::nullopt : std::optional<norma::index_t>(*s.dim)});
  EXPECT_TRUE(same(layer.v(), values)) << "bit for bit";
  layer(w.view());
  const std::vector<T> now = w.values();
  EXPECT_TRUE(same(layer.bake(), now));
  reference::Problem p;
  p.extents = s.extents;
  p.axes = s.axes;
  p.x.assign(values.begin(), values.end());
  p.dy.assign(values.size(), 0);
  const std::vector<reference::Moments> rows = reference::unit_norm(p).sets;
  ASSERT_EQ(rows.size(), layer.g().size());
  const real eps = std::numeric_limits<T>::epsilon();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    real squares = 0;
    for (const std::size_t i : rows[r].set) {
      squares += p.x[i] * p.x[i];
      EXPECT_LE(std::abs(now[i] - p.x[i]), 4 * eps * std::abs(p.x[i])) << i;
    }
    EXPECT_LE(std::abs(layer.g()[r] - std::sqrt(squares)), 4 * eps * std::sqrt(squares)) << r;
  }
}

class WeightNormIdentities : public testing::TestWithParam<Case> {};
TEST_P(WeightNormIdentities, KeepTheFunction) {
  const auto& [s, types, layout] = GetParam();
  with_parameter(types.x, [&, &s = s, layout = layout](auto zero) {
    expect_function_kept(s, layout, random_values<decltype(zero)>(count(s.extents), 13));
  });
}
INSTANTIATE_TEST_SUITE_P(All, WeightNormIdentities, testing::ValuesIn(weight_cases(true)), CaseName());

// A row of zeros is legal whatever its neighbours: w and all its gradients are 0 exactly, the others as if it were not there.
TEST(WeightNorm, RowsOfZeros) {
  for (const std::ptrdiff_t length : {1, 7, 64, 1030}) {
    const auto n = static_cast<std::size_t>(length);
    std::vector<float> w0 = random_values<float>(5 * n, 31), dw = random_values<float>(5 * n, 32), w(5 * n);
    for (std::size_t i = 0; i < n; ++i) w0[2 * n + i] = i % 2 == 0 ? 0.0f : -0.0f;
    WeightNorm<float> layer(shaped(w0, {5, length}));
    EXPECT_EQ(layer.g()[2], 0);
    for (const float g : {0.0f, 3.0f}) {
      layer.g()[2] = g;
      layer.zero_grad();
      norma::Saved<float> saved;
      layer.forward(shaped(w, {5, length}), saved);
      layer.backward(shaped(dw, {5, length}), saved);
      for (std::size_t i = 0; i < w.size(); ++i) {
        EXPECT_EQ(w[i] == 0, i / n == 2) << i;
        EXPECT_TRUE(i / n == 2 ? layer.v_grad()[i] == 0 : std::isfinite(layer.v_grad()[i])) << i;
      }
      EXPECT_EQ(layer.g_grad()[2], 0);
      EXPECT_NE(layer.g_grad()[1], 0);
    }
  }
}

// Rows whose squares leave the type's range are ordinary rows.
TEST(WeightNorm, RowsOfAnySize) {
  const auto check = [](const auto& sizes) {
    for (const std::size_t length : {1u, 3u, 40u, 500u}) {
      auto w0 = random_values<std::decay_t<decltype(sizes[0])>>(4 * length, 41);
      for (std::size_t i = 0; i < w0.size(); ++i) w0[i] *= sizes[i / length];
      expect_function_kept(weight_shape({4, static_cast<std::ptrdiff_t>(length)}, 0), Layout::contiguous, w0);
    }
  };
  check(std::array{1e30f, 1e-30f, 1.0f, 1e18f});
  check(std::array{1e200, 1e-200, 1.0, 1e150});
}

/// The length of a row of subnormals is one, too.
TEST(WeightNorm, RowsOfSubnormals) {
  const float tiny = std::numeric_limits<float>::denorm_min() * 65536;
  const std::vector<float> w0 = {tiny, tiny, tiny, tiny, 3, 4, 0, 0};
  const WeightNorm<float> layer(shaped(w0, {2, 4}));
  EXPECT_EQ(layer.g()[0], 2 * tiny);
  EXPECT_EQ(layer.g()[1], 5);
  const std::vector<float> w = layer.bake();
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], w0[i], 1e-4 * w0[i]) << i;
}

TEST(WeightNorm, TakesAWeightOfAnotherType) {
  const std::vector<double> w0 = random_values<double>(6 * 50, 51);
  const std::vector<float> rounded(w0.begin(), w0.end());
  const std::vector<double> exact(rounded.begin(), rounded.end());
  WeightNorm<float> layer(shaped(w0, {6, 50})), plain(shaped(rounded, {6, 50}));
  EXPECT_EQ(state_of(layer), state_of(plain));
  WeightNorm<double> wide(shaped(rounded, {6, 50})), wide_plain(shaped(exact, {6, 50}));
  EXPECT_EQ(state_of(wide), state_of(wide_plain));
}

/// What leaves a channel of t when w goes from g to the new g and a bias is added has mean 0 and variance 1; a constant channel's mean 0.
template <class T>
void check_initialize(const Extents& extents, Layout layout) {
  const std::size_t plane = count(extents) / static_cast<std::size_t>(5 * extents[0]);
  std::vector<T> values = random_values<T>(count(extents), 71, 3, 2), bias(5, 99);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i / plane % 5 == 3) values[i] = T(1.5);
  }
  Tensor<T> t(extents, lying(layout), values);
  WeightNorm<T> layer(shaped(random_values<T>(5 * 6, 72), {5, 6}));
  const std::vector<T> g = copy_of(layer.g()), v = copy_of(layer.v());
  layer.initialize(t.view(), bias);
  EXPECT_TRUE(same(layer.v(), v));
  EXPECT_TRUE(same(t.values(), values)) << "t was changed";
  // What the layer before would give now.
  reference::Problem left;
  left.extents = extents;
  std::vector<real> largest(5);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = i / plane % 5;
    const real b = bias[c], now = static_cast<real>(values[i]) * (static_cast<real>(layer.g()[c]) / g[c]) + b;
    left.x.push_back(now);
    largest[c] = std::max(largest[c], std::abs(now) + std::abs(b));
  }
  left.dy = left.x;
  const reference::Answer answer = reference::batch_norm(left);
  const real eps = std::numeric_limits<T>::epsilon();
  for (std::size_t c = 0; c < 5; ++c) {
    const real variance = c == 3 ? 0 : 1;
    EXPECT_LE(std::abs(answer.sets[c].mean.value), 4 * eps * largest[c]) << "mean of channel " << c;
    EXPECT_LE(std::abs(answer.sets[c].variance.value - variance), 8 * eps * largest[c] * largest[c]) << "variance of channel " << c;
  }
  EXPECT_EQ(layer.g()[3], g[3]);
  EXPECT_EQ(bias[3], T(-1.5));
}
TEST(WeightNorm, InitializesFromData) {
  for (const Extents& extents : std::vector<Extents>{{40, 5}, {8, 5, 7}, {3, 5, 4, 5}}) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::flipped_all}) {
      check_initialize<float>(extents, layout);
      check_initialize<double>(extents, layout);
    }
  }
}

}  // namespace
}  // namespace norma_test
