// A backward whose tensors are operands: pieces, slots of gradients, tasks and memory. Compiled once for an arithmetic.
#pragma once

#include <norma/engine/backward.hpp>
#include <norma/engine/forward_call.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// True if weight and bias gradients repeat along different kept axes, so that no one grouping of sets serves both.
inline bool gradients_group_differently(const Operands& operands, const Extents& extents, const Roles& roles) {
  const Operand &weight_grad = operands[stream_weight_grad], &bias_grad = operands[stream_bias_grad];
  if (!weight_grad.present() || !bias_grad.present()) return false;
  for (int a = 0; a < extents.size(); ++a) {
    if (extents[a] == 1 || (!roles.keeps(a) && !roles.splits(a))) continue;
    if ((weight_grad.strides[a] != 0) != (bias_grad.strides[a] != 0)) return true;
  }
  return false;
}

/// dx, and what gradients are made of, in one of three ways. x has elements.
template <class A, class U>
class BackwardRun {
 public:
  BackwardRun(const ExecutorRef& executor, const BackwardCall& call, const Plan& plan, const Extents& x, const Operands& operands,
              const BackwardHook<A>& hook, Buffer<std::byte>& scratch, index_t reserved)
      : executor_(executor), call_(call), plan_(plan), x_(x), operands_(operands), hook_(hook), scratch_(scratch), reserved_(reserved) {}

  /// Memory of in_slices(), which lies in scratch behind what is reserved there.
  static index_t memory_of_slices(const ExecutorRef& executor, const Plan& plan, Span span, index_t sets) {
    // Tasks that share the elements of a call out do so for all its cells, whatever would stay near.
    if (span == Span::call) return SumsTable<A>::bytes(sets) + memory_of_blocks(plan.kept_near(), plan.elements() / plan.cell_size());
    if (plan.shares_elements()) return bytes_of_slice(plan) + memory_of_blocks(plan, plan.cells_per_slice());
    return slices_memory<1>(executor, plan, bytes_of_slice(plan));
  }

  // Out of line, each of these: a call takes the stack of the one it goes through alone.
  NORMA_NOINLINE void in_slices() {
    if (hook_.span == Span::call) return in_whole_slices();
    const index_t bytes = bytes_of_slice(plan_), of_table = SumsTable<A>::bytes(plan_.sets_per_slice());
    const ExecutorRef one(sequential);
    std::byte* const all_memory = scratch_.data() + reserved_;
    const Stretches stretches = stretches_of(executor_, plan_, all_memory + bytes);
    each_slice<1>(stretches.executor != nullptr ? one : executor_, plan_, bytes, all_memory, [&](Slice& slice, std::byte* memory) {
      const Backward<A, U> backward(call_, slice.extents, slice.roles, slice.operands);
      slice.piece.last = backward.layout().sets;
      SumsTable<A> table(slice.piece.sets, memory);
      run_piece(backward, slice.piece, table, {(bytes - of_table) / SumCells<A>::bytes(16) * 16, memory + of_table}, {}, stretches);
      if (call_.streaming) streaming_fence();
    });
  }
  NORMA_NOINLINE void in_rows() {
    const Backward<A, U> backward(call_, x_, plan_.roles(), operands_);
    whole_or_not(backward, [&] {
      parallel_sets(executor_, backward.layout().sets, x_.product(),
                    [&](index_t first, index_t last) { run_range(backward, first, last, {}); });
    });
  }
  /// Gradients of parameters that vary along the elements of sets: in slots of sets, which are summed by themselves and combined in order.
  NORMA_NOINLINE void in_slots() {
    const Backward<A, U> backward(call_, x_, plan_.roles(), operands_);
    whole_or_not(backward, [&] { fill_slots(backward); });
  }

 private:
  static index_t memory_of_blocks(const Plan& plan, index_t cells) {
    return plan.shares_elements() ? plan.chunks() * SumCells<A>::block_bytes(cells) : 0;
  }
  static index_t bytes_of_slice(const Plan& plan) {
    const bool wide = !plan.cells_are_sets() && plan.channels_per_slice() > tile_lanes<A>;
    return SumsTable<A>::bytes(plan.sets_per_slice()) + SumCells<A>::bytes(wide ? plan.channels_per_slice() : tile_lanes<A>);
  }
  /// work(memory for a tile of cells). Out of line, for only who is in it should pay for the memory.
  template <class Work>
  NORMA_NOINLINE static void with_cells_on_stack(const Work& work) {
    alignas(64) std::byte memory[static_cast<std::size_t>(SumCells<A>::bytes(tile_lanes<A>))];
    work(SumCells<A>(tile_lanes<A>, memory));
  }

