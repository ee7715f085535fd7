// A forward whose tensors are operands: pieces, tasks and memory. Compiled once for an arithmetic.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/execution.hpp>
#include <norma/engine/forward.hpp>
#include <norma/engine/plan.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Outputs of so many bytes bypass the cache. Measured where a third-level cache of 32 MB is shared: 1.5 to 2.5 times as fast from 8 MB on,
/// and never slower with a reader behind it; on another processor a reader lost a fifth at 8 MB, nothing at 12, and gained a fifth at 16.
inline constexpr index_t streaming_threshold = index_t{8} << 20;

inline bool streams_output(Streaming policy, const Operand& output, index_t bytes, const Operand& x, const Operand& dy) {
  if (policy == Streaming::never || output.data == x.data || output.data == dy.data) return false;
  return policy == Streaming::always || bytes >= streaming_threshold;
}

/// The same for `output` as the stream that is written, y or dx; an absent one streams nothing.
template <class T>
inline bool streams_output(const ExecutorRef& executor, const Operands& operands, const TensorView<T>& output) {
  const index_t bytes = output.size() * static_cast<index_t>(sizeof(T));
  return output.data() != nullptr &&
         streams_output(executor.streaming(), operands[stream_y], bytes, operands[stream_x], operands[stream_dy]);
}

/// Memory that every task has on its stack: for statistics of so many sets and a tile of cells on their way to them, or for more of these
/// if there are fewer sets, or for many more sets that have coefficients alone.
template <class A>
inline constexpr index_t sets_on_stack = 2 * tile_lanes<A>;
template <class A>
inline constexpr index_t stack_bytes = SetTable<A>::bytes(sets_on_stack<A>) + CellTable<A>::bytes(tile_lanes<A>);
template <class A>
inline constexpr index_t coefficients_on_stack = SetTable<A>::bytes(sets_on_stack<A>) / SetTable<A>::bytes(16, false) * 16;

/// work(memory for a tile of cells). Out of line, for only who is in it should pay for the memory.
template <class A, class Work>
NORMA_NOINLINE void with_cells_on_stack(const Work& work) {
  alignas(64) std::byte memory[static_cast<std::size_t>(CellTable<A>::bytes(tile_lanes<A>))];
  work(CellTable<A>(tile_lanes<A>, memory));
}

template <class A>
using ForwardHook = Hook<SetTable<A>>;

/// Tasks worth their start for so many elements of so many parts.
inline index_t tasks_for(const ExecutorRef& executor, index_t parts, index_t elements) {
  index_t tasks = executor.concurrency() > 1 ? elements / Plan::worth_a_task : 1;
  if (tasks > 4 * executor.concurrency()) tasks = 4 * executor.concurrency();
  if (tasks > parts) tasks = parts;
  return tasks < 1 ? 1 : tasks;
}

/// Calls run(first, last) over disjoint ranges of [0, sets).
template <class Run>
inline void parallel_sets(const ExecutorRef& executor, index_t sets, index_t elements, Run&& run) {
  const index_t tasks = tasks_for(executor, sets, elements);
  if (tasks == 1) return run(0, sets);
  executor.parallel_for(tasks, [&](index_t task) { run(sets * task / tasks, sets * (task + 1) / tasks); });
}

/// Memory that each_slice wants for all its tasks, where `bytes` for each are more than a stack has.
template <std::size_t OnStack>
inline index_t slices_memory(const ExecutorRef& executor, const Plan& plan, index_t bytes) {
  return bytes <= static_cast<index_t>(OnStack) ? 0 : tasks_for(executor, plan.slices(), plan.elements()) * bytes;
}

/// work(slice, memory) for every slice, with `bytes` of memory for each task: on its stack if there is no `memory` for all.
template <std::size_t OnStack, class Work>
inline void each_slice(const ExecutorRef& executor, const Plan& plan, index_t bytes, std::byte* memory, Work&& work) {
  const index_t tasks = tasks_for(executor, plan.slices(), plan.elements());
  executor.parallel_for(tasks, [&](index_t task) {
    alignas(64) std::byte stack[OnStack];
    for (index_t i = plan.slices() * task / tasks; i < plan.slices() * (task + 1) / tasks; ++i) {
      work(plan.slice(i), memory == nullptr ? stack : memory + task * bytes);
    }
  });
}

