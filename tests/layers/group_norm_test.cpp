// GroupNorm as a layer: every mix of types against the reference, its identities with LayerNorm and InstanceNorm, and its errors.
#include <norma/norma.hpp>

#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/channel_layer.hpp"
#include "support/counting_new.hpp"
#include "support/errors.hpp"

namespace norma_test {
namespace {

using norma::GroupNorm;
using norma::TensorView;

Setting in_groups(const Extents& extents, std::ptrdiff_t groups) {
  Setting s;
  s.extents = extents;
  s.axes.clear();
  s.groups = groups;
  s.eps = 1e-3;
  return s;
}

template <class M>
class GroupNormTypes : public testing::Test {};
TYPED_TEST_SUITE(GroupNormTypes, MixesOf<GroupNorm>);

TYPED_TEST(GroupNormTypes, AgreesWithTheReference) {
  using Layer = typename TypeParam::Layer;
  using X = typename TypeParam::X;
  using Y = typename TypeParam::Y;
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    for (const Setting& plain : {in_groups({5, 6}, 3), in_groups({5, 6}, 6), in_groups({33, 65}, 5), in_groups({2, 4, 7}, 1),
                                 in_groups({3, 6, 6, 7}, 2), in_groups({2, 64, 4, 4}, 32), in_groups({2, 6, 2, 3, 4}, 3)}) {
      for (const bool unit_offset : {false, true}) {
        Setting s = plain;
        s.unit_offset = unit_offset;
        Layer layer(s.groups, s.extents[1], {.eps = s.eps, .unit_offset = unit_offset});
        expect_training_correct<X, Y>(layer, reference::group_norm, s, where, 161);
        // Inference is the same function.
        const auto inputs = random_inputs<X, Y, typename TypeParam::T>(s, 162);
        Tensor<X> x(s.extents, where, inputs.x);
        Tensor<Y> y(s.extents, where), y_train(s.extents, where);
        norma::Saved<typename TypeParam::T> saved;
        layer(x.view(), y.view());
        layer.forward(x.view(), y_train.view(), saved);
        EXPECT_TRUE(same(y.values(), y_train.values()));
      }
      Layer bare(plain.groups, plain.extents[1], {.eps = plain.eps, .affine = false});
      expect_training_correct<X, Y>(bare, reference::group_norm, plain, where, 163);
    }
  }
}

/// Both results within the bound of the first one's problem.
template <class T>
void expect_equal_functions(const Setting& s, const Inputs<T, T, T>& in, reference::Answer (*formula)(const reference::Problem&),
                            const std::vector<T>& y, const std::vector<T>& dx, const char* what) {
  const reference::Problem p = problem(s, in);
  const reference::Answer exact = formula(p);
  const Bounds bound = bounds(p, exact, precision_of<T>());
  EXPECT_TRUE(within(y, exact.y, bound.y)) << what;
  EXPECT_TRUE(within(dx, exact.dx, bound.dx)) << what;
}

class GroupNormIdentities : public testing::TestWithParam<Layout> {};

/// y and dx of a forward and a backward.
template <class T, class Forward, class Backward>
std::pair<std::vector<T>, std::vector<T>> pass(const Setting& s, const Inputs<T, T, T>& in, Layout layout, Forward forward,
                                               Backward backward) {
  Where where;
  where.layout = layout;
  Tensor<T> x(s.extents, where, in.x), dy(s.extents, where, in.dy), y(s.extents, where), dx(s.extents, where);
  norma::Saved<T> saved;
  forward(x.view(), y.view(), saved);
  backward(dy.view(), x.view(), saved, dx.view());
  return {y.values(), dx.values()};
}

TEST_P(GroupNormIdentities, OneGroupIsLayerNormOverChannelsAndPositions) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 130}}) {
    Setting s = in_groups(extents, 1);
    s.weight = s.bias = Form::full;
    const auto in = random_inputs<float, float, float>(s, 171, 1);
    std::vector<norma::index_t> axes;
    for (std::size_t a = 1; a < extents.size(); ++a) axes.push_back(static_cast<norma::index_t>(a));
    const TensorView<const float> w(in.weight.data(), extents), b(in.bias.data(), extents);
    const auto group = pass<float>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) { norma::group_norm(x, y, saved, {.groups = 1, .weight = w, .bias = b, .eps = s.eps}); },
        [&](auto dy, auto x, auto& saved, auto dx) { norma::group_norm_backward(dy, x, saved, dx, {.groups = 1, .weight = w}); });
    const auto layer = pass<float>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) { norma::layer_norm(x, y, saved, {.axes = axes, .weight = w, .bias = b, .eps = s.eps}); },
        [&](auto dy, auto x, auto& saved, auto dx) { norma::layer_norm_backward(dy, x, saved, dx, {.axes = axes, .weight = w}); });
    // Each within the other's bound of the one exact answer.
    expect_equal_functions<float>(s, in, reference::group_norm, layer.first, layer.second, "LayerNorm");
    expect_equal_functions<float>(s, in, reference::group_norm, group.first, group.second, "GroupNorm");
    Setting over_axes = s;
    over_axes.axes = axes;
    expect_equal_functions<float>(over_axes, in, reference::layer_norm, group.first, group.second, "GroupNorm as LayerNorm");
  }
}

