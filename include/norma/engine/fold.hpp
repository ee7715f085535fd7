// fold: the moments of the cells of a tile, chunk by chunk over the fixed grid.
#pragma once

#include <norma/engine/columns.hpp>
#include <norma/engine/set_table.hpp>
#include <norma/engine/stretches.hpp>
#include <norma/engine/sweep.hpp>
#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Moments of cells, a column each: m2 about pivot + mean, where pivot is near the mean. Uncentred statistics leave both 0. Then columns
/// for work: the sums of a chunk, and those in A of a chain.
template <class A>
struct CellTable {
  index_t most;
  double* pivot;
  double* mean;
  double* m2;
  double* sum[2];
  A* chunk_pivot;
  A* running[2];

  static constexpr index_t bytes(index_t cells) { return padded_sets(cells) * static_cast<index_t>(5 * sizeof(double) + 3 * sizeof(A)); }

  /// In memory for so many.
  CellTable(index_t cells, std::byte* memory) : most(cells) {
    const index_t n = padded_sets(cells);
    pivot = reinterpret_cast<double*>(memory);
    mean = pivot + n;
    m2 = mean + n;
    sum[0] = m2 + n;
    sum[1] = sum[0] + n;
    chunk_pivot = reinterpret_cast<A*>(sum[1] + n);
    running[0] = chunk_pivot + n;
    running[1] = running[0] + n;
  }
  /// Cells that are sets, from `set` on: in the columns of their table that wait for moments, or have nothing to do before the map.
  CellTable(const SetTable<A>& table, index_t set)
      : most(table.sets - set),
        pivot(table.high + set),
        mean(table.low + set),
        m2(table.second + set),
        sum{table.rstd + set, table.merged + set},
        chunk_pivot(table.mean + set),
        running{table.factor + set, table.offset + set} {}

  /// Columns for the sums of one chunk alone.
  static constexpr index_t chunk_bytes(index_t cells) {
    return padded_sets(cells) * static_cast<index_t>(2 * sizeof(double) + 3 * sizeof(A));
  }
  static CellTable of_chunk(index_t cells, std::byte* memory) {
    const index_t n = padded_sets(cells);
    double* const sums = reinterpret_cast<double*>(memory);
    return CellTable(cells, sums, n, reinterpret_cast<A*>(sums + 2 * n));
  }
  /// These moments, with the sums of another table.
  CellTable with_sums(const CellTable& chunk) const {
    CellTable result = *this;
    for (int s = 0; s < 2; ++s) result.sum[s] = chunk.sum[s];
    result.chunk_pivot = chunk.chunk_pivot;
    return result;
  }

  /// Columns for what the map wants of cells, when they have been folded.
  std::array<A*, 3> numbers() const { return {chunk_pivot, running[0], running[1]}; }

 private:
  CellTable(index_t cells, double* sums, index_t n, A* numbers_of_cells)
      : most(cells),
        pivot(nullptr),
        mean(nullptr),
        m2(nullptr),
        sum{sums, sums + n},
        chunk_pivot(numbers_of_cells),
        running{numbers_of_cells + n, numbers_of_cells + 2 * n} {}
};

/// Merges the sums of a chunk of n elements about chunk_pivot into the moments, whose cells have had `before` elements.
template <class A>
NORMA_INLINE void merge_chunk(index_t cells, index_t before, index_t n, const CellTable<A>& columns) {
  for (index_t r = 0; r < cells; r += pack_size<double>) {
    Moments<Pack<double>> chunk =
        Moments<Pack<double>>::from_sums(static_cast<double>(n), load_pieces(columns.sum[0] + r), load_pieces(columns.sum[1] + r));
    const Pack<double> chunk_pivot = load_doubles(columns.chunk_pivot + r);
    if (before == 0) {
      store(columns.pivot + r, chunk_pivot);
    } else {
      // Means relative to the first pivot stay small, so merging loses nothing when |mean| >> sigma.
      chunk.mean = chunk.mean + (chunk_pivot - load(columns.pivot + r));
      chunk = merge({static_cast<double>(before), load(columns.mean + r), load(columns.m2 + r)}, chunk);
    }
    store(columns.mean + r, chunk.mean);
    store(columns.m2 + r, chunk.m2);
  }
}

