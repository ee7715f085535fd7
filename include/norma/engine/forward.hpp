// Forward: the two sweeps over the cells of a piece, and the algebra between them.
#pragma once

#include <array>
#include <optional>

#include <norma/engine/map_coefficients.hpp>
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
  bool folds = true;       ///< statistics are those of x
  bool stores = true;      ///< folds may leave sums of x and residuals
  bool statistics = true;  ///< tables have columns for them; else for coefficients alone
};

/// The cells of a call, or of a slice. A is the arithmetic type.
template <class A, class U>
class Forward {
 public:
  Forward(const ForwardCall& call, const Extents& x, const Roles& roles, const Operands& operands)
      : call_(call),
        fused_(call.fusion, x, roles, operands, call.weight_offset, call.folds && call.stores),
        layout_(x, roles, operands, ~fused_streams | set_of({fused_.input()})),
        operands_(operands),
        chain_layout_(call.order == Order::chain ? std::optional<Layout>(std::in_place, x, roles, operands, set_of({stream_x}))
                                                 : std::nullopt),
        adds_rows_(!chain_layout_ && fused_.template adds_rows<U>()),
        fold_(chain_layout_ ? *chain_layout_ : layout_, operands, {adds_rows_ ? stream_sum : stream_x}, 0, false,
              call.order == Order::chain, false, adds_rows_ ? nullptr : fused_.in(Pass::fold)),
        writes_(operands[stream_y].present()),
        affine_(operands, layout_, {stream_weight, stream_bias}, static_cast<A>(call.weight_offset)),
        coefficients_(layout_, affine_, call.weight_offset),
        map_(layout_, operands, {fused_.input(), stream_y}, affine_.vary() ? set_of({stream_weight, stream_bias}) : 0, false, false, false,
             fused_.in(Pass::map)) {}
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  const Layout& layout() const { return layout_; }
  /// Whether a map's elements may be shared out with profit: those of all cells at once, none of which is looked at before it is mapped.
  bool maps_across_lanes() const { return map_.way() == Way::lanes && !fused_.any(Pass::measure); }
  /// The sweep that cuts pieces whose cells are their sets: a tile each.
  const Sweep<A, U, 1>& folding() const { return fold_; }

  /// Statistics of a piece's sets; each_range(work) runs work(first, last, memory for cells, stretches) over ranges of its cells.
  template <class EachRange>
  void fold(const Piece& piece, SetTable<A>& table, const EachRange& each_range) const {
    table.start(piece.sets);
    if (piece.numbering != Numbering::cells) table.clear();
    each_range([&](index_t first, index_t last, const CellTable<A>& cells, const Stretches& stretches) {
      fold_cells_of(piece, first, last, table, cells, stretches);
    });
    finish(piece, table);
  }
  /// Statistics from elsewhere, by the places of sets, or, where the table has no columns for them, what the map makes of these.
  template <class Given>
  void take(const Piece& piece, const Given& given, SetTable<A>& table) const {
    table.start(piece.sets);
    coefficients_.of_given(piece, given, call_.statistics, table);
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
  void fold_cells_of(const Piece& piece, index_t first_cell, index_t last_cell, SetTable<A>& table, const CellTable<A>& cells,
                     const Stretches& stretches) const {
    const auto most = [&](index_t first, index_t count) {
      index_t column;
      return piece.are_columns(layout_, first, count, column) ? count : cells.most;
    };
    fold_.each_tile(first_cell, last_cell, most, [&](index_t first, index_t count) {
      if (adds_rows_) fused_.template add_rows<U>(first, count);
      FoldedTile<A, U> tile(fold_, call_.order);
      fold_.start(first, count, tile.tile);
      fold_tile(piece, table, tile, cells, stretches);
    });
  }
  void finish(const Piece& piece, SetTable<A>& table) const {
    if (!table.finish(call_.statistic, set_size(piece), merges(piece))) rescale(piece, table);
  }
  /// Once more, at another scale, those sets whose squares left the range of A.
  void rescale(const Piece& piece, SetTable<A>& table) const {
    table.mark_extraordinary();
    const Sweep<A, U, 1> scaled(layout_, operands_, {fused_.input()}, 0, true, false, false, fused_.in(Pass::refold));
    FoldedTile<A, U> tile(scaled, call_.order, Pass::refold);
    alignas(64) std::byte memory[static_cast<std::size_t>(CellTable<A>::bytes(1))];
    const CellTable<A> one(1, memory);
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
      if (merges(piece) && table.scale[s] != 1) table.lost()[s] = 0;
    }
    each_cell([&](index_t set) {
      tile.scale = static_cast<A>(table.scale[set]);
      fold_tile(piece, table, tile, one, {});
    });
    table.finish_scaled(call_.statistic, set_size(piece), merges(piece));
  }

  /// y of a piece.
  void map(const Piece& piece, SetTable<A>& table, const CellTable<A>& cells) const {
    prepare(piece, table);
    map_cells_of(piece, piece.first, piece.last, table, cells, {});
  }
  /// The same in parts: what all cells want, and y of cells [first, last).
  void prepare(const Piece& piece, SetTable<A>& table) const {
    if (writes_ && !coefficients_.vary_in_set() && call_.statistics) coefficients_.of_sets(piece, table);
  }
  void map_cells_of(const Piece& piece, index_t first_cell, index_t last_cell, const SetTable<A>& table, const CellTable<A>& cells,
                    const Stretches& stretches) const {
    if (!writes_) return;
    const bool ordinary = table.scale == nullptr, copies = coefficients_.vary_in_set(), measures = fused_.any(Pass::measure);
    const auto most = [&](index_t first, index_t count) {
      index_t column;
      if (!ordinary || measures) return map_.most();
      return !copies && piece.are_columns(layout_, first, count, column) ? count : cells.most;
    };
    map_.each_tile(first_cell, last_cell, most, [&](index_t first, index_t count) {
      index_t column;
      Coefficients<A> c{table.mean, table.factor, table.offset};
      if (!copies && piece.are_columns(layout_, first, count, column)) {
        c = c.from(column);
      } else {
        const std::array<A*, 3> number = cells.numbers();
        coefficients_.of_cells(piece, table, first, count, number);
        c = {number[0], number[1], number[2]};
      }
      if (ordinary && !measures) return run_map(map_, first, count, c, A(1), stretches);
      map_sets(piece, table, first, count, c);
    });
  }

