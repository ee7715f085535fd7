// Ranks without MPI: threads of one process that exchange through shared slots, behind the Communicator concept.
#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <exception>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include <norma/core/communicator.hpp>

namespace norma_test {

/// So many ranks; each runs on a thread of its own. A rank that ends, by an exception or too early, leaves nobody waiting: the others find
/// it gone when they call it.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size) : size_(size), barrier_(size), slots_(static_cast<std::size_t>(size)) {}

  class Rank {
   public:
    Rank(ThreadRanks& all, int rank) : all_(&all), rank_(rank) {}
    int rank() const { return rank_; }
    int size() const { return all_->size_; }
    void all_gather(std::span<const double> mine, std::span<double> all) const { all_->gather(rank_, mine, all); }

   private:
    ThreadRanks* all_;
    int rank_;
  };

  /// f(rank) on every rank; the first exception that leaves an f is thrown again.
  template <class F>
  void run(F f) {
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size_));
    std::vector<std::thread> threads;
    for (int r = 0; r < size_; ++r) {
      threads.emplace_back([&, r] {
        try {
          f(Rank(*this, r));
        } catch (...) {
          errors[static_cast<std::size_t>(r)] = std::current_exception();
        }
        gone_ = true;
        barrier_.arrive_and_drop();
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

  /// Exchanges so far, counted once for all ranks.
  int exchanges() const { return exchanges_; }

 private:
  void gather(int rank, std::span<const double> mine, std::span<double> all) {
    slots_[static_cast<std::size_t>(rank)] = mine;
    barrier_.arrive_and_wait();
    if (gone_) throw std::logic_error("a rank is gone that others wait for");
    bool fits = all.size() == mine.size() * slots_.size();
    for (const std::span<const double> slot : slots_) fits = fits && slot.size() == mine.size();
    auto to = all.begin();
    if (fits) {
      for (const std::span<const double> slot : slots_) to = std::copy(slot.begin(), slot.end(), to);
    }
    if (rank == 0) ++exchanges_;
    barrier_.arrive_and_wait();
    if (!fits) throw std::logic_error("ranks gather tables of different lengths");
  }

  int size_;
  std::barrier<> barrier_;
  std::vector<std::span<const double>> slots_;
  std::atomic<bool> gone_ = false;
  int exchanges_ = 0;
};

static_assert(norma::Communicator<ThreadRanks::Rank>);

/// The only rank there is.
struct LoneRank {
  int rank() const { return 0; }
  int size() const { return 1; }
  void all_gather(std::span<const double> mine, std::span<double> all) const { std::copy(mine.begin(), mine.end(), all.begin()); }
};

}  // namespace norma_test
