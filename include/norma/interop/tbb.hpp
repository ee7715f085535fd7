// norma::tbb(arena): an executor on the threads of a oneTBB task arena. Link TBB::tbb.
#pragma once

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <norma/core/execution.hpp>

namespace norma {

/// Tasks run inside an arena that the caller owns and that outlives the calls; as many at once as it admits threads.
struct TBB {
  oneapi::tbb::task_arena* arena;  ///< the caller's

  /// f(i) for each i in [0, tasks), on any of the threads; returns when all are done.
  template <class F>
  NORMA_INLINE void parallel_for(index_t tasks, F&& f) const {
    // Isolated: a thread that waits for the last tasks must not pick up work of the caller's from outside this loop.
    arena->execute([&] {
      oneapi::tbb::this_task_arena::isolate([&] {
        oneapi::tbb::parallel_for(
            index_t{0}, tasks, [&](index_t i) { f(i); }, oneapi::tbb::simple_partitioner());
      });
    });
  }
  /// How many tasks run at once.
  NORMA_INLINE int concurrency() const { return arena->max_concurrency(); }
  /// The same executor with another streaming policy: changes speed, never bits.
  NORMA_INLINE constexpr WithStreaming<TBB> with(Streaming policy) const noexcept { return {*this, policy}; }
};

/// The executor on an arena, which it refers to.
NORMA_INLINE TBB tbb(oneapi::tbb::task_arena& arena) { return {&arena}; }

}  // namespace norma
