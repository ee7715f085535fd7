// LayerNorm and RMSNorm whose normalized axes are split over ranks that are threads of this process: values, bits, errors.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/errors.hpp"
#include "support/split_rows.hpp"

namespace norma_test {
namespace {

class SplitLayerNorm : public testing::TestWithParam<SplitCase> {};
class SplitRmsNorm : public testing::TestWithParam<SplitCase> {};

template <class Kind, class T>
void check(const SplitCase& c) {
  ThreadRanks(static_cast<int>(c.parts.size())).run([&](const ThreadRanks::Rank& rank) { check_split_rows<Kind, T>(rank, c); });
  if (c.parts.size() == 1) check_split_rows<Kind, T>(LoneRank(), c);
}
TEST_P(SplitLayerNorm, AgreesWithOneProcessF32) { check<LayerNormKind, float>(GetParam()); }
TEST_P(SplitLayerNorm, AgreesWithOneProcessF64) { check<LayerNormKind, double>(GetParam()); }
TEST_P(SplitRmsNorm, AgreesWithOneProcessF32) { check<RmsNormKind, float>(GetParam()); }
TEST_P(SplitRmsNorm, AgreesWithOneProcessF64) { check<RmsNormKind, double>(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Shards, SplitLayerNorm, testing::ValuesIn(all_split_cases()), CaseName());
INSTANTIATE_TEST_SUITE_P(Shards, SplitRmsNorm, testing::ValuesIn(all_split_cases()), CaseName());

using View = norma::TensorView<float>;

/// One rank's calls, which a fault spoils.
struct Call {
  View x, y, dy, dx;
  norma::Saved<float>* saved;
};
struct Fault {
  const char* name;
  bool backward;
  void (*spoil)(Call& call, norma::Saved<float>& other);
  bool everywhere;  // no rank sees the mistake in its own tensors
};

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> faults = {
      {"shard_too_short", false,
       [](Call& c, auto&) {
         c.x = c.x.slice(1, 0, 2);
         c.y = c.y.slice(1, 0, 2);
       },
       false},
      {"y_too_short", false, [](Call& c, auto&) { c.y = c.y.slice(0, 0, 1); }, false},
      {"no_y", false, [](Call& c, auto&) { c.y = View(nullptr, c.y.extents()); }, false},
      {"no_x", false, [](Call& c, auto&) { c.x = View(nullptr, c.x.extents()); }, false},
      {"rank_0", false, [](Call& c, auto&) { c.x = View(c.x.data(), {}); }, false},
      {"fewer_rows", false,
       [](Call& c, auto&) {
         c.x = c.x.slice(0, 0, 3);
         c.y = c.y.slice(0, 0, 3);
       },
       true},
      {"more_axes", false,
       [](Call& c, auto&) {
         c.x = View(c.x.data(), {2, 2, c.x.extent(1)});
         c.y = View(c.y.data(), {2, 2, c.y.extent(1)});
       },
       true},
      {"dy_too_short", true, [](Call& c, auto&) { c.dy = c.dy.slice(0, 0, 1); }, false},
      {"dx_too_short", true, [](Call& c, auto&) { c.dx = c.dx.slice(0, 0, 1); }, false},
      {"other_x", true,
       [](Call& c, auto&) {
         c.x = c.x.slice(0, 0, 2);
         c.dy = c.dy.slice(0, 0, 2);
         c.dx = c.dx.slice(0, 0, 2);
       },
       false},
      {"saved_never_filled", true, [](Call& c, auto& other) { c.saved = &other; }, false},
      {"saved_of_another_layer", true,
       [](Call& c, auto& other) {
         norma::BatchNorm<float>(c.x.extent(1)).forward(c.x, c.y, other);
         c.saved = &other;
       },
       false},
      {"saved_of_one_process", true,
       [](Call& c, auto& other) {
         norma::LayerNorm<float>(c.x.extent(1)).forward(c.x, c.y, other);
         c.saved = &other;
       },
       false},
  };
  return faults;
}

struct ErrorCase {
  Fault fault;
  int ranks, bad;
};
std::string name_of(const ErrorCase& c) {
  return std::string(c.fault.name) + "_on_" + std::to_string(c.bad) + "_of_" + std::to_string(c.ranks);
}
void PrintTo(const ErrorCase& c, std::ostream* out) { *out << name_of(c); }

std::vector<ErrorCase> all_error_cases() {
  std::vector<ErrorCase> cases;
  for (const Fault& fault : all_faults()) {
    for (int bad = 0; bad < 3; ++bad) cases.push_back({fault, 3, bad});
    cases.push_back({fault, 2, 1});
  }
  return cases;
}

/// Ranks with shards of 3, 4, 5 of 4 rows: the wrong call throws on every rank and writes nothing, before and after it all is well.
void check_error(const ErrorCase& c, const ThreadRanks::Rank& rank) {
  SCOPED_TRACE("rank " + std::to_string(rank.rank()));
  using shared_batch_detail::copy;
  const Extents extents = {4, 3 + rank.rank()};
  const std::vector<float> values = random_values<float>(count(extents), 7);
  norma::LayerNorm<float> layer({extents[1]});
  Tensor<float> x(extents, {}, values), dy(extents, {}, values), first(extents, {}), y(extents, {}), dx(extents, {}),
      elsewhere(extents, {});
  norma::Saved<float> saved, other;
  layer.forward(rank, x.view(), first.view(), saved);
  layer.backward(rank, dy.view(), x.view(), saved, first.view());
  const std::vector<float> weight_grad = copy<float>(layer.weight_grad()), bias_grad = copy<float>(layer.bias_grad()),
                           mean = copy(saved.mean()), rstd = copy(saved.rstd());
  Call call{x.view(), c.fault.backward ? elsewhere.view() : y.view(), dy.view(), dx.view(), &saved};
  if (rank.rank() == c.bad) c.fault.spoil(call, other);
  std::vector<std::string> words;
  if (!c.fault.everywhere && rank.rank() != c.bad) words = {"rank " + std::to_string(c.bad) + " refused"};
  if (c.fault.everywhere) words = {"ranks"};
  if (c.fault.backward) {
    expect_shape_error("LayerNorm", words, [&] { layer.backward(rank, call.dy, call.x, *call.saved, call.dx); });
    expect_shape_error("LayerNorm", words, [&] { layer.backward(norma::openmp(2), rank, call.dy, call.x, *call.saved, call.dx); });
  } else {
    expect_shape_error("LayerNorm", words, [&] { layer(rank, call.x, call.y); });
    expect_shape_error("LayerNorm", words, [&] { layer.forward(rank, call.x, call.y, *call.saved); });
    expect_shape_error("LayerNorm", words, [&] { layer.forward(norma::openmp(2), rank, call.x, call.y, *call.saved); });
  }
  for (const float v : y.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched())) << "y was written";
  for (const float v : dx.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched())) << "dx was written";
  EXPECT_EQ(copy<float>(layer.weight_grad()), weight_grad);
  EXPECT_EQ(copy<float>(layer.bias_grad()), bias_grad);
  EXPECT_EQ(copy(saved.mean()), mean);
  EXPECT_EQ(copy(saved.rstd()), rstd);
  layer.backward(rank, dy.view(), x.view(), saved, dx.view());
  EXPECT_TRUE(same(dx.values(), first.values()));
}

