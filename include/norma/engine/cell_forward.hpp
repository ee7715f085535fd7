// The two sweeps of a forward over cells: their moments, and the map with coefficients per cell or per set.
#pragma once

#include <array>

#include <norma/engine/cells.hpp>
#include <norma/engine/forward_lanes.hpp>
#include <norma/kernels/fold_columns.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Three numbers for each cell (by position) or each set, in A.
template <class A>
struct CellColumns {
  A* column[3];
  bool per_set;

  /// Those of cells [first, first + count) side by side: pointers into the columns, or into `tile`, where they do not lie so. A tile is
  /// filled up with zeros, because registers reach beyond the last cell.
  template <std::size_t Columns>
  NORMA_INLINE std::array<const A*, 3> at(const Layout& layout, index_t first, index_t count, A (&tile)[3][Columns]) const {
    if (!per_set && count == rows_of<Columns>) return {column[0] + first, column[1] + first, column[2] + first};
    index_t at[Columns];
    if (per_set) {
      layout.kept.offsets(stream_stat, first, count, at);
      // Sets side by side are the columns themselves.
      if (count == rows_of<Columns> && layout.kept.side_by_side(stream_stat, first, count))
        return {column[0] + at[0], column[1] + at[0], column[2] + at[0]};
    } else {
      for (index_t i = 0; i < count; ++i) at[i] = first + i;
    }
    for (int k = 0; k < 3; ++k) {
      for (index_t i = 0; i < rows_of<Columns>; ++i) tile[k][i] = i < count ? column[k][at[i]] : A(0);
    }
    return {tile[0], tile[1], tile[2]};
  }
};

/// True if cells across vector lanes suit the stream.
inline bool cells_across_lanes(const Layout& layout, const Operands& operands, Stream stream, ElementType arithmetic) {
  return operands[stream].type == arithmetic && lanes_suit(layout, stream);
}

/// f(cell, count, number of tiles) for pieces of [first, last) that lie in one row of positions: several whole tiles at once, or one.
/// Where cells are no neighbours, as in a slice of one channel, each is a piece.
template <class A, class F>
inline void each_cell_tile(const Layout& layout, bool neighbours, index_t first, index_t last, F&& f) {
  if (!neighbours) {
    for (; first < last; ++first) f(first, index_t{1}, std::integral_constant<int, 1>());
    return;
  }
  constexpr index_t wide = wide_tiles * tile_positions<A>;
  each_lane_tile(layout, first, last, wide, [&](index_t cell, index_t count) {
    if (count == wide) {
      f(cell, count, std::integral_constant<int, wide_tiles>());
      return;
    }
    for (index_t done = 0; done < count; done += tile_positions<A>) {
      f(cell + done, count - done < tile_positions<A> ? count - done : tile_positions<A>, std::integral_constant<int, 1>());
    }
  });
}

/// Cells across lanes as a source of fold_sets.
template <class A>
struct ColumnSource {
  LaneRows<const A> x;
  int positions;

  template <class Term, std::size_t Columns>
  NORMA_INLINE void fold(index_t i, index_t n, const A* pivot, TileSums<Columns> (&sums)[Term::sums]) const {
    constexpr int tiles = static_cast<int>(Columns) / tile_positions<A>;
    static_assert(static_cast<int>(Columns) == tiles * tile_positions<A>);
    const LaneRows<const A> rows{x[i], x.stride};
    with_bool(tiles > 1 || positions == tile_positions<A>, [&](auto whole) {
      if constexpr (tiles > 1 && !whole.value) {
        return;  // several tiles are always whole ones
      } else if constexpr (std::is_same_v<Term, SumTerm>) {
        sum_columns<whole.value, tiles, A>(rows, n, positions, sums[0].sum);
      } else {
        fold_columns<Term, whole.value, tiles, A>(rows, n, positions, pivot, {sums[0].sum, sums[1].sum});
      }
    });
  }
};

