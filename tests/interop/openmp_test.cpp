// norma::openmp: each task once, on at most so many threads.
#include <norma/interop/openmp.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <vector>

namespace {

static_assert(norma::Executor<norma::OpenMP>);
static_assert(norma::Executor<decltype(norma::openmp(2).with(norma::Streaming::always))>);

TEST(OpenMP, RunsEachTaskOnce) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> counts(101);
    norma::openmp(threads).parallel_for(101, [&](norma::index_t i) { ++counts[static_cast<std::size_t>(i)]; });
    for (const auto& count : counts) EXPECT_EQ(count, 1);
  }
}

TEST(OpenMP, UsesAtMostSoManyThreads) {
  std::vector<int> thread_of(64, -1);
  norma::openmp(2).parallel_for(64, [&](norma::index_t i) { thread_of[static_cast<std::size_t>(i)] = omp_get_thread_num(); });
  for (const int thread : thread_of) EXPECT_TRUE(thread == 0 || thread == 1);
  EXPECT_EQ(norma::openmp(2).concurrency(), 2);
  EXPECT_EQ(norma::openmp(2).with(norma::Streaming::never).concurrency(), 2);
  EXPECT_GE(norma::openmp().concurrency(), 1);
}

}  // namespace
