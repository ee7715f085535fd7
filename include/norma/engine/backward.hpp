// Backward of a plain norm: per set dx, per slot of sets the parameter gradients.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/execution.hpp>
#include <norma/engine/backward_lanes.hpp>
#include <norma/engine/gradients.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A is the arithmetic type, P that of statistics and parameters. An absent dx is not computed.
template <class A>
class BackwardPass {
 public:
  /// adds: dx += ...; no streaming then.
  BackwardPass(const Statistic& statistic, const Layout& layout, const Operands& operands, A weight_offset,
               const StatisticArrays& statistics, bool streaming, bool adds = false)
      : statistic_(statistic),
        layout_(layout),
        dy_(operands, layout, stream_dy),
        x_(operands, layout, stream_x),
        dx_(operands, layout, stream_y),
        weight_(operands, layout, stream_weight),
        weight_grad_(operands[stream_weight_grad]),
        bias_grad_(operands[stream_bias_grad]),
        weight_offset_(weight_offset),
        statistics_(statistics),
        wants_dx_(operands[stream_y].present()),
        streaming_(streaming),
        adds_(adds),
        across_lanes_(!adds && LaneBackward<A>::suits(layout, operands)),
        lanes_pass_(statistic, layout, operands, weight_offset, statistics) {
    direct_ = dy_.direct() && x_.direct() && (!wants_dx_ || dx_.direct()) && operands[stream_weight].type == element_type_of<A> &&
              (weight_.constant() || weight_.direct());
    per_set_ = !across_lanes_ && weight_.constant() && layout.averaged.broadcasts(stream_weight_grad) &&
               layout.averaged.broadcasts(stream_bias_grad);
  }

  /// From now on sums go through `totals`.
  void complete_through(const SetTotals& totals) {
    totals_ = totals;
    across_lanes_ = false;
  }

  bool wants_gradients() const { return weight_grad_.present() || bias_grad_.present(); }

  /// dx of sets [first, last); no parameter gradients.
  void run(index_t first, index_t last) const {
    sweep(first, last, nullptr);
    if (streaming_) streaming_fence();
  }

  /// Parameter gradients (and dx) of all sets. `scratch` grows to what the slots need and is kept between calls.
  void run_with_gradients(const ExecutorRef& executor, Buffer<std::byte>& scratch) const {
    if (per_set_) return run_with_set_gradients(executor, scratch);
    const index_t group_size = layout_.sets / layout_.groups;
    const SlotGrid grid(group_size, layout_.set_size);
    const index_t width = across_lanes_ ? lanes<A> : 1;
    const index_t bytes = SlotSums<A>::bytes(layout_.set_size, width);
    if (grid.slots == 1) {  // many small groups: each task owns some of them
      const index_t tasks = layout_.groups < 32 ? layout_.groups : 32;
      scratch.resize(tasks * bytes);
      executor.parallel_for(tasks, [&](index_t task) {
        for (index_t group = layout_.groups * task / tasks; group < layout_.groups * (task + 1) / tasks; ++group) {
          SlotSums<A> sums(layout_.set_size, width, scratch.data() + task * bytes);
          sum_slot(group * group_size, (group + 1) * group_size, sums);
          scatter(group, sums);
        }
        if (streaming_) streaming_fence();
      });
      return;
    }
    scratch.resize(grid.slots * bytes);
    for (index_t group = 0; group < layout_.groups; ++group) {
      const index_t begin = group * group_size, end = begin + group_size;
      executor.parallel_for(grid.slots, [&](index_t slot) {
        SlotSums<A> sums(layout_.set_size, width, scratch.data() + slot * bytes);
        const index_t first = begin + slot * grid.sets_per_slot;
        sum_slot(first, first + grid.sets_per_slot < end ? first + grid.sets_per_slot : end, sums);
        if (streaming_) streaming_fence();
      });
      SlotSums<A> total(layout_.set_size, width, scratch.data());
      for (index_t slot = 1; slot < grid.slots; ++slot) {
        const SlotSums<A> part(layout_.set_size, width, scratch.data() + slot * bytes);
        for (index_t i = 0; i < 2 * total.padded; ++i) total.weight[i] += part.weight[i];
      }
      scatter(group, total);
    }
  }

 private:
  static constexpr std::size_t interleaved = interleaved_rows<A>;

  /// Where a set shares one weight and one bias, their gradients are sums that the sweep takes anyhow.
  void run_with_set_gradients(const ExecutorRef& executor, Buffer<std::byte>& scratch) const {
    const index_t sets = layout_.sets, group_size = sets / layout_.groups, tasks = sets < 32 ? sets : 32;
    scratch.resize(2 * sets * static_cast<index_t>(sizeof(double)));
    double* const sums = reinterpret_cast<double*>(scratch.data());
    const SetGradients gradients{sums, sums + sets};
    executor.parallel_for(tasks, [&](index_t task) {
      sweep(sets * task / tasks, sets * (task + 1) / tasks, nullptr, gradients);
      if (streaming_) streaming_fence();
    });
    for (index_t set = 0; set < sets; set += group_size) {
      const auto add = [&](const Operand& gradient, Stream stream, const double* partial) {
        if (gradient.present()) add_gradients(partial + set, group_size, gradient, layout_.kept.offset(stream, set));
      };
      add(weight_grad_, stream_weight_grad, gradients.weight);
      add(bias_grad_, stream_bias_grad, gradients.bias);
    }
  }