/// Moments of cells about their means. They know nothing of other tensors than x, so that statistics do not depend on how y lies.
template <class A>
class CellFold {
 public:
  /// columns: see CellPlan::sums_in_columns.
  CellFold(const Extents& extents, const Roles& roles, const Operands& operands, bool columns)
      : operands_(operands),
        layout_(extents, roles, only_x(operands), false),
        x_(operands, layout_, stream_x),
        in_columns_(columns && operands[stream_x].type == element_type_of<A>) {}
  CellFold(const CellFold&) = delete;  // x_ looks into layout_
  CellFold& operator=(const CellFold&) = delete;

  /// Cells [first, last).
  void run(index_t first, index_t last, const MomentArrays& result) const {
    if (in_columns_) {
      const bool neighbours = lanes_are_contiguous(layout_, stream_x);
      each_cell_tile<A>(layout_, neighbours, first, last, [&]<int Tiles>(index_t cell, index_t count, std::integral_constant<int, Tiles>) {
        fold_lane_tile<Tiles>(cell, count, result);
      });
    } else if (x_.direct()) {
      for (; first < last; first += rows_of<tile_rows>) {
        fold_row_tile(first, last - first < rows_of<tile_rows> ? last - first : rows_of<tile_rows>, result);
      }
    } else {
      for (; first < last; ++first) fold_staged(first, A(1), result);
    }
  }

  /// A cell whose squares leave the range of A, again at another scale.
  void rerun(index_t cell, const MomentArrays& result) const {
    Tile<A> tile;
    const A scale = scale_to_one(largest_magnitude(x_, layout_.kept.offset(stream_x, cell), layout_.set_size, tile));
    fold_staged(cell, scale, result);
    const double unscale = 1.0 / static_cast<double>(scale);
    result.pivot[cell] *= unscale;
    result.mean[cell] *= unscale;
    result.variance[cell] *= unscale * unscale;
  }

 private:
  static Operands only_x(const Operands& operands) {
    Operands result;
    result[stream_x] = operands[stream_x];
    return result;
  }

  template <std::size_t Columns, class Source>
  NORMA_INLINE void fold_tile(index_t first, index_t count, const Source& source, const MomentArrays& result) const {
    MomentTable<A, Columns> moments;
    fold_sets_of<CentredTerm>(layout_.set_size, count, moments, source);
    for (index_t i = 0; i < count; ++i) {
      result.pivot[first + i] = moments.pivot[i];
      result.mean[first + i] = moments.mean[i];
      result.variance[first + i] = moments.second[i];
    }
  }

  template <int Tiles>
  void fold_lane_tile(index_t first, index_t count, const MomentArrays& result) const {
    const LaneRows<A> x = lane_rows<A>(layout_, operands_, stream_x, first);
    fold_tile<static_cast<std::size_t>(Tiles * tile_positions<A>)>(first, count,
                                                                   ColumnSource<A>{{x.first, x.stride}, static_cast<int>(count)}, result);
  }

  void fold_row_tile(index_t first, index_t count, const MomentArrays& result) const {
    index_t offset[tile_rows];
    layout_.kept.offsets(stream_x, first, count, offset);
    const A* rows[tile_rows];
    const auto read = [&](index_t begin, index_t) __attribute__((always_inline)) {
      for (index_t r = 0; r < count; ++r) rows[r] = x_.data(offset[r]) + begin;
      return static_cast<const A* const*>(rows);
    };
    fold_tile<tile_rows>(first, count, RowSource<A, decltype(read)>{count, read}, result);
  }

  void fold_staged(index_t cell, A scale, const MomentArrays& result) const {
    Tile<A> tile;
    const index_t offset = layout_.kept.offset(stream_x, cell);
    const A* row;
    const auto read = [&](index_t begin, index_t count) {
      row = x_.read(offset, begin, count, tile.element, scale);
      return static_cast<const A* const*>(&row);
    };
    fold_tile<tile_rows>(cell, 1, RowSource<A, decltype(read)>{1, read}, result);
  }

  const Operands& operands_;
  Layout layout_;
  SetStream<A> x_;
  bool in_columns_;
};