TEST_P(GroupNormIdentities, AsManyGroupsAsChannelsIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 65, 1}}) {
    const Setting s = in_groups(extents, extents[1]);
    const auto in = random_inputs<double, double, double>(s, 172, 1);
    const auto group = pass<double>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) {
          norma::group_norm(x, y, saved, {.groups = extents[1], .weight = in.weight, .bias = in.bias, .eps = s.eps});
        },
        [&](auto dy, auto x, auto& saved, auto dx) {
          norma::group_norm_backward(dy, x, saved, dx, {.groups = extents[1], .weight = in.weight});
        });
    const auto instance = pass<double>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) { norma::instance_norm(x, y, saved, {.weight = in.weight, .bias = in.bias, .eps = s.eps}); },
        [&](auto dy, auto x, auto& saved, auto dx) { norma::instance_norm_backward(dy, x, saved, dx, {.weight = in.weight}); });
    expect_equal_functions<double>(s, in, reference::instance_norm, group.first, group.second, "GroupNorm");
    expect_equal_functions<double>(s, in, reference::group_norm, instance.first, instance.second, "InstanceNorm");
  }
}

TEST_P(GroupNormIdentities, BatchNormOfOneSampleIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{1, 5, 4}, {1, 64, 7, 7}, {1, 3, 2, 3, 2}}) {
    const Setting s = in_groups(extents, 1);
    const auto in = random_inputs<float, float, float>(s, 173, 1);
    const auto batch = pass<float>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) { norma::batch_norm(x, y, saved, {.weight = in.weight, .bias = in.bias, .eps = s.eps}); },
        [&](auto dy, auto x, auto& saved, auto dx) { norma::batch_norm_backward(dy, x, saved, dx, {.weight = in.weight}); });
    expect_equal_functions<float>(s, in, reference::instance_norm, batch.first, batch.second, "BatchNorm");
    const auto instance = pass<float>(
        s, in, GetParam(),
        [&](auto x, auto y, auto& saved) { norma::instance_norm(x, y, saved, {.weight = in.weight, .bias = in.bias, .eps = s.eps}); },
        [&](auto dy, auto x, auto& saved, auto dx) { norma::instance_norm_backward(dy, x, saved, dx, {.weight = in.weight}); });
    expect_equal_functions<float>(s, in, reference::batch_norm, instance.first, instance.second, "InstanceNorm");
  }
}
INSTANTIATE_TEST_SUITE_P(All, GroupNormIdentities, testing::ValuesIn(channel_layouts),
                         [](const auto& each) { return std::string(norma_test::name_of(each.param)); });

// Which channels share a group is told apart by groups of very different means.
TEST(GroupNorm, AGroupIsNeighbouringChannels) {
  const std::vector<float> x = {0, 2, 100, 104, -6, -6};  // one sample of 6 channels in 3 groups
  std::vector<float> y(6);
  const GroupNorm<float> layer(3, 6, {.eps = 0});
  layer(TensorView<const float>(x.data(), {1, 6}), TensorView<float>(y.data(), {1, 6}));
  EXPECT_EQ(y, (std::vector<float>{-1, 1, -1, 1, 0, 0}));
}

TEST(GroupNorm, OneValueASetGivesTheBiasWhateverN) {
  for (const norma::index_t n : {1, 2, 9}) {
    GroupNorm<float> layer(3, 3);
    for (std::size_t c = 0; c < 3; ++c) layer.bias()[c] = static_cast<float>(c) + 0.5f;
    std::vector<float> x = random_values<float>(static_cast<std::size_t>(3 * n), 4, 1e4), y(x.size()), dx(x.size(), 1);
    norma::Saved<float> saved;
    const TensorView<float> xv(x.data(), {n, 3});
    layer.forward(xv, TensorView<float>(y.data(), {n, 3}), saved);
    layer.backward(xv, xv, saved, TensorView<float>(dx.data(), {n, 3}));
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], layer.bias()[i % 3]);
    for (const float v : dx) EXPECT_EQ(v, 0.0f);
    for (const float v : layer.weight_grad()) EXPECT_EQ(v, 0.0f);
  }
}

