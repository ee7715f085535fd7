// Backward: the two sweeps over the cells of a piece, and the algebra between them.
#pragma once

#include <optional>

#include <norma/engine/fold.hpp>
#include <norma/engine/piece.hpp>
#include <norma/engine/set_numbers.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The cells of a call, or of a slice. A is the arithmetic type. An absent dx is not computed.
template <class A, class U>
class Backward {
 public:
  Backward(const BackwardCall& call, const Extents& x, const Roles& roles, const Operands& operands)
      : call_(call),
        fused_(call.fusion, x, roles, operands, call.weight_offset, true),
        layout_(x, roles, operands, ~(fused_streams | set_of({stream_bias}))),
        chain_layout_(call.order == Order::chain
                          ? std::optional<Layout>(std::in_place, x, roles, operands,
                                                  set_of({stream_x, stream_dy, stream_weight_grad, stream_bias_grad}))
                          : std::nullopt),
        products_alone_(!call.statistic.centred() && !call.sums.present() && !operands[stream_bias_grad].present()),
        writes_(operands[stream_y].present() || operands[stream_gate_grad].present() || operands[stream_add_grad].present()),
        sums_base_(call.sums.present() ? static_cast<double*>(operands[stream_sums].data) - call.sums.dy : 0),
        weight_(operands, layout_, {stream_weight}, static_cast<A>(call.weight_offset)),
        weighted_(weight_.vary()),
        numbers_(call, layout_, weight_),
        fold_(chain_layout_ ? *chain_layout_ : layout_, operands, {stream_dy, stream_x},
              set_of({weighted_ ? stream_weight : stream_weight_grad, stream_weight_grad, stream_bias_grad}), false,
              call.order == Order::chain, false, fused_.in(Pass::fold)),
        copies_rows_(fused_.template copies_rows<U>()),
        map_(layout_, operands, {stream_dy, stream_x, stream_y}, set_of({weighted_ ? stream_weight : stream_weight_grad}), false, false,
             call.adds, copies_rows_ ? nullptr : fused_.in(Pass::map)) {}
  Backward(const Backward&) = delete;
  Backward& operator=(const Backward&) = delete;

  const Layout& layout() const { return layout_; }
  /// Whether a map's elements may be shared out with profit: those of all cells at once.
  bool maps_across_lanes() const { return map_.way() == Way::lanes; }
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
  void fold(const Piece& piece, index_t first_cell, index_t last_cell, SumsTable<A>& table, const SumCells<A>& cells,
            const GradientRun<A>& gradient, const Stretches& stretches) const {
    const auto most = [&](index_t first, index_t count) {
      index_t column;
      return chains() && is_whole(piece, first, count, column) ? count : cells.most;
    };
    fold_.each_tile(first_cell, last_cell, most,
                    [&](index_t first, index_t count) { fold_tile(piece, table, first, count, cells, gradient, stretches); });
  }
  /// dx of cells [first, last) of a piece, behind table.finish().
  void map(const Piece& piece, index_t first_cell, index_t last_cell, const SumsTable<A>& table, const SumCells<A>& cells,
           const Stretches& stretches) const {
    if (!writes_) return;
    const auto most = [&](index_t first, index_t count) {
      index_t column;
      return !numbers_.vary_in_set() && is_whole(piece, first, count, column) ? count : cells.most;
    };
    map_.each_tile(first_cell, last_cell, most,
                   [&](index_t first, index_t count) { map_tile(piece, table, first, count, cells, stretches); });
  }
  index_t set_size(const Piece& piece) const { return layout_.set_size * piece.cells_per_set(); }

 private:
  using FoldSweep = Sweep<A, U, 2>;
  using MapSweep = Sweep<A, U, 3, 2>;

  bool chains() const { return call_.order == Order::chain && fold_.way() == Way::lanes; }
  /// Whether cells are sets whose numbers are those of the table, from `column` on.
  bool is_whole(const Piece& piece, index_t first, index_t count, index_t& column) const {
    return !(fused_.present() && call_.reshape.present()) && piece.are_columns(layout_, first, count, column);
  }

