// GroupNorm: the norms it is with one group and with as many as channels, which channels share a group, its defaults and its errors.
#include <numeric>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::GroupNorm;

/// Two norms that should be one function: each gives what the other one's reference says.
void expect_one_function(const Subject& a, const Setting& of_a, const Subject& b, const Setting& of_b, Layout layout) {
  for_plain_types([&](const Types& t) {
    SCOPED_TRACE(a.name + ", " + b.name + ", " + case_name(t, of_a));
    const Data data = random_data(a, t, of_a, 171, 1);
    for (const char* row : {"y", "y of training", "dx", "d weight", "d bias"}) {
      EXPECT_TRUE(within(run(a, t, of_a, data, everywhere(lying(layout))).at(row), Exact(b, t, of_b, data).rows.at(row))) << row;
      EXPECT_TRUE(within(run(b, t, of_b, data, everywhere(lying(layout))).at(row), Exact(a, t, of_a, data).rows.at(row))) << row;
    }
  });
}

/// Groups of a norm of channels without running statistics.
Setting in_groups(const Extents& extents, std::ptrdiff_t groups) {
  Setting s = grouped(shape(extents), groups);
  s.eps = 1e-3;
  s.tracks = false;
  return s;
}

class GroupNormIdentities : public testing::TestWithParam<Layout> {};

TEST_P(GroupNormIdentities, OneGroupIsLayerNormOverChannelsAndPositions) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 130}}) {
    Setting group = in_groups(extents, 1);
    group.weight = group.bias = Form::full;
    Setting layer = group;
    layer.axes.resize(extents.size() - 1);
    std::iota(layer.axes.begin(), layer.axes.end(), 1);
    expect_one_function(subject("group_norm"), group, subject("layer_norm"), layer, GetParam());
  }
}

TEST_P(GroupNormIdentities, AsManyGroupsAsChannelsIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 65, 1}}) {
    expect_one_function(subject("group_norm"), in_groups(extents, extents[1]), subject("instance_norm"), in_groups(extents, 1), GetParam());
  }
}

TEST_P(GroupNormIdentities, BatchNormOfOneSampleIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{1, 5, 4}, {1, 64, 7, 7}, {1, 3, 2, 3, 2}}) {
    expect_one_function(subject("batch_norm"), in_groups(extents, 1), subject("instance_norm"), in_groups(extents, 1), GetParam());
  }
}
INSTANTIATE_TEST_SUITE_P(All, GroupNormIdentities,
                         testing::Values(Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced, Layout::flipped_all),
                         [](const auto& each) { return std::string(norma_test::name_of(each.param)); });

// Which channels share a group is told apart by groups of very different means.
TEST(GroupNorm, AGroupIsNeighbouringChannels) {
  const std::vector<float> x = {0, 2, 100, 104, -6, -6};  // one sample of 6 channels in 3 groups
  std::vector<float> y(6);
  const GroupNorm<float> layer(3, 6, {.eps = 0});
  layer(shaped(x, {1, 6}), shaped(y, {1, 6}));
  EXPECT_EQ(y, (std::vector<float>{-1, 1, -1, 1, 0, 0}));
}

TEST(GroupNorm, Defaults) {
  const GroupNorm<float> layer(2, 4);
  EXPECT_EQ(layer.groups(), 2);
  EXPECT_EQ(layer.eps(), 1e-5);
  EXPECT_EQ(copy_of(layer.weight()), std::vector<float>(4, 1));
  EXPECT_EQ(copy_of(GroupNorm<float>(2, 4, {.unit_offset = true}).weight()), std::vector<float>(4, 0));
  EXPECT_TRUE(GroupNorm<float>(2, 4, {.bias = false}).bias().empty());
  EXPECT_TRUE(GroupNorm<float>(2, 4, {.affine = false}).bias().empty());
}

TEST(GroupNorm, ErrorsNameTheLayerTheRuleAndTheShapes) {
  Door<float> door("GroupNorm");
  door.refuses({"30 channels do not split into 8 groups"}, [] { GroupNorm<float> layer(8, 30); });
  door.refuses({"30 channels do not split into 0 groups"}, [] { GroupNorm<float> layer(0, 30); });
  door.refuses({"30 channels do not split into -3 groups"}, [] { GroupNorm<float> layer(-3, 30); });
  door.refuses({"-4 channels"}, [] { GroupNorm<float> layer(2, -4); });
  GroupNorm<float> layer(2, 4);
  const Values before = state_of(layer);
  door.refuses({"(2, 6)", "6 channels", "has 4"}, [&] { layer(door.in({2, 6}), door.out({2, 6})); });
  door.refuses({"(4)", "(N, C)"}, [&] { layer(door.in({4}), door.out({4})); });
  Tensors<float> t({2, 4, 3});
  const auto backward = [&](const norma::Extents& dy, const norma::Extents& x) {
    layer.backward(door.in(dy), door.in(x), t.saved, door.out(x));
  };
  GroupNorm<float>(4, 4).forward(t.x.view(), t.y.view(), t.saved);
  door.refuses({"groups"}, [&] { backward({2, 4, 3}, {2, 4, 3}); });
  layer.forward(t.x.view(), t.y.view(), t.saved);
  door.refuses({"(2, 4, 2)", "(2, 4, 3)"}, [&] { backward({2, 4, 2}, {2, 4, 2}); });
  EXPECT_EQ(state_of(layer), before);
}

}  // namespace
}  // namespace norma_test
