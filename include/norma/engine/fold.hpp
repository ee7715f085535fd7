// fold: the moments of the cells of a tile, chunk by chunk over the fixed grid.
#pragma once

#include <norma/engine/set_table.hpp>
#include <norma/engine/sweep.hpp>
#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Moments of cells, a column each: m2 about pivot + mean, where pivot is near the mean. Uncentred statistics leave both 0.
template <class A>
struct MomentColumns {
  double* pivot;
  double* mean;
  double* m2;
  A* chunk_pivot;
};

/// Those of sets, in the columns of their table that wait for them.
template <class A>
inline MomentColumns<A> moments_of(const SetTable<A>& table) {
  return {table.high, table.low, table.second, table.mean};
}

/// Memory for those of a tile.
template <class A>
struct TileMoments {
  alignas(64) double pivot[tile_lanes<A>];
  alignas(64) double mean[tile_lanes<A>];
  alignas(64) double m2[tile_lanes<A>];
  alignas(64) A chunk_pivot[tile_lanes<A>];

  MomentColumns<A> columns() { return {pivot, mean, m2, chunk_pivot}; }
};

/// Merges the sums of a chunk of n elements about chunk_pivot into the columns, whose cells have had `before` elements.
template <class A>
NORMA_INLINE void merge_chunk(const double* sum, const double* sum_of_squares, index_t cells, index_t before, index_t n,
                              const MomentColumns<A>& columns) {
  for (index_t r = 0; r < cells; r += pack_size<double>) {
    Moments<Pack<double>> chunk =
        Moments<Pack<double>>::from_sums(static_cast<double>(n), load_pieces(sum + r), load_pieces(sum_of_squares + r));
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

/// One tile of a sweep over x, as fold_cells wants it.
template <class A, class U>
struct FoldedTile {
  const Sweep<A, U, 1>& sweep;
  Order order;
  A scale = A(1);
  Pass pass;
  mutable typename Sweep<A, U, 1>::Tile tile;

  FoldedTile(const Sweep<A, U, 1>& sweep_of_x, Order order_of_sums, Pass pass_of_sums = Pass::fold)
      : sweep(sweep_of_x), order(order_of_sums), pass(pass_of_sums) {}

  index_t count() const { return tile.count; }
  bool chain() const { return order == Order::chain && sweep.way() == Way::lanes; }

  /// sums[s][r] += the s-th sum of Term over elements [i, i + n) of each cell, n <= block_length, about its pivot.
  template <class Term>
  NORMA_INLINE void add(bool one_chain, index_t i, index_t n, const A* pivots, const std::array<double*, Term::sums>& sums) const {
    tile.pass = std::is_same_v<Term, SumTerm> && pass == Pass::fold ? Pass::probe : pass;
    sweep.each_cells(tile, 0, tile.count, i, n, scale, true, [&](const auto& cells, auto& tensor, index_t first) NORMA_INLINE_LAMBDA {
      std::array<double*, Term::sums> to;
      for (std::size_t s = 0; s < Term::sums; ++s) to[s] = sums[s] + first;
      sum_cells<Term>(cells, one_chain, n, tensor[0], pivots + first, to);
    });
  }
};

template <class Term, class Tile, class A>
NORMA_INLINE void fold_cells_of(const Tile& tile, index_t size, const MomentColumns<A>& columns) {
  const index_t cells = tile.count();
  alignas(64) double sums[2][tile_lanes<A>], of_block[2][tile_lanes<A>];
  const bool chain = tile.chain();
  const auto add = [&](index_t i, index_t n, double(&to)[2][tile_lanes<A>]) NORMA_INLINE_LAMBDA {
    if constexpr (Term::sums == 2) {
      tile.template add<Term>(chain, i, n, columns.chunk_pivot, {to[0], to[1]});
    } else {
      tile.template add<Term>(chain, i, n, columns.chunk_pivot, {to[1]});
    }
  };
  for (index_t chunk = 0; chunk < size; chunk += chunk_length) {
    const index_t length = size - chunk < chunk_length ? size - chunk : chunk_length;
    if constexpr (std::is_same_v<Term, CentredTerm>) {
      const index_t lead = pivot_length(length);
      clear_columns(sums[0], cells);
      // Never one chain: the tree keeps equal numbers equal.
      tile.template add<SumTerm>(false, chunk, lead, columns.chunk_pivot, {sums[0]});
      const Pack<double> inverse(1.0 / static_cast<double>(lead));
      for (index_t r = 0; r < cells; r += pack_size<double>) store_doubles(columns.chunk_pivot + r, mul(load_pieces(sums[0] + r), inverse));
    }
    for (auto& column : sums) clear_columns(column, cells);
    for (index_t i = 0; i < length; i += block_length) {
      const index_t n = length - i < block_length ? length - i : block_length;
      if (!chain) {
        add(chunk + i, n, sums);
        continue;
      }
      // Short chains, then sums of these, then sums of blocks: no sum has many terms.
      for (auto& column : of_block) clear_columns(column, cells);
      for (index_t k = 0; k < n; k += chain_length) add(chunk + i + k, n - k < chain_length ? n - k : chain_length, of_block);
      for (int s = 0; s < 2; ++s) {
        for (index_t r = 0; r < cells; r += pack_size<double>) store(sums[s] + r, load(sums[s] + r) + load(of_block[s] + r));
      }
    }
    merge_chunk(sums[0], sums[1], cells, chunk, length, columns);
  }
}

/// Moments of the cells of a tile, of `size` elements each.
template <class Tile, class A>
NORMA_NOINLINE void fold_cells(bool centred, const Tile& tile, index_t size, const MomentColumns<A>& columns) {
  if (centred) {
    fold_cells_of<CentredTerm>(tile, size, columns);
  } else {
    for (index_t r = 0; r < padded_sets(tile.count()) && r < tile_lanes<A>; ++r) columns.chunk_pivot[r] = A(0);
    fold_cells_of<SquareTerm>(tile, size, columns);
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
