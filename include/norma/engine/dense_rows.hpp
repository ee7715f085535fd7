// Dense rows: few sets, each one run of memory of the elements that kernels take. They go from the door to the kernels without a plan, for
// that would take longer than they do; their bits are those of a plan.
#pragma once

#include <norma/engine/backward_call.hpp>
#include <norma/kernels/scale_run.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// `rows` sets of `size` elements in each of S tensors, a stride apart. Weight and bias lie along a row; null pointers: absent.
template <class A, class U, std::size_t S>
struct DenseRows {
  index_t rows = 1, size = 1;
  U* data[S] = {};
  index_t stride[S] = {};
  const A* weight = nullptr;
  const A* bias = nullptr;
  A weight_offset = negative_zero<A>;

  /// Whether these tensors, of x's extents, and parameters lie like that, and are few. What a whole task is worth may as well be planned.
  bool find(const Extents& x, const Roles& roles, const Extents* const (&strides)[S], std::initializer_list<const Operand*> parameters) {
    if (roles.planes || roles.groups > 0) return false;
    int a = x.size();
    const auto parameters_step = [&](index_t step) {
      for (const Operand* const p : parameters) {
        if (p->present() && (!p->template is<A>() || p->strides[a] != step)) return false;
      }
      return true;
    };
    while (a > 0 && !roles.keeps(a - 1)) {
      if (x[--a] == 1) continue;
      for (const Extents* const s : strides) {
        if ((*s)[a] != size) return false;
      }
      if (!parameters_step(size)) return false;
      size *= x[a];
    }
    while (a > 0 && roles.keeps(a - 1)) {
      if (x[--a] == 1) continue;
      for (std::size_t s = 0; s < S; ++s) {
        if (rows == 1) stride[s] = (*strides[s])[a];
        if ((*strides[s])[a] != stride[s] * rows) return false;
      }
      if (!parameters_step(0)) return false;
      rows *= x[a];
    }
    return a == 0 && size > 1 && rows > 0 && rows * size < 2 * Plan::worth_a_task;
  }

  /// Calls f(tile, first, count) for some rows at a time.
  template <class F>
  void each_tile(F&& f) const {
    Tile tile;
    const index_t most = rows <= 4 ? 4 : rows_of_tile(size * static_cast<index_t>(sizeof(A)), 1);  // which divides: as long as a short row
    for (std::size_t s = 0; s < S; ++s) {
      for (index_t r = 0; r < most && r < rows; ++r) tile.offset[s][r] = r * stride[s];
    }
    for (index_t first = 0; first < rows; first += most) {
      for (std::size_t s = 0; s < S; ++s) tile.tensor[s] = {data[s] == nullptr ? nullptr : data[s] + first * stride[s], tile.offset[s]};
      f(tile, first, rows - first < most ? rows - first : most);
    }
  }

  using Tensor = typename RowCells<A>::template Of<U>;
  struct Tile {
    index_t offset[S][tile_rows];
    Tensor tensor[S];
  };
};

/// Rows of x as fold_cells wants them.
template <class A, class U>
struct FoldedRows {
  const typename RowCells<A>::template Of<U>& x;  // a copy would wait for its stores
  index_t rows;

  index_t count() const { return rows; }
  static constexpr index_t chunk() { return chunk_length; }
  /// Pivots are found on the way: where rows are few, one sweep is over sooner than two. Many rows hide each other's latencies in two.
  bool leads() const { return rows < 4; }
  void find_pivots(index_t i, index_t n, const CellTable<A>& columns) const { find_pivots_by_tree(*this, i, pivot_length(n), columns); }
  template <class Term>
  NORMA_INLINE void add(index_t i, index_t n, const CellTable<A>& columns, const std::array<double*, Term::sums>& sums,
                        index_t leading = 0) const {
    using X = typename RowCells<A>::template Of<U>;
    sum_cells<Term>(RowCells<A>{rows, true}, n, X{x.first + i, x.offset}, columns.chunk_pivot, sums, leading);
  }
};

