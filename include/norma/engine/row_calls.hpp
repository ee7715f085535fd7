// Dense rows from their pointers to the kernels.
#pragma once

#include <norma/engine/backward_call.hpp>
#include <norma/kernels/scale_run.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Some of the rows, as kernels take them.
template <class A, class U, std::size_t S>
struct TileOfRows {
  index_t offset[S][tile_rows];
  typename RowCells<A>::template Of<U> tensor[S];
};

/// Calls f(tile, first, count) for some rows at a time.
template <class A, class U, std::size_t S, class F>
inline void each_tile_of_rows(const DenseRows<A, U, S>& all, F&& f) {
  TileOfRows<A, U, S> tile;
  const index_t most =
      all.rows <= 4 ? 4 : rows_of_tile(all.size * static_cast<index_t>(sizeof(A)));  // which divides: as long as a short row
  for (std::size_t s = 0; s < S; ++s) {
    for (index_t r = 0; r < most && r < all.rows; ++r) tile.offset[s][r] = r * all.stride[s];
  }
  for (index_t first = 0; first < all.rows; first += most) {
    for (std::size_t s = 0; s < S; ++s)
      tile.tensor[s] = {all.data[s] == nullptr ? nullptr : all.data[s] + first * all.stride[s], tile.offset[s]};
    f(tile, first, all.rows - first < most ? all.rows - first : most);
  }
}

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
  each_tile_of_rows(rows, [&](const auto& tile, index_t first, index_t count) {
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
  each_tile_of_rows(rows, [&](const auto& tile, index_t first, index_t count) {
    table.start(count);
    index_t place[tile_rows];
    for (index_t r = 0; r < count; ++r) place[r] = first + r;
    table.put_statistics(0, count, place, statistics);
    const Coefficients<A> c{table.mean, table.factor, table.shift};
    for (index_t i = 0; i < rows.size; i += block_length) {
      using Tensor = typename RowCells<A>::template Of<U>;
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
