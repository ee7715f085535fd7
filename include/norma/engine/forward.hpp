// Forward of a plain norm, set by set while hot: fold, resolve, map.
#pragma once

#include <norma/engine/resolve.hpp>
#include <norma/engine/set_stream.hpp>
#include <norma/kernels/fold_map_run.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// True if p starts a cache line.
NORMA_INLINE bool lines_up(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

/// True if a store walking from `store` on is a little ahead of a load walking from `load` on in the 12 address bits that processors
/// compare first: such loads wait for stores they have nothing to do with.
NORMA_INLINE bool holds_up(const void* store, const void* load) {
  const std::uintptr_t ahead = (reinterpret_cast<std::uintptr_t>(store) - reinterpret_cast<std::uintptr_t>(load)) % 4096;
  return ahead - 1 < 256;
}

/// True if `rows` rows are slower side by side than one after the other, because the stores of one hold up the loads of another.
template <class T>
NORMA_INLINE bool rows_hold_up_each_other(T* const* stores, const T* const* loads, index_t rows) {
  bool others = false;
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < rows; ++j) others = others || (i != j && holds_up(stores[i], loads[j]));
  }
  return others && !holds_up(stores[0], loads[0]);
}

/// The rows of a tile that is folded, as a source of fold_sets, which maps those of another tile along the way.
template <class A, class Map>
struct MappingSource {
  const A* const* folded;
  index_t sets;
  Map map;  // map(elements to fold, first element, their number, fold) calls fold(flags, x, y, coefficients, affine)

  template <class Term, std::size_t Columns>
  NORMA_INLINE void fold(index_t i, index_t n, const A* pivot, TileSums<Columns> (&sums)[Term::sums]) const {
    const A* rows[Columns];
    for (index_t r = 0; r < sets; ++r) rows[r] = folded[r] + i;
    if constexpr (std::is_same_v<Term, SumTerm>) {  // of a few elements: the pivot
      const auto read = [&](index_t, index_t) { return static_cast<const A* const*>(rows); };
      RowSource<A, decltype(read)>{sets, read}.template fold<Term>(i, n, pivot, sums);
    } else {
      double* to[Term::sums];
      for (std::size_t s = 0; s < Term::sums; ++s) to[s] = sums[s].sum;
      map(i, [&](const MapFlags& flags, const A* const* x, A* const* y, const Coefficients<A>& c, const AffineRun<A>* affine) {
        fold_map_rows<Term>(flags, rows, pivot, to, x, y, sets, n, c, affine);
      });
    }
  }
};

/// A is the arithmetic type, P that of the statistics.
template <class A>
class ForwardPass {
 public:
  ForwardPass(const Statistic& statistic, const Layout& layout, const Operands& operands, A weight_offset,
              const StatisticArrays& statistics, bool streaming)
      : statistic_(statistic),
        layout_(layout),
        x_(operands, layout, stream_x),
        y_(operands, layout, stream_y),
        weight_(operands, layout, stream_weight),
        bias_(operands, layout, stream_bias),
        weight_offset_(weight_offset),
        statistics_(statistics),
        streaming_(streaming) {
    shares_affine_ = layout.kept.broadcasts(stream_weight) && layout.kept.broadcasts(stream_bias);
    direct_ = x_.direct() && y_.direct() && in_place_for_kernel(weight_, operands[stream_weight]) &&
              in_place_for_kernel(bias_, operands[stream_bias]);
  }

  /// Normalizes sets [first, last).
  void run(index_t first, index_t last) const {
    if (direct_) {
      run_tiles(first, last);
    } else {
      for (; first < last; ++first) normalize_set(first);
    }
    if (streaming_) streaming_fence();
  }

  /// Maps one set with statistics that come from elsewhere.
  void apply(index_t set, const SetStatistics& given) const {
    CoefficientTable<A, tile_rows> c;
    c.put(0, {Pack<double>(given.mean.high), Pack<double>(given.mean.low)}, Pack<double>(given.rstd));
    map_set(set, c.coefficients(), A(1));
  }

