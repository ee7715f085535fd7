// What a forward's map wants of sets and cells: coefficients, made of statistics and of weights and biases that are no numbers per element.
#pragma once

#include <array>

#include <norma/engine/element_parameters.hpp>
#include <norma/engine/set_table.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <class A>
class MapCoefficients {
 public:
  /// Layout and parameters must outlive this.
  MapCoefficients(const Layout& layout, const ElementParameters<A, 2>& affine, double weight_offset)
      : layout_(layout),
        affine_(affine),
        weight_offset_(weight_offset),
        vary_in_set_(!affine.vary() && (layout.varies_in_set(stream_weight) || layout.varies_in_set(stream_bias))) {}

  /// Whether weight or bias differ between the cells of a set.
  bool vary_in_set() const { return vary_in_set_; }

  /// Those of the sets of a piece, in its table, unless they vary in sets.
  void of_sets(const Piece& piece, SetTable<A>& table) const {
    const double* const gain = table.gain == nullptr ? table.rstd : table.gain;
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets;
      make_coefficients_of(piece, first, n,
                           {table.high + first, table.low + first, gain + first, table.shift == nullptr ? nullptr : table.shift + first},
                           table);
    }
  }

  /// Those of sets from statistics from elsewhere, by their places; or the statistics, if they are to be kept.
  template <class Given>
  void of_given(const Piece& piece, const Given& given, bool keep, SetTable<A>& table) const {
    alignas(64) double mean[some_sets], variance[some_sets], rstd[some_sets], zero[some_sets] = {};
    index_t place[some_sets];
    for (index_t first = 0; first < piece.sets; first += some_sets) {
      const index_t n = piece.sets - first < some_sets ? piece.sets - first : some_sets;
      piece.places(layout_, first, n, place);
      given.read(place, n, mean, variance);
      for (index_t s = 0; s < n; s += pack_size<double>) store(rstd + s, given.statistic.rstd(load(variance + s), 0.0));
      for (index_t s = 0; keep && s < n; ++s) table.put(first + s, {{mean[s], 0}, rstd[s], variance[s]});
      if (!keep) make_coefficients_of(piece, first, n, {mean, zero, rstd, nullptr}, table);
    }
  }
  /// Those of cells, where they are no columns of the table, or their set has others with other parameters.
  NORMA_NOINLINE void of_cells(const Piece& piece, const SetTable<A>& table, index_t first, index_t count,
                               const std::array<A*, 3>& to) const {
    index_t column[some_sets];
    for (index_t done = 0; done < count; done += some_sets) {
      const index_t n = count - done < some_sets ? count - done : some_sets;
      piece.columns(layout_, first + done, n, column);
      if (vary_in_set_) {
        make_cell_coefficients(table, first + done, n, column, {to[0] + done, to[1] + done, to[2] + done});
        continue;
      }
      for (index_t i = 0; i < n; ++i) {
        to[0][done + i] = table.mean[column[i]];
        to[1][done + i] = table.factor[column[i]];
        to[2][done + i] = table.offset[column[i]];
      }
    }
  }

 private:
  /// Weight and bias of cells or sets whose parameters lie `at` in their tensors, in one with what a hook has made of x_hat.
  struct Parameters {
    alignas(64) double weight[some_sets], bias[some_sets];
  };
  void read_parameters(const index_t* at_weight, const index_t* at_bias, const double* shift, index_t n, Parameters& p) const {
    affine_.values(0, at_weight, n, p.weight);
    affine_.values(1, at_bias, n, p.bias);
    for (index_t i = 0; i < n; i += pack_size<double>) {
      const Pack<double> weight = load(p.weight + i) + Pack<double>(weight_offset_);
      store(p.weight + i, weight);
      if (shift != nullptr) store(p.bias + i, fma(load(shift + i), weight, load(p.bias + i)));
    }
  }

  /// Statistics of some sets, and what a hook has made of x_hat.
  struct SetColumns {
    const double *high, *low, *gain, *shift;
  };
  /// Coefficients of sets [first, first + n), n <= some_sets, where the cells of a set share weight and bias, or have numbers per element.
  void make_coefficients_of(const Piece& piece, index_t first, index_t n, const SetColumns& of, SetTable<A>& table) const {
    A *const mean = table.mean + first, *const factor = table.factor + first, *const offset = table.offset + first;
    if (affine_.vary()) return make_coefficients<A>(n, of.high, of.low, of.gain, nullptr, nullptr, mean, factor, offset);
    Parameters p;
    index_t at_weight[some_sets], at_bias[some_sets];
    at_weight[0] = at_bias[0] = 0;  // compilers believe that there may be no sets
    const bool cells = piece.numbering == Numbering::cells;
    const AxisList sets = cells ? AxisList() : layout_.statistics();
    const AxisList& axes = cells ? layout_.kept : sets;
    axes.offsets(stream_weight, cells ? piece.first + first : first, n, at_weight);
    axes.offsets(stream_bias, cells ? piece.first + first : first, n, at_bias);
    read_parameters(at_weight, at_bias, of.shift, n, p);
    make_coefficients<A>(n, of.high, of.low, of.gain, p.weight, p.bias, mean, factor, offset);
  }
  void make_cell_coefficients(const SetTable<A>& table, index_t first, index_t n, const index_t* column,
                              const std::array<A*, 3>& to) const {
    const double* const gain = table.gain == nullptr ? table.rstd : table.gain;
    alignas(64) double high[some_sets], low[some_sets], gains[some_sets], shift[some_sets];
    index_t at_weight[some_sets], at_bias[some_sets];
    Parameters p;
    for (index_t i = 0; i < padded_sets(n); ++i) {
      const index_t set = column[i < n ? i : 0];
      high[i] = table.high[set];
      low[i] = table.low[set];
      gains[i] = gain[set];
      shift[i] = table.shift == nullptr ? 0 : table.shift[set];
    }
    layout_.kept.offsets(stream_weight, first, n, at_weight);
    layout_.kept.offsets(stream_bias, first, n, at_bias);
    read_parameters(at_weight, at_bias, table.shift == nullptr ? nullptr : shift, n, p);
    make_coefficients<A>(n, high, low, gains, affine_.vary() ? nullptr : p.weight, affine_.vary() ? nullptr : p.bias, to[0], to[1], to[2]);
  }

  const Layout& layout_;
  const ElementParameters<A, 2>& affine_;
  double weight_offset_;
  bool vary_in_set_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