/// y = (x - mean) * scale + offset, cell by cell, the three being columns; `from` and `to` are the streams it reads and writes.
template <class A>
class CellMap {
 public:
  CellMap(const Cells& cells, const Operands& operands, Stream from, Stream to, bool streaming)
      : cells_(cells),
        layout_(cells.walk),
        operands_(operands),
        from_(from),
        to_(to),
        x_(operands, cells.walk, from),
        y_(operands, cells.walk, to),
        streaming_(streaming) {
    across_lanes_ =
        cells_across_lanes(layout_, operands, from, element_type_of<A>) && cells_across_lanes(layout_, operands, to, element_type_of<A>);
    direct_ = x_.direct() && y_.direct();
  }

  /// Cells [first, last).
  void run(index_t first, index_t last, const CellColumns<A>& c) const {
    if (across_lanes_) {
      each_cell_tile<A>(layout_, true, first, last, [&]<int Tiles>(index_t cell, index_t count, std::integral_constant<int, Tiles>) {
        map_lane_tile<Tiles>(cell, count, c);
      });
    } else if (direct_) {
      for (; first < last; first += rows_of<tile_rows>) {
        map_row_tile(first, last - first < rows_of<tile_rows> ? last - first : rows_of<tile_rows>, c);
      }
    } else {
      for (; first < last; ++first) map_staged(first, c);
    }
    if (streaming_) streaming_fence();
  }

 private:
  static constexpr A neutral_weight = one<A>, neutral_bias = negative_zero<A>;

  template <int Tiles>
  void map_lane_tile(index_t first, index_t count, const CellColumns<A>& coefficients) const {
    alignas(64) A tile[3][Tiles * tile_positions<A>];
    const auto [mean, scale, offset] = coefficients.at(cells_.layout, first, count, tile);
    const Coefficients<A> c{mean, scale, offset};
    const LaneRows<A> x = lane_rows<A>(layout_, operands_, from_, first), y = lane_rows<A>(layout_, operands_, to_, first);
    const AffineColumn<A> affine{&neutral_weight, 0, &neutral_bias, 0, negative_zero<A>};
    const bool whole = count == Tiles * tile_positions<A>;
    const bool streams = streaming_ && whole && lines_up(y.first) && lines_up(y[1]);
    with_bool(streams, [&](auto stream) {
      with_bool(whole, [&](auto all) {
        if constexpr (all.value || (Tiles == 1 && !stream.value)) {
          map_lanes<all.value, stream.value, Tiles, A>({x.first, x.stride}, y, layout_.set_size, static_cast<int>(count), c, affine);
        }
      });
    });
  }

  void map_row_tile(index_t first, index_t count, const CellColumns<A>& coefficients) const {
    alignas(64) A tile[3][tile_rows];
    const auto [mean, scale, offset] = coefficients.at(cells_.layout, first, count, tile);
    index_t from[tile_rows], to[tile_rows];
    layout_.kept.offsets(from_, first, count, from);
    layout_.kept.offsets(to_, first, count, to);
    const A* x[tile_rows];
    A* y[tile_rows];
    bool aligned = true;
    for (index_t r = 0; r < count; ++r) {
      x[r] = x_.data(from[r]);
      y[r] = y_.data(to[r]);
      aligned = aligned && lines_up(y[r]);
    }
    map_rows({false, false, streaming_ && aligned, true, false}, x, y, count, layout_.set_size, {mean, scale, offset},
             {&neutral_weight, &neutral_bias, negative_zero<A>});
  }

  void map_staged(index_t cell, const CellColumns<A>& coefficients) const {
    A tile[3][1];
    const auto [mean, scale, offset] = coefficients.at(cells_.layout, cell, 1, tile);
    const index_t x = layout_.kept.offset(from_, cell), y = layout_.kept.offset(to_, cell);
    Tile<A> x_tile, y_tile;
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const A* px[1] = {x_.read(x, first, count, x_tile.element)};
      A* py[1] = {y_.target(y, first, y_tile.element)};
      map_rows({false, false, streaming_ && lines_up(py[0]), true, false}, px, py, 1, count, {mean, scale, offset},
               {&neutral_weight, &neutral_bias, negative_zero<A>});
      y_.write(y, first, count, py[0]);
    }
  }

  const Cells& cells_;
  const Layout& layout_;
  const Operands& operands_;
  Stream from_, to_;
  SetStream<A> x_, y_;
  bool streaming_;
  bool across_lanes_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