/// The pivots of a chunk that begins with element i: the mean of its first n, summed by the tree, which keeps equal numbers equal.
template <class Tile, class A>
NORMA_INLINE void find_pivots_by_tree(const Tile& tile, index_t i, index_t n, const CellTable<A>& columns) {
  double* const sum = columns.sum[0];
  clear_columns(sum, tile.count());
  tile.template add<SumTerm>(i, n, columns, {sum});
  const Pack<double> inverse(1.0 / static_cast<double>(n));
  for (index_t r = 0; r < tile.count(); r += pack_size<double>) store_doubles(columns.chunk_pivot + r, mul(load_pieces(sum + r), inverse));
}

/// One tile of a sweep over x, as fold_cells wants it.
template <class A, class U>
struct FoldedTile {
  const Sweep<A, U, 1>& sweep;
  Order order;
  A scale = A(1);
  Pass pass;
  mutable typename Sweep<A, U, 1>::Tile tile;

  FoldedTile(const Sweep<A, U, 1>& sweep_of_x, Order order_of_sums, Pass pass_of_sums = Pass::fold)
      : sweep(sweep_of_x), order(order_of_sums), pass(pass_of_sums) {
    tile.pass = pass;
  }

  index_t count() const { return tile.count; }
  /// Elements that share a pivot.
  index_t chunk() const { return chains() ? block_length : chunk_length; }
  /// Whether add() finds the pivots of a chunk on its way.
  static constexpr bool leads() { return false; }

  /// Of a chunk of elements [i, i + n).
  void find_pivots(index_t i, index_t n, const CellTable<A>& columns) const {
    tile.pass = pass == Pass::fold ? Pass::probe : pass;
    if (chains()) {
      find_pivots_of_chains(i, pivot_length(n < chain_length ? n : chain_length), columns);
    } else {
      find_pivots_by_tree(*this, i, pivot_length(n), columns);
    }
    tile.pass = pass;
  }
  /// sums[s][r] += the s-th sum of Term over elements [i, i + n) of each cell, n <= block_length, about its pivot: see sum_cells.
  template <class Term>
  NORMA_INLINE void add(index_t i, index_t n, const CellTable<A>& columns, const std::array<double*, Term::sums>& sums,
                        index_t leading = 0) const {
    if (chains()) return add_chains<Term>(i, n, columns, sums);
    sweep.each_cells(tile, 0, tile.count, i, n, scale, true, [&](const auto& cells, auto& tensor, index_t first) NORMA_INLINE_LAMBDA {
      std::array<double*, Term::sums> to;
      for (std::size_t s = 0; s < Term::sums; ++s) to[s] = sums[s] + first;
      sum_cells<Term>(cells, n, tensor[0], columns.chunk_pivot + first, to, leading);
    });
  }

 private:
  bool chains() const { return order == Order::chain && sweep.way() == Way::lanes; }

