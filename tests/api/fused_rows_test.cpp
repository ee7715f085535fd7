// Fused calls on rows of more channels than are copied together: the separate calls, to the bit forward, up to rounding backward.
#include "api/fused_layers.hpp"

namespace norma_test { namespace {

/// f(layer, extents of x): rows of whole registers, and rows with a rest.
template <class T, class F>
void each_wide_layer(F f) {
  for (const std::ptrdiff_t channels : {320, 1025, 1290}) {
    const Extents extents = {2, channels, 2, 3};
    const auto with = [&](const char* name, auto layer) {
      SCOPED_TRACE(std::string(name) + " of " + std::to_string(channels));
      f(layer, extents);
    };
    with("BatchNorm", norma::BatchNorm<T>(channels));
    with("GroupNorm", norma::GroupNorm<T>(5, channels));
    with("InstanceNorm", norma::InstanceNorm<T>(channels, {.affine = true}));
    with("SwitchableNorm", norma::SwitchableNorm<T>(channels));
    with("BatchInstanceNorm", norma::BatchInstanceNorm<T>(channels));
  }
}
constexpr std::array wide_lies = {Lie{Layout::channels_last, Layout::channels_last}, Lie{Layout::channels_last, Layout::padded}};

/// n of an x, and y = op(n + add).
template <class T>
struct Wide {
  Wide(const Extents& extents, const Lie& lie)
      : element(element_of<T>),
        x(random_tensor(element, 1, lie.x, extents)),
        add(random_tensor(element, 2, lie.others, extents)),
        dy(random_tensor(element, 3, lie.others, extents)),
        n(element, extents, {lie.x}),
        y(element, extents, {lie.others}),
        dn(element, extents, {lie.x}),
        dx(element, extents, {lie.x}),
        expected(element, extents, {lie.x}) {}
  static auto view(const AnyTensor& t) { return t.any().template as<T>(); }

  Element element;
  AnyTensor x, add, dy, n, y, dn, dx, expected;
};

TEST(FusedRows, ForwardIsTheSeparateCalls) {
  each_wide_layer<float>([](auto& layer, const Extents& extents) {
    for (const Lie& lie : wide_lies) {
      const Wide<float> t(extents, lie);
      norma::Saved<float> saved;
      layer.forward(t.view(t.x), t.view(t.n), saved);
      layer.forward(t.view(t.x), t.view(t.y), saved, {.add = t.view(t.add)}, Bent());
      Values y = t.n.values();
      const Values add = t.add.values();
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = Bent()(static_cast<float>(y[i]) + static_cast<float>(add[i]));
      EXPECT_TRUE(same(t.y.values(), y)) << name_of(lie.others);
      EXPECT_TRUE(t.y.surroundings_untouched());
    }
  });
}

TEST(FusedRows, BackwardIsTheSeparateCalls) {
  each_wide_layer<double>([](auto& layer, const Extents& extents) {
    for (const Lie& lie : wide_lies) {
      Wide<double> t(extents, lie);
      norma::Saved<double> saved;
      layer.forward(t.view(t.x), t.view(t.n), saved);
      const Values n = t.n.values(), add = t.add.values();
      Values dn = t.dy.values();
      for (std::size_t i = 0; i < dn.size(); ++i) dn[i] *= norma::silu.derivative(n[i] + add[i]);
      t.dn.set(dn);
      layer.backward(t.view(t.dn), t.view(t.x), saved, t.view(t.expected));
      layer.backward(t.view(t.dy), t.view(t.x), saved, t.view(t.dx), {.add = t.view(t.add)}, norma::silu);
      const Values dx = t.dx.values(), expected = t.expected.values();
      for (std::size_t i = 0; i < dx.size(); ++i) {
        ASSERT_NEAR(dx[i], expected[i], 1e-11 * std::max(1.0, std::abs(expected[i]))) << name_of(lie.others) << " at " << i;
      }
    }
  });
}

/// Rows whose squares leave the range of float are copied to be scaled, which others of a fused call need not be.
TEST(FusedRows, LongRowsThatAreScaledAreTheSeparateCalls) {
  for (const std::ptrdiff_t size : {600, 5000}) {
    const Extents extents = {6, size};
    norma::LayerNorm<float> layer(size);
    Wide<float> t(extents, {Layout::contiguous, Layout::padded});
    Values x = t.x.values();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(static_cast<float>(x[i] * (i / 1000 % 2 == 0 ? 1 : 1e30)));
    t.x.set(x);
    layer(t.view(t.x), t.view(t.n));
    layer(t.view(t.x), t.view(t.y), Bent());
    Values y = t.n.values();
    for (double& v : y) v = Bent()(static_cast<float>(v));
    EXPECT_TRUE(same(t.y.values(), y)) << size;
    EXPECT_TRUE(t.y.surroundings_untouched());
  }
}

}}  // namespace norma_test
