// The order in which a plane is summed follows from how it lies, not from the slice it is done in, the samples beside it or the output:
// the same bits wherever a channel stands, for a sample alone, and into any y.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/tensor.hpp"

namespace norma_test {
namespace {

using norma::Saved;
using norma::TensorView;

/// What a run reads, writes and leaves.
struct Call {
  norma::index_t channels;
  TensorView<float> x, dy, y, dx;
  std::vector<float>&inferred, &weight_grad;
};

void run_layer(auto layer, const Call& call) {
  Saved<float> saved;
  layer.forward(call.x, call.y, saved);
  layer.backward(call.dy, call.x, saved, call.dx);
  call.weight_grad.assign(layer.weight_grad().begin(), layer.weight_grad().end());
  // Inference without memory of its own slices differently.
  call.inferred.assign(static_cast<std::size_t>(call.x.size()), 0);
  layer(call.x, TensorView<float>(call.inferred.data(), call.x.extents()));
}

struct Kind {
  const char* name;
  bool one_sample;  // a sample is normalized by itself
  void (*run)(const Call& call);
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"InstanceNorm", true, [](const Call& c) { run_layer(norma::InstanceNorm<float>(c.channels, {.affine = true}), c); }},
      {"GroupNormOfOne", true, [](const Call& c) { run_layer(norma::GroupNorm<float>(c.channels, c.channels), c); }},
      {"BatchNorm", false, [](const Call& c) { run_layer(norma::BatchNorm<float>(c.channels, {.track_running_stats = false}), c); }},
      {"BatchInstanceNorm", false,
       [](const Call& c) { run_layer(norma::BatchInstanceNorm<float>(c.channels, {.track_running_stats = false}), c); }},
  };
  return all;
}

struct SliceCase {
  Kind kind;
  Extents extents;
  Layout layout;
};
std::string name_of(const SliceCase& c) {
  return std::string(c.kind.name) + "_" + to_string(c.extents) + "_" + norma_test::name_of(c.layout);
}
void PrintTo(const SliceCase& c, std::ostream* out) { *out << name_of(c); }

/// Channels that leave one alone behind whole tiles and slices, planes large and tiny.
std::vector<SliceCase> slice_cases() {
  std::vector<SliceCase> cases;
  const std::vector<Extents> shapes = {{2, 33, 64, 64}, {1, 65, 64, 64}, {3, 17, 100, 40}, {2, 129, 32, 33},
                                       {5, 4, 32, 32},  {3, 2, 7, 9},    {7, 449, 5, 5},   {40, 33, 2, 2},
                                       {300, 17, 3},    {257, 33},       {3000, 17},       {4, 1025, 4, 4}};
  for (const Kind& kind : kinds()) {
    for (const Extents& extents : shapes) {
      if (extents.size() < 3 && std::string(kind.name) == "InstanceNorm") continue;
      for (const Layout layout :
           {Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::rotated, Layout::sliced, Layout::flipped_all})
        cases.push_back({kind, extents, layout});
    }
  }
  return cases;
}

class Slices : public testing::TestWithParam<SliceCase> {};

struct SliceResults {
  std::vector<float> y, dx, inferred, weight_grad;
  bool operator==(const SliceResults&) const = default;
};

SliceResults run(const Kind& kind, Tensor<float>& x, Tensor<float>& dy, Layout of_y) {
  Where where;
  where.layout = of_y;
  Tensor<float> y(x.extents(), where), dx(x.extents(), where);
  SliceResults r;
  kind.run({x.extents()[1], x.view(), dy.view(), y.view(), dx.view(), r.inferred, r.weight_grad});
  r.y = y.values();
  r.dx = dx.values();
  return r;
}

std::size_t plane_size(const Extents& e) { return count(e) / static_cast<std::size_t>(e[0] * e[1]); }

/// values with each channel moved `by` places on.
std::vector<float> rolled(const std::vector<float>& values, const Extents& e, std::size_t by) {
  const auto channels = static_cast<std::size_t>(e[1]), plane = values.size() == channels ? 1 : plane_size(e);
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t n = i / plane / channels, c = i / plane % channels;
    result[(n * channels + (c + by) % channels) * plane + i % plane] = values[i];
  }
  return result;
}

TEST_P(Slices, AChannelHasItsBitsWhereverItStands) {
  const SliceCase& c = GetParam();
  Where where;
  where.layout = c.layout;
  const std::vector<float> xs = random_values<float>(count(c.extents), 21, 1), dys = random_values<float>(count(c.extents), 22);
  Tensor<float> x(c.extents, where, xs), dy(c.extents, where, dys);
  const SliceResults in_place = run(c.kind, x, dy, c.layout);
  // In untracked norms inference is the forward once more.
  EXPECT_TRUE(same(in_place.inferred, in_place.y));
  for (const std::size_t by : {std::size_t{1}, static_cast<std::size_t>(c.extents[1]) / 2 + 1}) {
    Tensor<float> x_rolled(c.extents, where, rolled(xs, c.extents, by)), dy_rolled(c.extents, where, rolled(dys, c.extents, by));
    const SliceResults moved = run(c.kind, x_rolled, dy_rolled, c.layout);
    EXPECT_TRUE(same(moved.y, rolled(in_place.y, c.extents, by)));
    EXPECT_TRUE(same(moved.dx, rolled(in_place.dx, c.extents, by)));
    EXPECT_TRUE(same(moved.weight_grad, rolled(in_place.weight_grad, c.extents, by)));
  }
}

TEST_P(Slices, StatisticsDoNotDependOnHowYLies) {
  const SliceCase& c = GetParam();
  Where where;
  where.layout = c.layout;
  Tensor<float> x(c.extents, where, random_values<float>(count(c.extents), 23, 1)),
      dy(c.extents, where, random_values<float>(count(c.extents), 24));
  const SliceResults expected = run(c.kind, x, dy, c.layout);
  for (const Layout other : {Layout::contiguous, Layout::channels_last, Layout::padded})
    EXPECT_TRUE(same(run(c.kind, x, dy, other).y, expected.y));
}

/// A view of one sample of the batch's own memory.
TEST_P(Slices, ASampleHasItsBitsAlone) {
  const SliceCase& c = GetParam();
  if (!c.kind.one_sample) return;
  Where where;
  where.layout = c.layout;
  const std::size_t size = count(c.extents), sample = size / static_cast<std::size_t>(c.extents[0]);
  Tensor<float> x(c.extents, where, random_values<float>(size, 25, 1)), dy(c.extents, where, random_values<float>(size, 26));
  const SliceResults batch = run(c.kind, x, dy, c.layout);
  for (norma::index_t n = 0; n<c.extents[0]; n += c.extents[0]> 8 ? 101 : 1) {
    Tensor<float> y(c.extents, where), dx(c.extents, where);
    std::vector<float> inferred, weight_grad;
    c.kind.run({c.extents[1], x.view().slice(0, n, 1), dy.view().slice(0, n, 1), y.view().slice(0, n, 1), dx.view().slice(0, n, 1),
                inferred, weight_grad});
    const auto of_sample = [&](const std::vector<float>& values) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(n) * sample);
      return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(sample));
    };
    EXPECT_TRUE(same(of_sample(y.values()), of_sample(batch.y)));
    EXPECT_TRUE(same(of_sample(dx.values()), of_sample(batch.dx)));
    EXPECT_TRUE(same(inferred, of_sample(batch.inferred)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Slices, testing::ValuesIn(slice_cases()), [](const auto& each) { return name_of(each.param); });

}  // namespace
}  // namespace norma_test