  index_t set_size(const Piece& piece) const { return layout_.set_size * piece.cells_per_set(); }

 private:
  /// Whether sets are made of cells, one by one.
  static bool merges(const Piece& piece) { return piece.cells_per_set() != 1; }

  using MapSweep = Sweep<A, U, 2, 1>;

  void fold_tile(const Piece& piece, SetTable<A>& table, const FoldedTile<A, U>& tile, const CellTable<A>& cells,
                 const Stretches& stretches) const {
    const index_t first = tile.tile.first, count = tile.tile.count;
    const auto fold_into = [&](const CellTable<A>& columns) {
      if (stretches.memory == nullptr) return fold_cells(call_.statistic.centred(), tile, layout_.set_size, columns);
      fold_cells(call_.statistic.centred(), fold_, call_.order, first, count, layout_.set_size, columns, stretches);
    };
    index_t set[some_sets];
    if (tile.scale == A(1) && piece.are_columns(layout_, first, count, set[0])) return fold_into(CellTable<A>(table, set[0]));
    fold_into(cells);
    for (index_t done = 0; done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      piece.columns(layout_, first + done, n, set);
      merge_cells(cells, done, static_cast<double>(layout_.set_size), set, n, table);
    }
  }

  /// Cells some of whose sets are scaled, or are measured before they are mapped.
  NORMA_NOINLINE void map_sets(const Piece& piece, const SetTable<A>& table, index_t first, index_t count, const Coefficients<A>& c) const {
    index_t column[tile_lanes<A>];
    piece.columns(layout_, first, count, column);
    bool scaled = false;
    for (index_t i = 0; table.scale != nullptr && i < count; ++i) scaled = scaled || table.scale[column[i]] != 1;
    if (!scaled) return measure_and_map(map_, piece, column, first, count, c, A(1));
    const MapSweep staged(layout_, operands_, {fused_.input(), stream_y}, 0, true, false, false, fused_.in(Pass::map));
    for (index_t i = 0; i < count; ++i) {
      measure_and_map(staged, piece, column + i, first + i, 1, c.from(i), static_cast<A>(table.scale[column[i]]));
    }
  }
  void measure_and_map(const MapSweep& sweep, const Piece& piece, const index_t* column, index_t first, index_t count,
                       const Coefficients<A>& c, A scale) const {
    if (!fused_.any(Pass::measure)) return run_map(sweep, first, count, c, scale, {});
    A numbers[tile_lanes<A>] = {};
    run_map(sweep, first, count, c, scale, {}, Pass::measure, numbers);
    for (index_t i = 0; i < count; ++i) numbers[i] = fused_.fusion().measured(piece.place_of_column(layout_, column[i]), numbers[i]);
    run_map(sweep, first, count, c, scale, {}, Pass::map, numbers);
  }
  /// Several cells with their coefficients, and numbers of theirs that a fusion wants.
  void run_map(const MapSweep& sweep, index_t first, index_t count, const Coefficients<A>& c, A scale, const Stretches& stretches,
               Pass pass = Pass::map, A* of_cells = nullptr) const {
    typename MapSweep::Tile tile;
    tile.streams = call_.streaming;
    tile.pass = pass;
    sweep.start(first, count, tile);
    tile.of_cells = of_cells;
    const index_t size = layout_.set_size;
    const bool together = sweep.together(tile, size, 1);
    const FarMemory far_memory{call_.streaming && sweep.can_stream(tile, 1, together),
                               {sweep.ahead(0, 2)}};  // the next tile has been folded already
    const PerElement per_element = !affine_.vary()       ? PerElement::nothing
                                   : affine_.constant(1) ? PerElement::weight
                                                         : PerElement::weight_and_bias;
    const index_t step = sweep.step(tile, size, affine_.stage());
    const auto map_run = [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&numbers)[2]) {
      sweep.each_cells(tile, begin, end, i, n, scale, together, [&](const auto& cells, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
        with_per_element(per_element, [&](auto kind) {
          with_bool(far_memory.present(), [&](auto is_far) {
            norma::map_cells<kind.value, is_far.value>(cells, n, tensor[0], tensor[1], c.from(cell), numbers[0], numbers[1], far_memory);
          });
        });
      });
    };
    stretches.each(size, count, [&](Elements elements) {
      affine_.template each<MapSweep::length>(sweep.way(), tile.first, tile.count, elements, step, sweep.shorter(tile, step), map_run);
      if (stretches.executor != nullptr && call_.streaming) streaming_fence();
    });
  }

  const ForwardCall& call_;
  FusedStreams<A> fused_;
  Layout layout_;
  const Operands& operands_;
  std::optional<Layout> chain_layout_;  // of x alone: the order of a sum must not depend on how y lies
  bool adds_rows_;                      // x + residual, before they are folded
  Sweep<A, U, 1> fold_;
  bool writes_;
  ElementParameters<A, 2> affine_;
  MapCoefficients<A> coefficients_;
  MapSweep map_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
