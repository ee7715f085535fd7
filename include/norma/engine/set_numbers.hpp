// What a backward wants of the sets that cells belong to: copies of their numbers, weights, and the norm that a fusion sees.
#pragma once

#include <array>

#include <norma/engine/element_parameters.hpp>
#include <norma/engine/gradients.hpp>
#include <norma/engine/hook.hpp>
#include <norma/engine/sums_table.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

template <class A>
class SetNumbers {
 public:
  /// All of these must outlive this.
  SetNumbers(const BackwardCall& call, const Layout& layout, const ElementParameters<A, 1>& weight)
      : call_(call), layout_(layout), weight_(weight), vary_in_set_(!weight.vary() && layout.varies_in_set(stream_weight)) {}

  /// Whether the cells of a set have different weights.
  bool vary_in_set() const { return vary_in_set_; }

  /// N numbers of each cell, beside each other: those of their sets where these lie so, else copies. Whole registers of them may be read.
  template <std::size_t N>
  std::array<const A*, N> of_cells(const Piece& piece, const std::array<const A*, N>& of_set, index_t sets, index_t first, index_t count,
                                   const SumCells<A>& cells) const {
    constexpr index_t W = pack_size<A>;
    index_t column[some_sets];
    std::array<const A*, N> result;
    const bool side_by_side = piece.columns(layout_, first, count < some_sets ? count : some_sets, column) && count <= some_sets &&
                              column[0] + (count + W - 1) / W * W <= padded_sets(sets);
    for (std::size_t k = 0; k < N; ++k) result[k] = side_by_side ? of_set[k] + column[0] : cells.number[k];
    for (index_t done = 0; !side_by_side && done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      piece.columns(layout_, first + done, n, column);
      for (std::size_t k = 0; k < N; ++k) {
        for (index_t i = 0; i < n; ++i) cells.number[k][done + i] = of_set[k][column[i]];
      }
    }
    return result;
  }
  /// What dy is multiplied with in cells whose set has others with other weights. A lone one moves nothing.
  void scale_by_weights(const Piece& piece, const SumsTable<A>& table, index_t first, index_t count, bool lone, A* scale) const {
    index_t column[some_sets];
    Weights weight_of;
    for (index_t done = 0; done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      piece.columns(layout_, first + done, n, column);
      read_weights(piece, first + done, n, column, weight_of);
      for (index_t i = 0; i < n; ++i) scale[done + i] = lone ? A(0) : static_cast<A>(mul(table.rstd[column[i]], weight_of.number[i]));
    }
  }
  /// What a fusion sees as the norm of cells: x_hat, or what a hook has made of it, in columns for that.
  Coefficients<A> seen_norm(const Piece& piece, index_t first, index_t count, const Coefficients<A>& c, A* factor, A* shift) const {
    const Reshape& reshape = call_.reshape;
    if (call_.fusion == nullptr || !reshape.present()) return c;
    for (index_t i = 0; i < count; ++i) {
      index_t column;
      piece.columns(layout_, first + i, 1, &column);
      const index_t place = piece.place_of_column(layout_, column);
      factor[i] = static_cast<A>(mul(reshape.gain[place], static_cast<double>(c.rstd[i])));
      shift[i] = static_cast<A>(std::fma(reshape.gain[place], static_cast<double>(c.shift[i]), reshape.shift[place]));
    }
    return {c.mean, factor, shift};
  }

  struct Weights {
    alignas(64) double number[some_sets];
  };
  /// The one weight of each of some cells, with what a hook has made of x_hat.
  void read_weights(const Piece& piece, index_t first, index_t count, const index_t* column, Weights& weights) const {
    index_t at[some_sets];
    at[0] = 0;  // compilers believe that there may be no cells
    layout_.kept.offsets(stream_weight, first, count, at);
    weight_.values(0, at, count, weights.number);
    for (index_t i = 0; i < count; ++i) weights.number[i] += call_.weight_offset;
    if (!call_.reshape.changes_sums()) return;
    for (index_t i = 0; i < count; ++i) {
      weights.number[i] = mul(weights.number[i], call_.reshape.gain[piece.place_of_column(layout_, column[i])]);
    }
  }

 private:
  const BackwardCall& call_;
  const Layout& layout_;
  const ElementParameters<A, 1>& weight_;
  bool vary_in_set_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
