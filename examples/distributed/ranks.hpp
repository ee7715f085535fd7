// MPI as this example uses it: the world, its sums and comparisons, and a communicator that counts what norma sends through it.
#pragma once

#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <norma/interop/mpi.hpp>
#include <span>
#include <vector>

namespace distributed {

/// MPI from here to the end of main.
class World {
 public:
  World(int& argc, char**& argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~World() { MPI_Finalize(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  int rank_ = 0, size_ = 1;
};

/// Every rank's numbers become the sums over ranks. MPI does not promise equal bits on all ranks, libraries give them, and main checks.
inline void sum_over_ranks(std::span<float> numbers) {
  MPI_Allreduce(MPI_IN_PLACE, numbers.data(), static_cast<int>(numbers.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

/// Whether all ranks hold the same bytes: their FNV-1a hashes (Fowler, Noll, Vo) are equal.
inline bool same_on_all_ranks(std::span<const std::byte> bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 1099511628211u;
  std::uint64_t least = 0, most = 0;
  MPI_Allreduce(&hash, &least, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
  MPI_Allreduce(&hash, &most, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
  return least == most;
}

/// What a rank has given to exchanges so far.
struct Traffic {
  std::size_t exchanges = 0, bytes = 0;
  double seconds = 0;
};

/// norma::mpi with a counter before it: three members, and anything is a communicator.
class CountingCommunicator {
 public:
  CountingCommunicator(MPI_Comm comm, Traffic& traffic) : mpi_(norma::mpi(comm)), traffic_(&traffic) {}

  int rank() const { return mpi_.rank(); }
  int size() const { return mpi_.size(); }
  void all_gather(std::span<const double> mine, std::span<double> all) const {
    const auto start = std::chrono::steady_clock::now();
    mpi_.all_gather(mine, all);
    traffic_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    traffic_->bytes += mine.size_bytes();
    ++traffic_->exchanges;
  }

 private:
  norma::MpiCommunicator mpi_;
  Traffic* traffic_;
};
static_assert(norma::Communicator<CountingCommunicator>);

}  // namespace distributed
