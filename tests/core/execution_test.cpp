// Executors: sequential, streaming policies, a user's own, and the one shape the engine sees them in.
#include <gtest/gtest.h>

#include <atomic>
#include <type_traits>
#include <vector>

#include <norma/core/execution.hpp>

#include "support/executors.hpp"

namespace {

/// The executor a user would write.
struct MyPool {
  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    for (norma::index_t i = tasks; i-- > 0;) f(i);
  }
  int concurrency() const { return 3; }
};

struct NoPool {
  void parallel_for(int) const {}
};

static_assert(norma::Executor<MyPool> && norma::Executor<const MyPool&>);
static_assert(norma::Executor<decltype(norma::sequential)>);
static_assert(norma::Executor<decltype(norma::sequential.with(norma::Streaming::never))>);
static_assert(norma::Executor<norma_test::ShuffledPool> && norma::Executor<norma_test::Pool>);
static_assert(!norma::Executor<NoPool> && !norma::Executor<int> && !norma::Executor<std::vector<float>>);

/// How often each task ran.
template <class E>
std::vector<int> runs(const E& executor, norma::index_t tasks) {
  std::vector<std::atomic<int>> counts(static_cast<std::size_t>(tasks));
  executor.parallel_for(tasks, [&](norma::index_t i) { ++counts[static_cast<std::size_t>(i)]; });
  return {counts.begin(), counts.end()};
}

template <class E>
void expect_each_once(const E& executor) {
  for (const norma::index_t tasks : {0, 1, 2, 7, 100})
    EXPECT_EQ(runs(executor, tasks), std::vector<int>(static_cast<std::size_t>(tasks), 1));
}

TEST(Executors, RunEachTaskOnce) {
  expect_each_once(norma::sequential);
  expect_each_once(norma::sequential.with(norma::Streaming::always));
  expect_each_once(MyPool());
  expect_each_once(norma_test::ShuffledPool(7));
  expect_each_once(norma_test::ThreadPool(2));
}

TEST(Executors, ConcurrencyIsPassedOn) {
  EXPECT_EQ(norma::sequential.concurrency(), 1);
  EXPECT_EQ(norma::sequential.with(norma::Streaming::never).concurrency(), 1);
  EXPECT_EQ(norma::ExecutorRef(MyPool()).concurrency(), 3);
}

TEST(ExecutorRef, RunsOnWhatItRefersTo) {
  const norma_test::ShuffledPool shuffled(7);
  const norma_test::ThreadPool threads(2);
  const MyPool mine;
  expect_each_once(norma::ExecutorRef(norma::sequential));
  expect_each_once(norma::ExecutorRef(shuffled));
  expect_each_once(norma::ExecutorRef(threads));
  expect_each_once(norma::ExecutorRef(mine));
  EXPECT_EQ(shuffled.tasks_run(), 2 + 7 + 100) << "a single task stays on the caller's thread, the others run on the executor";
}

TEST(ExecutorRef, KnowsTheStreamingPolicy) {
  using norma::Streaming;
  EXPECT_EQ(norma::ExecutorRef(norma::sequential).streaming(), Streaming::automatic);
  EXPECT_EQ(norma::ExecutorRef(MyPool()).streaming(), Streaming::automatic);
  const auto never = norma::sequential.with(Streaming::never), always = norma::sequential.with(Streaming::always);
  EXPECT_EQ(norma::ExecutorRef(never).streaming(), Streaming::never);
  EXPECT_EQ(norma::ExecutorRef(always).streaming(), Streaming::always);
}

TEST(ShuffledPool, ShufflesDifferentlyEachTime) {
  const norma_test::ShuffledPool pool(7);
  std::vector<norma::index_t> first, second;
  pool.parallel_for(50, [&](norma::index_t i) { first.push_back(i); });
  pool.parallel_for(50, [&](norma::index_t i) { second.push_back(i); });
  EXPECT_NE(first, second);
  EXPECT_EQ(pool.most_tasks(), 50);
}

}  // namespace
