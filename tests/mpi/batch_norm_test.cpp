// SyncBatchNorm and BatchRenorm over MPI's processes: the same checks as over threads, and an error on one of them.
#include <norma/interop/mpi.hpp>
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/shared_batch.hpp"

namespace norma_test {
namespace {

const norma::MpiCommunicator& world() {
  static const norma::MpiCommunicator comm = norma::mpi(MPI_COMM_WORLD);
  return comm;
}

/// Every split that is for so many ranks.
template <class Kind, class T>
void check_splits() {
  for (const SharedCase& c : all_shared_cases()) {
    if (static_cast<int>(c.samples().size()) != world().size()) continue;
    SCOPED_TRACE(name_of(c));
    SharedBatch<Kind, T>(c.batch).check(world(), c.samples());
  }
}

TEST(MpiBatchNorm, SyncBatchNormF32) { check_splits<SyncKind, float>(); }
TEST(MpiBatchNorm, SyncBatchNormF64) { check_splits<SyncKind, double>(); }
TEST(MpiBatchNorm, BatchRenormF32) { check_splits<RenormKind, float>(); }
TEST(MpiBatchNorm, BatchRenormF64) { check_splits<RenormKind, double>(); }

/// Threads of this process have the same bits as processes: what travels is the same table.
TEST(MpiBatchNorm, SameBitsAsThreads) {
  constexpr norma::index_t channels = 6;
  const auto step = [](const auto& comm) {
    const Extents extents = {comm.rank() == 1 ? 0 : 3 + comm.rank(), channels, 4};
    norma::SyncBatchNorm<float> layer(channels);
    Tensor<float> x(extents, {}, random_values<float>(count(extents), static_cast<std::uint64_t>(comm.rank()), 1)), y(extents, {}),
        dx(extents, {});
    norma::Saved<float> saved;
    layer.forward(comm, x.view(), y.view(), saved);
    layer.backward(comm, y.view(), x.view(), saved, dx.view());
    std::vector<float> all = y.values();
    for (const auto& part : {dx.values(), std::vector<float>(layer.running_var().begin(), layer.running_var().end())})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  std::vector<std::vector<float>> of_threads(static_cast<std::size_t>(world().size()));
  ThreadRanks(world().size()).run([&](const ThreadRanks::Rank& rank) { of_threads[static_cast<std::size_t>(rank.rank())] = step(rank); });
  EXPECT_TRUE(same(step(world()), of_threads[static_cast<std::size_t>(world().rank())]));
}

template <class F>
void expect_error(int bad, F f) {
  try {
    f();
    ADD_FAILURE() << "rank " << world().rank() << ": nothing was thrown";
  } catch (const norma::ShapeError& error) {
    const bool of_others = std::string(error.what()).find("rank " + std::to_string(bad) + " refused") != std::string::npos;
    EXPECT_EQ(of_others, world().rank() != bad) << error.what();
  }
}

/// Each rank in turn makes a mistake, forward and backward; all throw, nothing is written, and the next step is a good one.
TEST(MpiBatchNorm, AnErrorOnOneRankReachesAll) {
  const Extents extents = {4, 5, 3};
  const std::vector<float> values = random_values<float>(count(extents), static_cast<std::uint64_t>(world().rank()));
  norma::SyncBatchNorm<float> layer(5);
  for (int bad = 0; bad < world().size(); ++bad) {
    const bool mine = world().rank() == bad;
    Tensor<float> x(extents, {}, values), y(extents, {}), dx(extents, {});
    norma::Saved<float> saved;
    const auto wrong = x.view().slice(1, 0, 4);
    expect_error(bad, [&] { layer.forward(world(), mine ? wrong : x.view(), y.view(), saved); });
    for (const float v : y.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched()));
    EXPECT_EQ(layer.num_batches_tracked(), bad);

    layer.forward(world(), x.view(), y.view(), saved);
    expect_error(bad, [&] { layer.backward(world(), mine ? wrong : y.view(), x.view(), saved, dx.view()); });
    for (const float v : dx.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched()));
    for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0F);
    layer.backward(world(), y.view(), x.view(), saved, dx.view());
    layer.zero_grad();
  }
}

/// One value per channel in all: refused by every rank; two are enough.
TEST(MpiBatchNorm, OneValueInAll) {
  norma::SyncBatchNorm<double> layer(3);
  for (const int samples : {1, 2}) {
    const Extents extents = {world().rank() == world().size() - 1 ? samples : 0, 3};
    Tensor<double> x(extents, {}, random_values<double>(count(extents), 5)), y(extents, {});
    norma::Saved<double> saved;
    if (samples == 1) {
      EXPECT_THROW(layer.forward(world(), x.view(), y.view(), saved), norma::ShapeError);
    } else {
      layer.forward(world(), x.view(), y.view(), saved);
    }
    EXPECT_EQ(layer.num_batches_tracked(), samples - 1);
  }
}

}  // namespace
}  // namespace norma_test
