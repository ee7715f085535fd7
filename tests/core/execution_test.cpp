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

/// As it is, and as the engine sees it: with this concurrency and policy.
template <class E>
void expect_executor(const E& executor, int concurrency, norma::Streaming streaming) {
  const norma::ExecutorRef ref(executor);
  for (const norma::index_t tasks : {0, 1, 2, 7, 100}) {
    const std::vector<int> each_once(static_cast<std::size_t>(tasks), 1);
    EXPECT_EQ(runs(executor, tasks), each_once);
    EXPECT_EQ(runs(ref, tasks), each_once);
  }
  EXPECT_EQ(executor.concurrency(), concurrency);
  EXPECT_EQ(ref.concurrency(), concurrency);
  EXPECT_EQ(ref.streaming(), streaming);
}

TEST(Executors, RunEachTaskOnce) {
  using norma::Streaming;
  const norma_test::ShuffledPool shuffled(7);
  expect_executor(norma::sequential, 1, Streaming::automatic);
  expect_executor(norma::sequential.with(Streaming::always), 1, Streaming::always);
  expect_executor(norma::sequential.with(Streaming::never), 1, Streaming::never);
  expect_executor(MyPool(), 3, Streaming::automatic);
  expect_executor(shuffled, 7, Streaming::automatic);
  expect_executor(norma_test::ThreadPool(2), 2, Streaming::automatic);
  EXPECT_EQ(shuffled.tasks_run(), (1 + 2 + 7 + 100) + (2 + 7 + 100)) << "by the reference a single task stays on the caller's thread";
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
