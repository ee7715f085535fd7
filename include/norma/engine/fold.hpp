// fold: the moments of a tile of sets, chunk by chunk over the fixed grid.
#pragma once

#include <norma/engine/statistics.hpp>
#include <norma/kernels/fold_run.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Rows folded and resolved together at most. Only speed depends on it: each set's arithmetic is its own.
inline constexpr std::size_t tile_rows = 16;

template <class T, std::size_t Columns>
NORMA_INLINE void clear_columns(T (&column)[Columns]) {
  unroll<static_cast<int>(Columns) / pack_size<T>>([&](auto k)
                                                       __attribute__((always_inline)) { store(column + k * pack_size<T>, Pack<T>(T(0))); });
}

/// Moments of the sets of a tile, a column each. mean is relative to pivot, which lies near it; uncentred ones leave both 0 and have
/// the mean square as second moment.
template <class A, std::size_t Columns>
struct MomentTable {
  alignas(64) double pivot[Columns];
  alignas(64) double mean[Columns];
  alignas(64) double second[Columns];
  alignas(64) A chunk_pivot[Columns];

  /// Registers reach beyond the last set: the columns that no set fills must hold numbers.
  NORMA_INLINE MomentTable() {
    clear_columns(pivot);
    clear_columns(mean);
    clear_columns(second);
    clear_columns(chunk_pivot);
  }
};

/// One sum per set of a tile.
template <std::size_t Columns>
struct TileSums {
  alignas(64) double sum[Columns];

  NORMA_INLINE void clear() { clear_columns(sum); }
};

/// Merges the sums of a chunk of n elements about chunk_pivot into the table, whose sets have had `before` elements.
template <class A, std::size_t Columns>
NORMA_INLINE void merge_chunk(const double* sum, const double* sum_of_squares, index_t sets, index_t before, index_t n,
                              MomentTable<A, Columns>& table) {
  for (index_t r = 0; r < sets; r += pack_size<double>) {
    Moments<Pack<double>> chunk = Moments<Pack<double>>::from_sums(static_cast<double>(n), load(sum + r), load(sum_of_squares + r));
    const Pack<double> chunk_pivot = load_doubles(table.chunk_pivot + r);
    if (before == 0) {
      store(table.pivot + r, chunk_pivot);
    } else {
      // Means relative to the first pivot stay small, so merging loses nothing when |mean| >> sigma.
      chunk.mean = chunk.mean + (chunk_pivot - load(table.pivot + r));
      chunk = merge({static_cast<double>(before), load(table.mean + r), load(table.second + r)}, chunk);
    }
    store(table.mean + r, chunk.mean);
    store(table.second + r, chunk.m2);
  }
}

/// Fills the first `sets` columns. The source knows the sets' memory:
/// source.fold<Term>(i, n, pivot, sums) sums elements [i, i + n), n <= block_length, of each set about its pivot.
template <class Term, class A, std::size_t Columns, class Source>
NORMA_INLINE void fold_sets_of(index_t size, index_t sets, MomentTable<A, Columns>& table, const Source& source) {
  constexpr std::size_t skipped = 2 - Term::sums;
  for (index_t chunk = 0; chunk < size; chunk += chunk_length) {
    const index_t length = size - chunk < chunk_length ? size - chunk : chunk_length;
    if constexpr (std::is_same_v<Term, CentredTerm>) {
      const index_t lead = pivot_length(length);
      TileSums<Columns> sums[1];
      sums[0].clear();
      source.template fold<SumTerm>(chunk, lead, table.chunk_pivot, sums);
      const Pack<double> inverse(1.0 / static_cast<double>(lead));
      for (index_t r = 0; r < sets; r += pack_size<double>)
        store_doubles(table.chunk_pivot + r, mul(load_pieces(sums[0].sum + r), inverse));
    }
    TileSums<Columns> total[2];
    total[0].clear();
    total[1].clear();
    for (index_t block = 0; block < length; block += block_length) {
      TileSums<Columns> sums[Term::sums];
      for (std::size_t s = 0; s < Term::sums; ++s) sums[s].clear();
      source.template fold<Term>(chunk + block, length - block < block_length ? length - block : block_length, table.chunk_pivot, sums);
      for (std::size_t s = 0; s < Term::sums; ++s) {
        double* const to = total[skipped + s].sum;
        for (index_t r = 0; r < sets; r += pack_size<double>) store(to + r, load(to + r) + load_pieces(sums[s].sum + r));
      }
    }
    merge_chunk(total[0].sum, total[1].sum, sets, chunk, length, table);
  }
  const Pack<double> inverse_size(1.0 / static_cast<double>(size));
  for (index_t r = 0; r < sets; r += pack_size<double>) store(table.second + r, mul(load(table.second + r), inverse_size));
}

/// About their means, or about 0.
template <class A, std::size_t Columns, class Source>
NORMA_INLINE void fold_sets(bool centred, index_t size, index_t sets, MomentTable<A, Columns>& table, const Source& source) {
  if (centred) {
    fold_sets_of<CentredTerm>(size, sets, table, source);
  } else {
    fold_sets_of<SquareTerm>(size, sets, table, source);
  }
}

/// Sets that lie as rows, several side by side. `read(first, count)` gives pointers to elements [first, first + count) of each row.
template <class A, class Read>
struct RowSource {
  index_t sets;
  Read read;

  template <class Term, std::size_t Columns>
  NORMA_INLINE void fold(index_t i, index_t n, const A* pivot, TileSums<Columns> (&sums)[Term::sums]) const {
    const A* const* x = read(i, n);
    index_t r = 0;
    for (; r + rows_of<interleaved_rows<A>> <= sets; r += rows_of<interleaved_rows<A>>)
      fold_group<Term, interleaved_rows<A>>(x, n, pivot, sums, r);
    if constexpr (interleaved_rows < A >> 1) {
      for (; r < sets; ++r) fold_group<Term, 1>(x, n, pivot, sums, r);
    }
  }

 private:
  template <class Term, std::size_t Rows, std::size_t Columns>
  NORMA_INLINE void fold_group(const A* const* x, index_t n, const A* pivot, TileSums<Columns> (&sums)[Term::sums], index_t r) const {
    const A* row[Rows];
    for (index_t i = 0; i < rows_of<Rows>; ++i) row[i] = x[r + i];
    if constexpr (Term::sums == 1) {
      fold_run<Term>(row, n, pivot + r, {sums[0].sum + r});
    } else {
      fold_run<Term>(row, n, pivot + r, {sums[0].sum + r, sums[1].sum + r});
    }
  }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