  NORMA_NOINLINE void in_whole_slices() {
    const Backward<A, U> backward(call_, x_, plan_.roles(), operands_);
    Whole whole(*this, backward, scratch_.data() + reserved_);
    const Plan nearby = plan_.kept_near();
    const Stretches stretches = stretches_of(executor_, nearby, scratch_.data() + reserved_ + SumsTable<A>::bytes(whole.piece.sets));
    each_near_slice(nearby, whole.piece, backward, stretches,
                    [&](const Piece& piece, const SumCells<A>& cells, const Backward<A, U>& part) {
                      part.fold(piece, 0, part.layout().sets, whole.table, cells, {}, stretches);
                    });
    hook_(whole.table, whole.piece);
    if (stretches.executor != nullptr && !backward.maps_across_lanes()) return map_by_cells(backward, whole.piece, whole.table);
    each_near_slice(nearby, whole.piece, backward, stretches,
                    [&](const Piece& piece, const SumCells<A>& cells, const Backward<A, U>& part) {
                      part.map(piece, 0, part.layout().sets, whole.table, cells, stretches);
                    });
  }
  void fill_slots(const Backward<A, U>& backward) {
    const Layout& layout = backward.layout();
    const index_t group_size = layout.sets / layout.groups;
    const SlotGrid grid(group_size, layout.set_size);
    const index_t width = backward.folding().way() == Way::lanes ? lanes<A> : 1;
    const index_t bytes = SlotSums<A>::bytes(layout.set_size, width);
    const auto sum_slot = [&](index_t first, index_t last, SlotSums<A>& sums) {
      sums.clear_running();
      const index_t interval = SlotGrid::flush_interval * width;
      for (index_t set = first; set < last; set += interval) {
        run_range(backward, set, set + interval < last ? set + interval : last, sums.running);
        sums.flush();
      }
    };
    if (grid.slots == 1) {  // many small groups: each task owns some of them
      const index_t tasks = layout.groups < 32 ? layout.groups : 32;
      scratch_.resize(tasks * bytes);
      executor_.parallel_for(tasks, [&](index_t task) {
        for (index_t group = layout.groups * task / tasks; group < layout.groups * (task + 1) / tasks; ++group) {
          SlotSums<A> sums(layout.set_size, width, scratch_.data() + task * bytes);
          sum_slot(group * group_size, (group + 1) * group_size, sums);
          scatter(layout, group * group_size, sums);
        }
      });
      return;
    }
    scratch_.resize(grid.slots * bytes);
    for (index_t group = 0; group < layout.groups; ++group) {
      const index_t begin = group * group_size, end = begin + group_size;
      executor_.parallel_for(grid.slots, [&](index_t slot) {
        SlotSums<A> sums(layout.set_size, width, scratch_.data() + slot * bytes);
        const index_t first = begin + slot * grid.sets_per_slot;
        sum_slot(first, first + grid.sets_per_slot < end ? first + grid.sets_per_slot : end, sums);
      });
      SlotSums<A> total(layout.set_size, width, scratch_.data());
      for (index_t slot = 1; slot < grid.slots; ++slot) {
        const SlotSums<A> part(layout.set_size, width, scratch_.data() + slot * bytes);
        for (index_t i = 0; i < 2 * total.padded; ++i) total.weight[i] += part.weight[i];
      }
      scatter(layout, begin, total);
    }
  }

  /// A table of all sets, for hooks that want to see them at once: all are folded, then the hook, then all are mapped.
  struct Whole {
    Piece piece;
    SumsTable<A> table;

