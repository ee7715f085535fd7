// Forward where the unit-stride axis is kept: sets across the vector lanes, tile of positions by tile of positions.
#pragma once

#include <norma/engine/forward.hpp>
#include <norma/kernels/fold_lanes.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// True if neighbouring sets are neighbours in the stream's memory.
inline bool lanes_are_contiguous(const Layout& layout, Stream stream) {
  return layout.kept.count > 0 && layout.kept.axis[layout.kept.count - 1].stride[stream] == 1;
}
/// True if sets across lanes suit a stream of the arithmetic type: one averaged axis, along which it is not contiguous.
inline bool lanes_suit(const Layout& layout, Stream stream) {
  return layout.averaged.count == 1 && layout.averaged.axis[0].stride[stream] != 1 && lanes_are_contiguous(layout, stream);
}
/// True if neighbouring sets see the same elements of the stream.
inline bool lanes_share(const Layout& layout, Stream stream) { return layout.kept.axis[layout.kept.count - 1].stride[stream] == 0; }

/// The rows of a stream from `set` on, along the one averaged axis.
template <class A>
inline LaneRows<A> lane_rows(const Layout& layout, const Operands& operands, Stream stream, index_t set) {
  return {static_cast<A*>(operands[stream].data) + layout.kept.offset(stream, set), layout.averaged.axis[0].stride[stream]};
}

/// Calls f(first, count) for pieces of [first, last) that lie in one row of positions and have at most `most` sets.
template <class F>
inline void each_lane_tile(const Layout& layout, index_t first, index_t last, index_t most, F&& f) {
  const index_t extent = layout.kept.axis[layout.kept.count - 1].extent;
  while (first < last) {
    const index_t left_in_row = extent - first % extent;
    index_t count = last - first < most ? last - first : most;
    if (count > left_in_row) count = left_in_row;
    f(first, count);
    first += count;
  }
}

/// Sets across lanes as a source of fold_sets.
template <class A>
struct LaneSource {
  LaneRows<const A> x;
  int positions;

  template <class Term, std::size_t Columns>
  NORMA_INLINE void fold(index_t i, index_t n, const A* pivot, TileSums<Columns> (&sums)[Term::sums]) const {
    static_assert(static_cast<int>(Columns) == tile_positions<A>);
    with_bool(positions == tile_positions<A>, [&](auto whole) {
      if constexpr (Term::sums == 1) {
        fold_lanes<Term, whole.value, A>({x[i], x.stride}, n, positions, pivot, {sums[0].sum});
      } else {
        fold_lanes<Term, whole.value, A>({x[i], x.stride}, n, positions, pivot, {sums[0].sum, sums[1].sum});
      }
    });
  }
};

template <class A>
class LaneForward {
 public:
  /// `general` normalizes what leaves the range of A.
  LaneForward(const ForwardPass<A>& general, const Statistic& statistic, const Layout& layout, const Operands& operands, A weight_offset,
              const StatisticArrays& statistics)
      : general_(general),
        statistic_(statistic),
        layout_(layout),
        operands_(operands),
        weight_offset_(weight_offset),
        statistics_(statistics) {}

  /// Whether the layout asks for it: one averaged axis, x and y contiguous along a kept one, parameters not varying along that.
  static bool suits(const Layout& layout, const Operands& operands) {
    bool all_a = true;
    for (const Stream s : {stream_x, stream_y, stream_weight, stream_bias}) all_a = all_a && operands[s].type == element_type_of<A>;
    return all_a && layout.averaged.count == 1 && layout.averaged.axis[0].stride[stream_x] != 1 && lanes_are_contiguous(layout, stream_x) &&
           lanes_are_contiguous(layout, stream_y) && lanes_share(layout, stream_weight) && lanes_share(layout, stream_bias);
  }

  /// Normalizes sets [first, last).
  void run(index_t first, index_t last) const {
    each_lane_tile(layout_, first, last, tile_positions<A>, [&](index_t set, index_t count) {
      if (normalize_tile(set, static_cast<int>(count))) return;
      for (index_t p = 0; p < count; ++p) general_.normalize_set(set + p);
    });
  }

 private:
  static constexpr std::size_t columns = static_cast<std::size_t>(tile_positions<A>);

  bool normalize_tile(index_t set, int count) const {
    const auto rows = [&](Stream stream) { return lane_rows<A>(layout_, operands_, stream, set); };
    const LaneRows<A> x = rows(stream_x), weight = rows(stream_weight), bias = rows(stream_bias);
    MomentTable<A, columns> moments;
    fold_sets(statistic_.centred(), layout_.set_size, count, moments, LaneSource<A>{{x.first, x.stride}, count});
    CoefficientTable<A, columns> c;
    if (!resolve(statistic_, layout_.set_size, moments, count, c)) return false;
    for (int p = 0; statistics_.rstd != nullptr && p < count; ++p)
      statistics_.put(layout_.kept.offset(stream_stat, set + p), c.statistics(p));
    const AffineColumn<A> affine{weight.first, weight.stride, bias.first, bias.stride, weight_offset_};
    with_bool(count == tile_positions<A>, [&](auto whole) {
      map_lanes<whole.value, false, 1, A>({x.first, x.stride}, rows(stream_y), layout_.set_size, count, c.coefficients(), affine);
    });
    return true;
  }

  const ForwardPass<A>& general_;
  const Statistic& statistic_;
  const Layout& layout_;
  const Operands& operands_;
  A weight_offset_;
  StatisticArrays statistics_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
