// What one rank may not do, every rank throws, before anything is written and without anybody waiting for ever.
#include <norma/interop/openmp.hpp>
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/ranks.hpp"
#include "support/shared_batch.hpp"

namespace norma_test {
namespace {

using shared_batch_detail::copy;
using View = norma::TensorView<float>;
constexpr norma::index_t channels = 5;

/// One rank's call, which a fault spoils.
struct Call {
  View x, y, dy, dx;
  norma::Saved<float>* saved;
};

struct Fault {
  const char* name;
  bool backward;
  void (*spoil)(Call& call, norma::Saved<float>& other);
};

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> faults = {
      {"channels_missing", false,
       [](Call& c, auto&) {
         c.x = c.x.slice(1, 0, 4);
         c.y = c.y.slice(1, 0, 4);
       }},
      {"x_of_rank_1", false, [](Call& c, auto&) { c.x = View(c.x.data(), {channels}); }},
      {"y_too_short", false, [](Call& c, auto&) { c.y = c.y.slice(0, 0, 1); }},
      {"y_of_other_rank", false,
       [](Call& c, auto&) {
         c.y = View(c.y.data(), {3, channels * 4});
       }},
      {"no_x", false, [](Call& c, auto&) { c.x = View(nullptr, c.x.extents()); }},
      {"no_y", false, [](Call& c, auto&) { c.y = View(nullptr, c.y.extents()); }},
      {"absent_x", false, [](Call& c, auto&) { c.x = View(); }},
      {"dy_too_short", true, [](Call& c, auto&) { c.dy = c.dy.slice(0, 0, 1); }},
      {"no_dy", true, [](Call& c, auto&) { c.dy = View(nullptr, c.dy.extents()); }},
      {"other_x", true,
       [](Call& c, auto&) {
         c.x = c.x.slice(0, 0, 2);
         c.dy = c.dy.slice(0, 0, 2);
         c.dx = c.dx.slice(0, 0, 2);
       }},
      {"dx_too_short", true, [](Call& c, auto&) { c.dx = c.dx.slice(0, 0, 1); }},
      {"saved_never_filled", true, [](Call& c, auto& other) { c.saved = &other; }},
      {"saved_of_another_layer", true,
       [](Call& c, auto& other) {
         norma::BatchNorm<float>(channels).forward(c.x, c.y, other);
         c.saved = &other;
       }},
      {"saved_of_another_shape", true,
       [](Call& c, auto& other) {
         norma::SyncBatchNorm<float>(channels).forward(LoneRank(), c.x.slice(0, 0, 2), c.y.slice(0, 0, 2), other);
         c.saved = &other;
       }},
  };
  return faults;
}

struct ErrorCase {
  Fault fault;
  int ranks, bad;
  bool others_empty;
};
std::string name_of(const ErrorCase& c) {
  return std::string(c.fault.name) + "_on_" + std::to_string(c.bad) + "_of_" + std::to_string(c.ranks) +
         (c.others_empty ? "_others_empty" : "");
}
void PrintTo(const ErrorCase& c, std::ostream* out) { *out << name_of(c); }

std::vector<ErrorCase> all_error_cases() {
  std::vector<ErrorCase> cases;
  for (const Fault& fault : all_faults()) {
    for (const int ranks : {1, 2, 3}) {
      for (int bad = 0; bad < ranks; ++bad) {
        cases.push_back({fault, ranks, bad, false});
        if (ranks == 2) cases.push_back({fault, ranks, bad, true});
      }
    }
  }
  return cases;
}

/// Everything that a refused call must leave alone.
template <class Layer>
struct State {
  std::vector<float> running_mean, running_var, weight_grad, bias_grad, mean, rstd;
  std::int64_t batches;

