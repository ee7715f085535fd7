// Fused backwards are the separate calls, up to rounding: the norm's own backward, with plain arithmetic in double before and behind it.
#include "api/fused_layers.hpp"

namespace norma_test { namespace {

struct Streams {
  bool sum_grad = false, gate = false, gate_first = false, add = false, accumulate = false;
};
const std::vector<Streams> all_streams = {
    {},
    {.sum_grad = true},
    {.add = true},
    {.sum_grad = true, .add = true, .accumulate = true},
    {.gate = true, .add = true},
    {.sum_grad = true, .gate = true, .gate_first = true, .add = true},
    {.gate = true, .gate_first = true, .accumulate = true},
};

norma::TensorView<double> view(const AnyTensor& t) { return t.any().as<double>(); }

/// Tensors of a step; those that are written lie like the others, and begin with numbers that show whether they were added to.
struct Step {
  explicit Step(const Lie& lie)
      : extents(lie.extents),
        x(random_tensor(Element::f64, 1, lie.x, extents)),
        dy(random_tensor(Element::f64, 2, lie.others, extents)),
        gate(random_tensor(Element::f64, 3, lie.others, extents)),
        add(random_tensor(Element::f64, 4, lie.others, {extents[0], extents[1], 1, 1})),
        sum_grad(random_tensor(Element::f64, 5, lie.others, extents)),
        y(Element::f64, extents, {lie.others}),
        dx(random_tensor(Element::f64, 6, lie.others, extents)),
        gate_grad(random_tensor(Element::f64, 7, lie.others, extents)),
        add_grad(random_tensor(Element::f64, 8, lie.others, extents)) {}

  norma::Fused forward(const Streams& s) const {
    norma::Fused fused;
    if (s.gate) fused.gate = view(gate);
    if (s.add) fused.add = view(add);
    fused.gate_first = s.gate_first;
    return fused;
  }
  norma::FusedBackward backward(const Streams& s) const {
    norma::FusedBackward fused;
    if (s.sum_grad) fused.sum_grad = view(sum_grad);
    if (s.gate) fused.gate = view(gate), fused.gate_grad = view(gate_grad);
    if (s.add) fused.add = view(add), fused.add_grad = view(add_grad);
    fused.gate_first = s.gate_first;
    fused.accumulate = s.accumulate;
    return fused;
  }

