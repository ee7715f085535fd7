// norma::tbb(arena): an executor on the threads of a oneTBB task arena. Link TBB::tbb.
#pragma once

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <norma/core/execution.hpp>

namespace norma {

/// Tasks run inside an arena that the caller owns and that outlives the calls; as many at once as it admits threads.
struct TBB {
  oneapi::tbb::task_arena* arena;

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
  NORMA_INLINE int concurrency() const { return arena->max_concurrency(); }
  NORMA_INLINE constexpr WithStreaming<TBB> with(Streaming policy) const noexcept { return {*this, policy}; }
};

NORMA_INLINE TBB tbb(oneapi::tbb::task_arena& arena) { return {&arena}; }

}  // namespace norma
