// What else fused calls take and refuse: 8-bit outputs, the second rounding, free functions, streams that do not fit.
#include "api/fused_layers.hpp"
#include "support/ranks.hpp"

namespace norma_test { namespace {

using norma::bfloat16;
using norma::float16;

norma::TensorView<float> view(const AnyTensor& t) { return t.any().as<float>(); }
/// Random x of so many rows, some of them special.
struct Rows {
  static constexpr norma::index_t rows = 5, length = 77;

  Rows() : x(random_values<float>(rows * length, 1)), y(x.size()), q(x.size()) {
    for (std::size_t i = 0; i < length; ++i) x[length + i] = 0;
    x[3 * length + 5] = std::numeric_limits<float>::quiet_NaN();
  }
  norma::TensorView<float> input() { return {x.data(), {rows, length}}; }
  norma::TensorView<float> output() { return {y.data(), {rows, length}}; }
  norma::TensorView<std::int8_t> quantized() { return {q.data(), {rows, length}}; }

  std::vector<float> x, y;
  std::vector<std::int8_t> q;
};

std::int8_t nearest(float v) {
  if (v != v) return 0;
  return static_cast<std::int8_t>(std::nearbyint(std::min(std::max(v, -127.0f), 127.0f)));
}

TEST(FusedQuantization, AScaleForAll) {
  Rows t;
  const norma::LayerNorm<float> layer({Rows::length});
  layer(t.input(), t.output());
  layer(t.input(), t.quantized(), {.scale = 0.015});
  for (std::size_t i = 0; i < t.q.size(); ++i) ASSERT_EQ(t.q[i], nearest(t.y[i] / 0.015f)) << i;
}

TEST(FusedQuantization, AScaleForEachSet) {
  const auto check = [](const auto& layer, auto&& in, auto&& out) {
    Rows t;
    std::vector<float> scales(Rows::rows);
    layer(in(t.input()), out(t.output()));
    layer(in(t.input()), out(t.quantized()), {.row_scales = scales});
    for (std::size_t r = 0; r < scales.size(); ++r) {
      float largest = 0;
      for (std::size_t i = 0; i < Rows::length; ++i) largest = norma::max(largest, std::abs(t.y[r * Rows::length + i]));
      EXPECT_TRUE(same_number(static_cast<double>(scales[r]), static_cast<double>(largest / 127))) << "row " << r;
      for (std::size_t i = r * Rows::length; i < (r + 1) * Rows::length; ++i)
        ASSERT_EQ(t.q[i], largest == 0 ? 0 : nearest(t.y[i] / scales[r])) << i;
    }
  };
  const auto as_it_is = [](auto v) { return v; };
  check(norma::RMSNorm<float>({Rows::length}), as_it_is, as_it_is);
  // Rows whose memory is read as columns: the sets lie across lanes.
  const auto transposed = [](auto v) { return decltype(v)(v.data(), {Rows::rows, Rows::length}, {1, Rows::rows}); };
  Rows a, b;
  std::vector<float> plain(Rows::rows), turned(Rows::rows);
  for (std::size_t r = 0; r < Rows::rows; ++r) {
    for (std::size_t i = 0; i < Rows::length; ++i) b.x[i * Rows::rows + r] = a.x[r * Rows::length + i];
  }
  const norma::LayerNorm<float> layer({Rows::length});
  layer(a.input(), a.quantized(), {.row_scales = plain});
  layer(transposed(b.input()), transposed(b.quantized()), {.row_scales = turned});
  EXPECT_TRUE(same(turned, plain));
  for (std::size_t r = 0; r < Rows::rows; ++r) {
    for (std::size_t i = 0; i < Rows::length; ++i) ASSERT_EQ(b.q[i * Rows::rows + r], a.q[r * Rows::length + i]);
  }
}

/// x_hat to x's type, times weight to y's, plus bias to y's: read with a layer that has neither, in float.
template <class H, class Y, class L>
void expect_normalized_first(L layer, L plain) {
  const AnyTensor x = random_tensor(element_of<H>, 1, Layout::channels_last), y(element_of<Y>, fused_extents, {Layout::channels_last}),
                  x_hat(Element::f32, fused_extents, {});
  std::size_t channel = 0;
  for (float& w : layer.weight()) w = 0.75f + 0.1f * static_cast<float>(channel++);
  for (float& b : layer.bias()) b = 0.3f - 0.07f * static_cast<float>(channel++);
  plain(x.any().as<H>(), view(x_hat));
  layer(x.any().as<H>(), y.any().as<Y>());
  const Values normalized = x_hat.values();
  Values expected(normalized.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t p = layer.weight().size() == 6 ? i / 35 % 6 : i % layer.weight().size();
    const float first = static_cast<float>(H(static_cast<float>(normalized[i])));
    const float product = static_cast<float>(Y(first * layer.weight()[p]));
    expected[i] = static_cast<double>(static_cast<float>(Y(product + layer.bias()[p])));
  }
  EXPECT_TRUE(same(y.values(), expected));
}

TEST(FusedRounding, NormalizedFirst) {
  constexpr auto first = norma::Rounding::normalized_first;
  const auto with_types = [&]<class H, class Y>(H, Y) {
    expect_normalized_first<H, Y>(norma::RMSNorm<float>({5, 7}, {.eps = 1e-6, .bias = true, .rounding = first}),
                                  norma::RMSNorm<float>({5, 7}, {.eps = 1e-6, .affine = false}));
    expect_normalized_first<H, Y>(norma::LayerNorm<float>({7}, {.rounding = first}), norma::LayerNorm<float>({7}, {.affine = false}));
    expect_normalized_first<H, Y>(norma::GroupNorm<float>(2, 6, {.rounding = first}), norma::GroupNorm<float>(2, 6, {.affine = false}));
    expect_normalized_first<H, Y>(norma::InstanceNorm<float>(6, {.affine = true, .rounding = first}), norma::InstanceNorm<float>(6));
  };
  with_types(bfloat16(), bfloat16());
  with_types(float16(), float16());
  with_types(bfloat16(), float());
  with_types(float16(), bfloat16());
}

TEST(FusedRounding, OfQueriesAndFreeFunctions) {
  constexpr auto first = norma::Rounding::normalized_first;
  std::vector<bfloat16> x, by_layer(6 * 35), by_function(6 * 35), k(6 * 35), k_hat(6 * 35);
  for (const float v : random_values<float>(6 * 35, 3)) x.push_back(bfloat16(v));
  const auto rows = [](auto& v) { return norma::TensorView<bfloat16>(v.data(), {6, 35}); };
  norma::RMSNorm<float> layer({35}, {.eps = 1e-6, .unit_offset = true, .rounding = first});
  norma::QKNorm<float> queries(35, {.unit_offset = true, .rounding = first});
  for (std::size_t i = 0; i < 35; ++i) layer.weight()[i] = queries.q_weight()[i] = 0.02f * static_cast<float>(i);
  layer(rows(x), rows(by_layer));
  norma::rms_norm(rows(x), rows(by_function), {.weight = layer.weight(), .eps = 1e-6, .unit_offset = true, .rounding = first});
  EXPECT_TRUE(same(by_function, by_layer));
  queries(rows(x), rows(k), rows(by_function), rows(k_hat));
  EXPECT_TRUE(same(by_function, by_layer));
  norma::rms_norm(rows(x), rows(by_function), {.weight = layer.weight(), .eps = 1e-6, .unit_offset = true});
  EXPECT_FALSE(same(by_function, by_layer)) << "rounding once says something else";
}

TEST(FusedFunctions, AreTheLayers) {
  const Lie lie = lies[4];
  const AnyTensor x = random_tensor(Element::f32, 1, lie.x), r = random_tensor(Element::f32, 2, lie.others),
                  dy = random_tensor(Element::f32, 3, lie.others);
  const AnyTensor a(Element::f32, fused_extents, {lie.others}), b(Element::f32, fused_extents, {lie.others});
  const auto check = [&](auto layer, const auto& function, const auto& backward, auto options, auto of_backward) {
    for (float& w : layer.weight()) w = 1.5f;
    for (float& v : layer.bias()) v = -0.25f;
    options.weight = layer.weight(), options.bias = layer.bias();
    of_backward.weight = layer.weight(), of_backward.bias = layer.bias();
    norma::Saved<float> saved, of_function;
    layer.forward(view(x), view(a), saved, {.add = view(r)}, norma::gelu);
    function(view(x), view(b), of_function, options, norma::Fused{.add = view(r)}, norma::gelu);
    EXPECT_TRUE(same(a.values(), b.values()));
    layer.backward(view(dy), view(x), saved, view(a), {.add = view(r)}, norma::gelu);
    backward(view(dy), view(x), of_function, view(b), of_backward, norma::FusedBackward{.add = view(r)}, norma::gelu);
    EXPECT_TRUE(same(a.values(), b.values()));
  };
  check(norma::LayerNorm<float>({7}), norma::layer_norm, norma::layer_norm_backward, norma::LayerNormViews<float>{},
        norma::LayerNormBackwardViews<float>{});
  check(norma::RMSNorm<float>({7}, {.bias = true}), norma::rms_norm, norma::rms_norm_backward, norma::RMSNormViews<float>{},
        norma::RMSNormBackwardViews<float>{});
  check(norma::GroupNorm<float>(3, 6), norma::group_norm, norma::group_norm_backward, norma::GroupNormViews<float>{.groups = 3},
        norma::GroupNormBackwardViews<float>{.groups = 3});
  check(norma::InstanceNorm<float>(6, {.affine = true}), norma::instance_norm, norma::instance_norm_backward,
        norma::InstanceNormViews<float>{}, norma::InstanceNormBackwardViews<float>{});
  check(norma::BatchNorm<float>(6), norma::batch_norm, norma::batch_norm_backward, norma::BatchNormTrainingViews<float>{},
        norma::BatchNormBackwardViews<float>{});
}

TEST(FusedRanks, OneRankIsOneProcess) {
  const Lie lie = lies[1];
  const AnyTensor x = random_tensor(Element::f32, 1, lie.x), r = random_tensor(Element::f32, 2, lie.others),
                  dy = random_tensor(Element::f32, 3, lie.others);
  const auto outputs = [&] { return AnyTensor(Element::f32, fused_extents, {lie.others}); };
  const AnyTensor y = outputs(), h = outputs(), dx = outputs(), of_rank = outputs(), h_of_rank = outputs(), dx_of_rank = outputs();
  norma::BatchNorm<float> one(6);
  norma::SyncBatchNorm<float> sync(6);
  norma::Saved<float> saved, of_ranks;
  one.forward(view(x), view(y), saved, {.residual = view(r), .sum = view(h), .add = view(x)}, norma::silu);
  sync.forward(LoneRank(), view(x), view(of_rank), of_ranks, {.residual = view(r), .sum = view(h_of_rank), .add = view(x)}, norma::silu);
  EXPECT_TRUE(same(h_of_rank.values(), h.values()));
  one.backward(view(dy), view(h), saved, view(dx), {.sum_grad = view(r), .add = view(x)}, norma::silu);
  sync.backward(LoneRank(), view(dy), view(h), of_ranks, view(dx_of_rank), {.sum_grad = view(r), .add = view(x)}, norma::silu);
  // What travels has no low part of the mean.
  const Values expected_y = y.values(), expected_dx = dx.values(), actual_y = of_rank.values(), actual_dx = dx_of_rank.values();
  for (std::size_t i = 0; i < expected_y.size(); ++i) {
    ASSERT_NEAR(actual_y[i], expected_y[i], 1e-5) << i;
    ASSERT_NEAR(actual_dx[i], expected_dx[i], 1e-5) << i;
  }
}

/// A ShapeError with these words, and nothing written.
template <class F>
void expect_refused(const std::string& layer, const char* words, const F& call) {
  const AnyTensor x = random_tensor(Element::f32, 1, Layout::contiguous), y(Element::f32, fused_extents, {}),
                  h(Element::f32, fused_extents, {});
  std::vector<std::int8_t> q(count(fused_extents), 99);
  expect_shape_error(layer, {words}, [&] { call(x, y, h, norma::TensorView<std::int8_t>(q.data(), {3, 6, 5, 7})); });
  EXPECT_TRUE(y.untouched() && h.untouched());
  EXPECT_TRUE(same(q, std::vector<std::int8_t>(q.size(), 99)));
}

TEST(FusedErrors, NothingIsWritten) {
  norma::RMSNorm<float> rms({7});
  norma::GroupNorm<float> group(3, 6);
  std::vector<float> scales(90), short_one(89);
  const auto no = std::numeric_limits<double>::quiet_NaN();
  using T = const AnyTensor&;
  using Q = norma::TensorView<std::int8_t>;
  expect_refused("RMSNorm", "sum wants a residual", [&](T x, T y, T h, Q) { rms(view(x), view(y), {.sum = view(h)}); });
  expect_refused("RMSNorm", "sum has extents",
                 [&](T x, T y, T h, Q) { rms(view(x), view(y), {.residual = view(x), .sum = view(h).slice(0, 0, 2)}); });
  expect_refused("RMSNorm", "residual has extents", [&](T x, T y, T, Q) { rms(view(x), view(y), {.residual = view(x).slice(3, 0, 2)}); });
  expect_refused("RMSNorm", "gate has extents", [&](T x, T y, T, Q) { rms(view(x), view(y), {.gate = scales}); });
  expect_refused("GroupNorm", "add has extents", [&](T x, T y, T, Q) { group(view(x), view(y), {.add = scales}, norma::silu); });
  expect_refused("RMSNorm", "gate_first wants a gate", [&](T x, T y, T, Q) { rms(view(x), view(y), {.gate_first = true}); });
  expect_refused("RMSNorm", "wants a scale", [&](T x, T, T, Q q) { rms(view(x), q); });
  expect_refused("RMSNorm", "either scale or row_scales", [&](T x, T, T, Q q) { rms(view(x), q, norma::silu); });
  expect_refused("RMSNorm", "either scale or row_scales", [&](T x, T, T, Q q) { rms(view(x), q, {.scale = 1.0, .row_scales = scales}); });
  expect_refused("RMSNorm", "scale is", [&](T x, T, T, Q q) { rms(view(x), q, {.scale = 0.0}); });
  expect_refused("RMSNorm", "scale is", [&](T x, T, T, Q q) { rms(view(x), q, {.scale = no}); });
  expect_refused("RMSNorm", "row_scales has extents", [&](T x, T, T, Q q) { rms(view(x), q, {.row_scales = short_one}); });
  expect_refused("GroupNorm", "for LayerNorm and RMSNorm", [&](T x, T, T, Q q) { group(view(x), q, {.row_scales = scales}); });
  expect_refused("RMSNorm", "for a y of std::int8_t", [&](T x, T y, T, Q) { rms(view(x), view(y), {.scale = 1.0}); });
  norma::Saved<float> saved;
  const AnyTensor x = random_tensor(Element::f32, 1, Layout::contiguous), y(Element::f32, fused_extents, {});
  rms.forward(view(x), view(y), saved);
  expect_refused("RMSNorm", "gate_grad wants a gate",
                 [&](T dy, T dx, T h, Q) { rms.backward(view(dy), view(x), saved, view(dx), {.gate_grad = view(h)}); });
  expect_refused("RMSNorm", "add_grad has extents",
                 [&](T dy, T dx, T h, Q) { rms.backward(view(dy), view(x), saved, view(dx), {.add_grad = view(h).slice(0, 1, 2)}); });
  expect_refused("RMSNorm", "sum_grad has extents",
                 [&](T dy, T dx, T, Q) { rms.backward(view(dy), view(x), saved, view(dx), {.sum_grad = scales}); });
}

}}  // namespace norma_test
