// Executors: who runs the independent tasks of one call. Results never depend on it, bit for bit.
#pragma once

#include <concepts>
#include <type_traits>

#include <norma/core/communicator.hpp>
#include <norma/core/extents.hpp>
#include <norma/core/instruction_set.hpp>
#include <norma/core/view.hpp>

namespace norma {

/// Whether large outputs bypass the cache (non-temporal stores). Changes speed, never bits.
enum class Streaming : unsigned char { automatic, never, always };

/// `parallel_for(tasks, f)` runs f(i) once for each i in [0, tasks), in any order, on any threads, and returns when all are done;
/// `concurrency()` says how many run at once.
template <class E>
concept Executor = requires(const std::remove_cvref_t<E>& e, void (*f)(index_t)) {
  e.parallel_for(index_t{1}, f);
  { e.concurrency() } -> std::convertible_to<int>;
};

/// What stands where an executor may: one, or what neither is a tensor nor stands for processes, of which ExecutorRef says why it is none.
template <class E>
concept InPlaceOfExecutor = Executor<E> ||(!Viewable<E> && !Communicator<E>);

/// An executor with a streaming policy attached.
template <class E>
struct WithStreaming {
  E executor;        ///< who runs the tasks
  Streaming policy;  ///< what streaming() gives

  /// f(i) for each i in [0, tasks).
  template <class F>
  NORMA_INLINE void parallel_for(index_t tasks, F&& f) const {
    executor.parallel_for(tasks, f);
  }
  /// How many tasks run at once.
  NORMA_INLINE int concurrency() const { return executor.concurrency(); }
  /// What large outputs do.
  NORMA_INLINE Streaming streaming() const noexcept { return policy; }
};

/// Runs every task on the calling thread.
struct Sequential {
  /// f(i) for each i in [0, tasks).
  template <class F>
  NORMA_INLINE void parallel_for(index_t tasks, F&& f) const {
    for (index_t i = 0; i < tasks; ++i) f(i);
  }
  /// How many tasks run at once.
  NORMA_INLINE constexpr int concurrency() const noexcept { return 1; }
  /// The same executor with another streaming policy: changes speed, never bits.
  NORMA_INLINE constexpr WithStreaming<Sequential> with(Streaming policy) const noexcept { return {*this, policy}; }
};

/// The default executor.
inline constexpr Sequential sequential{};

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// An executor seen through plain pointers, so that the engine is compiled once and not once per executor and call.
class ExecutorRef {
 public:
  template <InPlaceOfExecutor E>
  NORMA_INLINE ExecutorRef(const E& executor) : executor_(&executor) {
    if constexpr (Executor<E>) {
      run_ = &run_on<E>;
      concurrency_ = static_cast<int>(executor.concurrency());
      if constexpr (requires { executor.streaming(); }) streaming_ = executor.streaming();
      inline_ = std::is_same_v<E, Sequential>;
    } else {
      say_why_not<E>();
    }
  }

  /// f(i) for i in [0, tasks); a single task runs on the calling thread.
  template <class F>
  NORMA_INLINE void parallel_for(index_t tasks, F&& f) const {
    if (tasks == 1 || inline_) {
      for (index_t i = 0; i < tasks; ++i) f(i);
    } else if (tasks > 0) {
      run_(executor_, tasks, &f, [](void* context, index_t i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); });
    }
  }
  /// How many tasks run at once.
  NORMA_INLINE int concurrency() const noexcept { return concurrency_; }
  /// What large outputs do.
  NORMA_INLINE Streaming streaming() const noexcept { return streaming_; }

 private:
  using Task = void (*)(void* context, index_t i);

  template <class E>
  static void run_on(const void* executor, index_t tasks, void* context, Task task) {
    static_cast<const E*>(executor)->parallel_for(tasks, [=](index_t i) { task(context, i); });
  }

  template <class E>
  static void say_why_not() {
    constexpr bool runs = requires(E & e, void (*f)(index_t)) { e.parallel_for(index_t{1}, f); };
    constexpr bool runs_if_const = requires(const E& e, void (*f)(index_t)) { e.parallel_for(index_t{1}, f); };
    static_assert(
        runs,
        "norma: an executor stands here, and this is none. It is norma::sequential, norma::openmp(n), norma::tbb(arena), or a type "
        "with `template <class F> void parallel_for(norma::index_t tasks, F&& f) const` and `int concurrency() const`");
    static_assert(!runs || runs_if_const, "norma: parallel_for of an executor must be const; this one is not");
    static_assert(!runs_if_const,
                  "norma: an executor has `int concurrency() const`, the number of tasks that run at once; this one has not");
  }

  const void* executor_;
  void (*run_)(const void*, index_t, void*, Task) = nullptr;
  int concurrency_ = 1;
  Streaming streaming_ = Streaming::automatic;
  bool inline_ = false;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