/// A forward whose pieces are tiles of `Most` cells at most, each of which is a set, with memory for so many tables of them.
template <index_t Most, int Tables, class A, class U, class StatisticsOf>
NORMA_NOINLINE void run_tiles(const Forward<A, U>& forward, const ForwardCall& call, index_t first, index_t last,
                              const StatisticsOf& statistics_of) {
  constexpr index_t of_table = SetTable<A>::bytes(Most);
  alignas(64) std::byte memory[static_cast<std::size_t>(Tables * of_table + CellTable<A>::bytes(Most))];
  SetTable<A> tables[2] = {{Most, memory, call.statistics}, {Most, memory + (Tables - 1) * of_table, call.statistics}};
  const CellTable<A> cells(Most, memory + Tables * of_table);
  Piece pieces[2] = {};
  int current = 0;
  forward.folding().each_tile(first, last, [&](index_t cell, index_t count) {
    if (Tables == 1) forward.map(pieces[1 - current], tables[1 - current], cells);
    pieces[current] = Piece{cell, cell + count, count};
    statistics_of(forward, pieces[current], tables[current], [&](const auto& work) { work(cell, cell + count, cells); });
    if (Tables == 2) forward.map(pieces[1 - current], tables[1 - current], cells);
    current = 1 - current;
  });
  forward.map(pieces[1 - current], tables[1 - current], cells);
}

/// The forward of a call. Statistics of a piece come from `statistics_of(forward, piece, table, each_range)`, where each_range(work) runs
/// work(first, last) over ranges of its cells.
template <class A, class U, class StatisticsOf>
inline void run_forward(const ExecutorRef& executor, const ForwardCall& call, const Plan& plan, const Extents& x, const Operands& operands,
                        Buffer<std::byte>* scratch, const StatisticsOf& statistics_of) {
  constexpr std::size_t on_stack = static_cast<std::size_t>(stack_bytes<A>);
  if (plan.in_slices()) {
    // Slices side by side, or, where they are too few, cells of each slice.
    const bool inside = plan.slices() < executor.concurrency() && plan.cells_are_sets();
    const ExecutorRef one(sequential);
    const ExecutorRef& outside = inside ? one : executor;
    const index_t of_table = SetTable<A>::bytes(plan.sets_per_slice(), call.statistics);
    const bool wide = scratch != nullptr && !plan.cells_are_sets() && plan.channels_per_slice() > tile_lanes<A>;
    index_t bytes = of_table + CellTable<A>::bytes(wide ? plan.channels_per_slice() : tile_lanes<A>);
    if (bytes < stack_bytes<A>) bytes = stack_bytes<A>;
    const index_t wanted = slices_memory<on_stack>(outside, plan, bytes);
    Buffer<std::byte> own;
    Buffer<std::byte>& memory_of_tasks = scratch == nullptr ? own : *scratch;
    if (wanted > 0) memory_of_tasks.resize(wanted);
    each_slice<on_stack>(outside, plan, bytes, wanted > 0 ? memory_of_tasks.data() : nullptr, [&](Slice slice, std::byte* memory) {
      const Forward<A, U> forward(call, slice.extents, slice.roles, slice.operands);
      SetTable<A> table(slice.piece.sets, memory, call.statistics);
      const CellTable<A> cells((bytes - of_table) / CellTable<A>::bytes(16) * 16, memory + of_table);
      slice.piece.last = forward.layout().sets;
      const auto each_range = [&](const auto& work) {
        if (!inside) return work(0, slice.piece.last, cells);
        parallel_sets(executor, slice.piece.last, slice.extents.product(), [&](index_t first, index_t last) {
          with_cells_on_stack<A>([&](const CellTable<A>& of_range) { work(first, last, of_range); });
        });
      };
      statistics_of(forward, slice.piece, table, each_range);
      forward.prepare(slice.piece, table);
      each_range([&](index_t first, index_t last, const CellTable<A>& of_cells) {
        forward.map_cells_of(slice.piece, first, last, table, of_cells);
        if (call.streaming) streaming_fence();
      });
    });
    return;
  }
  const Forward<A, U> forward(call, x, plan.roles(), operands);
  parallel_sets(executor, forward.layout().sets, x.product(), [&](index_t first, index_t last) {
    if (forward.folding().most() > tile_rows) {
      run_tiles<tile_lanes<A>, 1>(forward, call, first, last, statistics_of);
    } else {
      // There is room for two: each piece is mapped after the next one is folded, so that the divisions and roots of one hide behind the
      // other's sweep.
      run_tiles<tile_rows, 2>(forward, call, first, last, statistics_of);
    }
    if (call.streaming) streaming_fence();
  });
}

