// Piece: cells of a layout that are folded and mapped while they are near, and which sets they make up.
#pragma once

#include <array>
#include <cstddef>

#include <norma/engine/layout.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Cells that are swept together at most where each is a row, and where they lie across lanes. Only speed depends on it.
inline constexpr index_t tile_rows = 32;
inline constexpr index_t few_rows = 16;
template <class A>
inline constexpr index_t tile_lanes = 512 / static_cast<index_t>(sizeof(A));

/// Fewer elements are not worth a task of their own.
inline constexpr index_t worth_a_task = 8192;
/// Fewer elements are not worth a team: waking one takes longer than it saves. Measured: 25,000 elements took up to twice as long on two
/// threads as on one, 56,000 half.
inline constexpr index_t worth_a_team = 4 * worth_a_task;

/// Parameter gradients: after so many sets the sums in A are added to sums in double.
inline constexpr index_t sets_per_flush = 64;

/// What rows of one tensor take in a tile at most, unless there are four. Measured: a quarter of that costs a tenth of the time.
inline constexpr index_t near_bytes = index_t{128} << 10;
/// The same where there are more than sixteen, for what a tile costs beside its rows would be a third of the time of short ones.
inline constexpr index_t near_bytes_of_short_rows = index_t{16} << 10;

/// The same of a fused call, which goes through all rows of a tile block by block: few rows, for each is a stream in several tensors.
inline constexpr index_t fused_bytes = index_t{32} << 10;

/// Rows of so many bytes that make a tile.
constexpr index_t rows_of_tile(index_t bytes) {
  const index_t fit = near_bytes / bytes / 4 * 4, many = near_bytes_of_short_rows / bytes / 16 * 16;
  const index_t most = many < 16 ? 16 : many < tile_rows ? many : tile_rows;
  return fit < 4 ? 4 : fit < most ? fit : most;
}
constexpr index_t rows_of_fused_tile(index_t bytes) {
  const index_t fit = fused_bytes / bytes;
  return fit < 1 ? 1 : fit < 16 ? fit : 16;
}

/// Sets, or cells, whose numbers small arrays on the stack hold on their way.
inline constexpr index_t some_sets = 64;

/// Columns of numbers per set reach to whole registers.
constexpr index_t padded_sets(index_t sets) { return (sets + 15) / 16 * 16; }

/// How the sets of a piece are numbered in its table.
enum class Numbering : unsigned char {
  cells,  ///< each cell is a set: in the order of cells
  slice,  ///< as the layout of a slice, or of the whole call, numbers statistics
  call    ///< a slice's, by their places among all
};

struct Piece {
  index_t first, last;  ///< cells of the layout
  index_t sets;
  Numbering numbering = Numbering::cells;
  index_t first_set = 0;  ///< where those of a slice of samples and channels lie among all
  index_t sets_per_sample = 1, all_sets_per_sample = 1;

  index_t cells_per_set() const { return numbering == Numbering::cells ? 1 : (last - first) / sets; }
  /// The place among all statistics of the one that the layout of a slice calls `set`.
  index_t place(index_t set) const { return first_set + set / sets_per_sample * all_sets_per_sample + set % sets_per_sample; }

  /// The columns of cells [cell, cell + n) in the table. True if they lie side by side.
  bool columns(const Layout& layout, index_t cell, index_t n, index_t* column) const {
    column[0] = cell - first;
    if (numbering == Numbering::cells) {
      for (index_t i = 1; i < n; ++i) column[i] = column[0] + i;
      return true;
    }
    layout.kept.offsets(stream_stat, cell, n, column);
    for (index_t i = 0; numbering == Numbering::call && i < n; ++i) column[i] = place(column[i]);
    return consecutive(column, n);
  }
  /// Whether cells [cell, cell + n), a row of cells, are sets whose columns lie side by side, reach to whole registers and are nobody
  /// else's; the first column.
  bool are_columns(const Layout& layout, index_t cell, index_t n, index_t& column) const {
    if (cells_per_set() != 1 || numbering == Numbering::call) return false;  // other tasks write beside the columns of a slice
    index_t ends[2] = {cell - first, cell + n - 1 - first};
    if (numbering != Numbering::cells) {
      if (layout.kept.count == 0) return false;
      const Axis& last_axis = layout.kept.axis[layout.kept.count - 1];
      if (last_axis.stride[stream_stat] != 1 || cell % last_axis.extent + n > last_axis.extent) return false;
      for (index_t& end : ends) {
        end = layout.kept.offset(stream_stat, first + end);
      }
    }
    column = ends[0];
    return ends[1] - ends[0] == n - 1 && ends[0] % 16 == 0 && (n % 16 == 0 || numbering == Numbering::cells || ends[0] + n == sets);
  }
  /// The place among all statistics of one column.
  index_t place_of_column(const Layout& layout, index_t column) const {
    if (numbering == Numbering::cells) return layout.kept.offset(stream_stat, first + column);
    return numbering == Numbering::call ? column : place(column);
  }
  /// The places among all statistics of columns [set, set + n).
  void places(const Layout& layout, index_t set, index_t n, index_t* place_of) const {
    if (numbering == Numbering::cells) return layout.kept.offsets(stream_stat, first + set, n, place_of);
    for (index_t i = 0; i < n; ++i) place_of[i] = place(set + i);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