  State(const Layer& layer, const norma::Saved<float>& saved)
      : running_mean(copy(layer.running_mean())),
        running_var(copy(layer.running_var())),
        weight_grad(copy(layer.weight_grad())),
        bias_grad(copy(layer.bias_grad())),
        mean(copy(saved.mean())),
        rstd(copy(saved.rstd())),
        batches(layer.num_batches_tracked()) {}
  bool operator==(const State&) const = default;
};

template <class F>
std::string error_from(F f) {
  try {
    f();
  } catch (const norma::ShapeError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

template <class Kind>
class RankWithError {
 public:
  RankWithError(const ThreadRanks::Rank& rank, const ErrorCase& c) : rank_(rank), case_(c), layer_(Kind::template make<float>(channels)) {
    extents_ = {c.others_empty && rank.rank() != c.bad ? 0 : 3 + rank.rank(), channels, 2, 2};
    values_ = random_values<float>(count(extents_), 5 + static_cast<std::uint64_t>(rank.rank()));
  }

  void run() {
    SCOPED_TRACE("rank " + std::to_string(rank_.rank()));
    Tensor<float> x(extents_, {}, values_), first(extents_, {}), dy(extents_, {}, values_), y(extents_, {}), dx(extents_, {});
    norma::Saved<float> saved, other;
    layer_.forward(rank_, x.view(), first.view(), saved);
    layer_.backward(rank_, dy.view(), x.view(), saved, first.view());
    const State<Layer> before(layer_, saved);
    Call call{x.view(), y.view(), dy.view(), dx.view(), &saved};
    Tensor<float> elsewhere(extents_, {});  // a fault may run a forward of its own
    if (rank_.rank() == case_.bad) {
      call.y = case_.fault.backward ? elsewhere.view() : call.y;
      case_.fault.spoil(call, other);
    }
    for (const bool threads : {false, true}) check_message(error_from([&] { step(call, threads); }));
    EXPECT_TRUE((State<Layer>(layer_, saved) == before)) << "running statistics, gradients or saved changed";
    for (const float v : y.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched())) << "y was written";
    for (const float v : dx.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched())) << "dx was written";

    // The layer and what it had saved go on as if nothing had happened.
    layer_.backward(rank_, dy.view(), x.view(), saved, dx.view());
    EXPECT_TRUE(same(dx.values(), first.values()));
    layer_.forward(rank_, x.view(), y.view(), saved);
    EXPECT_EQ(layer_.num_batches_tracked(), 2);
  }

 private:
  using Layer = typename Kind::template Layer<float>;

  void step(Call& c, bool threads) {
    if (case_.fault.backward) {
      threads ? layer_.backward(norma::openmp(2), rank_, c.dy, c.x, *c.saved, c.dx) : layer_.backward(rank_, c.dy, c.x, *c.saved, c.dx);
    } else {
      threads ? layer_.forward(norma::openmp(2), rank_, c.x, c.y, *c.saved) : layer_.forward(rank_, c.x, c.y, *c.saved);
    }
  }
  void check_message(const std::string& message) const {
    EXPECT_EQ(message.rfind(std::string(Kind::name) + ": ", 0), 0u) << message;
    const std::string of_others = "rank " + std::to_string(case_.bad) + " refused";
    EXPECT_EQ(message.find(of_others) != std::string::npos, rank_.rank() != case_.bad) << message;
  }

  const ThreadRanks::Rank& rank_;
  const ErrorCase& case_;
  Layer layer_;
  Extents extents_;
  std::vector<float> values_;
};

class SyncBatchNormErrors : public testing::TestWithParam<ErrorCase> {};
class BatchRenormErrorsOverRanks : public testing::TestWithParam<ErrorCase> {};

template <class Kind>
void check_error(const ErrorCase& c) {
  ThreadRanks ranks(c.ranks);
  ranks.run([&](const ThreadRanks::Rank& rank) { RankWithError<Kind>(rank, c).run(); });
}
TEST_P(SyncBatchNormErrors, ReachEveryRank) { check_error<SyncKind>(GetParam()); }
TEST_P(BatchRenormErrorsOverRanks, ReachEveryRank) { check_error<RenormKind>(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Faults, SyncBatchNormErrors, testing::ValuesIn(all_error_cases()), CaseName());
INSTANTIATE_TEST_SUITE_P(Faults, BatchRenormErrorsOverRanks, testing::ValuesIn(all_error_cases()), CaseName());

template <class Kind>
class SharedBatchNorms : public testing::Test {};
using Kinds = testing::Types<SyncKind, RenormKind>;
TYPED_TEST_SUITE(SharedBatchNorms, Kinds);

/// forward with samples[r] rows of one value per channel on rank r; each rank's error, or "nothing was thrown".
template <class Kind, class Check>
void on_rows(const std::vector<int>& samples, const Extents& positions, Check check) {
  ThreadRanks ranks(static_cast<int>(samples.size()));
  ranks.run([&](const ThreadRanks::Rank& rank) {
    auto layer = Kind::template make<float>(channels);
    Extents extents = {samples[static_cast<std::size_t>(rank.rank())], channels};
    extents.insert(extents.end(), positions.begin(), positions.end());
    Tensor<float> x(extents, {}, random_values<float>(count(extents), 3 + static_cast<std::uint64_t>(rank.rank()))), y(extents, {});
    check(rank, layer, x, y);
  });
}

TYPED_TEST(SharedBatchNorms, OneValuePerChannelInAllIsAnErrorEverywhere) {
  for (const std::vector<int>& samples : {std::vector{1}, {1, 0}, {0, 1}, {0, 0, 1}}) {
    for (const Extents& positions : {Extents{}, Extents{1, 1}}) {
      on_rows<TypeParam>(samples, positions, [](const auto& rank, auto& layer, auto& x, auto& y) {
        norma::Saved<float> saved;
        for (const bool threads : {false, true}) {
          const std::string message = error_from([&] {
            threads ? layer.forward(norma::openmp(2), rank, x.view(), y.view(), saved) : layer.forward(rank, x.view(), y.view(), saved);
          });
          EXPECT_NE(message.find("more than one value per channel"), std::string::npos) << message;
        }
        for (const float v : y.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched()));
        EXPECT_EQ(layer.num_batches_tracked(), 0);
        EXPECT_EQ(copy<float>(layer.running_mean()), std::vector<float>(channels, 0));
        EXPECT_EQ(copy<float>(layer.running_var()), std::vector<float>(channels, 1));
        EXPECT_NE(error_from([&] { layer.backward(rank, x.view(), x.view(), saved, y.view()); }).find("Batch"), std::string::npos);
      });
    }
  }
}

TYPED_TEST(SharedBatchNorms, OneValuePerChannelOnEachRankIsEnough) {
  on_rows<TypeParam>({1, 1}, {}, [](const auto& rank, auto& layer, auto& x, auto& y) {
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    layer.backward(rank, x.view(), x.view(), saved, y.view());
    EXPECT_EQ(layer.num_batches_tracked(), 1);
    for (const float v : y.values()) EXPECT_TRUE(std::isfinite(v));
  });
}

TYPED_TEST(SharedBatchNorms, NoValuesAtAllChangeNothing) {
  for (const std::vector<int>& samples : {std::vector{0}, {0, 0}, {0, 0, 0}}) {
    for (const Extents& positions : {Extents{}, Extents{3, 3}}) {
      on_rows<TypeParam>(samples, positions, [](const auto& rank, auto& layer, auto& x, auto& y) {
        norma::Saved<float> saved;
        layer.forward(rank, x.view(), y.view(), saved);
        layer.backward(rank, y.view(), x.view(), saved, x.view());
        EXPECT_EQ(layer.num_batches_tracked(), 0);
        EXPECT_EQ(copy<float>(layer.running_mean()), std::vector<float>(channels, 0));
        EXPECT_EQ(copy<float>(layer.running_var()), std::vector<float>(channels, 1));
        EXPECT_EQ(copy<float>(layer.weight_grad()), std::vector<float>(channels, 0));
        EXPECT_EQ(copy<float>(layer.bias_grad()), std::vector<float>(channels, 0));
      });
    }
  }
  on_rows<TypeParam>({2, 3}, {0}, [](const auto& rank, auto& layer, auto& x, auto& y) {  // samples without positions
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    EXPECT_EQ(layer.num_batches_tracked(), 0);
  });
}

TYPED_TEST(SharedBatchNorms, NoChannels) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    auto layer = TypeParam::template make<float>(0);
    Tensor<float> x({3, 0, 2}, {}), y({3, 0, 2}, {});
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    layer.backward(rank, y.view(), x.view(), saved, x.view());
    EXPECT_EQ(layer.num_batches_tracked(), 0);
  });
}

