// norma::openmp(n): an executor on OpenMP threads. Compile the including file with OpenMP switched on.
#pragma once

#ifndef _OPENMP
#error "norma: <norma/interop/openmp.hpp> needs OpenMP; compile with -fopenmp or link OpenMP::OpenMP_CXX"
#endif

#include <omp.h>

#include <norma/core/execution.hpp>

namespace norma {

/// Tasks are handed to a team of at most `threads` OpenMP threads as they become free.
struct OpenMP {
  int threads;  ///< at most so many; 1 or more

  /// f(i) for each i in [0, tasks), on any of the threads; returns when all are done.
  template <class F>
  NORMA_INLINE void parallel_for(index_t tasks, F&& f) const {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (index_t i = 0; i < tasks; ++i) f(i);
  }
  /// How many tasks run at once.
  NORMA_INLINE int concurrency() const noexcept { return threads; }
  /// The same executor with another streaming policy: changes speed, never bits.
  NORMA_INLINE constexpr WithStreaming<OpenMP> with(Streaming policy) const noexcept { return {*this, policy}; }
};

/// `threads` < 1 means OpenMP's own default.
NORMA_INLINE OpenMP openmp(int threads = 0) { return {threads > 0 ? threads : omp_get_max_threads()}; }

}  // namespace norma
