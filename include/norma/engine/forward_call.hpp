// A forward whose tensors are operands: pieces, tasks and memory. Compiled once for an arithmetic.
#pragma once

#include <norma/engine/entries.hpp>
#include <norma/engine/forward.hpp>
#include <norma/engine/plan.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

/// Tasks worth their start for so many elements of so many parts.
inline index_t tasks_for(const ExecutorRef& executor, index_t parts, index_t elements) {
  index_t tasks = executor.concurrency() > 1 && elements >= worth_a_team ? elements / worth_a_task : 1;
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

/// The elements of a plan's cells, for tasks to share out where it has fewer slices than these.
inline Stretches stretches_of(const ExecutorRef& executor, const Plan& plan, std::byte* memory) {
  if (!plan.shares_elements()) return {};
  return {&executor, tasks_for(executor, plan.cell_size(), plan.elements() / plan.slices()), memory};
}

inline index_t tasks_of_slices(const ExecutorRef& executor, const Plan& plan) {
  return tasks_for(executor, plan.slices() / plan.slices_together(), plan.elements());
}

/// Memory that each_slice wants for all its tasks, where `bytes` for each are more than a stack has.
template <std::size_t OnStack>
inline index_t slices_memory(const ExecutorRef& executor, const Plan& plan, index_t bytes) {
  return bytes <= static_cast<index_t>(OnStack) ? 0 : tasks_of_slices(executor, plan) * bytes;
}

/// work(first, last, memory for cells, stretches) for ranges of a piece's cells, as tasks.
template <class A, class Work>
inline void each_range_of_cells(const ExecutorRef& executor, const Piece& piece, index_t elements, const Work& work) {
  parallel_sets(executor, piece.last, elements, [&](index_t first, index_t last) {
    with_cells_on_stack<A>([&](const CellTable<A>& cells) { work(first, last, cells, Stretches()); });
  });
}

/// work(slice, memory) for every slice, with `bytes` of memory for each task: on its stack if there is no `memory` for all. Out of line,
/// for only who is in it should pay for the memory.
template <std::size_t OnStack, class Work>
NORMA_NOINLINE void each_slice(const ExecutorRef& executor, const Plan& plan, index_t bytes, std::byte* memory, Work&& work) {
  const index_t tasks = tasks_of_slices(executor, plan), together = plan.slices_together(), parts = plan.slices() / together;
  executor.parallel_for(tasks, [&](index_t task) {
    alignas(64) std::byte stack[OnStack];
    for (index_t i = parts * task / tasks * together; i < parts * (task + 1) / tasks * together; ++i) {
      Slice slice = plan.slice(i);
      work(slice, memory == nullptr ? stack : memory + task * bytes);
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
    statistics_of(forward, pieces[current], tables[current], [&](const auto& work) { work(cell, cell + count, cells, Stretches()); });
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
    // Slices side by side, or, where they are too few, elements or cells of each slice.
    const bool shares = plan.shares_elements(), inside = shares || (plan.slices() < executor.concurrency() && plan.cells_are_sets());
    const ExecutorRef one(sequential);
    const ExecutorRef& outside = inside ? one : executor;
    const index_t of_table = SetTable<A>::bytes(plan.sets_per_slice(), call.statistics);
    const bool wide = (scratch != nullptr || (shares && call.folds)) && !plan.cells_are_sets() && plan.channels_per_slice() > tile_lanes<A>;
    index_t own_bytes = of_table + CellTable<A>::bytes(wide ? plan.channels_per_slice() : tile_lanes<A>);
    if (own_bytes < stack_bytes<A>) own_bytes = stack_bytes<A>;
    const index_t bytes = own_bytes + (shares && call.folds ? plan.chunks() * CellTable<A>::chunk_bytes(plan.cells_per_slice()) : 0);
    const index_t wanted = slices_memory<on_stack>(outside, plan, bytes);
    Buffer<std::byte> own;
    Buffer<std::byte>& memory_of_tasks = scratch == nullptr ? own : *scratch;
    if (wanted > 0) memory_of_tasks.resize(wanted);
    each_slice<on_stack>(outside, plan, bytes, wanted > 0 ? memory_of_tasks.data() : nullptr, [&](Slice& slice, std::byte* memory) {
      const Forward<A, U> forward(call, slice.extents, slice.roles, slice.operands);
      SetTable<A> table(slice.piece.sets, memory, call.statistics);
      const CellTable<A> cells((own_bytes - of_table) / CellTable<A>::bytes(16) * 16, memory + of_table);
      const Stretches stretches = stretches_of(executor, plan, call.folds ? memory + own_bytes : nullptr);
      slice.piece.last = forward.layout().sets;
      const auto each_range_of = [&](bool by_cells, const auto& work) {
        if (!by_cells) return work(0, slice.piece.last, cells, stretches);
        each_range_of_cells<A>(executor, slice.piece, slice.extents.product(), work);
      };
      statistics_of(forward, slice.piece, table, [&](const auto& work) { each_range_of(inside && !shares, work); });
      forward.prepare(slice.piece, table);
      each_range_of(inside && !(shares && forward.maps_across_lanes()),
                    [&](index_t first, index_t last, const CellTable<A>& of_cells, const Stretches& of_elements) {
                      forward.map_cells_of(slice.piece, first, last, table, of_cells, of_elements);
                      if (call.streaming) streaming_fence();
                    });
    });
    return;
  }
  const Forward<A, U> forward(call, x, plan.roles(), operands);
  parallel_sets(executor, forward.layout().sets, x.product(), [&](index_t first, index_t last) {
    if (forward.folding().most() > tile_rows) {
      run_tiles<tile_lanes<A>, 1>(forward, call, first, last, statistics_of);
    } else if (forward.folding().most() > few_rows) {
      run_tiles<tile_rows, 1>(forward, call, first, last, statistics_of);
    } else {
      // There is room for two: each piece is mapped after the next one is folded, so that the divisions and roots of one hide behind the
      // other's sweep.
      run_tiles<few_rows, 2>(forward, call, first, last, statistics_of);
    }
    if (call.streaming) streaming_fence();
  });
}

/// work(piece, first cell, last cell, memory for cells, stretches, forward) for all cells of a call, as tasks whose sets are their own, or
/// whose elements; columns are those of all sets.
template <class A, class U, class Work>
inline void each_part(const ExecutorRef& executor, const Plan& nearby, const ForwardCall& call, const Forward<A, U>& whole,
                      const Piece& all, index_t elements, const Stretches& stretches, bool across_lanes, const Work& work) {
  const bool shares = stretches.executor != nullptr;
  if (shares && across_lanes) {
    return with_cells_on_stack<A>([&](const CellTable<A>& cells) { work(all, 0, all.last, cells, stretches, whole); });
  }
  if (shares || !nearby.in_slices()) {
    return each_range_of_cells<A>(executor, all, elements,
                                  [&](index_t first, index_t last, const CellTable<A>& cells, const Stretches& of_elements) {
                                    work(all, first, last, cells, of_elements, whole);
                                  });
  }
  each_slice<1>(executor, nearby, 0, nullptr, [&](Slice& slice, std::byte*) {
    const Forward<A, U> forward(call, slice.extents, slice.roles, slice.operands);
    slice.piece.numbering = Numbering::call;
    with_cells_on_stack<A>([&](const CellTable<A>& cells) { work(slice.piece, 0, forward.layout().sets, cells, stretches, forward); });
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
  const Plan nearby = plan.in_slices() ? plan.kept_near() : plan;
  const index_t of_table = SetTable<A>::bytes(all.sets);
  memory.resize(of_table + (nearby.shares_elements() ? nearby.chunks() * CellTable<A>::chunk_bytes(forward.layout().sets) : 0));
  const Stretches stretches = stretches_of(executor, nearby, memory.data() + of_table);
  SetTable<A> table(all.sets, memory.data());
  table.start(all.sets);
  table.clear();
  each_part(executor, nearby, call, forward, all, x.product(), stretches, true,
            [&](const Piece& piece, index_t first, index_t last, const CellTable<A>& cells, const Stretches& of_elements,
                const Forward<A, U>& part) { part.fold_cells_of(piece, first, last, table, cells, of_elements); });
  forward.finish(all, table);
  table.unscale();
  hook(table, all);
  forward.keep(all, table, statistics);
  forward.prepare(all, table);
  each_part(executor, nearby, call, forward, all, x.product(), stretches, forward.maps_across_lanes(),
            [&](const Piece& piece, index_t first, index_t last, const CellTable<A>& cells, const Stretches& of_elements,
                const Forward<A, U>& part) {
              part.map_cells_of(piece, first, last, table, cells, of_elements);
              if (call.streaming) streaming_fence();
            });
}

template <class A, class U>
void normalize_operands(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x, const Operands& operands,
                        A weight_offset, bool streaming, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                        const ForwardHook<A>& hook) {
  const auto plan_for = [&](bool memory) {
    return Plan(x, roles, operands, hook.span, memory ? x.product() : sets_on_stack<A>, executor.concurrency(),
                memory ? Sums::shared : Sums::of_one_task);
  };
  Plan plan = plan_for(scratch != nullptr);
  if (scratch == nullptr && executor.concurrency() > 1) {  // then a call may allocate, rather than leave threads without work
    const Plan with_memory = plan_for(true);
    if (with_memory.shares_elements()) plan = with_memory;
  }
  // A hook that sees the whole call may refuse it, and then nothing has been written.
  const bool stores = hook.span != Span::call;
  const ForwardCall call{statistic, static_cast<double>(weight_offset), plan.order(), streaming, executor.fusion(), true, stores};
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

template <class A, class U>
void apply_statistics_to_operands(const CallRef& executor, const Roles& roles, const Extents& x, const Operands& operands, A weight_offset,
                                  bool streaming, const GivenStatistics& given) {
  const auto plan_for = [&](index_t most_sets) {
    return Plan(x, roles, operands, Span::none, most_sets, executor.concurrency(), Sums::none);
  };
  Plan plan = plan_for(coefficients_on_stack<A>);
  const bool per_cell = plan.parameters_vary_in_sets();  // then statistics are wanted beside the coefficients
  if (per_cell) plan = plan_for(sets_on_stack<A>);
  const ForwardCall call{given.statistic, static_cast<double>(weight_offset), plan.order(), streaming, executor.fusion(), false, false,
                         per_cell};
  run_forward<A, U>(
      executor, call, plan, x, operands, nullptr,
      [&](const Forward<A, U>& forward, const Piece& piece, SetTable<A>& table, const auto&) { forward.take(piece, given, table); });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