  /// running += the sums of Term over elements [i, i + n).
  template <class Term>
  void add_chain(index_t i, index_t n, const CellTable<A>& columns) const {
    sweep.each_chain_step(tile, i, n, scale, [&](const LaneCells<A>& cells, index_t elements, auto& tensor, index_t first) {
      std::array<A*, Term::sums> to;
      for (std::size_t s = 0; s < Term::sums; ++s) to[s] = columns.running[s] + first;
      chain_cells<Term>(cells, elements, tensor[0], columns.chunk_pivot + first, to);
    });
  }
  /// Short chains, then sums of these: no sum has many terms.
  template <class Term>
  NORMA_NOINLINE void add_chains(index_t i, index_t n, const CellTable<A>& columns, const std::array<double*, Term::sums>& sums) const {
    for (std::size_t s = 0; s < Term::sums; ++s) clear_numbers(columns.running[s], tile.count);
    for (index_t k = 0; k < n; k += chain_length) {
      add_chain<Term>(i + k, n - k < chain_length ? n - k : chain_length, columns);
      for (std::size_t s = 0; s < Term::sums; ++s) take_up(sums[s], columns.running[s], tile.count);
    }
  }
  /// The first element, and the mean distance of the first n from it: equal numbers stay equal.
  NORMA_NOINLINE void find_pivots_of_chains(index_t i, index_t n, const CellTable<A>& columns) const {
    const Pack<double> inverse(1.0 / static_cast<double>(n));
    A* const running = columns.running[0];
    clear_numbers(running, tile.count);
    add_chain<SumTerm>(i, 1, columns);
    for (index_t r = 0; r < tile.count; r += pack_size<A>) store(columns.chunk_pivot + r, load(running + r));
    clear_numbers(running, tile.count);
    add_chain<DifferenceTerm>(i, n, columns);
    for (index_t r = 0; r < tile.count; r += pack_size<double>)
      store_doubles(columns.chunk_pivot + r, fma(load_doubles(running + r), inverse, load_doubles(columns.chunk_pivot + r)));
  }
};

template <class Term, class Tile, class A>
NORMA_INLINE void fold_chunk_of(const Tile& tile, index_t chunk, index_t length, const CellTable<A>& columns) {
  if constexpr (Term::pivoted) {
    if (!tile.leads()) tile.find_pivots(chunk, length, columns);
  }
  for (double* const sum : columns.sum) clear_columns(sum, tile.count());
  for (index_t i = 0; i < length; i += block_length) {
    const index_t n = length - i < block_length ? length - i : block_length;
    if constexpr (Term::sums == 2) {
      tile.template add<Term>(chunk + i, n, columns, {columns.sum[0], columns.sum[1]}, i == 0 && tile.leads() ? pivot_length(length) : 0);
    } else {
      tile.template add<Term>(chunk + i, n, columns, {columns.sum[1]});
    }
  }
}

/// Sums of elements [chunk, chunk + length) of the cells of a tile, about their pivots.
template <class Tile, class A>
NORMA_NOINLINE void fold_chunk(bool centred, const Tile& tile, index_t chunk, index_t length, const CellTable<A>& columns) {
  if (centred) return fold_chunk_of<CentredTerm>(tile, chunk, length, columns);
  clear_numbers(columns.chunk_pivot, tile.count());
  fold_chunk_of<SquareTerm>(tile, chunk, length, columns);
}

/// Moments of the cells of a tile, of `size` elements each.
template <class Tile, class A>
NORMA_NOINLINE void fold_cells(bool centred, const Tile& tile, index_t size, const CellTable<A>& columns) {
  const index_t most = tile.chunk();
  for (index_t chunk = 0; chunk < size; chunk += most) {
    const index_t length = size - chunk < most ? size - chunk : most;
    fold_chunk(centred, tile, chunk, length, columns);
    merge_chunk(tile.count(), chunk, length, columns);
  }
}

/// The same of cells [first, first + count) of a sweep, whose chunks are shared out.
template <class A, class U>
inline void fold_cells(bool centred, const Sweep<A, U, 1>& sweep, Order order, index_t first, index_t count, index_t size,
                       const CellTable<A>& columns, const Stretches& stretches) {
  const index_t most = FoldedTile<A, U>(sweep, order).chunk(), bytes = CellTable<A>::chunk_bytes(count);
  const auto length = [&](index_t chunk) { return size - chunk * most < most ? size - chunk * most : most; };
  const index_t chunks = (size + most - 1) / most;
  stretches.each_chunk(chunks, [&](index_t chunk) {
    FoldedTile<A, U> tile(sweep, order);
    sweep.start(first, count, tile.tile);
    fold_chunk(centred, tile, chunk * most, length(chunk), CellTable<A>::of_chunk(count, stretches.memory + chunk * bytes));
  });
  for (index_t chunk = 0; chunk < chunks; ++chunk)
    merge_chunk(count, chunk * most, length(chunk), columns.with_sums(CellTable<A>::of_chunk(count, stretches.memory + chunk * bytes)));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
