// The two sweeps of a backward over cells.
#pragma once

#include <norma/engine/cell_forward.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Reads dy and x of cells, writes dx; columns are (mean, rstd, shift) of the sets and (scale, slope, offset) of the pull.
template <class A>
class CellPull {
 public:
  /// columns: see CellPlan::sums_in_columns.
  CellPull(const Cells& cells, const Operands& operands, bool columns, bool streaming)
      : cells_(cells),
        layout_(cells.walk),
        operands_(operands),
        dy_(operands, cells.walk, stream_dy),
        x_(operands, cells.walk, stream_x),
        dx_(operands, cells.walk, stream_y),
        wants_dx_(operands[stream_y].present()),
        streaming_(streaming) {
    const auto lie_across = [&](Stream s) { return cells_across_lanes(layout_, operands, s, element_type_of<A>); };
    across_lanes_ = lie_across(stream_dy) && lie_across(stream_x) && (!wants_dx_ || lie_across(stream_y));
    const auto arithmetic = [&](Stream s) { return operands[s].type == element_type_of<A>; };
    sums_in_columns_ = columns && arithmetic(stream_dy) && arithmetic(stream_x) && (!wants_dx_ || arithmetic(stream_y));
    direct_ = dy_.direct() && x_.direct() && (!wants_dx_ || dx_.direct());
  }

  /// sum_dy[cell] and sum_dy_x_hat[cell] of cells [first, last).
  void fold(index_t first, index_t last, const CellColumns<A>& statistics, double* sum_dy, double* sum_dy_x_hat) const {
    if (sums_in_columns_) {
      each_cell_tile<A>(layout_, across_lanes_, first, last,
                        [&]<int Tiles>(index_t cell, index_t count, std::integral_constant<int, Tiles>) {
                          with_bool(Tiles > 1 || count == tile_positions<A>, [&](auto whole) {
                            if constexpr (Tiles == 1 || whole.value) {
                              fold_lane_tile<whole.value, Tiles>(cell, static_cast<int>(count), statistics, sum_dy, sum_dy_x_hat);
                            }
                          });
                        });
      return;
    }
    if (direct_) {
      for (; first < last; first += rows_of<tile_rows>) {
        fold_row_tile(first, last - first < rows_of<tile_rows> ? last - first : rows_of<tile_rows>, statistics, sum_dy, sum_dy_x_hat);
      }
    }
    for (; first < last; ++first) fold_staged(first, statistics, sum_dy, sum_dy_x_hat);
  }

  /// dx of cells [first, last).
  void map(index_t first, index_t last, const CellColumns<A>& statistics, const CellColumns<A>& pulls) const {
    if (across_lanes_) {
      each_cell_tile<A>(layout_, true, first, last, [&]<int Tiles>(index_t cell, index_t count, std::integral_constant<int, Tiles>) {
        map_lane_tile<Tiles>(cell, count, statistics, pulls);
      });
    } else if (direct_) {
      for (; first < last; first += rows_of<tile_rows>) {
        map_row_tile(first, last - first < rows_of<tile_rows> ? last - first : rows_of<tile_rows>, statistics, pulls);
      }
    } else {
      for (; first < last; ++first) map_staged(first, statistics, pulls);
    }
    if (streaming_) streaming_fence();
  }

 private:
  static constexpr std::size_t interleaved = interleaved_rows<A>;
  static constexpr AffineRun<A> unweighted{&one<A>, nullptr, negative_zero<A>};

  LaneRows<A> rows(Stream stream, index_t cell) const { return lane_rows<A>(layout_, operands_, stream, cell); }

