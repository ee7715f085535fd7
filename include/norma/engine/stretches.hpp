// Stretches: elements of cells that several tasks share out among them, where there are too few slices for all.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/engine/piece.hpp>
#include <norma/kernels/grid.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Without an executor, one task does all. With one, sums go by chunks of the fixed grid, each in columns of its own, which are merged in
/// order: the bits are those of one task.
struct Stretches {
  const ExecutorRef* executor = nullptr;
  index_t tasks = 1;
  std::byte* memory = nullptr;  ///< for the columns of all chunks; null: sums are not shared out

  /// f(i) for each of n chunks.
  template <class F>
  void each_chunk(index_t n, F&& f) const {
    executor->parallel_for(n, f);
  }
  /// f(elements) until all `size` of so many cells are done.
  template <class F>
  void each(index_t size, index_t cells, const F& f) const {
    const index_t worth = size * cells / worth_a_task, n = tasks < worth ? tasks : worth;
    if (executor == nullptr || n <= 1) return f(Elements{0, size});
    executor->parallel_for(n, [&](index_t task) { f(Elements{size * task / n, size * (task + 1) / n}); });
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