    Whole(const BackwardRun& run, const Backward<A, U>& backward, std::byte* memory)
        : piece{0, backward.layout().sets, set_count(run.x_, run.plan_.roles()), Numbering::slice}, table(piece.sets, memory) {
      backward.read_statistics(piece, table);
    }
  };
  template <class Fold>
  void whole_or_not(const Backward<A, U>& backward, const Fold& fold) {
    if (hook_.span != Span::call) return fold();
    Buffer<std::byte> memory(SumsTable<A>::bytes(set_count(x_, plan_.roles())));
    Whole whole(*this, backward, memory.data());
    whole_ = &whole;
    fold();
    hook_(whole.table, whole.piece);
    map_by_cells(backward, whole.piece, whole.table);
  }
  void map_by_cells(const Backward<A, U>& backward, const Piece& piece, const SumsTable<A>& table) const {
    parallel_sets(executor_, piece.last, x_.product(), [&](index_t first, index_t last) {
      with_cells_on_stack([&](const SumCells<A>& cells) { backward.map(piece, first, last, table, cells, {}); });
      if (call_.streaming) streaming_fence();
    });
  }
  /// work(piece, memory for cells, backward) for slices that stay near, whose columns are those of a table of all sets, or, where
  /// elements are shared out, for all.
  template <class Work>
  void each_near_slice(const Plan& nearby, const Piece& all, const Backward<A, U>& whole, const Stretches& stretches,
                       const Work& work) const {
    if (stretches.executor != nullptr) return with_cells_on_stack([&](const SumCells<A>& cells) { work(all, cells, whole); });
    each_slice<1>(executor_, nearby, 0, nullptr, [&](Slice& slice, std::byte*) {
      const Backward<A, U> backward(call_, slice.extents, slice.roles, slice.operands);
      slice.piece.numbering = Numbering::call;
      with_cells_on_stack([&](const SumCells<A>& cells) { work(slice.piece, cells, backward); });
      if (call_.streaming) streaming_fence();
    });
  }

  void run_range(const Backward<A, U>& backward, index_t first, index_t last, const GradientRun<A>& gradient) const {
    if (backward.folding().most() > tile_rows) {
      run_tiles<tile_lanes<A>>(backward, first, last, gradient);
    } else {
      run_tiles<tile_rows>(backward, first, last, gradient);
    }
    if (call_.streaming) streaming_fence();
  }
  /// Tiles of `Most` cells at most, with memory for so many.
  template <index_t Most>
  NORMA_NOINLINE void run_tiles(const Backward<A, U>& backward, index_t first, index_t last, const GradientRun<A>& gradient) const {
    constexpr index_t of_table = SumsTable<A>::bytes(Most);
    alignas(64) std::byte memory[static_cast<std::size_t>(of_table + SumCells<A>::bytes(Most))];
    const SumCells<A> cells(Most, memory + of_table);
    if (whole_ != nullptr) return backward.fold(whole_->piece, first, last, whole_->table, cells, gradient, {});
    SumsTable<A> table(Most, memory);
    backward.folding().each_tile(first, last, [&](index_t cell, index_t count) {
      run_piece(backward, Piece{cell, cell + count, count}, table, cells, gradient, {});
    });
  }
  void run_piece(const Backward<A, U>& backward, const Piece& piece, SumsTable<A>& table, const SumCells<A>& cells,
                 const GradientRun<A>& gradient, const Stretches& stretches) const {
    backward.read_statistics(piece, table);
    backward.fold(piece, piece.first, piece.last, table, cells, gradient, stretches);
    if (hook_.present()) {
      hook_(table, piece);
    } else {
      table.finish(call_.statistic, static_cast<double>(backward.set_size(piece)));
    }
    if (stretches.executor != nullptr && !backward.maps_across_lanes()) return map_by_cells(backward, piece, table);
    backward.map(piece, piece.first, piece.last, table, cells, stretches);
  }
  void scatter(const Layout& layout, index_t set, const SlotSums<A>& sums) const {
    const Operand &weight = operands_[stream_weight_grad], &bias = operands_[stream_bias_grad];
    if (weight.present())
      scatter_gradient(layout.averaged, stream_weight_grad, sums.weight, weight, layout.kept.offset(stream_weight_grad, set));
    if (bias.present()) scatter_gradient(layout.averaged, stream_bias_grad, sums.bias, bias, layout.kept.offset(stream_bias_grad, set));
  }

