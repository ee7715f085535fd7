// norma::tbb: each task once, on the threads of the arena, and the bits of one thread.
#include <norma/interop/tbb.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "subjects/engine.hpp"
#include "support/random.hpp"

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

TEST(TBB, GivesTheBitsOfOneThread) {
  const norma::Extents shape = {300, 257};
  const auto size = static_cast<std::size_t>(shape.product());
  const std::vector<float> x = norma_test::random_values<float>(size, 1), dy = norma_test::random_values<float>(size, 2);
  const auto step = [&](const auto& executor) {
    norma::LayerNorm<float> ln({257});
    norma::Saved<float> saved;
    std::vector<float> y(size), dx(size);
    ln.forward(executor, norma::TensorView<const float>(x.data(), shape), norma::TensorView<float>(y.data(), shape), saved);
    ln.backward(executor, norma::TensorView<const float>(dy.data(), shape), norma::TensorView<const float>(x.data(), shape), saved,
                norma::TensorView<float>(dx.data(), shape));
    y.insert(y.end(), dx.begin(), dx.end());
    y.insert(y.end(), ln.weight_grad().begin(), ln.weight_grad().end());
    return y;
  };
  oneapi::tbb::task_arena arena(3);
  EXPECT_EQ(step(norma::tbb(arena)), step(norma::sequential));
}

}  // namespace
