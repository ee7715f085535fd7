// Norms over ranks that are threads of this process: a batch of one value, exchanges, inference, and a Saved of one process.
#include <norma/interop/openmp.hpp>

#include "api/layers.hpp"
#include "support/ranks.hpp"

namespace norma_test { namespace {

/// The least a communicator can be.
struct Mine {
  int rank() const;
  int size() const;
  void all_gather(std::span<const double> mine, std::span<double> all) const;
};
static_assert(norma::Communicator<Mine>);
static_assert(!norma::Communicator<norma::Sequential> && !norma::Executor<Mine>);

constexpr norma::index_t channels = 5;

template <class L>
class SharedBatchNorms : public testing::Test {};
using Layers = testing::Types<norma::SyncBatchNorm<double>, norma::BatchRenorm<double>>;
TYPED_TEST_SUITE(SharedBatchNorms, Layers);

TYPED_TEST(SharedBatchNorms, OneValuePerChannelInAllIsAnErrorEverywhere) {
  const std::string name = std::is_same_v<TypeParam, norma::BatchRenorm<double>> ? "BatchRenorm" : "SyncBatchNorm";
  for (const std::vector<std::ptrdiff_t>& samples : std::vector<std::vector<std::ptrdiff_t>>{{1}, {1, 0}, {0, 1}, {0, 0, 1}}) {
    ThreadRanks(static_cast<int>(samples.size())).run([&](const ThreadRanks::Rank& rank) {
      const std::ptrdiff_t mine = samples[static_cast<std::size_t>(rank.rank())];
      for (const Extents& extents : {Extents{mine, channels}, Extents{mine, channels, 1, 1}}) {
        TypeParam layer(channels);
        Tensors<double> t(extents);
        const Values before = state_of(layer);
        const std::vector<std::string> words = {"more than one value per channel"};
        expect_shape_error(name, words, [&] { layer.forward(rank, t.x.view(), t.y.view(), t.saved); });
        expect_shape_error(name, words, [&] { layer.forward(norma::openmp(2), rank, t.x.view(), t.y.view(), t.saved); });
        EXPECT_TRUE(t.y.untouched());
        EXPECT_EQ(state_of(layer), before);
        expect_shape_error(name, {}, [&] { layer.backward(rank, t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
      }
    });
  }
}

/// One table there, one back, and none at inference. A rank that wants no dx takes part all the same.
TYPED_TEST(SharedBatchNorms, OneExchangeAPassAndNoneAtInference) {
  for (const bool wants_dx : {true, false}) {
    ThreadRanks ranks(2);
    ranks.run([&](const ThreadRanks::Rank& rank) {
      TypeParam layer(channels);
      Tensors<double> t({4, channels, 3});
      layer.forward(rank, t.x.view(), t.y.view(), t.saved);
      const bool is_without = !wants_dx && rank.rank() == 1;
      layer.backward(rank, t.dy.view(), t.x.view(), t.saved, is_without ? norma::TensorView<double>() : t.dx.view());
      EXPECT_EQ(t.dx.untouched(), is_without);
      layer(t.x.view(), t.y.view());
      layer.backward_frozen(t.dy.view(), t.x.view(), t.dx.view());
    });
    EXPECT_EQ(ranks.exchanges(), 2);
  }
}

/// A backward over ranks wants a forward over ranks: that of one process knows nothing of the others. And the other way round. `plain` is
/// what the layer is in one process.
template <class L, class Plain>
void check_saved(const char* name, L layer, const char* name_alone, Plain plain, const char* word) {
  Tensors<double> t({4, channels});
  layer.forward(LoneRank(), t.x.view(), t.y.view(), t.saved);
  expect_shape_error(name_alone, {word}, [&] { plain.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
  plain.forward(t.x.view(), t.y.view(), t.saved);
  expect_shape_error(name, {word}, [&] { layer.backward(LoneRank(), t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
  EXPECT_TRUE(t.dx.untouched());
}
TEST(OverRanks, ASavedOfOneProcessIsRefusedAndTheOtherWayRound) {
  check_saved("SyncBatchNorm", norma::SyncBatchNorm<double>(channels), "BatchNorm", norma::BatchNorm<double>(channels), "written by");
  check_saved("BatchRenorm", norma::BatchRenorm<double>(channels), "BatchRenorm", norma::BatchRenorm<double>(channels), "processes");
  check_saved("RMSNorm", norma::RMSNorm<double>(channels), "RMSNorm", norma::RMSNorm<double>(channels), "processes");
}

/// Without tracking, inference uses the statistics of what it is given, and asks nobody.
TEST(SyncBatchNorm, WithoutTrackingInferenceIsEachRanksOwn) {
  norma::SyncBatchNorm<double> layer(channels, {.affine = false, .track_running_stats = false});
  const norma::BatchNorm<double> plain(channels, {.affine = false, .track_running_stats = false});
  EXPECT_TRUE(layer.running_mean().empty() && layer.weight().empty());
  Tensors<double> t({3, channels, 2}), other(t.x.extents());
  layer(t.x.view(), t.y.view());
  plain(t.x.view(), other.y.view());
  EXPECT_TRUE(same(t.y.values(), other.y.values()));
  EXPECT_THROW(layer.backward_frozen(t.dy.view(), t.x.view(), t.dx.view()), norma::ShapeError);
}

}  // namespace
}  // namespace norma_test