  template <bool Whole, int Tiles>
  void fold_lane_tile(index_t first, int count, const CellColumns<A>& statistics, double* sum_dy, double* sum_dy_x_hat) const {
    constexpr int columns = Tiles * tile_positions<A>;
    alignas(64) A tile[3][columns];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, first, count, tile);
    const LaneRows<A> dy = rows(stream_dy, first), x = rows(stream_x, first);
    TileSums<static_cast<std::size_t>(columns)> sums[2];
    backward_fold_columns<Whole, Tiles, A>({dy.first, dy.stride}, {x.first, x.stride}, layout_.set_size, count, {mean, rstd, shift},
                                           {sums[0].sum, sums[1].sum});
    for (index_t i = 0; i < count; ++i) {
      sum_dy[first + i] = sums[0].sum[i];
      sum_dy_x_hat[first + i] = sums[1].sum[i];
    }
  }

  template <int Tiles>
  void map_lane_tile(index_t first, index_t count, const CellColumns<A>& statistics, const CellColumns<A>& pulls) const {
    constexpr int columns = Tiles * tile_positions<A>;
    alignas(64) A statistics_tile[3][columns], pulls_tile[3][columns];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, first, count, statistics_tile);
    const auto [scale, slope, offset] = pulls.at(cells_.layout, first, count, pulls_tile);
    const Coefficients<A> c{mean, rstd, shift};
    const Pull<A> pull{scale, slope, offset};
    const LaneRows<A> dy = rows(stream_dy, first), x = rows(stream_x, first), dx = rows(stream_y, first);
    const bool whole = count == columns;
    with_bool(streaming_ && whole && lines_up(dx.first) && lines_up(dx[1]), [&](auto stream) {
      with_bool(whole, [&](auto all) {
        if constexpr (all.value || (Tiles == 1 && !stream.value)) {
          backward_map_lanes<all.value, stream.value, Tiles, A>({dy.first, dy.stride}, {x.first, x.stride}, dx, layout_.set_size,
                                                                static_cast<int>(count), c, {&one<A>, 0, negative_zero<A>}, pull);
        }
      });
    });
  }

  void fold_row_tile(index_t first, index_t count, const CellColumns<A>& statistics, double* sum_dy, double* sum_dy_x_hat) const {
    alignas(64) A tile[3][tile_rows];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, first, count, tile);
    index_t dy[tile_rows], x[tile_rows];
    layout_.kept.offsets(stream_dy, first, count, dy);
    layout_.kept.offsets(stream_x, first, count, x);
    for (index_t r = 0; r < count; ++r) sum_dy[first + r] = sum_dy_x_hat[first + r] = 0;
    for (index_t begin = 0; begin < layout_.set_size; begin += block_length) {
      const index_t n = layout_.set_size - begin < block_length ? layout_.set_size - begin : block_length;
      const A *pdy[tile_rows], *px[tile_rows];
      for (index_t r = 0; r < count; ++r) {
        pdy[r] = dy_.data(dy[r]) + begin;
        px[r] = x_.data(x[r]) + begin;
      }
      backward_fold_rows(false, pdy, px, count, n, {mean, rstd, shift}, unweighted, {nullptr, nullptr}, sum_dy + first,
                         sum_dy_x_hat + first);
    }
  }

  void fold_staged(index_t cell, const CellColumns<A>& statistics, double* sum_dy, double* sum_dy_x_hat) const {
    Tile<A> dy_tile, x_tile;
    A tile[3][1];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, cell, 1, tile);
    const index_t dy = layout_.kept.offset(stream_dy, cell), x = layout_.kept.offset(stream_x, cell);
    sum_dy[cell] = sum_dy_x_hat[cell] = 0;
    for (index_t begin = 0; begin < layout_.set_size; begin += block_length) {
      const index_t n = layout_.set_size - begin < block_length ? layout_.set_size - begin : block_length;
      const A* pdy[1] = {dy_.read(dy, begin, n, dy_tile.element)};
      const A* px[1] = {x_.read(x, begin, n, x_tile.element)};
      backward_fold_rows(false, pdy, px, 1, n, {mean, rstd, shift}, unweighted, {nullptr, nullptr}, sum_dy + cell, sum_dy_x_hat + cell);
    }
  }

  void map_row_tile(index_t first, index_t count, const CellColumns<A>& statistics, const CellColumns<A>& pulls) const {
    alignas(64) A statistics_tile[3][tile_rows], pulls_tile[3][tile_rows];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, first, count, statistics_tile);
    const auto [scale, slope, offset] = pulls.at(cells_.layout, first, count, pulls_tile);
    const Coefficients<A> c{mean, rstd, shift};
    const Pull<A> pull{scale, slope, offset};
    index_t dy[tile_rows], x[tile_rows], dx[tile_rows];
    layout_.kept.offsets(stream_dy, first, count, dy);
    layout_.kept.offsets(stream_x, first, count, x);
    layout_.kept.offsets(stream_y, first, count, dx);
    const A *pdy[tile_rows], *px[tile_rows];
    A* pdx[tile_rows];
    bool aligned = true;
    for (index_t r = 0; r < count; ++r) {
      pdy[r] = dy_.data(dy[r]);
      px[r] = x_.data(x[r]);
      pdx[r] = dx_.data(dx[r]);
      aligned = aligned && lines_up(pdx[r]);
    }
    backward_map_rows({false, streaming_ && aligned, false, false}, pdy, px, pdx, count, layout_.set_size, c, unweighted, pull);
  }

  void map_staged(index_t cell, const CellColumns<A>& statistics, const CellColumns<A>& pulls) const {
    Tile<A> dy_tile, x_tile, dx_tile;
    A statistics_tile[3][1], pulls_tile[3][1];
    const auto [mean, rstd, shift] = statistics.at(cells_.layout, cell, 1, statistics_tile);
    const auto [scale, slope, offset] = pulls.at(cells_.layout, cell, 1, pulls_tile);
    const index_t dy = layout_.kept.offset(stream_dy, cell), x = layout_.kept.offset(stream_x, cell),
                  dx = layout_.kept.offset(stream_y, cell);
    for (index_t begin = 0; begin < layout_.set_size; begin += block_length) {
      const index_t count = layout_.set_size - begin < block_length ? layout_.set_size - begin : block_length;
      const A* pdy[1] = {dy_.read(dy, begin, count, dy_tile.element)};
      const A* px[1] = {x_.read(x, begin, count, x_tile.element)};
      A* pdx[1] = {dx_.target(dx, begin, dx_tile.element)};
      backward_map_rows({false, streaming_ && lines_up(pdx[0]), false, false}, pdy, px, pdx, 1, count, {mean, rstd, shift}, unweighted,
                        {scale, slope, offset});
      dx_.write(dx, begin, count, pdx[0]);
    }
  }

  const Cells& cells_;
  const Layout& layout_;
  const Operands& operands_;
  SetStream<A> dy_, x_, dx_;
  bool wants_dx_;
  bool streaming_;
  bool across_lanes_;
  bool sums_in_columns_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
