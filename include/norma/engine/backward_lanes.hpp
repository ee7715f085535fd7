// Backward where the unit-stride axis is kept: the sweeps of BackwardPass with sets across the vector lanes.
#pragma once

#include <norma/engine/forward_lanes.hpp>
#include <norma/kernels/backward_lanes.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// statistic.damping of pack_size<double> sets of n elements.
NORMA_INLINE Pack<double> damping_of(const Statistic& statistic, const double* rstd, double n) {
  if (statistic.kind == Statistic::Kind::deviation) return Pack<double>(1.0);
  alignas(64) double damping[pack_size<double>];
  for (int i = 0; i < pack_size<double>; ++i) damping[i] = statistic.damping(rstd[i], n);
  return load(damping);
}

/// What sweep two makes of the sets of a tile; a column each.
template <class A, std::size_t Columns>
struct PullTable {
  alignas(64) A scale[Columns];
  alignas(64) A slope[Columns];
  alignas(64) A offset[Columns];

  /// The arrays reach to a whole register. From the sums over sets of n elements: dx = rstd * (g - mean_g - x_hat * mean_g_x_hat). A
  /// centred set of one element moves nothing.
  NORMA_INLINE PullTable(const Statistic& statistic, index_t elements, index_t sets, const double* sum_g, const double* sum_g_x_hat,
                         const double* rstd) {
    const double n = static_cast<double>(elements);
    const bool centred = statistic.centred(), lone = centred && elements == 1;
    const Pack<double> inverse(lone ? 0.0 : 1.0 / n);
    index_t r = 0;
    for (; r < sets; r += pack_size<double>) {
      const Pack<double> rstd_of_set = load(rstd + r), rstd_per_element = mul(rstd_of_set, inverse);
      store_doubles(scale + r, lone ? Pack<double>(0.0) : rstd_of_set);
      store_doubles(slope + r,
                    mul(mul(Pack<double>(-0.0) - rstd_per_element, damping_of(statistic, rstd + r, n)), load_pieces(sum_g_x_hat + r)));
      store_doubles(offset + r, centred ? mul(Pack<double>(-0.0) - rstd_per_element, load_pieces(sum_g + r)) : Pack<double>(0.0));
    }
    for (; r < rows_of<Columns>; ++r) scale[r] = slope[r] = offset[r] = A(0);
  }

  NORMA_INLINE Pull<A> pull() const { return {scale, slope, offset}; }
};

/// Coefficients of a tile from the statistics a forward left.
template <class A, std::size_t Columns>
NORMA_INLINE void read_coefficients(const Layout& layout, const StatisticArrays& statistics, index_t set, index_t sets,
                                    CoefficientTable<A, Columns>& table) {
  TileSums<Columns> high, low, rstd;
  if (sets < rows_of<Columns>) {
    high.clear();
    low.clear();
    rstd.clear();
  }
  index_t offset[Columns];
  layout.kept.offsets(stream_stat, set, sets, offset);
  if (sets == rows_of<Columns> && layout.kept.side_by_side(stream_stat, set, sets)) {
    for (index_t r = 0; r < sets; r += pack_size<double>)
      table.put(r, statistics.get_mean<Pack<double>>(offset[r]), statistics.get_rstd<Pack<double>>(offset[r]));
    return;
  }
  for (index_t r = 0; r < sets; ++r) {
    const SplitSum<> mean = statistics.get_mean<double>(offset[r]);
    high.sum[r] = mean.high;
    low.sum[r] = mean.low;
    rstd.sum[r] = statistics.get_rstd<double>(offset[r]);
  }
  for (index_t r = 0; r < rows_of<Columns>; r += pack_size<double>)
    table.put(r, {load(high.sum + r), load(low.sum + r)}, load(rstd.sum + r));
}

template <class A>
class LaneBackward {
 public:
  LaneBackward(const Statistic& statistic, const Layout& layout, const Operands& operands, A weight_offset,
               const StatisticArrays& statistics)
      : statistic_(statistic), layout_(layout), operands_(operands), weight_offset_(weight_offset), statistics_(statistics) {}