/// Forward of (x, y). Returns how many rows it has done: others follow a tile with a set whose squares left the range of A.
template <class A, class U>
index_t normalize_rows(const DenseRows<A, U, 2>& rows, const Statistic& statistic, const StatisticArrays& statistics) {
  alignas(64) std::byte memory[SetTable<A>::bytes(tile_rows)];
  SetTable<A> table(tile_rows, memory);
  alignas(64) A ones[lanes<A>];
  ElementWeight<A> weight{rows.weight, 1, rows.weight_offset}, bias{rows.bias, 1, A(0)};
  PerElement per_element = rows.bias != nullptr     ? PerElement::weight_and_bias
                           : rows.weight != nullptr ? PerElement::weight
                                                    : PerElement::nothing;
  if (rows.weight == nullptr) {
    for (A& number : ones) number = A(1);
    weight = {ones, 0, rows.weight_offset};
  }
  if (rows.bias == nullptr) bias = {&negative_zero<A>, 0, A(0)};
  index_t done = 0;
  rows.each_tile([&](const auto& tile, index_t first, index_t count) {
    if (done < first) return;
    table.start(count);
    fold_cells(statistic.centred(), FoldedRows<A, U>{tile.tensor[0], count}, rows.size, CellTable<A>(table, 0));
    if (!table.finish(statistic, rows.size)) return;
    if (statistics.rstd != nullptr) {
      index_t place[tile_rows];
      for (index_t r = 0; r < count; ++r) place[r] = first + r;
      table.keep(0, count, place, statistics);
    }
    make_coefficients<A>(count, table.high, table.low, table.rstd, nullptr, nullptr, table.mean, table.factor, table.offset);
    const RowCells<A> cells{count, rows_go_together<A, 1>(count, rows.size, tile.tensor, 1)};
    with_per_element(per_element, [&](auto kind) {
      map_cells<kind.value, false>(cells, rows.size, tile.tensor[0], tile.tensor[1],
                                   Coefficients<A>{table.mean, table.factor, table.offset}, weight, bias, FarMemory());
    });
    done = first + count;
  });
  return done;
}

/// Backward of (dy, x, dx); a null dx is not computed. Gradients, if not null, lie along a row: += ....
template <class A, class U>
void differentiate_rows(const DenseRows<A, U, 3>& rows, const Statistic& statistic, const StatisticArrays& statistics,
                        Buffer<std::byte>& scratch, A* weight_grad, A* bias_grad) {
  alignas(64) std::byte memory[SumsTable<A>::bytes(tile_rows)];
  SumsTable<A> table(tile_rows, memory);
  const bool gradients = weight_grad != nullptr || bias_grad != nullptr, weighted = rows.weight != nullptr;
  const ElementWeight<A> weight{rows.weight, weighted ? 1 : 0, rows.weight_offset};
  GradientRun<A> running;
  if (gradients) {
    const index_t padded = SlotSums<A>::padded_size(rows.size);
    scratch.resize(2 * padded * static_cast<index_t>(sizeof(A)));
    running.weight = reinterpret_cast<A*>(scratch.data());
    running.bias = running.weight + padded;
    for (index_t i = 0; i < 2 * padded; i += pack_size<A>) store(running.weight + i, Pack<A>(A(0)));
  }
  rows.each_tile([&](const auto& tile, index_t first, index_t count) {
    table.start(count);
    index_t place[tile_rows];
    for (index_t r = 0; r < count; ++r) place[r] = first + r;
    table.put_statistics(0, count, place, statistics);
    const Coefficients<A> c{table.mean, table.factor, table.shift};
    for (index_t i = 0; i < rows.size; i += block_length) {
      using Tensor = typename DenseRows<A, U, 3>::Tensor;
      const index_t n = rows.size - i < block_length ? rows.size - i : block_length;
      const Tensor dy{tile.tensor[0].first + i, tile.offset[0]}, x{tile.tensor[1].first + i, tile.offset[1]};
      with_bool(weighted, [&](auto has_weight) {
        with_gradients(gradients, !statistic.centred() && bias_grad == nullptr, [&](auto wanted) {
          backward_sum_cells<has_weight.value, wanted.value>(RowCells<A>{count, true}, n, dy, x, c, weight.from(i), running.from(i),
                                                             table.g, table.g_x_hat);
        });
      });
    }
    table.finish(statistic, static_cast<double>(rows.size));
    if (rows.data[2] == nullptr) return;
    const RowCells<A> cells{count, rows_go_together<A, 2>(count, rows.size, tile.tensor, 2)};
    with_bool(weighted, [&](auto has_weight) {
      backward_map_cells<has_weight.value, false, false>(cells, rows.size, tile.tensor[0], tile.tensor[1], tile.tensor[2], c,
                                                         DxCoefficients<A>{table.scale, table.slope, table.offset}, weight, FarMemory());
    });
  });
  if (weight_grad != nullptr) scale_run<false, true>(running.weight, weight_grad, rows.size, A(1));
  if (bias_grad != nullptr) scale_run<false, true>(running.bias, bias_grad, rows.size, A(1));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
