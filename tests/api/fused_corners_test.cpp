// Corners of fused calls: rows that are not ordinary, outputs over inputs, outputs past the cache, no elements, processes.
#include "api/fused_layers.hpp"
#include "support/ranks.hpp"

namespace norma_test { namespace {

norma::TensorView<float> view(const AnyTensor& t) { return t.any().as<float>(); }

/// A sum that a fold has stored is what the map reads, and what is scaled, too: nothing is added twice.
TEST(FusedCorners, SumsOfRowsThatAreScaled) {
  const auto check = [](const auto& layer) {
    const Extents extents = {5, 700};
    AnyTensor x = random_tensor(Element::f32, 1, Layout::contiguous, extents);
    Values numbers = x.values();
    for (std::size_t i = 700; i < 1400; ++i) numbers[i] = static_cast<double>(static_cast<float>(numbers[i] * 1e30));
    numbers[2 * 700 + 5] = std::numeric_limits<double>::quiet_NaN();
    numbers[3 * 700 + 699] = std::numeric_limits<double>::infinity();
    x.set(numbers);
    for (const Layout layout : {Layout::contiguous, Layout::padded}) {
      const AnyTensor residual = random_tensor(Element::f32, 2, layout, extents), gate = random_tensor(Element::f32, 3, layout, extents);
      AnyTensor v(Element::f32, extents, {layout});
      const AnyTensor n(Element::f32, extents, {layout}), sum(Element::f32, extents, {layout}), y(Element::f32, extents, {layout});
      layer(view(x), view(y), {.residual = view(residual), .sum = view(sum), .gate = view(gate), .gate_first = true}, Bent());
      Values h = residual.values(), product = gate.values();
      for (std::size_t i = 0; i < h.size(); ++i) {
        const float of_sum = static_cast<float>(numbers[i]) + static_cast<float>(h[i]);
        h[i] = static_cast<double>(of_sum);
        product[i] = static_cast<double>(of_sum * Bent()(static_cast<float>(product[i])));
      }
      v.set(product);
      layer(view(v), view(n));
      EXPECT_TRUE(same(sum.values(), h)) << name_of(layout);
      EXPECT_TRUE(same(y.values(), n.values())) << name_of(layout);
    }
  };
  check(norma::RMSNorm<float>(700));
  check(norma::LayerNorm<float>(700));
}

/// Rows whose squares leave the range of float are copied to be scaled, which others of a fused call need not be.
TEST(FusedCorners, LongRowsThatAreScaledAreTheSeparateCalls) {
  for (const std::ptrdiff_t size : {600, 5000}) {
    const Extents extents = {6, size};
    const norma::LayerNorm<float> layer(size);
    AnyTensor x = random_tensor(Element::f32, 1, Layout::contiguous, extents);
    const AnyTensor n(Element::f32, extents, {}), y(Element::f32, extents, {Layout::padded});
    Values numbers = x.values();
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = rounded_to(Element::f32, numbers[i] * (i / 1000 % 2 == 0 ? 1 : 1e30));
    x.set(numbers);
    layer(view(x), view(n));
    layer(view(x), view(y), Bent());
    Values expected = n.values();
    for (double& v : expected) v = Bent()(static_cast<float>(v));
    EXPECT_TRUE(same(y.values(), expected)) << size;
    EXPECT_TRUE(y.surroundings_untouched());
  }
}

/// dx += ... where dx is exactly sum_grad, too.
TEST(FusedCorners, AccumulatesOverItsSumGrad) {
  each_fused_layer<float>([](auto& layer, bool) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::strided}) {
      const AnyTensor x = random_tensor(Element::f32, 1, layout), dy = random_tensor(Element::f32, 2, layout),
                      sum_grad = random_tensor(Element::f32, 3, layout), apart = random_tensor(Element::f32, 3, layout);
      norma::Saved<float> saved;
      layer.forward(view(x), view(AnyTensor(Element::f32, fused_extents, {layout})), saved);
      layer.backward(view(dy), view(x), saved, view(apart), {.sum_grad = view(sum_grad), .accumulate = true});
      layer.backward(view(dy), view(x), saved, view(sum_grad), {.sum_grad = view(sum_grad), .accumulate = true});
      EXPECT_TRUE(same(sum_grad.values(), apart.values())) << name_of(layout);
    }
  });
}