  /// Whether the layout asks for it: one averaged axis, dy, x, dx contiguous along a kept one, parameters not varying along that.
  static bool suits(const Layout& layout, const Operands& operands) {
    bool fits = layout.averaged.count == 1 && layout.kept.count > 0 && layout.averaged.axis[0].stride[stream_x] != 1;
    for (const Stream s : {stream_dy, stream_x, stream_y}) {
      if (s == stream_y && !operands[s].present()) continue;
      fits = fits && operands[s].type == element_type_of<A> && lanes_are_contiguous(layout, s);
    }
    fits = fits && operands[stream_weight].type == element_type_of<A>;
    for (const Stream s : {stream_weight, stream_weight_grad, stream_bias_grad}) fits = fits && lanes_share(layout, s);
    return fits;
  }

  /// Both sweeps over sets [first, last); `gradient`, if not null, grows by lanes<A> sums per element of a set.
  void sweep(index_t first, index_t last, const GradientRun<A>* gradient) const {
    each_lane_tile(layout_, first, last, tile_positions<A>, [&](index_t set, index_t count) {
      with_bool(count == tile_positions<A>, [&](auto whole) { sweep_tile<whole.value>(set, static_cast<int>(count), gradient); });
    });
  }

 private:
  static constexpr std::size_t columns = static_cast<std::size_t>(tile_positions<A>);

  template <bool Whole>
  void sweep_tile(index_t set, int count, const GradientRun<A>* gradient) const {
    CoefficientTable<A, columns> table;
    read_coefficients(layout_, statistics_, set, count, table);
    const Coefficients<A> c = table.coefficients();
    const auto rows = [&](Stream stream) { return lane_rows<A>(layout_, operands_, stream, set); };
    const LaneRows<A> dy = rows(stream_dy), x = rows(stream_x), weight = rows(stream_weight);
    const WeightColumn<A> weights{weight.first, weight.stride, weight_offset_};
    const bool one_weight = weight.stride == 0;  // as in BackwardPass::weigh
    TileSums<columns> total[2], sums[2];
    total[0].clear();
    total[1].clear();
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t n = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const WeightColumn<A> block_weights = one_weight
                                                ? WeightColumn<A>{&one<A>, 0, negative_zero<A>}
                                                : WeightColumn<A>{weight.first + first * weight.stride, weight.stride, weight_offset_};
      with_bool(gradient != nullptr, [&](auto gradients) {
        const index_t begin = first * lanes<A>;
        const GradientLanes<A> block =
            gradients.value ? GradientLanes<A>{gradient->weight + begin, gradient->bias + begin} : GradientLanes<A>{};
        backward_fold_lanes<Whole, gradients.value, A>({dy[first], dy.stride}, {x[first], x.stride}, n, count, c, block_weights, block,
                                                       {sums[0].sum, sums[1].sum});
      });
      for (int s = 0; s < 2; ++s) {
        for (int p = 0; p < tile_positions<A>; p += pack_size<double>)
          store(total[s].sum + p, load(total[s].sum + p) + load(sums[s].sum + p));
      }
    }
    if (!operands_[stream_y].present()) return;
    if (one_weight) {
      const Pack<double> factor(static_cast<double>(*weight.first + weight_offset_));
      for (TileSums<columns>& sum : total) {
        for (int p = 0; p < tile_positions<A>; p += pack_size<double>) store(sum.sum + p, mul(load(sum.sum + p), factor));
      }
    }
    const PullTable<A, columns> pulls(statistic_, layout_.set_size, count, total[0].sum, total[1].sum, table.rstd_double);
    const LaneRows<A> dx = rows(stream_y);
    backward_map_lanes<Whole, false, 1, A>({dy.first, dy.stride}, {x.first, x.stride}, dx, layout_.set_size, count, c, weights,
                                           pulls.pull());
  }

  const Statistic& statistic_;
  const Layout& layout_;
  const Operands& operands_;
  A weight_offset_;
  StatisticArrays statistics_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