  void sum_slot(index_t first, index_t last, SlotSums<A>& sums) const {
    sums.clear_running();
    const index_t interval = SlotGrid::flush_interval * sums.width;
    for (index_t set = first; set < last; set += interval) {
      const index_t end = set + interval < last ? set + interval : last;
      sweep(set, end, &sums.running);
      sums.flush();
    }
  }

  void scatter(index_t group, const SlotSums<A>& sums) const {
    const index_t set = group * (layout_.sets / layout_.groups);
    if (weight_grad_.present())
      scatter_gradient(layout_.averaged, stream_weight_grad, sums.weight, weight_grad_, layout_.kept.offset(stream_weight_grad, set));
    if (bias_grad_.present())
      scatter_gradient(layout_.averaged, stream_bias_grad, sums.bias, bias_grad_, layout_.kept.offset(stream_bias_grad, set));
  }

  /// Both sweeps over sets [first, last), several sets side by side where memory allows.
  void sweep(index_t first, index_t last, const GradientRun<A>* gradient, const SetGradients& per_set = {}) const {
    if (across_lanes_) {
      lanes_pass_.sweep(first, last, gradient);
      return;
    }
    if (!direct_) {
      for (; first < last; ++first) sweep_set(first, gradient, per_set);
      return;
    }
    const index_t tile = rows_per_tile();
    for (; first < last; first += tile) sweep_tile(first, last - first < tile ? last - first : tile, gradient, per_set);
  }

  /// Measured: what a tile costs beside its sweeps counts against short rows, what it takes of the first-level cache against long ones.
  index_t rows_per_tile() const { return layout_.set_size <= 768 ? rows_of<tile_rows> : rows_of<tile_rows> / 2; }

  /// Several sets straight on the tensors.
  void sweep_tile(index_t set, index_t sets, const GradientRun<A>* gradient, const SetGradients& per_set) const {
    CoefficientTable<A, tile_rows> table;
    read_coefficients(layout_, statistics_, set, sets, table);
    const Coefficients<A> c = table.coefficients();
    index_t offset[tile_rows], weight[tile_rows];
    const A *dy[tile_rows], *x[tile_rows];
    A* dx[tile_rows];
    layout_.kept.offsets(stream_dy, set, sets, offset);
    for (index_t r = 0; r < sets; ++r) dy[r] = dy_.data(offset[r]);
    layout_.kept.offsets(stream_x, set, sets, offset);
    for (index_t r = 0; r < sets; ++r) x[r] = x_.data(offset[r]);
    layout_.kept.offsets(stream_weight, set, sets, weight);
    // f(first row, rows, weight from element i on) for rows that share a weight.
    const auto each_weight = [&](index_t i, auto&& f) __attribute__((always_inline)) {
      for (index_t r = 0; r < sets;) {
        index_t same = 1;
        while (r + same < sets && weight[r + same] == weight[r]) ++same;
        f(r, same, AffineRun<A>{weight_.data(weight[r]) + (weight_.constant() ? 0 : i), nullptr, weight_offset_});
        r += same;
      }
    };
    TileSums<tile_rows> sum_g, sum_g_x_hat;
    sum_g.clear();
    sum_g_x_hat.clear();
    if (totals_.complete()) {
      for (index_t r = 0; r < sets; ++r) totals_.read(place(set + r), sum_g.sum[r], sum_g_x_hat.sum[r]);
    } else {
      for (index_t first = 0; first < layout_.set_size; first += block_length) {
        const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
        const A *block_dy[tile_rows], *block_x[tile_rows];
        for (index_t r = 0; r < sets; ++r) {
          block_dy[r] = dy[r] + first;
          block_x[r] = x[r] + first;
        }
        each_weight(first, [&](index_t r, index_t rows, const AffineRun<A>& affine) {
          backward_fold_rows(!weight_.constant(), block_dy + r, block_x + r, rows, count, c.from(r),
                             weight_.constant() ? unweighted : affine, block_of(gradient, first), sum_g.sum + r, sum_g_x_hat.sum + r);
        });
      }
      for (index_t r = 0; weight_.constant() && r < sets; ++r)
        weigh(*weight_.data(weight[r]), per_set, set + r, sum_g.sum[r], sum_g_x_hat.sum[r]);
    }
    if (totals_.present() && !totals_.complete()) {
      for (index_t r = 0; r < sets; ++r) totals_.write(place(set + r), sum_g.sum[r], sum_g_x_hat.sum[r]);
      return;
    }
    if (!wants_dx_) return;
    const PullTable<A, tile_rows> pulls(statistic_, elements(), sets, sum_g.sum, sum_g_x_hat.sum, table.rstd_double);
    layout_.kept.offsets(stream_y, set, sets, offset);
    bool aligned = true;
    for (index_t r = 0; r < sets; ++r) {
      dx[r] = dx_.data(offset[r]);
      aligned = aligned && lines_up(dx[r]);
    }
    // Stores that straddle cache lines want one row at a time, as in the forward; so do those that hold up loads.
    const bool side_by_side = aligned && sets >= rows_of<interleaved> && !rows_hold_up_each_other(dx, dy, rows_of<interleaved>) &&
                              !rows_hold_up_each_other(dx, x, rows_of<interleaved>);
    const PullFlags flags{!weight_.constant(), streaming_ && aligned, side_by_side, adds_};
    each_weight(0, [&](index_t r, index_t rows, const AffineRun<A>& affine) {
      backward_map_rows(flags, dy + r, x + r, dx + r, rows, layout_.set_size, c.from(r), affine, pulls.pull().from(r));
    });
  }

