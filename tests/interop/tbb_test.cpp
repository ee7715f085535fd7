// norma::tbb: each task once, on the threads of the arena, and the bits of one thread.
#include <norma/interop/tbb.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/compare.hpp"
#include "support/run.hpp"

namespace norma_test { namespace {

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

TEST(TBB, GivesTheBitsOfOneThread) {
  const Subject& subject = subject_named("LayerNorm");
  const Setting s = rows_of(300, 257);
  const Data data = random_data(subject, all_f32, s, 1);
  oneapi::tbb::task_arena arena(3);
  const PoolOf threads(norma::tbb(arena));
  Plan plan;
  plan.pool = &threads;
  expect_same(run(subject, all_f32, s, data, plan), run(subject, all_f32, s, data));
}

}  // namespace
}  // namespace norma_test