/// One table there, one back, and none at inference.
TYPED_TEST(SharedBatchNorms, OneExchangeAPassAndNoneAtInference) {
  ThreadRanks ranks(2);
  ranks.run([&](const ThreadRanks::Rank& rank) {
    auto layer = TypeParam::template make<float>(channels);
    Tensor<float> x({4, channels, 3}, {}, random_values<float>(4 * channels * 3, 3)), y({4, channels, 3}, {});
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    layer.backward(rank, x.view(), x.view(), saved, y.view());
    layer(x.view(), y.view());
    layer.backward_frozen(y.view(), x.view(), x.view());
  });
  EXPECT_EQ(ranks.exchanges(), 2);
}

/// Inference and its backward are BatchNorm's, bit for bit.
TYPED_TEST(SharedBatchNorms, InferenceIsBatchNorms) {
  ThreadRanks(2).run([&](const ThreadRanks::Rank& rank) {
    const Extents extents = {4, channels, 3};
    auto layer = TypeParam::template make<float>(channels);
    norma::BatchNorm<float> plain(channels, {.eps = layer.eps()});
    Tensor<float> x(extents, {}, random_values<float>(count(extents), 3)), y(extents, {}), dx(extents, {}), y2(extents, {}),
        dx2(extents, {});
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    std::ranges::copy(layer.running_mean(), plain.running_mean().begin());
    std::ranges::copy(layer.running_var(), plain.running_var().begin());
    layer(x.view(), y.view());
    plain(x.view(), y2.view());
    EXPECT_TRUE(same(y.values(), y2.values()));
    layer.backward_frozen(y.view(), x.view(), dx.view());
    plain.backward_frozen(y.view(), x.view(), dx2.view());
    EXPECT_TRUE(same(dx.values(), dx2.values()));
    EXPECT_TRUE(same(copy<float>(layer.weight_grad()), copy<float>(plain.weight_grad())));
    EXPECT_TRUE(same(copy<float>(layer.bias_grad()), copy<float>(plain.bias_grad())));
  });
}

