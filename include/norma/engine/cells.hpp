// Cells: sets that lie too scattered to be folded in one piece are folded cell by cell, and the cells' moments are merged.
#pragma once

#include <initializer_list>

#include <norma/engine/fold.hpp>
#include <norma/engine/layout.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The index space of a slice of x: its cells, and how they make up statistic sets.
struct Cells {
  Layout layout;    // what it calls sets are the cells, in the order in which passes walk over them
  Layout walk;      // the same order for x, y, dx and dy alone, which collapse further
  AxisList sets;    // its axes that tell sets apart; stream_position says where the cells of a set begin
  AxisList merged;  // its axes along which cells merge
  index_t set_count = 1;
  index_t cells_per_set = 1;

  Cells(const Extents& extents, const Roles& roles, const Operands& operands)
      : layout(extents, roles, without(operands, {stream_weight_grad, stream_bias_grad})),
        walk(extents, roles, without(operands, {stream_weight, stream_bias, stream_weight_grad, stream_bias_grad, stream_cell}), false) {
    index_t position = 1;
    bool is_merged[max_axes];
    for (int a = layout.kept.count; a-- > 0;) {
      Axis& axis = layout.kept.axis[a];
      axis.stride[stream_position] = position;
      position *= axis.extent;
      is_merged[a] = axis.stride[stream_stat] == 0;
    }
    for (int a = 0; a < layout.kept.count; ++a) {
      AxisList& list = is_merged[a] ? merged : sets;
      list.axis[list.count++] = layout.kept.axis[a];
    }
    set_count = sets.size();
    cells_per_set = merged.size();
  }

  index_t count() const { return layout.sets; }
  /// Elements of a set.
  index_t set_size() const { return layout.set_size * cells_per_set; }

  /// f(set, cell) for the `which`-th cell of every set.
  template <class F>
  NORMA_INLINE void each_set(index_t which, F&& f) const {
    const index_t begin = merged.offset(stream_position, which);
    if (sets.count == 0) {
      f(index_t{0}, begin);
      return;
    }
    const Axis& inner = sets.axis[sets.count - 1];
    const index_t stat_stride = inner.stride[stream_stat], cell_stride = inner.stride[stream_position];
    for (index_t outer = 0; outer < set_count; outer += inner.extent) {
      const index_t set = sets.offset(stream_stat, outer), cell = begin + sets.offset(stream_position, outer);
      if (stat_stride == 1 && cell_stride == 1) {
        for (index_t i = 0; i < inner.extent; ++i) f(set + i, cell + i);
      } else {
        for (index_t i = 0; i < inner.extent; ++i) f(set + i * stat_stride, cell + i * cell_stride);
      }
    }
  }

 private:
  static Operands without(Operands operands, std::initializer_list<Stream> streams) {
    for (const Stream s : streams) operands[s] = Operand();
    return operands;
  }
};

/// Moments of cells (by position) or of sets (in the order of statistics): mean = pivot + mean, and the population variance.
struct MomentArrays {
  double* pivot;
  double* mean;
  double* variance;
};

/// Merges the moments of each set's cells, all of one size: the mean of the means, and the mean of variance + (mean - mean of set)^2. Means
/// stay relative to the pivot of the first cell, so nothing is lost when |mean| >> sigma.
inline void merge_cells(const Cells& cells, const MomentArrays& of_cell, const MomentArrays& of_set) {
  const double inverse = 1.0 / static_cast<double>(cells.cells_per_set);
  const auto relative_mean = [&](index_t set, index_t cell) __attribute__((always_inline)) {
    return of_cell.mean[cell] + (of_cell.pivot[cell] - of_set.pivot[set]);
  };
  cells.each_set(
      0, [&](index_t set, index_t cell) __attribute__((always_inline)) {
        of_set.pivot[set] = of_cell.pivot[cell];
        of_set.mean[set] = 0;
        of_set.variance[set] = 0;
      });
  for (index_t i = 0; i < cells.cells_per_set; ++i) {
    cells.each_set(
        i, [&](index_t set, index_t cell) __attribute__((always_inline)) { of_set.mean[set] += relative_mean(set, cell); });
  }
  for (index_t set = 0; set < cells.set_count; ++set) of_set.mean[set] = mul(of_set.mean[set], inverse);
  // The rounding of that sum shows where A is double; until the variance is summed its place holds what is left.
  for (index_t i = 0; i < cells.cells_per_set; ++i) {
    cells.each_set(
        i, [&](index_t set, index_t cell)
               __attribute__((always_inline)) { of_set.variance[set] += relative_mean(set, cell) - of_set.mean[set]; });
  }
  for (index_t set = 0; set < cells.set_count; ++set) {
    of_set.mean[set] = std::fma(of_set.variance[set], inverse, of_set.mean[set]);
    of_set.variance[set] = 0;
  }
  for (index_t i = 0; i < cells.cells_per_set; ++i) {
    cells.each_set(
        i, [&](index_t set, index_t cell) __attribute__((always_inline)) {
          const double deviation = relative_mean(set, cell) - of_set.mean[set];
          of_set.variance[set] += std::fma(deviation, deviation, of_cell.variance[cell]);
        });
  }
  for (index_t set = 0; set < cells.set_count; ++set) of_set.variance[set] = mul(of_set.variance[set], inverse);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
