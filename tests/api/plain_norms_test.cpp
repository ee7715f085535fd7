// The plain norms: the counter of running statistics, which norms are one function, and a row beside a NaN.
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <type_traits>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::BatchNorm;

/// Mean 3, population variance 4.
const std::vector<float> two_samples = {1, 5};

TEST(BatchNorm, DefaultMomentum) {
  BatchNorm<float> layer(1);
  train(layer, two_samples, {2, 1});
  EXPECT_EQ(layer.running_mean()[0], static_cast<float>(0.1 * 3));
}

TEST(BatchNorm, TheCounterNeitherOverflowsNorGoesBelowZero) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  static_assert(std::is_same_v<decltype(layer.num_batches_tracked()), std::int64_t>);
  layer.set_num_batches_tracked(last - 1);
  for (int step = 0; step < 2; ++step) {
    train(layer, two_samples, {2, 1});
    EXPECT_EQ(layer.num_batches_tracked(), last);
  }
  EXPECT_THROW(layer.set_num_batches_tracked(-1), norma::ShapeError);
  EXPECT_EQ(layer.num_batches_tracked(), last);
}

/// Two norms that should be one function: each gives what the other one's reference says, however its tensors lie.
void expect_one_function(const char* name_of_a, const Setting& of_a, const char* name_of_b, const Setting& of_b) {
  const Subject &a = subject_named(name_of_a), &b = subject_named(name_of_b);
  for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced, Layout::flipped_all}) {
    for_plain_types([&](const Types& t) {
      SCOPED_TRACE(case_name(t, of_a, layout));
      const Data data = random_data(a, t, of_a, 171, 1);
      const Rows rows_of_a = run(a, t, of_a, data, everywhere(lying(layout))), rows_of_b = run(b, t, of_b, data, everywhere(lying(layout)));
      for (const char* row : {"y", "y of training", "dx", "d weight", "d bias"}) {
        EXPECT_TRUE(within(rows_of_a.at(row), Exact(b, t, of_b, data).rows.at(row))) << row << " of " << a.name;
        EXPECT_TRUE(within(rows_of_b.at(row), Exact(a, t, of_a, data).rows.at(row))) << row << " of " << b.name;
      }
    });
  }
}

/// Groups of a norm of channels without running statistics.
Setting in_groups(const Extents& extents, std::ptrdiff_t groups) {
  Setting s = grouped(shape(extents), groups);
  s.eps = 1e-3;
  s.tracks = false;
  return s;
}

TEST(Identities, GroupNormOfOneGroupIsLayerNormOverChannelsAndPositions) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 130}}) {
    Setting group = in_groups(extents, 1);
    group.weight = group.bias = Form::full;
    Setting layer = group;
    layer.axes.resize(extents.size() - 1);
    std::iota(layer.axes.begin(), layer.axes.end(), 1);
    expect_one_function("group_norm", group, "layer_norm", layer);
  }
}

TEST(Identities, GroupNormOfAsManyGroupsAsChannelsIsInstanceNorm) {
  for (const Extents& extents : std::vector<Extents>{{3, 5, 4}, {2, 64, 7, 7}, {4, 3, 2, 3, 2}, {2, 65, 1}})
    expect_one_function("group_norm", in_groups(extents, extents[1]), "instance_norm", in_groups(extents, 1));
}

/// A row whose squares sink to 0 has the same bits beside a row with a NaN, which sends its tile another way.
TEST(RowBesideNaN, KeepsItsBits) {
  for (const norma::index_t length : {3, 64, 100, 300, 2000}) {
    const auto n = static_cast<std::size_t>(length);
    for (const float size : {1e-26f, 1e-20f, 1e-3f}) {
      std::vector<float> x = random_values<float>(2 * n, 33, 1);
      for (float& v : x) v *= size;
      std::vector<float> with_nan = x, y(2 * n), y_beside(2 * n);
      with_nan[n + 1] = std::nanf("");
      const norma::LayerNorm<float> layer({length});
      layer(shaped(x, {2, length}), shaped(y, {2, length}));
      layer(shaped(with_nan, {2, length}), shaped(y_beside, {2, length}));
      EXPECT_TRUE(std::isnan(y_beside[n]));
      y.resize(n);
      y_beside.resize(n);
      EXPECT_TRUE(same(y_beside, y)) << length << ", " << size;
    }
  }
}

}  // namespace
}  // namespace norma_test
