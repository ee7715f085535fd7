// Piece: cells of a layout that are folded and mapped while they are near, and which sets they make up.
#pragma once

#include <array>
#include <cstddef>

#include <norma/engine/layout.hpp>
#include <norma/kernels/stage.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Cells that are swept together at most where each is a row, and where they lie across lanes. Only speed depends on it.
inline constexpr index_t tile_rows = 16;
template <class A>
inline constexpr index_t tile_lanes = 512 / static_cast<index_t>(sizeof(A));

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

/// N numbers of each cell of a tile, beside each other: those of their sets where these lie so, else copies. Whole registers of them may be
/// read.
template <class A, std::size_t N>
struct TileNumbers {
  alignas(64) A number[N][tile_lanes<A>];

  /// `sets` of them are in the columns.
  NORMA_INLINE std::array<const A*, N> pick(const std::array<const A*, N>& of_set, index_t sets, const index_t* column, index_t count,
                                            bool side_by_side) {
    constexpr index_t W = pack_size<A>;
    side_by_side = side_by_side && column[0] + (count + W - 1) / W * W <= padded_sets(sets);
    std::array<const A*, N> result;
    for (std::size_t k = 0; k < N; ++k) {
      result[k] = side_by_side ? of_set[k] + column[0] : number[k];
      for (index_t i = 0; !side_by_side && i < count; ++i) number[k][i] = of_set[k][column[i]];
    }
    return result;
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
