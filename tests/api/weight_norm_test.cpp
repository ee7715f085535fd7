// WeightNorm: the function of the weight it takes apart, rows of zeros, of subnormals and of any size, initialization from data, its state
// and its errors.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::WeightNorm;

/// The function a weight was part of does not change when the weight is taken apart: v = w0, w = w0 and g = ||w0 row||.
template <class T>
void expect_function_kept(const Setting& s, Layout layout, const std::vector<T>& values) {
  const bool none = *s.dim == static_cast<std::ptrdiff_t>(s.extents.size());  // one behind the last
  Tensor<T> w0(s.extents, lying(layout), values), w(s.extents, lying(layout));
  const WeightNorm<T> layer(w0.view(), {.dim = none ? std::nullopt : std::optional<norma::index_t>(*s.dim)});
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
  with_element(types.x, [&, &s = s, layout = layout](auto zero) {
    expect_function_kept(s, layout, random_values<decltype(zero)>(count(s.extents), 13));
  });
}
INSTANTIATE_TEST_SUITE_P(All, WeightNormIdentities, testing::ValuesIn(weight_cases(true)), CaseName());

template <class T>
class WeightNormOf : public testing::Test {};
TYPED_TEST_SUITE(WeightNormOf, BothTypes);

// A row of zeros is legal whatever its neighbours: w and all its gradients are 0 exactly, the others as if it were not there.
TYPED_TEST(WeightNormOf, RowsOfZeros) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {1, 7, 64, 1030}) {
    std::vector<T> w0 = random_values<T>(static_cast<std::size_t>(5 * length), 31), dw = random_values<T>(w0.size(), 32), w(w0.size());
    for (std::ptrdiff_t i = 0; i < length; ++i) w0[static_cast<std::size_t>(2 * length + i)] = i % 2 == 0 ? T(0) : -T(0);
    WeightNorm<T> layer(shaped(w0, {5, length}));
    EXPECT_EQ(layer.g()[2], T(0));
    for (const T g : {T(0), T(3)}) {
      layer.g()[2] = g;
      layer.zero_grad();
      norma::Saved<T> saved;
      layer.forward(shaped(w, {5, length}), saved);
      layer.backward(shaped(dw, {5, length}), saved);
      for (std::size_t i = 0; i < w.size(); ++i) {
        const bool is_zero = i / static_cast<std::size_t>(length) == 2;
        EXPECT_EQ(w[i] == T(0), is_zero) << i;
        EXPECT_TRUE(is_zero ? layer.v_grad()[i] == T(0) : std::isfinite(layer.v_grad()[i])) << i;
      }
      EXPECT_EQ(layer.g_grad()[2], T(0));
      EXPECT_NE(layer.g_grad()[1], T(0));
    }
  }
}

// Rows whose squares leave T's range are ordinary rows.
TYPED_TEST(WeightNormOf, RowsOfAnySize) {
  using T = TypeParam;
  const bool f32 = sizeof(T) == 4;
  const T sizes[] = {f32 ? T(1e30) : T(1e200), f32 ? T(1e-30) : T(1e-200), T(1), f32 ? T(1e18) : T(1e150)};
  for (const std::size_t length : {1, 3, 40, 500}) {
    std::vector<T> w0 = random_values<T>(4 * length, 41);
    for (std::size_t i = 0; i < w0.size(); ++i) w0[i] *= sizes[i / length];
    expect_function_kept(weight_shape({4, static_cast<std::ptrdiff_t>(length)}, 0), Layout::contiguous, w0);
  }
}

/// The length of a row of subnormals is one, too.
TEST(WeightNormOfFloats, RowsOfSubnormals) {
  const float tiny = std::numeric_limits<float>::denorm_min() * 65536;
  const std::vector<float> w0 = {tiny, tiny, tiny, tiny, 3, 4, 0, 0};
  const WeightNorm<float> layer(shaped(w0, {2, 4}));
  EXPECT_EQ(layer.g()[0], 2 * tiny);
  EXPECT_EQ(layer.g()[1], 5);
  const std::vector<float> w = layer.bake();
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], w0[i], 1e-4 * w0[i]) << i;
}

// w0 may be of the other element type.
TYPED_TEST(WeightNormOf, TakesAWeightOfAnotherType) {
  using T = TypeParam;
  const auto w0 = random_values<std::conditional_t<sizeof(T) == 4, double, float>>(6 * 50, 51);
  const std::vector<T> rounded(w0.begin(), w0.end());
  WeightNorm<T> layer(shaped(w0, {6, 50})), plain(shaped(rounded, {6, 50}));
  EXPECT_EQ(state_of(layer), state_of(plain));
}