  const ExecutorRef& executor_;
  const BackwardCall& call_;
  const Plan& plan_;
  const Extents& x_;
  const Operands& operands_;
  const BackwardHook<A>& hook_;
  Buffer<std::byte>& scratch_;
  index_t reserved_;
  Whole* whole_ = nullptr;
};

/// The gradients of weight and bias one after the other. Out of line, for its copies of operands.
template <class A, class U>
NORMA_NOINLINE void normalize_operands_backward_apart(const CallRef& executor, const Statistic& statistic, const Roles& roles,
                                                      const Extents& x, const Operands& operands, A weight_offset, bool streaming,
                                                      const StatisticArrays& statistics, Buffer<std::byte>& scratch, const Reshape& reshape,
                                                      Result result, const BackwardHook<A>& hook) {
  Operands part = operands;
  part[stream_weight_grad] = part[stream_y] = part[stream_gate_grad] = part[stream_add_grad] = Operand();
  // dx last: it may overwrite dy or x.
  normalize_operands_backward<A, U>(executor, statistic, roles, x, part, weight_offset, false, statistics, scratch, {}, Result::replaced,
                                    {});
  part = operands;
  part[stream_bias_grad] = Operand();
  normalize_operands_backward<A, U>(executor, statistic, roles, x, part, weight_offset, streaming, statistics, scratch, reshape, result,
                                    hook);
}

/// dx = ... (or += ...), parameter gradients += ..., each where present. x has elements.
template <class A, class U>
void normalize_operands_backward(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x,
                                 const Operands& operands, A weight_offset, bool streaming, const StatisticArrays& statistics,
                                 Buffer<std::byte>& scratch, const Reshape& reshape, Result result, const BackwardHook<A>& hook) {
  const Plan plan(x, roles, operands, hook.span, x.product(), executor.concurrency(), Sums::shared);
  const Operand &weight_grad = operands[stream_weight_grad], &bias_grad = operands[stream_bias_grad];
  const bool gradients = weight_grad.present() || bias_grad.present();
  if (!gradients && !operands[stream_y].present() && !hook.present() && executor.fusion() == nullptr) return;
  // Sums of cells are gradients where nothing varies along the elements.
  const bool slots =
      gradients && !plan.in_slices() && (roles.groups > 0 || plan.varies_in_cells({stream_weight, stream_weight_grad, stream_bias_grad}));
  if (slots && gradients_group_differently(operands, x, roles)) {
    return normalize_operands_backward_apart<A, U>(executor, statistic, roles, x, operands, weight_offset, streaming, statistics, scratch,
                                                   reshape, result, hook);
  }
  const bool sums_of_cells = gradients && !slots;
  const bool adds = result == Result::added || (executor.fusion() != nullptr && executor.fusion()->adds(operands));
  BackwardCall call{statistic,    statistics,         static_cast<double>(weight_offset),
                    plan.order(), streaming && !adds, adds,
                    reshape,      executor.fusion(),  sums_of_cells ? CellSums(x, plan.roles(), operands) : CellSums()};
  Operands swept = operands;
  // Sums of cells are scattered afterwards: how gradients repeat is of no interest to the sweeps.
  if (!slots) swept[stream_weight_grad] = swept[stream_bias_grad] = Operand();
  const index_t reserved = sums_of_cells ? padded_sets(2 * call.sums.cells) * static_cast<index_t>(sizeof(double)) : 0;
  const index_t memory =
      reserved + (plan.in_slices() ? BackwardRun<A, U>::memory_of_slices(executor, plan, hook.span, set_count(x, roles)) : 0);
  if (memory > 0) scratch.resize(memory);
  if (reserved > 0) {
    call.sums.use(reinterpret_cast<double*>(scratch.data()));
    swept[stream_sums] = call.sums.operand();
  }
  const Plan slices = plan.with(swept);
  BackwardRun<A, U> run(executor, call, slices, x, swept, hook, scratch, reserved);
  if (slots) return run.in_slots();
  if (plan.in_slices()) {
    run.in_slices();
  } else {
    run.in_rows();
  }
  if (!gradients) return;
  if (weight_grad.present()) scatter_gradient(call.sums.axes, stream_weight_grad, call.sums.dy_x_hat, weight_grad, 0);
  if (bias_grad.present()) scatter_gradient(call.sums.axes, stream_bias_grad, call.sums.dy, bias_grad, 0);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