TEST(GroupNorm, InferenceAllocatesNothing) {
  for (const Layout layout : channel_layouts) {
    Where where;
    where.layout = layout;
    const GroupNorm<float> layer(4, 16);
    Tensor<float> x({3, 16, 5, 4}, where, random_values<float>(960, 1)), y({3, 16, 5, 4}, where);
    const auto xv = x.view(), yv = y.view();
    const long before = allocations_so_far();
    layer(xv, yv);
    EXPECT_EQ(allocations_so_far() - before, 0) << name_of(layout);
  }
}

TEST(GroupNorm, ItsValueSemanticsAndNames) {
  GroupNorm<float> layer(2, 4);
  EXPECT_EQ(layer.groups(), 2);
  EXPECT_EQ(layer.eps(), 1e-5);
  layer.weight()[0] = 8;
  GroupNorm<float> copy = layer;
  copy.weight()[0] = 9;
  EXPECT_EQ(layer.weight()[0], 8.0f);
  layer = std::move(copy);
  EXPECT_EQ(layer.weight()[0], 9.0f);
  std::vector<std::string> names;
  layer.for_each_parameter([&](std::string_view name, std::span<float>, std::span<float>) { names.emplace_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias"}));
  layer.for_each_buffer([](std::string_view name, std::span<float>) { ADD_FAILURE() << name; });
  EXPECT_EQ(copy_of(GroupNorm<float>(2, 4, {.unit_offset = true}).weight()), std::vector<float>(4, 0));
  EXPECT_TRUE(GroupNorm<float>(2, 4, {.bias = false}).bias().empty());
  EXPECT_TRUE(GroupNorm<float>(2, 4, {.affine = false}).bias().empty());
  static_assert(std::is_nothrow_move_constructible_v<GroupNorm<float>> && !std::is_polymorphic_v<GroupNorm<double>>);
}

TEST(GroupNorm, ErrorsNameTheLayerTheRuleAndTheShapes) {
  expect_shape_error("GroupNorm", {"30 channels do not split into 8 groups"}, [] { GroupNorm<float> layer(8, 30); });
  expect_shape_error("GroupNorm", {"30 channels do not split into 0 groups"}, [] { GroupNorm<float> layer(0, 30); });
  expect_shape_error("GroupNorm", {"30 channels do not split into -3 groups"}, [] { GroupNorm<float> layer(-3, 30); });
  expect_shape_error("GroupNorm", {"-4 channels"}, [] { GroupNorm<float> layer(2, -4); });
  GroupNorm<float> layer(2, 4);
  std::vector<float> x(64, 1), y(64, 5);
  norma::Saved<float> saved, filled;
  const auto in = [&](const norma::Extents& e) { return TensorView<const float>(x.data(), e); };
  const auto out = [&](const norma::Extents& e) { return TensorView<float>(y.data(), e); };
  expect_shape_error("GroupNorm", {"(2, 6)", "6 channels", "has 4"}, [&] { layer(in({2, 6}), out({2, 6})); });
  expect_shape_error("GroupNorm", {"(4)", "(N, C)"}, [&] { layer(in({4}), out({4})); });
  expect_shape_error("GroupNorm", {"y", "(2, 4, 3)"}, [&] { layer.forward(in({2, 4, 3}), out({2, 4, 2}), saved); });
  expect_shape_error("GroupNorm", {"never filled"}, [&] { layer.backward(in({2, 4}), in({2, 4}), saved, out({2, 4})); });
  std::vector<float> elsewhere(64);
  GroupNorm<float>(4, 4).forward(in({2, 4, 3}), TensorView<float>(elsewhere.data(), {2, 4, 3}), filled);
  expect_shape_error("GroupNorm", {"groups"}, [&] { layer.backward(in({2, 4, 3}), in({2, 4, 3}), filled, out({2, 4, 3})); });
  layer.forward(in({2, 4, 3}), TensorView<float>(elsewhere.data(), {2, 4, 3}), filled);
  expect_shape_error("GroupNorm", {"(2, 4, 2)", "(2, 4, 3)"}, [&] {
    layer.backward(in({2, 4, 2}), in({2, 4, 2}), filled, out({2, 4, 2}));
  });
  expect_shape_error("GroupNorm", {"dy", "(1, 4, 3)"}, [&] { layer.backward(in({1, 4, 3}), in({2, 4, 3}), filled, out({2, 4, 3})); });
  EXPECT_EQ(y, std::vector<float>(64, 5)) << "nothing may be written";
  for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0f);
}

}  // namespace
}  // namespace norma_test