  /// Normalizes one set through tiles where its memory asks for it, rescaled where its squares leave the range of A.
  void normalize_set(index_t set) const {
    Tile<A> tile;
    const index_t x = layout_.kept.offset(stream_x, set);
    CoefficientTable<A, tile_rows> c;
    A scale(1);
    const auto fold = [&](const Statistic& statistic) {
      MomentTable<A, tile_rows> moments;
      const A* p;
      const auto read = [&](index_t first, index_t count) {
        p = x_.read(x, first, count, tile.element, scale);
        return &p;
      };
      fold_sets(statistic_.centred(), layout_.set_size, 1, moments, RowSource<A, decltype(read)>{1, read});
      const bool ordinary = resolve(statistic, layout_.set_size, moments, 1, c);
      const double rstd = finite_rstd(moments.second[0], c.rstd_double[0]);
      if (rstd != c.rstd_double[0]) {  // a constant set without eps
        c.rstd_double[0] = rstd;
        c.rstd[0] = static_cast<A>(rstd);
        c.shift[0] = negative_zero<A>;
      }
      return ordinary;
    };
    if (!fold(statistic_)) {
      scale = scale_to_one(largest_magnitude(x_, x, layout_.set_size, tile));
      fold(statistic_.scaled(static_cast<double>(scale)));
    }
    map_set(set, c.coefficients(), scale);
    const double unscale = 1.0 / static_cast<double>(scale);
    statistics_.put(layout_.kept.offset(stream_stat, set), {{mul(c.mean_high[0], unscale), mul(c.mean_low[0], unscale)},
                                                            c.rstd_double[0] * static_cast<double>(scale),
                                                            c.second[0] * unscale * unscale});
  }

 private:
  static constexpr std::size_t interleaved = interleaved_rows<A>;
  /// Rows up to this length go side by side, longer ones one after the other.
  static constexpr index_t short_set = 256;

  static bool in_place_for_kernel(const SetStream<A>& s, const Operand& operand) {
    return operand.type == element_type_of<A> && (s.constant() || s.direct());
  }

  /// A tile between its fold and its map.
  struct FoldedTile {
    const A* x[tile_rows];
    A* y[tile_rows];
    CoefficientTable<A, tile_rows> coefficients;
    index_t first = 0;
    index_t sets = 0;
    bool aligned = true;
  };

  /// Sets side by side, straight on the tensors. Each tile is mapped after the next one is folded and resolved, or while it is folded: the
  /// divisions and roots of one hide behind the other's sweep.
  void run_tiles(index_t first, index_t last) const {
    FoldedTile tiles[2];
    int current = 0;
    for (; first < last; first += rows_of<tile_rows>) {
      const index_t sets = last - first < rows_of<tile_rows> ? last - first : rows_of<tile_rows>;
      const bool ordinary = fold_tile(first, sets, tiles[1 - current], tiles[current]);
      map_tile(tiles[current]);
      if (ordinary) {
        current = 1 - current;
      } else {
        for (index_t r = 0; r < sets; ++r) normalize_set(first + r);
      }
    }
    map_tile(tiles[current]);
  }

  /// Whether rows of the one tile are mapped while those of the other are folded.
  bool maps_while_folding(const FoldedTile& folded, const FoldedTile& mapped) const {
    return folds_while_mapping<A> && layout_.set_size > short_set && folded.sets == mapped.sets && !holds_up(mapped.y[0], folded.x[0]);
  }

  /// Moments and coefficients of a tile; maps `before`, where that goes along. False, with nothing written for this tile, if a set's
  /// squares leave the range of A.
  NORMA_INLINE bool fold_tile(index_t first, index_t sets, FoldedTile& tile, FoldedTile& before) const {
    index_t offset[tile_rows];
    layout_.kept.offsets(stream_x, first, sets, offset);
    for (index_t r = 0; r < sets; ++r) tile.x[r] = x_.data(offset[r]);
    layout_.kept.offsets(stream_y, first, sets, offset);
    tile.aligned = true;
    for (index_t r = 0; r < sets; ++r) {
      tile.y[r] = y_.data(offset[r]);
      tile.aligned = tile.aligned && lines_up(tile.y[r]);
    }
    tile.first = first;
    tile.sets = sets;
    MomentTable<A, tile_rows> moments;
    if (maps_while_folding(tile, before)) {
      fold_and_map(tile, before, moments);
    } else {
      const A* moved[tile_rows];
      const auto read = [&](index_t begin, index_t) __attribute__((always_inline))->const A* const* {
        if (begin == 0) return tile.x;
        for (index_t r = 0; r < sets; ++r) moved[r] = tile.x[r] + begin;
        return moved;
      };
      fold_sets(statistic_.centred(), layout_.set_size, sets, moments, RowSource<A, decltype(read)>{sets, read});
    }
    if (!resolve(statistic_, layout_.set_size, moments, sets, tile.coefficients)) {
      tile.sets = 0;
      return false;
    }
    if (statistics_.rstd != nullptr) {
      layout_.kept.offsets(stream_stat, first, sets, offset);
      for (index_t r = 0; r < sets; ++r) statistics_.put(offset[r], tile.coefficients.statistics(r));
    }
    return true;
  }