class SplitNormErrors : public testing::TestWithParam<ErrorCase> {};
TEST_P(SplitNormErrors, ReachEveryRank) {
  ThreadRanks(GetParam().ranks).run([&](const ThreadRanks::Rank& rank) { check_error(GetParam(), rank); });
}
INSTANTIATE_TEST_SUITE_P(Faults, SplitNormErrors, testing::ValuesIn(all_error_cases()), CaseName());

/// Forward over ranks, backward alone: the sums of one shard are not those of the set.
TEST(SplitNorm, ABackwardAloneIsRefused) {
  const Extents extents = {4, 6};
  norma::RMSNorm<float> layer({6});
  Tensor<float> x(extents, {}, random_values<float>(24, 7)), y(extents, {});
  norma::Saved<float> saved;
  layer.forward(LoneRank(), x.view(), y.view(), saved);
  expect_shape_error("RMSNorm", {"processes"}, [&] { layer.backward(y.view(), x.view(), saved, y.view()); });
}

/// The options of the plain layers hold for shards, too.
TEST(SplitNorm, Options) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    const Extents half = {3, 8}, whole = {3, 16};
    const std::vector<double> values = random_values<double>(48, 9, 1), upstream = random_values<double>(48, 10);
    const std::vector<std::size_t> mine = shard_of(whole, 1, 8 * rank.rank(), 8);
    Tensor<double> x(half, {}, pick(values, mine)), y(half, {}), dy(half, {}, pick(upstream, mine)), dx(half, {});
    Tensor<double> x_all(whole, {}, values), y_all(whole, {}), dy_all(whole, {}, upstream), dx_all(whole, {});
    const auto compare = [&](auto shard, auto all) {
      norma::Saved<double> saved;
      shard.forward(rank, x.view(), y.view(), saved);
      shard.backward(rank, dy.view(), x.view(), saved, dx.view());
      all.forward(x_all.view(), y_all.view(), saved);
      all.backward(dy_all.view(), x_all.view(), saved, dx_all.view());
      for (std::size_t i = 0; i < mine.size(); ++i) {
        EXPECT_NEAR(y.values()[i], y_all.values()[mine[i]], 1e-14);
        EXPECT_NEAR(dx.values()[i], dx_all.values()[mine[i]], 1e-14);
      }
    };
    compare(norma::RMSNorm<double>({8}, {.eps = 0.25, .unit_offset = true, .eps_outside_sqrt = true}),
            norma::RMSNorm<double>({16}, {.eps = 0.25, .unit_offset = true, .eps_outside_sqrt = true}));
    compare(norma::LayerNorm<double>({8}, {.eps = 0.5, .affine = false}), norma::LayerNorm<double>({16}, {.eps = 0.5, .affine = false}));
    compare(norma::LayerNorm<double>({8}, {.bias = false, .unit_offset = true}),
            norma::LayerNorm<double>({16}, {.bias = false, .unit_offset = true}));
  });
}

/// Far from zero, and shards far from each other.
TEST(SplitNorm, ShardsFarApart) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    std::vector<double> values(100);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1e6 + 10.0 * rank.rank() + (i % 2 == 0 ? 1 : -1);
    norma::LayerNorm<double> layer({100}, {.eps = 0});
    Tensor<double> x({1, 100}, {}, values), y({1, 100}, {});
    norma::Saved<double> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    EXPECT_EQ(saved.mean()[0], 1e6 + 5);
    EXPECT_NEAR(saved.rstd()[0], 1 / std::sqrt(26.0), 1e-15);
  });
}

}  // namespace
}  // namespace norma_test
