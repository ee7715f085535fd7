// fold: the moments of up to 16 sets, chunk by chunk over the fixed grid.
#pragma once

#include <norma/engine/statistics.hpp>
#include <norma/kernels/fold_run.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Sets folded and resolved together at most. Only speed depends on it: each set's arithmetic is its own.
inline constexpr index_t most_sets = 16;

template <class T>
NORMA_INLINE void clear_columns(T (&column)[most_sets]) {
  unroll<static_cast<int>(most_sets) / pack_size<T>>([&](auto k) __attribute__((always_inline)) { store(column + k * pack_size<T>, Pack<T>(T(0))); });
}

/// Moments of the sets of a tile, a column each. mean is relative to pivot, which lies near it; uncentred formulas leave both 0 and have
/// the mean square as second moment.
template <class A>
struct MomentTable {
  alignas(64) double pivot[most_sets];
  alignas(64) double mean[most_sets];
  alignas(64) double second[most_sets];
  alignas(64) A chunk_pivot[most_sets];

  /// Registers reach beyond the last set: the columns that no set fills must hold numbers.
  NORMA_INLINE MomentTable() {
    clear_columns(pivot);
    clear_columns(mean);
    clear_columns(second);
    clear_columns(chunk_pivot);
  }
};

/// One sum per set of a tile.
struct TileSums {
  alignas(64) double sum[most_sets];

  NORMA_INLINE void clear() {
    clear_columns(sum);
  }
};

/// sums[s][r] over x[r][0, n) for r < sets, as many rows side by side as the registers hold.
template <class Term, class A>
NORMA_INLINE void fold_rows(const A* const* x, index_t sets, index_t n, const A* pivot, TileSums (&sums)[Term::sums]) {
  constexpr std::size_t R = interleaved_rows<A>;
  const auto fold_group = [&]<std::size_t Rows>(index_t r, std::integral_constant<std::size_t, Rows>) __attribute__((always_inline)) {
    const A* row[Rows];
    A row_pivot[Rows];
    for (index_t i = 0; i < rows_of<Rows>; ++i) {
      row[i] = x[r + i];
      row_pivot[i] = pivot[r + i];
    }
    double group[Term::sums][Rows];
    fold_run<Term>(row, n, row_pivot, group);
    for (std::size_t s = 0; s < Term::sums; ++s) {
      for (index_t i = 0; i < rows_of<Rows>; ++i) sums[s].sum[r + i] = group[s][i];
    }
  };
  index_t r = 0;
  for (; r + rows_of<R> <= sets; r += rows_of<R>) fold_group(r, std::integral_constant<std::size_t, R>());
  if constexpr (R > 1) {
    for (; r < sets; ++r) fold_group(r, std::integral_constant<std::size_t, 1>());
  }
}

/// On entry pivot[r] is the first element of set r and sums[r] how far its first n elements deviate from it in all.
template <class A>
NORMA_INLINE void pivots_from_sums(const double* sums, index_t sets, index_t n, A* pivot) {
  const Pack<double> inverse(1.0 / static_cast<double>(n));
  for (index_t r = 0; r < sets; r += pack_size<double>) {
    store_doubles(pivot + r, fma(load(sums + r), inverse, load_doubles(pivot + r)));
  }
}

/// chunk_pivot[r] = mean of row r's first `n` elements, found by way of the first: the pivot of a constant row is that constant exactly.
template <class A>
NORMA_INLINE void find_pivots(const A* const* x, index_t sets, index_t n, MomentTable<A>& table) {
  for (index_t r = 0; r < sets; ++r) table.chunk_pivot[r] = x[r][0];
  TileSums sums[1];
  sums[0].clear();
  fold_rows<DeviationTerm>(x, sets, n, table.chunk_pivot, sums);
  pivots_from_sums(sums[0].sum, sets, n, table.chunk_pivot);
}

/// Merges the sums of a chunk of n elements about chunk_pivot into the table, whose sets have had `before` elements.
template <class A>
NORMA_INLINE void merge_chunk(const double* sum, const double* sum_of_squares, index_t sets, index_t before, index_t n, MomentTable<A>& table) {
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

/// Fills the first `sets` columns. `read(first, count)` gives pointers to elements [first, first + count) of each set, count <= block_length.
template <class F, class A, class Read>
NORMA_INLINE void fold_sets(index_t size, index_t sets, MomentTable<A>& table, Read&& read) {
  using Term = std::conditional_t<F::centred, CentredTerm, SquareTerm>;
  constexpr std::size_t skipped = 2 - Term::sums;
  for (index_t chunk = 0; chunk < size; chunk += chunk_length) {
    const index_t length = size - chunk < chunk_length ? size - chunk : chunk_length;
    if constexpr (F::centred) {
      const index_t lead = length < pivot_length ? length : pivot_length;
      find_pivots<A>(read(chunk, lead), sets, lead, table);
    }
    TileSums total[2];
    total[0].clear();
    total[1].clear();
    for (index_t block = 0; block < length; block += block_length) {
      const index_t count = length - block < block_length ? length - block : block_length;
      const A* const* x = read(chunk + block, count);
      TileSums sums[Term::sums];
      for (std::size_t s = 0; s < Term::sums; ++s) sums[s].clear();
      fold_rows<Term>(x, sets, count, table.chunk_pivot, sums);
      for (std::size_t s = 0; s < Term::sums; ++s) {
        double* const to = total[skipped + s].sum;
        for (index_t r = 0; r < sets; r += pack_size<double>) store(to + r, load(to + r) + load(sums[s].sum + r));
      }
    }
    merge_chunk(total[0].sum, total[1].sum, sets, chunk, length, table);
  }
  const Pack<double> inverse_size(1.0 / static_cast<double>(size));
  for (index_t r = 0; r < sets; r += pack_size<double>) store(table.second + r, mul(load(table.second + r), inverse_size));
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