  /// One set, block by block through tiles where its memory asks for it.
  void sweep_set(index_t set, const GradientRun<A>* gradient, const SetGradients& per_set) const {
    Tile<A> dy_tile, x_tile, weight_tile, dx_tile;
    CoefficientTable<A, tile_rows> table;
    read_coefficients(layout_, statistics_, set, 1, table);
    const index_t dy = layout_.kept.offset(stream_dy, set), x = layout_.kept.offset(stream_x, set);
    const index_t dx = layout_.kept.offset(stream_y, set), weight = layout_.kept.offset(stream_weight, set);
    const A one_weight = weight_.constant() ? weight_.value(weight) : A(0);
    const A *pdy[1], *px[1];
    const auto each_block = [&](auto&& f) {
      for (index_t first = 0; first < layout_.set_size; first += block_length) {
        const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
        pdy[0] = dy_.read(dy, first, count, dy_tile.element);
        px[0] = x_.read(x, first, count, x_tile.element);
        f(first, count,
          AffineRun<A>{weight_.constant() ? &one_weight : weight_.read(weight, first, count, weight_tile.element), nullptr,
                       weight_offset_});
      }
    };
    TileSums<pack_size<double>> sum_g, sum_g_x_hat;
    sum_g.clear();
    sum_g_x_hat.clear();
    if (totals_.complete()) {
      totals_.read(place(set), sum_g.sum[0], sum_g_x_hat.sum[0]);
    } else {
      each_block([&](index_t first, index_t count, const AffineRun<A>& affine) {
        backward_fold_rows(!weight_.constant(), pdy, px, 1, count, table.coefficients(), weight_.constant() ? unweighted : affine,
                           block_of(gradient, first), sum_g.sum, sum_g_x_hat.sum);
      });
      if (weight_.constant()) weigh(one_weight, per_set, set, sum_g.sum[0], sum_g_x_hat.sum[0]);
    }
    if (totals_.present() && !totals_.complete()) return totals_.write(place(set), sum_g.sum[0], sum_g_x_hat.sum[0]);
    if (!wants_dx_) return;
    const PullTable<A, tile_rows> pulls(statistic_, elements(), 1, sum_g.sum, sum_g_x_hat.sum, table.rstd_double);
    each_block([&](index_t first, index_t count, const AffineRun<A>& affine) {
      A* pdx[1] = {dx_.target(dx, first, dx_tile.element)};
      if (adds_) dx_.read(dx, first, count, dx_tile.element);
      backward_map_rows({!weight_.constant(), streaming_ && lines_up(pdx[0]), false, adds_}, pdy, px, pdx, 1, count, table.coefficients(),
                        affine, pulls.pull());
      dx_.write(dx, first, count, pdx[0]);
    });
  }

  index_t place(index_t set) const { return layout_.kept.offset(stream_stat, set); }
  index_t elements() const { return totals_.complete() ? totals_.elements : layout_.set_size; }

  /// Where a set has one weight, sweep one sums dy itself: these sums are the gradients per set, and dx wants them times the weight.
  static constexpr AffineRun<A> unweighted{&one<A>, nullptr, negative_zero<A>};
  void weigh(A weight, const SetGradients& per_set, index_t set, double& sum_g, double& sum_g_x_hat) const {
    if (per_set.present()) per_set.put(set, sum_g_x_hat, sum_g);
    const double factor = static_cast<double>(weight + weight_offset_);
    sum_g *= factor;
    sum_g_x_hat *= factor;
  }

  static GradientRun<A> block_of(const GradientRun<A>* gradient, index_t first) {
    return gradient == nullptr ? GradientRun<A>{nullptr, nullptr} : GradientRun<A>{gradient->weight + first, gradient->bias + first};
  }

  const Statistic& statistic_;
  const Layout& layout_;
  SetStream<A> dy_, x_, dx_, weight_;
  Operand weight_grad_, bias_grad_;
  A weight_offset_;
  StatisticArrays statistics_;
  SetTotals totals_;
  bool wants_dx_;
  bool streaming_;
  bool adds_;
  bool per_set_;
  bool across_lanes_;
  LaneBackward<A> lanes_pass_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