  void fold_tile(const Piece& piece, SumsTable<A>& table, index_t first, index_t count, const SumCells<A>& cells,
                 const GradientRun<A>& gradient, const Stretches& stretches) const {
    typename FoldSweep::Tile tile;
    fold_.start(first, count, tile);
    index_t column;
    const bool whole = is_whole(piece, first, count, column);  // then sums and coefficients are those of the table
    const SumCells<A> sums = whole ? SumCells<A>(table, column) : cells;
    Coefficients<A> c{table.mean, table.factor, table.shift};
    if (whole) {
      tile.x_hat = c = c.from(column);
    } else {
      const auto of_set = numbers_.template of_cells<3>(piece, {c.mean, c.rstd, c.shift}, table.sets, first, count, cells);
      c = {of_set[0], of_set[1], of_set[2]};
      tile.x_hat = numbers_.seen_norm(piece, first, count, c, cells.number[3], cells.number[4]);
      for (double* const of_cells : sums.sum) clear_columns(of_cells, count);
    }
    const index_t size = layout_.set_size;
    if (chains()) {  // parameters do not vary along chains
      fold_chains(tile, c, sums, stretches);
      return add_to_sets(piece, table, first, count, sums);
    }
    weight_.template each<block_length>(
        fold_.way(), first, count, Elements{0, size}, block_length, 0,
        [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&weight)[1]) {
          fold_.each_cells(tile, begin, end, i, n, A(1), true, [&](const auto& of_group, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
            with_bool(weighted_, [&](auto weighted) {
              with_gradients(gradient.weight != nullptr, products_alone_, [&](auto gradients) {
                backward_sum_cells<weighted.value, gradients.value>(of_group, n, tensor[0], tensor[1], c.from(cell), weight[0],
                                                                    gradient.from(i * of_group.sums_per_element), sums.sum[0] + cell,
                                                                    sums.sum[1] + cell);
              });
            });
          });
        });
    if (!(whole && weighted_ && !call_.sums.present())) add_to_sets(piece, table, first, count, sums);
  }

  /// Short chains, then sums of these, then sums of blocks, as in a forward.
  NORMA_NOINLINE void fold_chains(const typename FoldSweep::Tile& tile, const Coefficients<A>& c, const SumCells<A>& sums,
                                  const Stretches& stretches) const {
    const index_t blocks = (layout_.set_size + block_length - 1) / block_length, bytes = SumCells<A>::block_bytes(tile.count);
    const auto of_block = [&](index_t block) {
      return stretches.memory == nullptr ? sums : SumCells<A>::of_one_block(tile.count, stretches.memory + block * bytes);
    };
    if (stretches.memory != nullptr) stretches.each_chunk(blocks, [&](index_t block) { fold_block(tile, c, block, of_block(block)); });
    for (index_t block = 0; block < blocks; ++block) {
      const SumCells<A> columns = of_block(block);
      if (stretches.memory == nullptr) fold_block(tile, c, block, columns);
      for (int s = 0; s < 2; ++s) {
        for (index_t r = 0; r < tile.count; r += pack_size<double>)
          store(sums.sum[s] + r, load(sums.sum[s] + r) + load(columns.of_block[s] + r));
      }
    }
  }
  void fold_block(const typename FoldSweep::Tile& tile, const Coefficients<A>& c, index_t block, const SumCells<A>& columns) const {
    const index_t begin = block * block_length, end = begin + block_length < layout_.set_size ? begin + block_length : layout_.set_size;
    for (int s = 0; s < 2; ++s) {
      clear_numbers(columns.running[s], tile.count);
      clear_columns(columns.of_block[s], tile.count);
    }
    for (index_t i = begin; i < end; i += chain_length) {
      fold_.each_chain_step(tile, i, end - i < chain_length ? end - i : chain_length, A(1),
                            [&](const LaneCells<A>& cells, index_t elements, auto& tensor, index_t cell) {
                              backward_chain_cells(cells, elements, tensor[0], tensor[1], c.from(cell),
                                                   {columns.running[0] + cell, columns.running[1] + cell});
                            });
      for (int s = 0; s < 2; ++s) take_up(columns.of_block[s], columns.running[s], tile.count);
    }
  }

  /// Sums of cells to where gradients are made of them, and to their sets, in whose columns they may be already; those of dy become those
  /// of g where a cell has one weight.
  void add_to_sets(const Piece& piece, SumsTable<A>& table, index_t first, index_t count, const SumCells<A>& sums) const {
    index_t column[some_sets], at_sums[some_sets];
    typename SetNumbers<A>::Weights weight_of;
    const bool keeps = call_.sums.present();
    const Reshape& reshape = call_.reshape;
    for (index_t done = 0; done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      piece.columns(layout_, first + done, n, column);
      if (!weighted_) numbers_.read_weights(piece, first + done, n, column, weight_of);
      if (keeps) layout_.kept.offsets(stream_sums, first + done, n, at_sums);
      for (index_t i = 0; i < n; ++i) {
        const double dy = std::exchange(sums.sum[0][done + i], 0.0), dy_x_hat = std::exchange(sums.sum[1][done + i], 0.0);
        const double weight = weighted_ ? 1.0 : weight_of.number[i];
        table.add(column[i], mul(weight, dy), mul(weight, dy_x_hat), weight);
        if (!keeps) continue;
        const index_t place = reshape.changes_sums() ? piece.place_of_column(layout_, column[i]) : 0;
        call_.sums.put(sums_base_ + at_sums[i], dy,
                       reshape.changes_sums() ? std::fma(reshape.gain[place], dy_x_hat, mul(reshape.shift[place], dy)) : dy_x_hat);
      }
    }
  }

  void map_tile(const Piece& piece, const SumsTable<A>& table, index_t first, index_t count, const SumCells<A>& cells,
                const Stretches& stretches) const {
    index_t column;
    if (!numbers_.vary_in_set() && is_whole(piece, first, count, column)) {
      const Coefficients<A> c{table.mean + column, table.factor + column, table.shift + column};
      return run_map(first, count, c, {table.scale + column, table.slope + column, table.offset + column}, c, stretches);
    }
    const auto of_set = numbers_.template of_cells<6>(
        piece, {table.mean, table.factor, table.shift, table.scale, table.slope, table.offset}, table.sets, first, count, cells);
    const Coefficients<A> c{of_set[0], of_set[1], of_set[2]};
    DxCoefficients<A> d{of_set[3], of_set[4], of_set[5]};
    if (numbers_.vary_in_set()) {
      const bool lone = call_.statistic.centred() && set_size(piece) == 1;
      numbers_.scale_by_weights(piece, table, first, count, lone, cells.number[3]);
      d.scale = cells.number[3];
    }
    run_map(first, count, c, d, numbers_.seen_norm(piece, first, count, c, cells.running[0], cells.running[1]), stretches);
  }
  /// x_hat: what a fusion sees as the norm.
  void run_map(index_t first, index_t count, const Coefficients<A>& c, const DxCoefficients<A>& d, const Coefficients<A>& x_hat,
               const Stretches& stretches) const {
    typename MapSweep::Tile tile;
    if (copies_rows_) fused_.template copy_rows<U>(first, count);
    tile.streams = call_.streaming;
    map_.start(first, count, tile);
    tile.x_hat = x_hat;
    const index_t size = layout_.set_size;
    const bool together = map_.together(tile, size, 2);
    const FarMemory far_memory{call_.streaming && map_.can_stream(tile, 2, together), {map_.ahead(0, 1), map_.ahead(1, 1)}};
    const index_t step = map_.step(tile, size, weight_.stage());
    const auto map_run = [&](index_t begin, index_t end, index_t i, index_t n, const ElementWeight<A>(&weight)[1]) {
      map_.each_cells(tile, begin, end, i, n, A(1), together, [&](const auto& cells, auto& tensor, index_t cell) NORMA_INLINE_LAMBDA {
        const auto run = [&](auto weighted, auto is_far, auto adds) NORMA_INLINE_LAMBDA {
          backward_map_cells<weighted.value, is_far.value, adds.value>(cells, n, tensor[0], tensor[1], tensor[2], c.from(cell),
                                                                       d.from(cell), weight[0], far_memory);
        };
        with_bool(weighted_, [&](auto weighted) {
          if (call_.adds || copies_rows_) return run(weighted, std::false_type(), std::true_type());
          with_bool(far_memory.present(), [&](auto is_far) { run(weighted, is_far, std::false_type()); });
        });
      });
    };
    stretches.each(size, count, [&](Elements elements) {
      weight_.template each<MapSweep::length>(map_.way(), first, count, elements, step, map_.shorter(tile, step), map_run);
      if (stretches.executor != nullptr && call_.streaming) streaming_fence();
    });
  }

  const BackwardCall& call_;
  FusedStreams<A> fused_;
  Layout layout_;
  std::optional<Layout> chain_layout_;  // of dy and x alone, as in a forward; gradients order cells, too
  bool products_alone_;                 // nobody asks for sums of g or dy
  bool writes_;
  index_t sums_base_;
  ElementParameters<A, 1> weight_;
  bool weighted_;  // there is a number per element
  SetNumbers<A> numbers_;
  Sweep<A, U, 2> fold_;
  bool copies_rows_;  // of sum_grad to dx, to which the map adds
  MapSweep map_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
