// Backward: the two sweeps over the cells of a piece, and the algebra between them.
#pragma once

#include <memory>
#include <optional>

#include <norma/engine/element_parameters.hpp>
#include <norma/engine/gradients.hpp>
#include <norma/engine/piece.hpp>
#include <norma/engine/sums_table.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What a norm changed between its statistics and its map, per set: y = (x_hat * gain + shift) * weight + bias. Null pointers: nothing.
struct Reshape {
  const double* gain = nullptr;
  const double* shift = nullptr;
  bool only_seen = false;  ///< the sums are a hook's; what is fused sees weight and bias in these, too

  bool present() const { return gain != nullptr; }
  bool changes_sums() const { return present() && !only_seen; }
};

/// What all pieces of a backward share.
struct BackwardCall {
  Statistic statistic;
  StatisticArrays statistics;
  double weight_offset = negative_zero<double>;
  Order order = Order::lanes;
  bool streaming = false;
  bool adds = false;  ///< dx += ...
  Reshape reshape;
  const AnyFusion* fusion = nullptr;
  CellSums sums;  ///< where the sums of cells go, if parameter gradients are made of these
};

/// The cells of a call, or of a slice. A is the arithmetic type. An absent dx is not computed.
template <class A, class U>
class Backward {
 public:
  Backward(const BackwardCall& call, const Extents& x, const Roles& roles, const Operands& operands)
      : call_(call),
        fused_(call.fusion, x, roles, operands, call.weight_offset, true),
        layout_(x, roles, operands, fused_streams | set_of({stream_bias})),
        chain_layout_(
            call.order == Order::chain
                ? std::optional<Layout>(std::in_place, x, roles, operands.only({stream_x, stream_dy, stream_weight_grad, stream_bias_grad}))
                : std::nullopt),
        writes_(operands[stream_y].present() || operands[stream_gate_grad].present() || operands[stream_add_grad].present()),
        sums_base_(call.sums.present() ? static_cast<double*>(operands[stream_sums].data) - call.sums.dy : 0),
        weight_(operands, layout_, {stream_weight}, static_cast<A>(call.weight_offset)),
        weighted_(weight_.vary()),
        varies_in_set_(!weighted_ && layout_.varies_in_set(stream_weight)),
        fold_(chain_layout_ ? *chain_layout_ : layout_, operands, {stream_dy, stream_x},
              set_of({weighted_ ? stream_weight : stream_weight_grad, stream_weight_grad, stream_bias_grad}), false,
              call.order == Order::chain, false, fused_.in(Pass::fold)),
        map_(layout_, operands, {stream_dy, stream_x, stream_y}, set_of({weighted_ ? stream_weight : stream_weight_grad}), false, false,
             call.adds, fused_.in(Pass::map)) {}
  Backward(const Backward&) = delete;
  Backward& operator=(const Backward&) = delete;

  const Layout& layout() const { return layout_; }
  /// The sweep that cuts pieces whose cells are their sets: a tile each.
  const Sweep<A, U, 2>& folding() const { return fold_; }