  Extents extents;
  AnyTensor x, dy, gate, add, sum_grad, y, dx, gate_grad, add_grad;
};

struct Gradients {
  Values dx, gate, add, parameters;
};
template <class L>
Values gradients_of(L& layer) {
  Values all;
  layer.for_each_parameter([&](std::string_view, auto, auto grad) { all.insert(all.end(), grad.begin(), grad.end()); });
  return all;
}

/// The step by separate calls: norm(v, n) and its backward(dn, v, dv).
template <class O, class Norm, class Backward>
Gradients separately(const Step& in, const Streams& s, const O& op, const Norm& norm, const Backward& backward) {
  const Values x = in.x.values(), dy = in.dy.values(), gate = in.gate.values(), add = in.add.values(), sum_grad = in.sum_grad.values();
  const std::size_t size = x.size(), plane = size / add.size();
  AnyTensor v(Element::f64, in.extents, {}), n(Element::f64, in.extents, {}), dn(Element::f64, in.extents, {}),
      dv(Element::f64, in.extents, {});
  Values numbers(size);
  for (std::size_t i = 0; i < size; ++i) numbers[i] = s.gate_first ? x[i] * op(gate[i]) : x[i];
  v.set(numbers);
  norm(view(v), view(n));
  const Values normalized = n.values();
  Gradients g{in.dx.values(), Values(size), Values(size), {}};
  for (std::size_t i = 0; i < size; ++i) {
    const bool gated = s.gate && !s.gate_first;
    const double z = normalized[i] + (s.add ? add[i / plane] : 0);
    numbers[i] = gated ? dy[i] * op(gate[i]) : s.gate ? dy[i] : dy[i] * op.derivative(z);
    g.add[i] = gated ? dy[i] : numbers[i];
    if (gated) g.gate[i] = dy[i] * normalized[i] * op.derivative(gate[i]);
  }
  dn.set(numbers);
  backward(view(dn), view(v), view(dv));
  const Values of_v = dv.values();
  for (std::size_t i = 0; i < size; ++i) {
    if (s.gate_first) g.gate[i] = of_v[i] * x[i] * op.derivative(gate[i]);
    g.dx[i] = (s.accumulate ? g.dx[i] : 0) + of_v[i] * (s.gate_first ? op(gate[i]) : 1) + (s.sum_grad ? sum_grad[i] : 0);
  }
  return g;
}

void expect_near(const char* name, const Values& actual, const Values& expected) {
  ASSERT_EQ(actual.size(), expected.size()) << name;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    // Some hundred terms of about 1, each rounded; ten times as many in wide rows.
    ASSERT_NEAR(actual[i], expected[i], (actual.size() > 1000 ? 1e-11 : 1e-12) * std::max(1.0, std::abs(expected[i])))
        << name << " at " << i;
  }
}
void expect_gradients(const Step& in, const Streams& s, const Gradients& expected, const Values& parameters) {
  expect_near("dx", in.dx.values(), expected.dx);
  if (s.gate) expect_near("gate_grad", in.gate_grad.values(), expected.gate);
  if (s.add) expect_near("add_grad", in.add_grad.values(), expected.add);
  expect_near("parameters", parameters, expected.parameters);
}

/// f(layer, whether it takes a gate, lie, streams) for all of them.
template <class F>
void each_case(F f) {
  each_fused_case<double>([&](auto& layer, bool all, const Lie& lie) {
    for (std::size_t i = 0; i < all_streams.size(); ++i) {
      SCOPED_TRACE("streams " + std::to_string(i));
      if (all || !all_streams[i].gate) f(layer, lie, all_streams[i]);
    }
  });
}

TEST(FusedBackward, IsTheSeparateCalls) {
  const auto check = [](const auto& layer, const Step& in, const Streams& s, const auto& op, const auto& executor) {
    auto apart = layer, fused = layer;
    norma::Saved<double> saved;
    Gradients expected = separately(
        in, s, op, [&](auto v, auto n) { apart.forward(v, n, saved); },
        [&](auto dn, auto v, auto dv) { apart.backward(dn, v, saved, dv); });
    expected.parameters = gradients_of(apart);
    fused.forward(executor, view(in.x), view(in.y), saved, in.forward(s), op);
    fused.backward(executor, view(in.dy), view(in.x), saved, view(in.dx), in.backward(s), op);
    expect_gradients(in, s, expected, gradients_of(fused));
  };
  const ShuffledPool pool(3);
  each_case([&](auto& layer, const Lie& lie, const Streams& s) {
    check(layer, Step(lie), s, norma::Identity(), pool);
    check(layer, Step(lie), s, norma::silu, norma::sequential);
  });
}

TEST(FusedBackward, FrozenIsTheSeparateCalls) {
  each_case([](auto& layer, const Lie& lie, const Streams& s) {
    if constexpr (requires(Step & in) { layer.backward_frozen(view(in.dy), view(in.x), view(in.dx)); }) {
      if constexpr (requires { layer.running_mean(); }) {
        if (layer.running_mean().empty()) return;
      }
      const Step in(lie);
      auto apart = layer, fused = layer;
      Gradients expected = separately(
          in, s, norma::silu, [&](auto v, auto n) { apart(v, n); }, [&](auto dn, auto v, auto dv) { apart.backward_frozen(dn, v, dv); });
      expected.parameters = gradients_of(apart);
      fused.backward_frozen(view(in.dy), view(in.x), view(in.dx), in.backward(s), norma::silu);
      expect_gradients(in, s, expected, gradients_of(fused));
    }
  });
}

/// dx may be exactly sum_grad, gate_grad exactly gate, add_grad exactly dy; or gate_grad exactly dy.
TEST(FusedBackward, OutputsMayBeInputs) {
  each_fused_layer<double>([](auto& layer, bool all) {
    if (!all) return;
    for (const Streams& s :
         {Streams{.sum_grad = true, .gate = true, .add = true}, Streams{.sum_grad = true, .gate = true, .gate_first = true, .add = true}}) {
      const Step apart(lies[4]), together(lies[4]);
      norma::Saved<double> saved;
      layer.forward(view(apart.x), view(apart.y), saved, apart.forward(s), norma::silu);
      layer.backward(view(apart.dy), view(apart.x), saved, view(apart.dx), apart.backward(s), norma::silu);
      norma::FusedBackward fused = together.backward(s);
      fused.gate_grad = view(together.gate);
      fused.add_grad = view(together.dy);
      layer.backward(view(together.dy), view(together.x), saved, view(together.sum_grad), fused, norma::silu);
      EXPECT_TRUE(same(together.sum_grad.values(), apart.dx.values()));
      EXPECT_TRUE(same(together.gate.values(), apart.gate_grad.values()));
      EXPECT_TRUE(same(together.dy.values(), apart.add_grad.values()));
    }
  });
}

/// Gradients of a gate and of what is added are there without a dx, too, to which nothing is added then.
TEST(FusedBackward, DxMayBeAbsent) {
  each_case([&](auto& layer, const Lie& lie, const Streams& s) {
    const Step with(lie), without(lie);
    norma::Saved<double> saved;
    layer.forward(view(with.x), view(with.y), saved, with.forward(s), norma::silu);
    layer.backward(view(with.dy), view(with.x), saved, view(with.dx), with.backward(s), norma::silu);
    layer.backward(view(without.dy), view(without.x), saved, norma::TensorView<double>(), without.backward(s), norma::silu);
    EXPECT_TRUE(same(without.gate_grad.values(), with.gate_grad.values()));
    EXPECT_TRUE(same(without.add_grad.values(), with.add_grad.values()));
  });
}

}}  // namespace norma_test
