// Fused forwards are the separate calls, to the bit: the norm of a tensor of float, with plain arithmetic in float before and behind it.
#include "api/fused_layers.hpp"

namespace norma_test { namespace {

/// Which streams there are, and how.
struct Streams {
  bool residual = false, sum = false, gate = false, gate_first = false, add = false;
  norma::ResidualRounding rounding = norma::ResidualRounding::rounded;
};
const std::vector<Streams> all_streams = {
    {},
    {.residual = true},
    {.residual = true, .sum = true},
    {.add = true},
    {.residual = true, .sum = true, .add = true},
    {.gate = true},
    {.gate = true, .add = true},
    {.gate = true, .gate_first = true},
    {.residual = true, .sum = true, .gate = true, .gate_first = true},
    {.residual = true, .sum = true, .gate = true, .gate_first = true, .add = true},
    {.residual = true, .sum = true, .rounding = norma::ResidualRounding::exact},
};

template <class E>
float rounded(float v) {
  return static_cast<float>(E(v));
}

/// Streams of E beside an x of E: the residual repeats along the last axis, the gate along the batch.
template <class E>
struct Inputs {
  explicit Inputs(const Lie& lie)
      : extents(lie.extents),
        x(random_tensor(element_of<E>, 1, lie.x, extents)),
        residual(random_tensor(element_of<E>, 2, lie.others, {extents[0], extents[1], extents[2], 1})),
        sum(element_of<E>, extents, {lie.others}),
        gate(random_tensor(element_of<E>, 3, lie.others, {1, extents[1], extents[2], extents[3]})),
        add(random_tensor(element_of<E>, 4, lie.others, extents)),
        y(element_of<E>, extents, {lie.others}) {}

  static auto view(const AnyTensor& t) { return t.any().template as<E>(); }
  norma::Fused of(const Streams& s) const {
    norma::Fused fused;
    if (s.residual) fused.residual = view(residual);
    if (s.sum) fused.sum = view(sum);
    if (s.gate) fused.gate = view(gate);
    if (s.add) fused.add = view(add);
    fused.gate_first = s.gate_first;
    fused.residual_rounding = s.rounding;
    return fused;
  }

  Extents extents;
  AnyTensor x, residual, sum, gate, add, y;
};

/// What y and sum are by separate calls.
template <class E, class L, class O>
std::pair<Values, Values> separately(L layer, const Inputs<E>& in, Layout layout, const Streams& s, const O& op) {
  const Values x = in.x.values(), residual = in.residual.values(), gate = in.gate.values(), add = in.add.values();
  const std::size_t width = count({in.extents.begin() + 3, in.extents.end()}), sample = count({in.extents.begin() + 1, in.extents.end()});
  Values sum(x.size()), v(x.size()), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    float h = static_cast<float>(x[i]);
    if (s.residual) h += static_cast<float>(residual[i / width]);
    sum[i] = rounded<E>(h);
    if (s.residual && s.rounding == norma::ResidualRounding::rounded) h = rounded<E>(h);
    v[i] = s.gate_first ? h * op(static_cast<float>(gate[i % sample])) : h;
  }
  const AnyTensor input(Element::f32, in.extents, {layout}, v), normalized(Element::f32, in.extents, {});
  norma::Saved<float> saved;
  layer.forward(input.any().template as<float>(), normalized.any().template as<float>(), saved);
  const Values n = normalized.values();
  for (std::size_t i = 0; i < x.size(); ++i) {
    float z = static_cast<float>(n[i]);
    if (s.gate && !s.gate_first) z *= op(static_cast<float>(gate[i % sample]));
    if (s.add) z += static_cast<float>(add[i]);
    y[i] = rounded<E>(s.gate ? z : op(z));
  }
  return {y, sum};
}

template <class E>
class FusedForward : public testing::Test {};
using Elements = testing::Types<float, norma::bfloat16>;
TYPED_TEST_SUITE(FusedForward, Elements);

TYPED_TEST(FusedForward, IsTheSeparateCalls) {
  using E = TypeParam;
  const auto check = [](auto& layer, const Lie& lie, const Streams& s, const auto& op, const auto& executor) {
    const Inputs<E> in(lie);
    const auto [y, sum] = separately(layer, in, lie.x, s, op);
    auto fused = layer;
    norma::Saved<float> saved;
    fused.forward(executor, in.view(in.x), in.view(in.y), saved, in.of(s), op);
    EXPECT_TRUE(same(in.y.values(), y));
    if (s.sum) {
      EXPECT_TRUE(same(in.sum.values(), sum));
    }
    EXPECT_TRUE(in.y.surroundings_untouched() && in.sum.surroundings_untouched());
  };
  const ShuffledPool pool(3);
  each_fused_case<float>([&](auto& layer, bool all, const Lie& lie) {
    for (std::size_t i = 0; i < all_streams.size(); ++i) {
      SCOPED_TRACE("streams " + std::to_string(i));
      if (all_streams[i].gate && !all) continue;
      check(layer, lie, all_streams[i], norma::Identity(), norma::sequential);
      check(layer, lie, all_streams[i], Bent(), pool);
      check(layer, lie, all_streams[i], norma::relu, norma::sequential.with(norma::Streaming::always));
    }
  });
}

/// sum may be exactly x or residual; also where squares leave the range of float, so that sets are folded twice.
TYPED_TEST(FusedForward, SumMayLieOverAnInput) {
  using E = TypeParam;
  const Streams s{.residual = true, .sum = true, .add = true};
  each_fused_case<float>([&](auto& layer, bool, const Lie& lie) {
    for (const double size : {1.0, 1e30}) {
      SCOPED_TRACE(size);
      Inputs<E> in(lie);
      Values x = in.x.values();
      for (double& v : x) v = rounded_to(element_of<E>, v * size);
      in.x.set(x);
      const auto [y, sum] = separately(layer, in, lie.x, s, Bent());
      auto fused = layer;
      norma::Saved<float> saved;
      norma::Fused streams = in.of(s);
      streams.sum = in.view(in.x);
      fused.forward(in.view(in.x), in.view(in.y), saved, streams, Bent());
      EXPECT_TRUE(same(in.y.values(), y));
      EXPECT_TRUE(same(in.x.values(), sum));
    }
  });
}

TYPED_TEST(FusedForward, InferenceIsTheSeparateCalls) {
  using E = TypeParam;
  each_fused_case<float>([&](auto& layer, bool, const Lie& lie) {
    const Inputs<E> in(lie);
    const AnyTensor n(Element::f32, lie.extents, {});
    const auto& inference = layer;
    inference(in.view(in.x), n.any().template as<float>());
    Values expected = n.values(), add = in.add.values();
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = rounded<E>(Bent()(static_cast<float>(expected[i]) + static_cast<float>(add[i])));
    inference(in.view(in.x), in.view(in.y), {.add = in.view(in.add)}, Bent());
    EXPECT_TRUE(same(in.y.values(), expected));
  });
}

}}  // namespace norma_test