/// Outputs that bypass the cache, wherever they begin in a line: the same bits, and nothing around them.
TEST(FusedCorners, PastTheCacheOrNot) {
  const auto check = [](auto layer, const Extents& extents, Layout layout, std::ptrdiff_t misalignment) {
    SCOPED_TRACE(testing::Message() << testing::PrintToString(extents) << ", " << name_of(layout) << ", " << misalignment
                                    << " behind a line");
    const auto random = [&](std::uint64_t seed) { return random_tensor(Element::f32, seed, layout, extents); };
    const auto output = [&] { return AnyTensor(Element::f32, extents, {layout, Placement::heap, misalignment}); };
    const AnyTensor x = random(1), add = random(2), gate = random(3), dy = random(4), sum_grad = random(5);
    const AnyTensor near_y = output(), y = output(), near_dx = output(), dx = output();
    norma::Saved<float> saved;
    const auto both = [&](const auto& call, const AnyTensor& near_one, const AnyTensor& one) {
      call(norma::sequential.with(norma::Streaming::never), view(near_one));
      call(norma::sequential.with(norma::Streaming::always), view(one));
      EXPECT_TRUE(same(one.values(), near_one.values()));
      EXPECT_TRUE(one.surroundings_untouched());
    };
    both([&](const auto& executor, auto to) { layer(executor, view(x), to, {.add = view(add)}, norma::relu); }, near_y, y);
    both([&](const auto& executor, auto to) { layer(executor, view(x), to, {.gate = view(gate), .add = view(add)}, norma::silu); }, near_y,
         y);
    both([&](const auto& executor, auto to) { layer(executor, view(x), to, norma::gelu); }, near_y, y);
    both([&](const auto& executor, auto to) { layer.forward(executor, view(x), to, saved, {.residual = view(add), .gate = view(gate)}); },
         near_y, y);
    both(
        [&](const auto& executor, auto to) {
          layer.backward(executor, view(dy), view(x), saved, to, {.sum_grad = view(sum_grad), .add = view(add)}, norma::silu);
        },
        near_dx, dx);
    both(
        [&](const auto& executor, auto to) {
          layer.backward(executor, view(dy), view(x), saved, to, {.sum_grad = view(sum_grad), .gate = view(gate), .gate_first = true});
        },
        near_dx, dx);
  };
  for (const std::ptrdiff_t misalignment : {0, 1, 12}) {
    check(norma::LayerNorm<float>(1500), {3, 1500}, Layout::contiguous, misalignment);
    check(norma::RMSNorm<float>(1024), {5, 1024}, Layout::contiguous, misalignment);
    check(norma::RMSNorm<float>(48), {50, 48}, Layout::padded, misalignment);
    for (const Layout layout : {Layout::contiguous, Layout::channels_last}) {
      check(norma::BatchNorm<float>(32), {2, 32, 14, 14}, layout, misalignment);
      check(norma::GroupNorm<float>(4, 20), {2, 20, 31, 31}, layout, misalignment);
      check(norma::InstanceNorm<float>(6, {.affine = true}), {2, 6, 40, 40}, layout, misalignment);
    }
  }
}

/// A scale below all floats is 0, and then all are zeros.
TEST(FusedCorners, ScalesOfRowsThatNoFloatHolds) {
  norma::RMSNorm<double> layer(4);
  std::fill(layer.weight().begin(), layer.weight().end(), 1e-50);
  const std::vector<double> x = {1, 2, -3, 4};
  std::vector<std::int8_t> q(4, 99);
  std::vector<float> scales(1, 99);
  layer(shaped(x, {1, 4}), norma::TensorView<std::int8_t>(q.data(), {1, 4}), {.row_scales = scales});
  EXPECT_EQ(scales, std::vector<float>(1, 0));
  EXPECT_TRUE(same(q, std::vector<std::int8_t>(4, 0)));
}

/// No elements, null pointers: nothing happens.
TEST(FusedCorners, EmptyTensors) {
  norma::RMSNorm<float> layer(4);
  const norma::TensorView<float> none(nullptr, {0, 4});
  const norma::TensorView<std::int8_t> none_of_8_bits(nullptr, {0, 4});
  std::vector<float> somewhere(4), no_scales;
  norma::Saved<float> saved;
  layer(none, none, {.gate = none, .gate_first = true}, norma::silu);
  layer(none, none_of_8_bits, {.row_scales = no_scales});
  layer.forward(none, none, saved, {.residual = none, .sum = norma::TensorView<float>(somewhere.data(), {0, 4})});
  layer.backward(none, none, saved, none,
                 {.gate = none, .gate_first = true, .gate_grad = norma::TensorView<float>(somewhere.data(), {0, 4})});
  EXPECT_EQ(somewhere, std::vector<float>(4, 0));
}

