// Forward: the two sweeps over the cells of a piece, and the algebra between them.
#pragma once

#include <array>
#include <optional>

#include <norma/engine/element_parameters.hpp>
#include <norma/engine/merge.hpp>
#include <norma/engine/piece.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What all pieces of a forward share.
struct ForwardCall {
  Statistic statistic;
  double weight_offset = negative_zero<double>;
  Order order = Order::lanes;
  bool streaming = false;
  const AnyFusion* fusion = nullptr;
  bool folds = true;  ///< statistics are those of x
};

/// The cells of a call, or of a slice. A is the arithmetic type.
template <class A, class U>
class Forward {
 public:
  Forward(const ForwardCall& call, const Extents& x, const Roles& roles, const Operands& operands)
      : call_(call),
        fused_(call.fusion, x, roles, operands, call.weight_offset, call.folds),
        layout_(x, roles, operands, fused_streams & ~set_of({fused_.input()})),
        operands_(operands),
        chain_layout_(call.order == Order::chain ? std::optional<Layout>(std::in_place, x, roles, operands.only({stream_x}))
                                                 : std::nullopt),
        fold_(chain_layout_ ? *chain_layout_ : layout_, operands, {stream_x}, 0, false, call.order == Order::chain, false,
              fused_.in(Pass::fold)),
        writes_(operands[stream_y].present()),
        affine_(operands, layout_, {stream_weight, stream_bias}, static_cast<A>(call.weight_offset)),
        varies_in_set_(!affine_.vary() && (layout_.varies_in_set(stream_weight) || layout_.varies_in_set(stream_bias))),
        map_(layout_, operands, {fused_.input(), stream_y}, affine_.vary() ? set_of({stream_weight, stream_bias}) : 0, false, false, false,
             fused_.in(Pass::map)) {}
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  const Layout& layout() const { return layout_; }
  /// The sweep that cuts pieces whose cells are their sets: a tile each.
  const Sweep<A, U, 1>& folding() const { return fold_; }

