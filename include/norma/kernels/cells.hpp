// Cells: sets, or parts of them, that are swept together, as the groups of registers that cover them.
#pragma once

#include <norma/kernels/group.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Registers of a lane group that is not the rest of a row of sets.
inline constexpr int lane_registers = 4;

/// Rows of at most so many elements are mapped in columns: a row alone is over before its loop has begun.
template <class T>
inline constexpr index_t short_row = 4 * lanes<T>;

/// Cells that lie as rows, `together`: in groups of several.
template <class T>
struct RowCells {
  index_t count;
  bool together;

  static constexpr index_t sums_per_element = 1;

  template <class U>
  struct Of {
    U* first;
    const index_t* offset;  ///< of each cell
    NORMA_INLINE U* of_cell(index_t cell) const { return first + offset[cell]; }
    template <int R>
    NORMA_INLINE typename Rows<T, R>::template Of<U> of(const Rows<T, R>&, index_t cell, index_t = 0) const {
      typename Rows<T, R>::template Of<U> group;
      for (int r = 0; r < R; ++r) group.row[r] = of_cell(cell + r);
      return group;
    }
    template <int E, class Mask>
    NORMA_INLINE typename Column<T, E, Mask>::template Of<U> of(const Column<T, E, Mask>&, index_t cell, index_t t) const {
      return {first + t, offset + cell};
    }
  };
  /// f(group, first cell).
  template <class F>
  NORMA_INLINE void each_group(F&& f) const {
    constexpr int R = static_cast<int>(interleaved_rows<T>);
    index_t r = 0;
    if constexpr (R > 1) {
      for (; together && r + R <= count; r += R) f(Rows<T, R>(), r);
    }
    for (; r < count; ++r) f(Rows<T, 1>(), r);
  }
  /// f(group, first cell, first element, elements): rows that go together in columns of some of them, others from end to end.
  template <int Several, class F>
  NORMA_INLINE void each_strip(index_t n, F&& f) const {
    constexpr index_t some = 4;
    if (!together) {
      for (index_t r = 0; r < count; ++r) f(Rows<T, 1>(), r, index_t{0}, n);
      return;
    }
    const index_t most = n <= short_row<T> ? count : some;
    for (index_t r = 0; r < count; r += most) each_column(r, count - r < most ? count - r : most, n, f);
  }

 private:
  /// Wide columns first: what a row is long, and a line behind the other, is what memory takes best.
  template <class F>
  NORMA_INLINE static void each_column(index_t first, index_t rows, index_t n, F& f) {
    constexpr index_t W = pack_size<T>;
    index_t t = 0;
    if constexpr (interleaved_rows < T >> 1) {
      t = columns_of<4 * lane_packs<T>>(first, rows, t, n, f);
    }
    t = columns_of<lane_packs<T>>(first, rows, t, n, f);
    for (; t + W <= n; t += W) f(Column<T, 1, One>{rows, {}}, first, t, W);
    if (t < n) f(Column<T, 1, PartOfOne>{rows, {static_cast<int>(n - t)}}, first, t, n - t);
  }
  template <int E, class F>
  NORMA_INLINE static index_t columns_of(index_t first, index_t rows, index_t t, index_t n, F& f) {
    constexpr index_t width = E * pack_size<T>;
    for (; t + width <= n; t += width) f(Column<T, E, Full>{rows, {}}, first, t, width);
    return t;
  }
};

/// Cells that lie beside their neighbours: whole groups, then single registers, the last of which may be a part. `several`: elements
/// are taken several at once, not one row after the other.
template <class T>
struct LaneCells {
  index_t count;
  bool several = false;

  static constexpr index_t sums_per_element = lanes<T>;

  template <class U>
  struct Of {
    U* first;
    index_t stride;
    NORMA_INLINE U* of_cell(index_t cell) const { return first + cell; }
    template <int K>
    NORMA_INLINE typename Lanes<T, K>::template Of<U> of(const Lanes<T, K>&, index_t cell, index_t t = 0) const {
      return {of_cell(cell) + t * stride, stride};
    }
  };
  template <class F>
  NORMA_INLINE void each_group(F&& f) const {
    constexpr index_t most = lane_registers * pack_size<T>;
    index_t p = 0;
    for (; p + most <= count; p += most) f(Lanes<T, lane_registers>{most}, p);
    for (; p < count; p += pack_size<T>) f(Lanes<T, 1>{count - p < pack_size<T> ? count - p : pack_size<T>}, p);
  }
  /// f(group, first cell, first element, elements): so many elements of all cells, then the next.
  template <int Several, class F>
  NORMA_INLINE void each_strip(index_t n, F&& f) const {
    constexpr index_t W = pack_size<T>;
    index_t t = 0;
    for (; several && t + Several <= n; t += Several) each_register<1, Several>(t, f);
    for (; t < n; ++t) each_register<lane_registers, 1>(t, f);
    const index_t rest = count % W;  // of a register: element by element, so that there is one loop for it
    for (t = 0; rest > 0 && t < n; ++t) f(Strip<T, 1, 1, false>{{rest}}, count - rest, t, index_t{1});
  }

 private:
  template <int K, int Elements, class F>
  NORMA_INLINE void each_register(index_t t, F& f) const {
    constexpr index_t W = pack_size<T>;
    index_t p = 0;
    for (; K > 1 && p + K * W <= count; p += K * W) f(Strip<T, K, Elements, true>{{K * W}}, p, t, index_t{Elements});
    for (; p + W <= count; p += W) f(Strip<T, 1, Elements, true>{{W}}, p, t, index_t{Elements});
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