/// work(piece, first cell, last cell, memory for cells, forward) for all cells of a call, as tasks whose sets are their own; columns are
/// those of all sets.
template <class A, class U, class Work>
inline void each_part(const ExecutorRef& executor, const Plan& plan, const ForwardCall& call, const Forward<A, U>& whole, const Piece& all,
                      index_t elements, const Work& work) {
  if (!plan.in_slices()) {
    parallel_sets(executor, all.sets, elements, [&](index_t first, index_t last) {
      with_cells_on_stack<A>([&](const CellTable<A>& cells) { work(all, first, last, cells, whole); });
    });
    return;
  }
  each_slice<1>(executor, plan.kept_near(executor.concurrency()), 0, nullptr, [&](Slice slice, std::byte*) {
    const Forward<A, U> forward(call, slice.extents, slice.roles, slice.operands);
    slice.piece.numbering = Numbering::call;
    with_cells_on_stack<A>([&](const CellTable<A>& cells) { work(slice.piece, 0, forward.layout().sets, cells, forward); });
  });
}

/// A forward whose hook sees all sets at once: they are all folded, then the hook, then all are mapped.
template <class A, class U>
inline void normalize_whole(const ExecutorRef& executor, const ForwardCall& call, const Plan& plan, const Extents& x,
                            const Operands& operands, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                            const ForwardHook<A>& hook) {
  const Forward<A, U> forward(call, x, plan.roles(), operands);
  const Piece all{0, forward.layout().sets, set_count(x, plan.roles()), Numbering::slice};
  Buffer<std::byte> own;
  Buffer<std::byte>& memory = scratch == nullptr ? own : *scratch;
  memory.resize(SetTable<A>::bytes(all.sets));
  SetTable<A> table(all.sets, memory.data());
  table.start(all.sets);
  table.clear();
  each_part(executor, plan, call, forward, all, x.product(),
            [&](const Piece& piece, index_t first, index_t last, const CellTable<A>& cells, const Forward<A, U>& part) {
              part.fold_cells_of(piece, first, last, table, cells);
            });
  forward.finish(all, table);
  table.unscale();
  hook(table, all);
  forward.keep(all, table, statistics);
  forward.prepare(all, table);
  each_part(executor, plan, call, forward, all, x.product(),
            [&](const Piece& piece, index_t first, index_t last, const CellTable<A>& cells, const Forward<A, U>& part) {
              part.map_cells_of(piece, first, last, table, cells);
              if (call.streaming) streaming_fence();
            });
}

/// A forward with the statistics of x, which are left in the arrays unless those are null. x has elements, of type U if kernels are to take
/// them where they lie.
template <class A, class U>
void normalize_operands(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x, const Operands& operands,
                        A weight_offset, bool streaming, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                        const ForwardHook<A>& hook) {
  const Plan plan(x, roles, operands, hook.span, scratch == nullptr ? sets_on_stack<A> : x.product(), executor.concurrency());
  const ForwardCall call{statistic, static_cast<double>(weight_offset), plan.order(), streaming, executor.fusion()};
  if (hook.span == Span::call) return normalize_whole<A, U>(executor, call, plan, x, operands, statistics, scratch, hook);
  run_forward<A, U>(executor, call, plan, x, operands, scratch,
                    [&](const Forward<A, U>& forward, const Piece& piece, SetTable<A>& table, const auto& each_range) {
                      forward.fold(piece, table, each_range);
                      if (hook.present()) {
                        table.unscale();
                        hook(table, piece);
                      }
                      forward.keep(piece, table, statistics);
                    });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
