// merge: from the moments of cells to those of the sets that they belong to.
#pragma once

#include <norma/engine/fold.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Merges the moments of cells [first, first + count) of a tile, n elements each, into the sets that they belong to. Means relative to the
/// set's pivot stay small, so merging loses nothing when |mean| >> sigma; and what rounding takes from them is kept, for the pivot, which
/// is the first cell's, may be far from all others.
template <class A>
inline void merge_cells(const CellTable<A>& cells, index_t first, double n, const index_t* set, index_t count, SetTable<A>& table) {
  const auto merge_at = [&]<class V>(index_t i, V, auto&& get, auto&& put) NORMA_INLINE_LAMBDA {
    const index_t s = set[i];
    const double before = table.merged[s] * n;
    const V pivot = get(cells.pivot + first + i);
    Moments<V> cell{n, get(cells.mean + first + i), get(cells.m2 + first + i)};
    if (before == 0) {
      put(table.high + s, pivot);
    } else {
      const V mean = get(table.low + s), lost = get(table.lost() + s);
      cell.mean = ((pivot - get(table.high + s)) - mean) + (cell.mean - lost);
      cell = merge(Moments<V>{before, V(0.0), get(table.second + s)}, cell);
      const SplitSum<V> moved = two_sum(mean, cell.mean);
      cell.mean = moved.high;
      put(table.lost() + s, lost + moved.low);
    }
    put(table.low + s, cell.mean);
    put(table.second + s, cell.m2);
  };
  bool neighbours = true;  // of sets that have as many cells already
  for (index_t i = 1; i < count; ++i) {
    neighbours = neighbours && set[i] == set[i - 1] + 1 && table.merged[set[i]] == table.merged[set[0]];
  }
  index_t i = 0;
  for (; neighbours && i + pack_size<double> <= count; i += pack_size<double>) {
    merge_at(
        i, Pack<double>(), [](const double* p) { return load(p); }, [](double* p, const Pack<double>& v) { store(p, v); });
    for (index_t k = 0; k < pack_size<double>; ++k) table.merged[set[i + k]] += 1;
  }
  for (; i < count; ++i) {
    merge_at(
        i, 0.0, [](const double* p) { return *p; }, [](double* p, double v) { *p = v; });
    table.merged[set[i]] += 1;
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
