// norma::mpi: a communicator on a caller's MPI_Comm.
#include <norma/interop/mpi.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace {

static_assert(norma::Communicator<decltype(norma::mpi(MPI_COMM_WORLD))>);

int rank_of(MPI_Comm comm) {
  int rank = -1;
  MPI_Comm_rank(comm, &rank);
  return rank;
}
int size_of(MPI_Comm comm) {
  int size = -1;
  MPI_Comm_size(comm, &size);
  return size;
}

/// all[r * count + i] is what rank r has given as its i-th number.
void expect_gathered(const norma::MpiCommunicator& comm, std::size_t count) {
  std::vector<double> mine(count), all(count * static_cast<std::size_t>(comm.size()), -1);
  for (std::size_t i = 0; i < count; ++i) mine[i] = 1000.0 * comm.rank() + static_cast<double>(i) + 0x1p-40;
  comm.all_gather(mine, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], 1000.0 * static_cast<double>(i / count) + static_cast<double>(i % count) + 0x1p-40);
  }
}

TEST(Mpi, RanksAndSize) {
  const auto world = norma::mpi(MPI_COMM_WORLD);
  EXPECT_EQ(world.rank(), rank_of(MPI_COMM_WORLD));
  EXPECT_EQ(world.size(), size_of(MPI_COMM_WORLD));
  const auto alone = norma::mpi(MPI_COMM_SELF);
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
}

TEST(Mpi, GathersInRankOrder) {
  for (const std::size_t count : {0u, 1u, 2u, 131u, 4098u}) {
    expect_gathered(norma::mpi(MPI_COMM_WORLD), count);
    expect_gathered(norma::mpi(MPI_COMM_SELF), count);
  }
}

/// Only the caller's handle counts: ranks in reverse, and half of the world.
TEST(Mpi, AnyCommunicatorOfTheCaller) {
  MPI_Comm reversed = MPI_COMM_NULL, half = MPI_COMM_NULL;
  const int rank = rank_of(MPI_COMM_WORLD);
  MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &reversed);
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
  EXPECT_EQ(norma::mpi(reversed).rank(), size_of(MPI_COMM_WORLD) - 1 - rank);
  EXPECT_EQ(norma::mpi(half).rank(), rank / 2);
  expect_gathered(norma::mpi(reversed), 17);
  expect_gathered(norma::mpi(half), 17);
  MPI_Comm_free(&reversed);
  MPI_Comm_free(&half);
}

/// A communicator is a value without duty: it may come and go, and MPI lives on.
TEST(Mpi, NeverFinalises) {
  for (int i = 0; i < 3; ++i) {
    const norma::MpiCommunicator copy = norma::mpi(MPI_COMM_WORLD);
    expect_gathered(copy, 3);
  }
  int finalized = 1;
  MPI_Finalized(&finalized);
  EXPECT_EQ(finalized, 0);
}

}  // namespace