  /// The statistics of a piece's sets, from where a forward has left them.
  void read_statistics(const Piece& piece, SumsTable<A>& table) const {
    table.start(piece.sets);
    index_t place[some_sets];
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets;
      piece.places(layout_, first, n, place);
      table.put_statistics(first, n, place, call_.statistics);
    }
  }
  /// Sums of g and g * x_hat of cells [first, last) of a piece go to their sets; `gradient`, if not null, takes running gradients per
  /// element.
  void fold(const Piece& piece, index_t first_cell, index_t last_cell, SumsTable<A>& table, const GradientRun<A>& gradient) const {
    fold_.each_tile(first_cell, last_cell, [&](index_t first, index_t count) { fold_tile(piece, table, first, count, gradient); });
  }
  /// dx of cells [first, last) of a piece, behind table.finish().
  void map(const Piece& piece, index_t first_cell, index_t last_cell, const SumsTable<A>& table) const {
    if (!writes_) return;
    map_.each_tile(first_cell, last_cell, [&](index_t first, index_t count) { map_tile(piece, table, first, count); });
  }
  index_t set_size(const Piece& piece) const { return layout_.set_size * piece.cells_per_set(); }

 private:
  using Columns = index_t[tile_lanes<A>];
  using CellSumsOfTile = double[2][tile_lanes<A>];
  using MapSweep = Sweep<A, U, 3, 2>;

  void fold_tile(const Piece& piece, SumsTable<A>& table, index_t first, index_t count, const GradientRun<A>& gradient) const {
    typename Sweep<A, U, 2>::Tile tile;
    fold_.start(first, count, tile);
    Columns column;
    const bool side_by_side = piece.columns(layout_, first, count, column);
    TileNumbers<A, 3> memory;
    const auto of_set = memory.pick({table.mean, table.factor, table.shift}, table.sets, column, count, side_by_side);
    const Coefficients<A> c{of_set[0], of_set[1], of_set[2]};
    std::unique_ptr<SeenNorm> seen;
    tile.x_hat = norm_of_cells(piece, column, count, c, seen);
    CellSumsOfTile sums;
    for (auto& column_of_sums : sums) clear_columns(column_of_sums, count);
    const index_t size = layout_.set_size;
    const bool chain = call_.order == Order::chain && fold_.way() == Way::lanes;
    weight_.template each<block_length>(
        fold_.way(), first, count, size, chain ? chain_length : block_length,
        [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&weight)[1]) {
          fold_.each_cells(tile, begin, end, i, n, A(1), true, [&](const auto& cells, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
            with_bool(weighted_, [&](auto weighted) {
              with_bool(gradient.weight != nullptr, [&](auto gradients) {
                backward_sum_cells<weighted.value, gradients.value>(cells, chain, n, tensor[0], tensor[1], c.from(cell), weight[0],
                                                                    gradient.from(i * cells.sums_per_element), sums[0] + cell,
                                                                    sums[1] + cell);
              });
            });
          });
        });
    add_to_sets(piece, table, first, count, column, sums);
  }

  /// Sums of cells to where gradients are made of them, and to their sets; those of dy become those of g where a cell has one weight.
  void add_to_sets(const Piece& piece, SumsTable<A>& table, index_t first, index_t count, const Columns& column,
                   const CellSumsOfTile& sums) const {
    Columns at_sums;
    Weights weight_of;
    if (!weighted_) read_weights(piece, first, count, column, weight_of);
    const bool keeps = call_.sums.present();
    if (keeps) layout_.kept.offsets(stream_sums, first, count, at_sums);
    const Reshape& reshape = call_.reshape;
    for (index_t i = 0; i < count; ++i) {
      const double dy = sums[0][i], dy_x_hat = sums[1][i];
      const double weight = weighted_ ? 1.0 : weight_of.number[i];
      table.add(column[i], mul(weight, dy), mul(weight, dy_x_hat), weight);
      if (!keeps) continue;
      const index_t place = reshape.changes_sums() ? piece.place_of_column(layout_, column[i]) : 0;
      call_.sums.put(sums_base_ + at_sums[i], dy,
                     reshape.changes_sums() ? std::fma(reshape.gain[place], dy_x_hat, mul(reshape.shift[place], dy)) : dy_x_hat);
    }
  }

  void map_tile(const Piece& piece, const SumsTable<A>& table, index_t first, index_t count) const {
    typename MapSweep::Tile tile;
    map_.start(first, count, tile);
    tile.streams = call_.streaming;
    Columns column;
    const bool side_by_side = piece.columns(layout_, first, count, column);
    TileNumbers<A, 6> memory;
    const auto of_set = memory.pick({table.mean, table.factor, table.shift, table.scale, table.slope, table.offset}, table.sets, column,
                                    count, side_by_side);
    const Coefficients<A> c{of_set[0], of_set[1], of_set[2]};
    std::unique_ptr<SeenNorm> seen;
    tile.x_hat = norm_of_cells(piece, column, count, c, seen);
    DxCoefficients<A> d{of_set[3], of_set[4], of_set[5]};
    alignas(64) A scale[tile_lanes<A>];
    if (varies_in_set_) {
      Weights weight_of;
      read_weights(piece, first, count, column, weight_of);
      const bool lone = call_.statistic.centred() && set_size(piece) == 1;
      for (index_t i = 0; i < count; ++i) scale[i] = lone ? A(0) : static_cast<A>(mul(table.rstd[column[i]], weight_of.number[i]));
      d.scale = scale;
    }
    const index_t size = layout_.set_size;
    const FarMemory far{call_.streaming && map_.lines_up(tile, 2), {map_.ahead(0, 1), map_.ahead(1, 1)}};
    const bool together = map_.together(tile, size, 2);
    weight_.template each<MapSweep::length>(
        map_.way(), first, count, size, map_.step(count, size, weight_.stage()),
        [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&weight)[1]) {
          map_.each_cells(tile, begin, end, i, n, A(1), together, [&](const auto& cells, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
            const auto run = [&](auto weighted, auto is_far, auto adds) NORMA_INLINE_LAMBDA {
              backward_map_cells<weighted.value, is_far.value, adds.value>(cells, n, tensor[0], tensor[1], tensor[2], c.from(cell),
                                                                           d.from(cell), weight[0], far);
            };
            with_bool(weighted_, [&](auto weighted) {
              if (call_.adds) return run(weighted, std::false_type(), std::true_type());
              with_bool(far.present(), [&](auto is_far) { run(weighted, is_far, std::false_type()); });
            });
          });
        });
  }

  /// What a fusion sees as the norm of cells: x_hat, or what a hook has made of it.
  struct SeenNorm {
    alignas(64) A factor[tile_lanes<A>], shift[tile_lanes<A>];
  };
  Coefficients<A> norm_of_cells(const Piece& piece, const index_t* column, index_t count, const Coefficients<A>& c,
                                std::unique_ptr<SeenNorm>& seen) const {
    const Reshape& reshape = call_.reshape;
    if (!fused_.present() || !reshape.present()) return c;
    seen = std::make_unique<SeenNorm>();
    for (index_t i = 0; i < count; ++i) {
      const index_t place = piece.place_of_column(layout_, column[i]);
      seen->factor[i] = static_cast<A>(mul(reshape.gain[place], static_cast<double>(c.rstd[i])));
      seen->shift[i] = static_cast<A>(std::fma(reshape.gain[place], static_cast<double>(c.shift[i]), reshape.shift[place]));
    }
    return {c.mean, seen->factor, seen->shift};
  }

  struct Weights {
    alignas(64) double number[tile_lanes<A>];
  };
  /// The one weight of each cell of a tile, with what a hook has made of x_hat.
  void read_weights(const Piece& piece, index_t first, index_t count, const Columns& column, Weights& weights) const {
    Columns at;
    at[0] = 0;  // compilers believe that there may be no cells
    layout_.kept.offsets(stream_weight, first, count, at);
    weight_.values(0, at, count, weights.number);
    for (index_t i = 0; i < count; ++i) weights.number[i] += call_.weight_offset;
    if (!call_.reshape.changes_sums()) return;
    for (index_t i = 0; i < count; ++i) {
      weights.number[i] = mul(weights.number[i], call_.reshape.gain[piece.place_of_column(layout_, column[i])]);
    }
  }

  const BackwardCall& call_;
  FusedStreams<A> fused_;
  Layout layout_;
  std::optional<Layout> chain_layout_;  // of dy and x alone, as in a forward; gradients order cells, too
  bool writes_;
  index_t sums_base_;
  ElementParameters<A, 1> weight_;
  bool weighted_;       // there is a number per element
  bool varies_in_set_;  // the cells of a set have different weights
  Sweep<A, U, 2> fold_;
  MapSweep map_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