/// The norms that mix statistics of planes would make them of x without the gate.
TEST(FusedCorners, MixedNormsTakeNoGate) {
  const auto check = [](const char* name, auto layer) {
    const AnyTensor x = random_tensor(Element::f32, 1, Layout::contiguous), y(Element::f32, fused_extents, {});
    const norma::Fused fused = {.gate = view(x), .gate_first = true};
    const norma::FusedBackward backward = {.gate = view(x)};
    norma::Saved<float> saved;
    expect_shape_error(name, {"takes no gate"}, [&] { layer(view(x), view(y), fused); });
    expect_shape_error(name, {"takes no gate"}, [&] { layer.forward(view(x), view(y), saved, fused); });
    layer.forward(view(x), view(AnyTensor(Element::f32, fused_extents, {})), saved);
    expect_shape_error(name, {"takes no gate"}, [&] { layer.backward(view(x), view(x), saved, view(y), backward); });
    expect_shape_error(name, {"takes no gate"}, [&] { layer.backward_frozen(view(x), view(x), view(y), backward); });
    EXPECT_TRUE(y.untouched());
  };
  check("SwitchableNorm", norma::SwitchableNorm<float>(6));
  check("BatchInstanceNorm", norma::BatchInstanceNorm<float>(6));
}

/// What one process refuses has been written by none, the sum over x included.
TEST(FusedRanks, ARefusedForwardLeavesTheSumAlone) {
  const auto check = [](const char* name, auto layer) {
    std::vector<float> x = {1, 2, 3}, y(3, 99);
    const std::vector<float> residual = {10, 20, 30}, before = x;
    norma::Saved<float> saved;
    expect_shape_error(name, {"more than one value"}, [&] {
      layer.forward(LoneRank(), shaped(x, {1, 3}), shaped(y, {1, 3}), saved,
                    {.residual = shaped(residual, {1, 3}), .sum = shaped(x, {1, 3})});
    });
    EXPECT_EQ(x, before);
    EXPECT_EQ(y, std::vector<float>(3, 99));
  };
  check("SyncBatchNorm", norma::SyncBatchNorm<float>(3));
  check("BatchRenorm", norma::BatchRenorm<float>(3));
}

/// Rounding, activations and streams are those of one process; a scale for a part of a row is none.
TEST(FusedRanks, RowsOfOneRankAreThoseOfOneProcess) {
  using norma::bfloat16;
  norma::RMSNorm<float> layer(64, {.rounding = norma::Rounding::normalized_first});
  for (float& w : layer.weight()) w = 0.7f + 0.01f * static_cast<float>(&w - layer.weight().data());
  const AnyTensor x(Element::bf16, {4, 64}, {}, random_values(Element::bf16, 256, 1)), y(Element::bf16, {4, 64}, {}),
      of_rank(Element::bf16, {4, 64}, {});
  const auto in = x.any().as<bfloat16>(), one = y.any().as<bfloat16>(), ranks = of_rank.any().as<bfloat16>();
  norma::Saved<float> saved;
  layer(in, one);
  layer(LoneRank(), in, ranks);
  EXPECT_TRUE(same(of_rank.values(), y.values()));
  layer.forward(LoneRank(), in, ranks, saved);
  EXPECT_TRUE(same(of_rank.values(), y.values())) << "training";
  layer(in, one, {.add = in}, norma::silu);
  layer(norma::sequential, LoneRank(), in, ranks, {.add = in}, norma::silu);
  EXPECT_TRUE(same(of_rank.values(), y.values())) << "fused";
  layer(in, one, norma::relu);
  layer(LoneRank(), in, ranks, norma::relu);
  EXPECT_TRUE(same(of_rank.values(), y.values())) << "an activation";
  layer.forward(norma::sequential, LoneRank(), in, ranks, saved, norma::relu);
  EXPECT_TRUE(same(of_rank.values(), y.values())) << "an activation in training";
  std::vector<std::int8_t> q(256, 99);
  std::vector<float> scales(4, 99);
  const norma::TensorView<std::int8_t> quantized(q.data(), {4, 64});
  expect_shape_error("RMSNorm", {"row_scales"}, [&] { layer(LoneRank(), in, quantized, {.row_scales = scales}); });
  EXPECT_EQ(scales, std::vector<float>(4, 99));
}

}}  // namespace norma_test
