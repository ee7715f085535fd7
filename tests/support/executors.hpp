// Executors of a user's own making: tasks in shuffled order, tasks on threads, tasks counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include <norma/core/execution.hpp>

#include "support/random.hpp"

namespace norma_test {

/// An executor behind a virtual call, so that tests choose one at run time.
class Pool {
 public:
  explicit Pool(int concurrency, norma::Streaming streaming = norma::Streaming::automatic)
      : concurrency_(concurrency), streaming_(streaming) {}
  virtual ~Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    run(tasks, &f, [](void* context, norma::index_t i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); });
  }
  int concurrency() const { return concurrency_; }
  norma::Streaming streaming() const { return streaming_; }

 protected:
  using Task = void (*)(void* context, norma::index_t i);
  virtual void run(norma::index_t tasks, void* context, Task task) const = 0;

 private:
  int concurrency_;
  norma::Streaming streaming_;
};

/// Says it has `concurrency` threads, but runs the tasks one after the other in an order that changes from call to call.
class ShuffledPool : public Pool {
 public:
  explicit ShuffledPool(int concurrency, std::uint64_t seed = 1) : Pool(concurrency), random_(seed) {}
  /// The most tasks one call was split into so far, and how many tasks ran in all.
  norma::index_t most_tasks() const { return most_tasks_; }
  norma::index_t tasks_run() const { return tasks_run_; }

 protected:
  void run(norma::index_t tasks, void* context, Task task) const override {
    const std::lock_guard lock(one_call_);  // ranks that are threads share an executor
    most_tasks_ = std::max(most_tasks_, tasks);
    std::vector<norma::index_t> order;
    for (norma::index_t i = 0; i < tasks; ++i) order.push_back(i);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
    for (const norma::index_t i : order) {
      task(context, i);
      ++tasks_run_;
    }
  }

 private:
  mutable std::mutex one_call_;
  mutable Random random_;
  mutable norma::index_t most_tasks_ = 0, tasks_run_ = 0;
};

/// New threads for every call, which fetch tasks as they become free.
class ThreadPool : public Pool {
 public:
  explicit ThreadPool(int concurrency) : Pool(concurrency) {}

 protected:
  void run(norma::index_t tasks, void* context, Task task) const override {
    std::atomic<norma::index_t> next{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < concurrency(); ++t) {
      threads.emplace_back([&] {
        for (norma::index_t i = next++; i < tasks; i = next++) task(context, i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

/// Any executor as a Pool, for example norma::openmp(2).
template <norma::Executor E>
class PoolOf : public Pool {
 public:
  explicit PoolOf(E executor)
      : Pool(static_cast<int>(executor.concurrency()), norma::ExecutorRef(executor).streaming()), executor_(executor) {}

 protected:
  void run(norma::index_t tasks, void* context, Task task) const override {
    executor_.parallel_for(tasks, [=](norma::index_t i) { task(context, i); });
  }

 private:
  E executor_;
};

}  // namespace norma_test
