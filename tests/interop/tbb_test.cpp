// norma::tbb: each task once, on the threads of the arena.
#include <norma/interop/tbb.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace {

static_assert(norma::Executor<norma::TBB>);
static_assert(norma::Executor<decltype(norma::tbb(std::declval<oneapi::tbb::task_arena&>()).with(norma::Streaming::always))>);

TEST(TBB, RunsEachTaskOnce) {
  for (const int threads : {1, 2, 5}) {
    oneapi::tbb::task_arena arena(threads);
    std::vector<std::atomic<int>> counts(101);
    norma::tbb(arena).parallel_for(101, [&](norma::index_t i) { ++counts[static_cast<std::size_t>(i)]; });
    for (const auto& count : counts) EXPECT_EQ(count, 1);
    EXPECT_EQ(norma::tbb(arena).concurrency(), threads);
    EXPECT_EQ(norma::tbb(arena).with(norma::Streaming::never).concurrency(), threads);
  }
}

TEST(TBB, StaysInsideItsArena) {
  oneapi::tbb::task_arena arena(2);
  std::vector<int> thread_of(64, -1);
  norma::tbb(arena).parallel_for(
      64, [&](norma::index_t i) { thread_of[static_cast<std::size_t>(i)] = oneapi::tbb::this_task_arena::current_thread_index(); });
  for (const int thread : thread_of) EXPECT_TRUE(thread == 0 || thread == 1);
}

TEST(TBB, WhatATaskThrowsReachesTheCaller) {
  oneapi::tbb::task_arena arena(2);
  const auto run = [&] {
    norma::tbb(arena).parallel_for(16, [](norma::index_t i) {
      if (i == 7) throw std::runtime_error("seven");
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
}

}  // namespace
