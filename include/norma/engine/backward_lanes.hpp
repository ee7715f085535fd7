// Backward where the unit-stride axis is kept: the sweeps of BackwardPass with sets across the vector lanes.
#pragma once

#include <norma/engine/forward_lanes.hpp>
#include <norma/kernels/backward_lanes.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// What sweep two subtracts in a set of n elements, from its sums.
template <class A, Formula F>
NORMA_INLINE Pull<A> pull_of(const F& formula, index_t n, double sum_g, double sum_g_x_hat, double rstd) {
  const double inverse = 1.0 / static_cast<double>(n);
  return {F::centred ? static_cast<A>(sum_g * inverse) : A(0), static_cast<A>(sum_g_x_hat * inverse * formula.pull(rstd))};
}

template <class A, class P, Formula F>
class LaneBackward {
 public:
  LaneBackward(const F& formula, const Layout& layout, const Operands& operands, A weight_offset, const StatisticArrays<P>& statistics)
      : formula_(formula), layout_(layout), operands_(operands), weight_offset_(weight_offset), statistics_(statistics) {}

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

  LaneRows<A> rows(Stream stream, index_t set) const {
    return {static_cast<A*>(operands_[stream].data) + layout_.kept.offset(stream, set), layout_.averaged.axis[0].stride[stream]};
  }

  template <bool Whole>
  void sweep_tile(index_t set, int count, const GradientRun<A>* gradient) const {
    CoefficientTable<A, columns> table;
    read_statistics(set, count, table);
    const Coefficients<A> c = table.coefficients();
    const LaneRows<A> dy = rows(stream_dy, set), x = rows(stream_x, set), weight = rows(stream_weight, set);
    const WeightColumn<A> weights{weight.first, weight.stride, weight_offset_};
    TileSums<columns> total[2], sums[2];
    total[0].clear();
    total[1].clear();
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t n = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const WeightColumn<A> block_weights{weight.first + first * weight.stride, weight.stride, weight_offset_};
      with_bool(gradient != nullptr, [&](auto gradients) {
        const index_t begin = first * lanes<A>;
        const GradientLanes<A> block = gradients.value ? GradientLanes<A>{gradient->weight + begin, gradient->bias + begin} : GradientLanes<A>{};
        backward_fold_lanes<Whole, gradients.value, A>({dy[first], dy.stride}, {x[first], x.stride}, n, count, c, block_weights, block,
                                                       {sums[0].sum, sums[1].sum});
      });
      for (int s = 0; s < 2; ++s) {
        for (int p = 0; p < tile_positions<A>; p += pack_size<double>) store(total[s].sum + p, load(total[s].sum + p) + load(sums[s].sum + p));
      }
    }
    if (!operands_[stream_y].present()) return;
    alignas(64) A mean_g[columns] = {}, mean_g_x_hat[columns] = {};
    for (int p = 0; p < count; ++p) {
      const Pull<A> pull = pull_of<A>(formula_, layout_.set_size, total[0].sum[p], total[1].sum[p], table.rstd_double[p]);
      mean_g[p] = pull.mean_g;
      mean_g_x_hat[p] = pull.mean_g_x_hat;
    }
    const LaneRows<A> dx = rows(stream_y, set);
    backward_map_lanes<Whole, A>({dy.first, dy.stride}, {x.first, x.stride}, dx, layout_.set_size, count, c, weights, mean_g, mean_g_x_hat);
  }

  void read_statistics(index_t set, int count, CoefficientTable<A, columns>& table) const {
    TileSums<columns> high, low, rstd;
    high.clear();
    low.clear();
    rstd.clear();
    for (int p = 0; p < count; ++p) {
      const SetStatistics s = statistics_.get(layout_.kept.offset(stream_stat, set + p));
      high.sum[p] = s.mean.high;
      low.sum[p] = s.mean.low;
      rstd.sum[p] = s.rstd;
    }
    for (int p = 0; p < tile_positions<A>; p += pack_size<double>) table.put(p, {load(high.sum + p), load(low.sum + p)}, load(rstd.sum + p));
  }

  const F& formula_;
  const Layout& layout_;
  const Operands& operands_;
  A weight_offset_;
  StatisticArrays<P> statistics_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