TYPED_TEST(SharedBatchNorms, StateNames) {
  auto layer = TypeParam::template make<double>(channels);
  std::vector<std::string> names;
  layer.for_each_parameter([&](std::string_view name, std::span<double>, std::span<double>) { names.emplace_back(name); });
  layer.for_each_buffer([&](std::string_view name, std::span<double>) { names.emplace_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias", "running_mean", "running_var"}));
}

/// In place, which must not disturb the exchange between the two sweeps.
TYPED_TEST(SharedBatchNorms, InPlace) {
  ThreadRanks(3).run([&](const ThreadRanks::Rank& rank) {
    const Extents extents = {2 + rank.rank(), channels, 3, 2};
    const std::vector<float> values = random_values<float>(count(extents), 3), upstream = random_values<float>(count(extents), 4);
    auto layer = TypeParam::template make<float>(channels);
    auto again = layer;
    Tensor<float> x(extents, {}, values), y(extents, {}), dx(extents, {}), dy(extents, {}, upstream), z(extents, {}, values);
    norma::Saved<float> saved, saved2;
    layer.forward(rank, x.view(), y.view(), saved);
    again.forward(rank, z.view(), z.view(), saved2);
    EXPECT_TRUE(same(y.values(), z.values()));
    layer.backward(rank, dy.view(), x.view(), saved, dx.view());
    layer.backward(rank, dy.view(), x.view(), saved, dy.view());
    EXPECT_TRUE(same(dx.values(), dy.values()));
    dy.set(upstream);
    layer.backward(rank, dy.view(), x.view(), saved, x.view());
    EXPECT_TRUE(same(dx.values(), x.values()));
  });
}

/// A NaN on one rank is everybody's, in its channel alone.
TYPED_TEST(SharedBatchNorms, ANanStaysInItsChannel) {
  ThreadRanks(2).run([&](const ThreadRanks::Rank& rank) {
    const Extents extents = {4, channels};
    std::vector<float> values = random_values<float>(count(extents), 3);
    if (rank.rank() == 1) values[7] = NAN;
    auto layer = TypeParam::template make<float>(channels);
    Tensor<float> x(extents, {}, values), y(extents, {});
    norma::Saved<float> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    const std::vector<float> result = y.values();
    for (std::size_t i = 0; i < result.size(); ++i) EXPECT_EQ(std::isnan(result[i]), i % channels == 7 % channels) << i;
  });
}

TEST(SyncBatchNormOptions, AreBatchNorms) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    const Extents half = {3, channels, 2}, all = {6, channels, 2};
    const std::vector<double> values = random_values<double>(count(all), 8, 3);
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    // Either side sums 12 values or squares, merges and divides, at most 15 roundings, and blends three times, of two roundings each.
    const double roundings = 2 * (15 + 3 * 2) * 0x1p-53;
    const auto first = static_cast<std::ptrdiff_t>(count(half)) * rank.rank();
    const std::vector<double> mine(values.begin() + first, values.begin() + first + static_cast<std::ptrdiff_t>(count(half)));
    for (const std::optional<double> momentum : {std::optional<double>(0.3), std::optional<double>()}) {
      for (const auto convention : {norma::StatsConvention::torch, norma::StatsConvention::keras, norma::StatsConvention::onnx}) {
        norma::SyncBatchNorm<double> shared(channels, {.momentum = momentum, .convention = convention});
        norma::BatchNorm<double> whole(channels, {.momentum = momentum, .convention = convention});
        for (int step = 0; step < 3; ++step) {
          Tensor<double> x(half, {}, mine), y(half, {}), x_all(all, {}, values), y_all(all, {});
          norma::Saved<double> saved;
          shared.forward(rank, x.view(), y.view(), saved);
          whole.forward(x_all.view(), y_all.view(), saved);
        }
        EXPECT_EQ(shared.num_batches_tracked(), 3);
        for (norma::index_t c = 0; c < channels; ++c) {
          const auto i = static_cast<std::size_t>(c);
          EXPECT_NEAR(shared.running_mean()[i], whole.running_mean()[i], roundings * largest);
          EXPECT_NEAR(shared.running_var()[i], whole.running_var()[i], roundings * whole.running_var()[i]);
        }
      }
    }
    // Without tracking, inference uses the statistics of what it is given, and asks nobody.
    norma::SyncBatchNorm<double> untracked(channels, {.affine = false, .track_running_stats = false});
    const norma::BatchNorm<double> plain(channels, {.affine = false, .track_running_stats = false});
    EXPECT_TRUE(untracked.running_mean().empty() && untracked.weight().empty());
    Tensor<double> x(half, {}, mine), y(half, {}), y2(half, {});
    if (rank.rank() == 0) {
      untracked(x.view(), y.view());
      plain(x.view(), y2.view());
      EXPECT_TRUE(same(y.values(), y2.values()));
    }
    norma::Saved<double> saved;
    untracked.forward(rank, x.view(), y.view(), saved);
    untracked.backward(rank, y.view(), x.view(), saved, norma::TensorView<double>());  // no parameters, no dx: a call nevertheless
    EXPECT_EQ(untracked.num_batches_tracked(), 0);
    EXPECT_THROW(untracked.backward_frozen(y.view(), x.view(), y.view()), norma::ShapeError);
  });
}

