// Norms over ranks that are threads of this process: batches of one value or none, exchanges, inference, options, ranks far apart, and a
// Saved of one process.
#include <algorithm>
#include <cmath>
#include <optional>

#include <norma/interop/openmp.hpp>

#include "api/layers.hpp"
#include "support/ranks.hpp"

namespace norma_test {
namespace {

/// The least a communicator can be.
struct Mine {
  int rank() const;
  int size() const;
  void all_gather(std::span<const double> mine, std::span<double> all) const;
};
static_assert(norma::Communicator<Mine>);
static_assert(!norma::Communicator<norma::Sequential> && !norma::Executor<Mine>);

constexpr norma::index_t channels = 5;

/// check(rank, layer, tensors) on every rank, with as many samples of these positions as the rank has; returns how often ranks exchanged.
template <class L, class F>
int on_ranks(const std::vector<std::ptrdiff_t>& samples, const Extents& positions, F check) {
  ThreadRanks ranks(static_cast<int>(samples.size()));
  ranks.run([&](const ThreadRanks::Rank& rank) {
    const auto r = static_cast<std::size_t>(rank.rank());
    SCOPED_TRACE("rank " + std::to_string(r));
    Extents extents = {samples[r], channels};
    extents.insert(extents.end(), positions.begin(), positions.end());
    L layer(channels);
    Tensors<float> t(extents, Layout::contiguous, 10 * r + 3);
    check(rank, layer, t);
  });
  return ranks.exchanges();
}

template <class L>
class SharedBatchNorms : public testing::Test {};
using Layers = testing::Types<norma::SyncBatchNorm<float>, norma::BatchRenorm<float>>;
TYPED_TEST_SUITE(SharedBatchNorms, Layers);

TYPED_TEST(SharedBatchNorms, OneValuePerChannelInAllIsAnErrorEverywhere) {
  const std::string name = std::is_same_v<TypeParam, norma::BatchRenorm<float>> ? "BatchRenorm" : "SyncBatchNorm";
  for (const std::vector<std::ptrdiff_t>& samples : std::vector<std::vector<std::ptrdiff_t>>{{1}, {1, 0}, {0, 1}, {0, 0, 1}}) {
    for (const Extents& positions : {Extents{}, Extents{1, 1}}) {
      on_ranks<TypeParam>(samples, positions, [&](const auto& rank, auto& layer, auto& t) {
        const Values before = state_of(layer);
        const std::vector<std::string> words = {"more than one value per channel"};
        expect_shape_error(name, words, [&] { layer.forward(rank, t.x.view(), t.y.view(), t.saved); });
        expect_shape_error(name, words, [&] { layer.forward(norma::openmp(2), rank, t.x.view(), t.y.view(), t.saved); });
        EXPECT_TRUE(t.y.untouched());
        EXPECT_EQ(state_of(layer), before);
        expect_shape_error(name, {}, [&] { layer.backward(rank, t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
      });
    }
  }
}

TYPED_TEST(SharedBatchNorms, OneValuePerChannelOnEachRankIsEnough) {
  on_ranks<TypeParam>({1, 1}, {}, [](const auto& rank, auto& layer, auto& t) {
    t.step(layer, rank);
    EXPECT_EQ(layer.num_batches_tracked(), 1);
    for (const float v : t.y.values()) EXPECT_NEAR(std::abs(v), 1, 1e-3) << "of two values, one is above and one below their mean";
  });
}

TYPED_TEST(SharedBatchNorms, NoValuesAtAllChangeNothing) {
  const auto check = [](const auto& rank, auto& layer, auto& t) {
    const Values before = state_of(layer);
    t.step(layer, rank);
    EXPECT_EQ(state_of(layer), before);
  };
  for (const std::size_t ranks : {1, 2, 3}) {
    for (const Extents& positions : {Extents{}, Extents{3, 3}})
      on_ranks<TypeParam>(std::vector<std::ptrdiff_t>(ranks, 0), positions, check);
  }
  on_ranks<TypeParam>({2, 3}, {0}, check);  // samples without positions
  ThreadRanks(2).run([&](const ThreadRanks::Rank& rank) {
    TypeParam layer(0);
    Tensors<float> t({3, 0, 2});
    check(rank, layer, t);
  });
}

/// One table there, one back, and none at inference. A rank that wants no dx takes part all the same.
TYPED_TEST(SharedBatchNorms, OneExchangeAPassAndNoneAtInference) {
  for (const bool wants_dx : {true, false}) {
    const int exchanges = on_ranks<TypeParam>({4, 4}, {3}, [&](const auto& rank, auto& layer, auto& t) {
      layer.forward(rank, t.x.view(), t.y.view(), t.saved);
      const bool is_without = !wants_dx && rank.rank() == 1;
      layer.backward(rank, t.dy.view(), t.x.view(), t.saved, is_without ? norma::TensorView<float>() : t.dx.view());
      EXPECT_EQ(t.dx.untouched(), is_without);
      layer(t.x.view(), t.y.view());
      layer.backward_frozen(t.dy.view(), t.x.view(), t.dx.view());
    });
    EXPECT_EQ(exchanges, 2);
  }
}

/// Inference and its backward are BatchNorm's, bit for bit.
TYPED_TEST(SharedBatchNorms, InferenceIsBatchNorms) {
  on_ranks<TypeParam>({4, 4}, {3}, [](const auto& rank, auto& layer, auto& t) {
    t.step(layer, rank);
    layer.zero_grad();
    norma::BatchNorm<float> plain(channels, {.eps = layer.eps()});
    std::ranges::copy(layer.running_mean(), plain.running_mean().begin());
    std::ranges::copy(layer.running_var(), plain.running_var().begin());
    Tensors<float> other(t.x.extents());
    layer(t.x.view(), t.y.view());
    plain(t.x.view(), other.y.view());
    EXPECT_TRUE(same(t.y.values(), other.y.values()));
    layer.backward_frozen(t.dy.view(), t.x.view(), t.dx.view());
    plain.backward_frozen(t.dy.view(), t.x.view(), other.dx.view());
    EXPECT_TRUE(same(t.dx.values(), other.dx.values()));
    EXPECT_TRUE(same(layer.weight_grad(), plain.weight_grad()));
    EXPECT_TRUE(same(layer.bias_grad(), plain.bias_grad()));
  });
}

/// A backward over ranks wants a forward over ranks: that of one process knows nothing of the others' batches.
TYPED_TEST(SharedBatchNorms, ASavedOfOneProcessIsRefusedAndTheOtherWayRound) {
  on_ranks<TypeParam>({4, 4}, {}, [](const auto& rank, auto& layer, auto& t) {
    const auto check = [&](auto& alone) {
      alone.forward(t.x.view(), t.y.view(), t.saved);
      EXPECT_THROW(layer.backward(rank, t.dy.view(), t.x.view(), t.saved, t.dx.view()), norma::ShapeError);
      layer.forward(rank, t.x.view(), t.y.view(), t.saved);
      EXPECT_THROW(alone.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()), norma::ShapeError);
      EXPECT_TRUE(t.dx.untouched());
    };
    norma::BatchNorm<float> plain(channels);
    if constexpr (requires { layer.schedule(); }) {
      check(layer);
    } else {
      check(plain);  // what SyncBatchNorm is in one process
    }
  });
}

/// However the batch lies on each rank.
TEST(SyncBatchNorm, OptionsAreBatchNorms) {
  ThreadRanks(2).run([&](const ThreadRanks::Rank& rank) {
    Tensors<double> whole_batch({6, channels, 2}, Layout::contiguous, 8, 3);
    Tensors<double> t({3, channels, 2}, rank.rank() == 0 ? Layout::channels_last : Layout::sliced);
    const auto part = [&](Tensor<double>& of) { return AnyView(of.view().slice(0, 3 * rank.rank(), 3)).values(); };
    t.x.set(part(whole_batch.x));
    for (const std::optional<double> momentum : {std::optional<double>(0.3), std::optional<double>()}) {
      for (const auto convention : {norma::StatsConvention::torch, norma::StatsConvention::keras, norma::StatsConvention::onnx}) {
        norma::SyncBatchNorm<double> shared(channels, {.momentum = momentum, .convention = convention});
        norma::BatchNorm<double> whole(channels, {.momentum = momentum, .convention = convention});
        for (int step = 0; step < 3; ++step) {
          t.step(shared, rank);
          whole_batch.step(whole);
        }
        EXPECT_EQ(shared.num_batches_tracked(), 3);
        // Either side sums 12 values or squares of up to 8, merges and divides, and blends three times: some twenty roundings.
        for (std::size_t c = 0; c < channels; ++c) {
          EXPECT_NEAR(shared.running_mean()[c], whole.running_mean()[c], 8 * 21 * 0x1p-52);
          EXPECT_NEAR(shared.running_var()[c], whole.running_var()[c], whole.running_var()[c] * 21 * 0x1p-52);
        }
      }
    }
    const Values y = t.y.any().values(), y_of_whole = part(whole_batch.y);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], y_of_whole[i], 8 * 21 * 0x1p-52);
  });
}

/// Without tracking, inference uses the statistics of what it is given, and asks nobody.
TEST(SyncBatchNorm, WithoutTrackingInferenceIsEachRanksOwn) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    if (rank.rank() == 1) return;
    norma::SyncBatchNorm<double> layer(channels, {.affine = false, .track_running_stats = false});
    const norma::BatchNorm<double> plain(channels, {.affine = false, .track_running_stats = false});
    EXPECT_TRUE(layer.running_mean().empty() && layer.weight().empty());
    Tensors<double> t({3, channels, 2}), other(t.x.extents());
    layer(t.x.view(), t.y.view());
    plain(t.x.view(), other.y.view());
    EXPECT_TRUE(same(t.y.values(), other.y.values()));
    EXPECT_THROW(layer.backward_frozen(t.dy.view(), t.x.view(), t.dx.view()), norma::ShapeError);
  });
}