/// The mean and variance that leave a channel of t when w takes it from g to g_new and a bias is added: 0 and 1, and a constant channel's
/// mean alone.
TYPED_TEST(WeightNormOf, InitializesFromData) {
  using T = TypeParam;
  const real eps = std::numeric_limits<T>::epsilon();
  for (const Extents& extents : std::vector<Extents>{{40, 5}, {8, 5, 7}, {3, 5, 4, 5}}) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::flipped_all}) {
      const std::size_t plane = count(extents) / static_cast<std::size_t>(5 * extents[0]);
      std::vector<T> values = random_values<T>(count(extents), 71, 3, 2), bias(5, T(99));
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
      for (std::size_t c = 0; c < 5; ++c) {
        const bool is_constant = c == 3;
        EXPECT_LE(std::abs(answer.sets[c].mean.value), 4 * eps * largest[c]) << "mean of channel " << c;
        const real off = std::abs(answer.sets[c].variance.value - (is_constant ? 0 : 1));
        EXPECT_LE(off, 8 * eps * largest[c] * largest[c]) << "variance of channel " << c;
      }
      EXPECT_EQ(layer.g()[3], g[3]);
      EXPECT_EQ(bias[3], T(-1.5));
    }
  }
}

// With ||v|| known and g = 1, initialize is the paper's: g = 1 / sigma, b = -mean / sigma.
TYPED_TEST(WeightNormOf, InitializesAsThePaper) {
  using T = TypeParam;
  WeightNorm<T> layer(shaped(random_values<T>(2 * 3, 81), {2, 3}));
  std::fill(layer.g().begin(), layer.g().end(), T(1));
  const std::vector<T> t = {T(1), T(10), T(3), T(30)};  // channels (1, 3) and (10, 30): means 2 and 20, deviations 1 and 10
  std::vector<T> bias(2);
  layer.initialize(shaped(t, {2, 2}), bias);
  const T eps = std::numeric_limits<T>::epsilon();
  EXPECT_NEAR(layer.g()[0], T(1), eps);
  EXPECT_NEAR(layer.g()[1], T(0.1), eps);
  EXPECT_NEAR(bias[0], T(-2), 2 * eps);
  EXPECT_NEAR(bias[1], T(-2), 2 * eps);
}

TYPED_TEST(WeightNormOf, StateHasPyTorchsNames) {
  using T = TypeParam;
  const std::vector<T> w0 = random_values<T>(2 * 3, 91);
  WeightNorm<T> layer(shaped(w0, {2, 3})), legacy(shaped(w0, {2, 3}), {.legacy_names = true});
  EXPECT_EQ(names_of(layer), (Names{{"parametrizations.weight.original0", 2}, {"parametrizations.weight.original1", 6}}));
  EXPECT_EQ(names_of(legacy), (Names{{"weight_g", 2}, {"weight_v", 6}}));
}

TYPED_TEST(WeightNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  Door<T> door("WeightNorm");
  using Layer = WeightNorm<T>;
  door.refuses({"rank 0"}, [&] { Layer layer(door.in({})); });
  door.refuses({"axis", "2"}, [&] { Layer layer(door.in({2, 3}), {.dim = 2}); });
  door.refuses({"axis", "-3"}, [&] { Layer layer(door.in({2, 3}), {.dim = -3}); });
  door.refuses({"null"}, [&] { Layer layer(norma::TensorView<const T>(nullptr, {2, 3})); });
  const std::vector<T> w0 = random_values<T>(6, 93);
  Layer layer(shaped(w0, {2, 3})), other(shaped(w0, {3, 2})), whole(shaped(w0, {2, 3}), {.dim = std::nullopt});
  std::vector<T> w(6);
  norma::Saved<T> saved, of_other, of_whole, of_layer_norm, never;
  other.forward(shaped(w, {3, 2}), of_other);
  whole.forward(shaped(w, {2, 3}), of_whole);
  layer.forward(shaped(w, {2, 3}), saved);
  norma::layer_norm(w0, w, of_layer_norm);
  const Values before = state_of(layer);
  door.refuses({"w", "(3, 2)", "(2, 3)"}, [&] { layer(door.out({3, 2})); });
  door.refuses({"(6)", "(2, 3)"}, [&] { layer(door.out({6})); });
  door.refuses({"w", "null"}, [&] { layer(norma::TensorView<T>(nullptr, {2, 3})); });
  door.refuses({"w", "(1, 6)"}, [&] { layer.forward(door.out({1, 6}), saved); });
  door.refuses({"dw", "(3, 2)"}, [&] { layer.backward(door.in({3, 2}), saved); });
  door.refuses({"never filled"}, [&] { layer.backward(door.in({2, 3}), never); });
  door.refuses({"(3, 2)"}, [&] { layer.backward(door.in({2, 3}), of_other); });
  door.refuses({"axes"}, [&] { layer.backward(door.in({2, 3}), of_whole); });
  door.refuses({"LayerNorm"}, [&] { layer.backward(door.in({2, 3}), of_layer_norm); });
  std::vector<T> bias(2, T(5)), long_bias(3, T(5));
  door.refuses({"bias", "(3)", "2"}, [&] { layer.initialize(door.in({3, 2}), long_bias); });
  door.refuses({"t", "(2, 3)", "2"}, [&] { layer.initialize(door.in({2, 3}), bias); });
  door.refuses({"t", "(6)"}, [&] { layer.initialize(door.in({6}), bias); });
  door.refuses({"t", "1"}, [&] { whole.initialize(door.in({3, 2}), bias); });
  EXPECT_EQ(bias, std::vector<T>(2, T(5)));
  EXPECT_EQ(state_of(layer), before);
  layer.backward(door.in({2, 3}), saved);  // still good
  EXPECT_NE(layer.g_grad()[0], T(0));
}

}  // namespace
}  // namespace norma_test
