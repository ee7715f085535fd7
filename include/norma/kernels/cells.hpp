// Cells: sets, or parts of them, that are swept together, as the groups of registers that cover them.
#pragma once

#include <norma/kernels/group.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Registers of a lane group that is not the rest of a row of sets.
inline constexpr int lane_registers = 4;

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
  /// f(group, first cell, first element, elements): groups from end to end.
  template <int Several, class F>
  NORMA_INLINE void each_strip(index_t n, F&& f) const {
    each_group([&](auto group, index_t cell) NORMA_INLINE_LAMBDA { f(group, cell, index_t{0}, n); });
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