  /// Statistics of a piece's sets; each_range(work) runs work(first, last) over ranges of its cells.
  template <class EachRange>
  void fold(const Piece& piece, SetTable<A>& table, const EachRange& each_range) const {
    table.start(piece.sets);
    if (!is_one_tile(piece, piece.last - piece.first)) table.clear();
    each_range([&](index_t first, index_t last) { fold_cells_of(piece, first, last, table); });
    finish(piece, table);
  }
  /// Statistics from elsewhere, by the places of sets.
  template <class Given>
  void take(const Piece& piece, const Given& given, SetTable<A>& table) const {
    table.start(piece.sets);
    index_t place[some_sets];
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets;
      piece.places(layout_, first, n, place);
      given.read(place, n, table.high + first, table.second + first);
      for (index_t s = first; s < first + n; s += pack_size<double>) {
        store(table.low + s, Pack<double>(0.0));
        store(table.rstd + s, given.statistic.rstd(load(table.second + s), 0.0));
      }
    }
  }
  /// Statistics of a piece's sets go to their places.
  void keep(const Piece& piece, const SetTable<A>& table, const StatisticArrays& statistics) const {
    if (statistics.rstd == nullptr) return;
    index_t place[some_sets];
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets;
      piece.places(layout_, first, n, place);
      table.keep(first, n, place, statistics);
    }
  }
  /// Moments of cells [first, last) of a piece go to their sets; the table has been cleared.
  void fold_cells_of(const Piece& piece, index_t first_cell, index_t last_cell, SetTable<A>& table) const {
    fold_.each_tile(first_cell, last_cell, [&](index_t first, index_t count) {
      FoldedTile<A, U> tile(fold_, call_.order);
      fold_.start(first, count, tile.tile);
      fold_tile(piece, table, tile);
    });
  }
  void finish(const Piece& piece, SetTable<A>& table) const {
    if (!table.finish(call_.statistic, set_size(piece))) rescale(piece, table);
  }
  /// Once more, at another scale, those sets whose squares left the range of A.
  void rescale(const Piece& piece, SetTable<A>& table) const {
    table.mark_extraordinary();
    const Sweep<A, U, 1> scaled(layout_, operands_, {fused_.input()}, 0, true, false, false, fused_.in(Pass::refold));
    FoldedTile<A, U> tile(scaled, call_.order, Pass::refold);
    const auto each_cell = [&](auto&& f) {
      for (index_t cell = piece.first; cell < piece.last; ++cell) {
        index_t set;
        piece.columns(layout_, cell, 1, &set);
        if (table.scale[set] == 1) continue;
        scaled.start(cell, 1, tile.tile);
        f(set);
      }
    };
    double* const largest = table.merged;
    for (index_t s = 0; s < table.sets; ++s) largest[s] = 0;
    each_cell([&](index_t set) {
      for (index_t i = 0; i < layout_.set_size; i += block_length) {
        const index_t n = layout_.set_size - i < block_length ? layout_.set_size - i : block_length;
        scaled.each_cells(tile.tile, 0, 1, i, n, A(1), false, [&](const auto&, auto& tensor, index_t) {
          for (index_t e = 0; e < n; ++e) {
            const double magnitude = std::fabs(static_cast<double>(tensor[0].of_cell(0)[e]));
            if (!(magnitude <= largest[set])) largest[set] = magnitude;
          }
        });
      }
    });
    for (index_t s = 0; s < table.sets; ++s) {
      if (table.scale[s] != 1) table.scale[s] = static_cast<double>(scale_to_one(static_cast<A>(largest[s])));
      table.merged[s] = 0;
    }
    each_cell([&](index_t set) {
      tile.scale = static_cast<A>(table.scale[set]);
      fold_tile(piece, table, tile);
    });
    table.finish_scaled(call_.statistic, set_size(piece));
  }

  /// y of a piece.
  void map(const Piece& piece, SetTable<A>& table) const {
    prepare(piece, table);
    map_cells_of(piece, piece.first, piece.last, table);
  }
  /// The same in parts: what all cells want, and y of cells [first, last).
  void prepare(const Piece& piece, SetTable<A>& table) const {
    if (writes_ && !varies_in_set_) make_set_coefficients(piece, table);
  }
  void map_cells_of(const Piece& piece, index_t first_cell, index_t last_cell, const SetTable<A>& table) const {
    if (!writes_) return;
    map_.each_tile(first_cell, last_cell, [&](index_t first, index_t count) { map_tile(piece, table, first, count); });
  }

  index_t set_size(const Piece& piece) const { return layout_.set_size * piece.cells_per_set(); }

 private:
  /// Whether a tile of so many cells is a piece whose cells are sets.
  bool is_one_tile(const Piece& piece, index_t count) const {
    return piece.numbering == Numbering::cells && count == piece.sets && count <= fold_.most();
  }
  void fold_tile(const Piece& piece, SetTable<A>& table, const FoldedTile<A, U>& tile) const {
    const bool centred = call_.statistic.centred();
    if (is_one_tile(piece, tile.tile.count) && tile.scale == A(1)) {  // its moments are those of the sets
      return fold_cells(centred, tile, layout_.set_size, moments_of(table));
    }
    TileMoments<A> moments;
    fold_cells(centred, tile, layout_.set_size, moments.columns());
    index_t set[tile_lanes<A>];
    piece.columns(layout_, tile.tile.first, tile.tile.count, set);
    merge_cells(moments, static_cast<double>(layout_.set_size), set, tile.tile.count, table);
  }

  /// Weight and bias of cells or sets whose parameters lie `at` in their tensors, in one with what a hook has made of x_hat.
  struct Parameters {
    alignas(64) double weight[some_sets], bias[some_sets];
  };
  void read_parameters(const index_t* at_weight, const index_t* at_bias, const double* shift, index_t n, Parameters& p) const {
    affine_.values(0, at_weight, n, p.weight);
    affine_.values(1, at_bias, n, p.bias);
    for (index_t i = 0; i < n; i += pack_size<double>) {
      const Pack<double> weight = load(p.weight + i) + Pack<double>(call_.weight_offset);
      store(p.weight + i, weight);
      if (shift != nullptr) store(p.bias + i, fma(load(shift + i), weight, load(p.bias + i)));
    }
  }

  /// Coefficients of all sets of a table, where the cells of a set share weight and bias, or have numbers per element.
  void make_set_coefficients(const Piece& piece, SetTable<A>& table) const {
    const double* const gain = table.gain == nullptr ? table.rstd : table.gain;
    if (affine_.vary()) {
      return make_coefficients<A>(table.sets, table.high, table.low, gain, nullptr, nullptr, table.mean, table.factor, table.offset);
    }
    Parameters p;
    index_t at_weight[some_sets], at_bias[some_sets];
    const bool cells = piece.numbering == Numbering::cells;
    const AxisList sets = cells ? AxisList() : layout_.statistics();
    const AxisList& axes = cells ? layout_.kept : sets;
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets, at = cells ? piece.first + first : first;
      axes.offsets(stream_weight, at, n, at_weight);
      axes.offsets(stream_bias, at, n, at_bias);
      read_parameters(at_weight, at_bias, table.shift == nullptr ? nullptr : table.shift + first, n, p);
      make_coefficients<A>(n, table.high + first, table.low + first, gain + first, p.weight, p.bias, table.mean + first,
                           table.factor + first, table.offset + first);
    }
  }

  using Columns = index_t[tile_lanes<A>];
  using MapSweep = Sweep<A, U, 2, 1>;

  /// Those of cells whose set has others with other parameters.
  void make_cell_coefficients(const SetTable<A>& table, index_t first, index_t count, const Columns& column, TileNumbers<A, 3>& c) const {
    const double* const gain = table.gain == nullptr ? table.rstd : table.gain;
    alignas(64) double high[some_sets], low[some_sets], gains[some_sets], shift[some_sets];
    index_t at_weight[some_sets], at_bias[some_sets];
    Parameters p;
    for (index_t done = 0; done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      for (index_t i = 0; i < padded_sets(n); ++i) {
        const index_t set = column[done + (i < n ? i : 0)];
        high[i] = table.high[set];
        low[i] = table.low[set];
        gains[i] = gain[set];
        shift[i] = table.shift == nullptr ? 0 : table.shift[set];
      }
      layout_.kept.offsets(stream_weight, first + done, n, at_weight);
      layout_.kept.offsets(stream_bias, first + done, n, at_bias);
      read_parameters(at_weight, at_bias, table.shift == nullptr ? nullptr : shift, n, p);
      make_coefficients<A>(n, high, low, gains, affine_.vary() ? nullptr : p.weight, affine_.vary() ? nullptr : p.bias, c.number[0] + done,
                           c.number[1] + done, c.number[2] + done);
    }
  }

  void map_tile(const Piece& piece, const SetTable<A>& table, index_t first, index_t count) const {
    TileNumbers<A, 3> memory;
    Columns column;
    const bool side_by_side = piece.columns(layout_, first, count, column);
    bool scaled = false;
    for (index_t i = 0; table.scale != nullptr && i < count; ++i) scaled = scaled || table.scale[column[i]] != 1;
    std::array<const A*, 3> of_cell{memory.number[0], memory.number[1], memory.number[2]};
    if (varies_in_set_) {
      make_cell_coefficients(table, first, count, column, memory);
    } else {
      of_cell = memory.pick({table.mean, table.factor, table.offset}, table.sets, column, count, side_by_side);
    }
    const Coefficients<A> c{of_cell[0], of_cell[1], of_cell[2]};
    if (!scaled) return run_map(map_, piece, column, first, count, c, A(1));
    const MapSweep staged(layout_, operands_, {fused_.input(), stream_y}, 0, true, false, false, fused_.in(Pass::map));
    for (index_t i = 0; i < count; ++i) run_map(staged, piece, column + i, first + i, 1, c.from(i), static_cast<A>(table.scale[column[i]]));
  }

  /// Several cells, of sets in these columns, with their coefficients.
  void run_map(const MapSweep& sweep, const Piece& piece, const index_t* column, index_t first, index_t count, const Coefficients<A>& c,
               A scale) const {
    typename MapSweep::Tile tile;
    sweep.start(first, count, tile);
    tile.streams = call_.streaming;
    A numbers[tile_lanes<A>];
    if (fused_.any(Pass::measure)) {
      for (index_t i = 0; i < tile_lanes<A>; ++i) numbers[i] = A(0);
      tile.of_cells = numbers;
      tile.pass = Pass::measure;
      map_cells_of_tile(sweep, tile, c, scale);
      for (index_t i = 0; i < count; ++i) numbers[i] = fused_.fusion().measured(piece.place_of_column(layout_, column[i]), numbers[i]);
      tile.pass = Pass::map;
    }
    map_cells_of_tile(sweep, tile, c, scale);
  }
  void map_cells_of_tile(const MapSweep& sweep, const typename MapSweep::Tile& tile, const Coefficients<A>& c, A scale) const {
    const index_t size = layout_.set_size;
    const FarMemory far{call_.streaming && sweep.lines_up(tile, 1), {sweep.ahead(0, 2)}};  // the next tile has been folded already
    const bool together = sweep.together(tile, size, 1);
    const PerElement per_element = !affine_.vary()       ? PerElement::nothing
                                   : affine_.constant(1) ? PerElement::weight
                                                         : PerElement::weight_and_bias;
    affine_.template each<MapSweep::length>(
        sweep.way(), tile.first, tile.count, size, sweep.step(tile.count, size, affine_.stage()),
        [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&numbers)[2]) {
          sweep.each_cells(tile, begin, end, i, n, scale, together, [&](const auto& cells, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
            with_per_element(per_element, [&](auto kind) {
              with_bool(far.present(), [&](auto is_far) {
                norma::map_cells<kind.value, is_far.value>(cells, n, tensor[0], tensor[1], c.from(cell), numbers[0], numbers[1], far);
              });
            });
          });
        });
  }

  const ForwardCall& call_;
  FusedStreams<A> fused_;
  Layout layout_;
  const Operands& operands_;
  std::optional<Layout> chain_layout_;  // of x alone: the order of a sum must not depend on how y lies
  Sweep<A, U, 1> fold_;
  bool writes_;
  ElementParameters<A, 2> affine_;
  bool varies_in_set_;  // weight or bias differ between the cells of a set
  MapSweep map_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