/// Far from zero, where E[x^2] - E[x]^2 would be nothing but noise, and a rank that is far from the others.
std::vector<double> far_apart(std::size_t n, int rank) {
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(1e6 + 10.0 * rank + (i % 2 == 0 ? 1 : -1));
  return values;
}

TEST(SyncBatchNorm, RanksFarApart) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    norma::SyncBatchNorm<double> layer(1, {.eps = 0, .momentum = 1.0});
    Tensors<double> t({500, 1});
    t.x.set(far_apart(500, rank.rank()));
    t.step(layer, rank);
    EXPECT_EQ(t.saved.mean()[0], 1e6 + 5);
    EXPECT_NEAR(layer.running_var()[0], 26.0 * 1000 / 999, 1e-13);
  });
}

TEST(SplitNorm, ShardsFarApart) {
  ThreadRanks(2).run([](const ThreadRanks::Rank& rank) {
    norma::LayerNorm<double> layer({100}, {.eps = 0});
    Tensors<double> t({1, 100});
    t.x.set(far_apart(100, rank.rank()));
    t.step(layer, rank);
    EXPECT_EQ(t.saved.mean()[0], 1e6 + 5);
    EXPECT_NEAR(t.saved.rstd()[0], 1 / std::sqrt(26.0), 1e-15);
  });
}

/// Forward over ranks, backward alone: the sums of one shard are not those of the set. And the other way round.
TEST(SplitNorm, ASavedOfOneProcessIsRefusedAndTheOtherWayRound) {
  norma::RMSNorm<float> layer({6});
  Tensors<float> t({4, 6});
  layer.forward(LoneRank(), t.x.view(), t.y.view(), t.saved);
  expect_shape_error("RMSNorm", {"processes"}, [&] { layer.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
  layer.forward(t.x.view(), t.y.view(), t.saved);
  expect_shape_error("RMSNorm", {"processes"}, [&] { layer.backward(LoneRank(), t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
  EXPECT_TRUE(t.dx.untouched());
}

}  // namespace
}  // namespace norma_test