/// A backward over ranks wants a forward over ranks: that of one process knows nothing of the others' batches.
TEST(BatchRenormOverRanks, ASavedOfOneProcessIsRefused) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    const Extents extents = {4, channels};
    norma::BatchRenorm<float> layer(channels);
    Tensor<float> x(extents, {}, random_values<float>(count(extents), 3)), y(extents, {}), dx(extents, {});
    norma::Saved<float> saved;
    layer.forward(x.view(), y.view(), saved);
    const std::string message = error_from([&] { layer.backward(rank, y.view(), x.view(), saved, dx.view()); });
    EXPECT_NE(message.find("BatchRenorm"), std::string::npos) << message;
    layer.forward(rank, x.view(), y.view(), saved);
    EXPECT_NE(error_from([&] { layer.backward(y.view(), x.view(), saved, dx.view()); }).find("BatchRenorm"), std::string::npos);
  });
}

/// Far from zero, where E[x^2] - E[x]^2 would be nothing but noise, and a rank that is far from the others.
TEST(SyncBatchNormAccuracy, RanksFarApart) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    const Extents extents = {500, 1};
    const double offset = 1e6 + 10.0 * rank.rank();
    norma::SyncBatchNorm<double> layer(1, {.eps = 0, .momentum = 1.0});
    std::vector<double> values(500);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = offset + (i % 2 == 0 ? 1 : -1);
    Tensor<double> x(extents, {}, values), y(extents, {});
    norma::Saved<double> saved;
    layer.forward(rank, x.view(), y.view(), saved);
    EXPECT_EQ(saved.mean()[0], 1e6 + 5);
    EXPECT_NEAR(layer.running_var()[0], 26.0 * 1000 / 999, 1e-13);
  });
}

}  // namespace
}  // namespace norma_test