  __attribute__((noinline)) void fold_and_map(const FoldedTile& tile, FoldedTile& before, MomentTable<A, tile_rows>& moments) const {
    const MapFlags flags = map_flags(streaming_ && before.aligned, true, false);
    index_t weight[tile_rows], bias[tile_rows];
    layout_.kept.offsets(stream_weight, before.first, before.sets, weight);
    layout_.kept.offsets(stream_bias, before.first, before.sets, bias);
    const A* x[tile_rows];
    A* y[tile_rows];
    AffineRun<A> affine[tile_rows];
    const auto map = [&](index_t i, auto&& fold) {
      for (index_t r = 0; r < before.sets; ++r) {
        x[r] = before.x[r] + i;
        y[r] = before.y[r] + i;
        affine[r] = affine_from(weight[r], bias[r], i);
      }
      fold(flags, x, y, before.coefficients.coefficients(), affine);
    };
    fold_sets(statistic_.centred(), layout_.set_size, tile.sets, moments, MappingSource<A, decltype(map)>{tile.x, tile.sets, map});
    before.sets = 0;
  }

  /// Weight and bias at these offsets, from element i on.
  AffineRun<A> affine_from(index_t weight, index_t bias, index_t i) const {
    return {weight_.data(weight) + (weight_.constant() ? 0 : i), bias_.data(bias) + (bias_.constant() ? 0 : i), weight_offset_};
  }

  void map_tile(FoldedTile& tile) const {
    const index_t sets = std::exchange(tile.sets, 0);
    if (sets == 0) return;
    // Stores that straddle cache lines want one row at a time: the halves of a line then meet in the store buffer.
    const bool side_by_side = tile.aligned && layout_.set_size > 64 &&
                              !(sets >= rows_of<interleaved> && rows_hold_up_each_other(tile.y, tile.x, rows_of<interleaved>));
    const MapFlags flags = map_flags(streaming_ && tile.aligned, tile.coefficients.subtracts, side_by_side);
    const Coefficients<A> c = tile.coefficients.coefficients();
    if (shares_affine_) return map_rows(flags, tile.x, tile.y, sets, layout_.set_size, c, affine_from(0, 0, 0));
    index_t weight[tile_rows], bias[tile_rows];
    layout_.kept.offsets(stream_weight, tile.first, sets, weight);
    layout_.kept.offsets(stream_bias, tile.first, sets, bias);
    for (index_t r = 0; r < sets;) {
      index_t same = 1;
      while (r + same < sets && weight[r + same] == weight[r] && bias[r + same] == bias[r]) ++same;
      map_rows(flags, tile.x + r, tile.y + r, same, layout_.set_size, c.from(r), affine_from(weight[r], bias[r], 0));
      r += same;
    }
  }

  MapFlags map_flags(bool stream, bool subtracts, bool side_by_side) const {
    return {!weight_.constant(), !bias_.constant(), stream, subtracts, side_by_side};
  }

  void map_set(index_t set, const Coefficients<A>& c, A scale) const {
    Tile<A> x_tile, y_tile, weight_tile, bias_tile;
    const index_t x = layout_.kept.offset(stream_x, set), y = layout_.kept.offset(stream_y, set);
    const index_t weight = layout_.kept.offset(stream_weight, set), bias = layout_.kept.offset(stream_bias, set);
    const A one_weight = weight_.constant() ? weight_.value(weight) : A(0);
    const A one_bias = bias_.constant() ? bias_.value(bias) : A(0);
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const A* px[1] = {x_.read(x, first, count, x_tile.element, scale)};
      A* py[1] = {y_.target(y, first, y_tile.element)};
      const AffineRun<A> affine{weight_.constant() ? &one_weight : weight_.read(weight, first, count, weight_tile.element),
                                bias_.constant() ? &one_bias : bias_.read(bias, first, count, bias_tile.element), weight_offset_};
      map_rows(map_flags(streaming_ && lines_up(py[0]), true, false), px, py, 1, count, c, affine);
      y_.write(y, first, count, py[0]);
    }
  }

  const Statistic& statistic_;
  const Layout& layout_;
  SetStream<A> x_, y_, weight_, bias_;
  A weight_offset_;
  StatisticArrays statistics_;
  bool streaming_;
  bool direct_;
  bool shares_affine_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
