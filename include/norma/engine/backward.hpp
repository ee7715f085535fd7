// Backward of a plain norm: per set dx, per slot of sets the parameter gradients.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/execution.hpp>
#include <norma/engine/backward_lanes.hpp>
#include <norma/engine/gradients.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A is the arithmetic type, P that of statistics and parameters. An absent dx is not computed.
template <class A, class P, Formula F>
class BackwardPass {
 public:
  /// adds: dx += ...; no streaming then.
  BackwardPass(const F& formula, const Layout& layout, const Operands& operands, A weight_offset, const StatisticArrays<P>& statistics,
               bool streaming, bool adds = false)
      : formula_(formula),
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
        across_lanes_(!adds && LaneBackward<A, P, F>::suits(layout, operands)),
        lanes_pass_(formula, layout, operands, weight_offset, statistics) {
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
        if (gradient.present()) add_gradients(partial + set, group_size, static_cast<P*>(gradient.data)[layout_.kept.offset(stream, set)]);
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
    if (weight_grad_.present()) {
      P* target = static_cast<P*>(weight_grad_.data) + layout_.kept.offset(stream_weight_grad, set);
      scatter_gradient(layout_.averaged, stream_weight_grad, sums.weight, target);
    }
    if (bias_grad_.present()) {
      P* target = static_cast<P*>(bias_grad_.data) + layout_.kept.offset(stream_bias_grad, set);
      scatter_gradient(layout_.averaged, stream_bias_grad, sums.bias, target);
    }
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
    const index_t tile = layout_.set_size <= 128 ? rows_of<tile_rows> : 2 * rows_of<interleaved>;
    for (; first < last; first += tile) sweep_tile(first, last - first < tile ? last - first : tile, gradient, per_set);
  }

  /// Several sets straight on the tensors, as many side by side as share a weight and fit the registers.
  void sweep_tile(index_t set, index_t sets, const GradientRun<A>* gradient, const SetGradients& per_set) const {
    CoefficientTable<A, tile_rows> table;
    read_coefficients(layout_, statistics_, set, sets, table);
    index_t dy[tile_rows], x[tile_rows], dx[tile_rows], weight[tile_rows];
    layout_.kept.offsets(stream_dy, set, sets, dy);
    layout_.kept.offsets(stream_x, set, sets, x);
    layout_.kept.offsets(stream_y, set, sets, dx);
    layout_.kept.offsets(stream_weight, set, sets, weight);
    const auto each_group = [&](bool side_by_side, auto&& f) __attribute__((always_inline)) {
      for (index_t r = 0; r < sets;) {
        bool share = side_by_side && r + rows_of<interleaved> <= sets;
        for (index_t i = 1; i < rows_of<interleaved> && share; ++i) share = weight[r + i] == weight[r];
        if (share) {
          f(r, std::integral_constant<std::size_t, interleaved>());
          r += rows_of<interleaved>;
        } else {
          f(r, std::integral_constant<std::size_t, 1>());
          r += 1;
        }
      }
    };
    TileSums<tile_rows> sum_g, sum_g_x_hat;
    if (totals_.complete()) {
      for (index_t r = 0; r < sets; ++r) totals_.read(place(set + r), sum_g.sum[r], sum_g_x_hat.sum[r]);
    } else {
      each_group(
          true, [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
            PullSums<R> total{};
            for (index_t first = 0; first < layout_.set_size; first += block_length) {
              const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
              const A *pdy[R], *px[R];
              for (index_t i = 0; i < rows_of<R>; ++i) {
                pdy[i] = dy_.data(dy[r + i]) + first;
                px[i] = x_.data(x[r + i]) + first;
              }
              const AffineRun<A> affine =
                  weight_.constant() ? unweighted : AffineRun<A>{weight_.data(weight[r]) + first, nullptr, weight_offset_};
              backward_fold_rows(!weight_.constant(), pdy, px, count, table.coefficients().from(r), affine, block_of(gradient, first),
                                 total);
            }
            for (index_t i = 0; i < rows_of<R>; ++i) {
              sum_g.sum[r + i] = total.g[i];
              sum_g_x_hat.sum[r + i] = total.g_x_hat[i];
            }
          });
      for (index_t r = 0; weight_.constant() && r < sets; ++r)
        weigh(*weight_.data(weight[r]), per_set, set + r, sum_g.sum[r], sum_g_x_hat.sum[r]);
    }
    if (totals_.present() && !totals_.complete()) {
      for (index_t r = 0; r < sets; ++r) totals_.write(place(set + r), sum_g.sum[r], sum_g_x_hat.sum[r]);
      return;
    }
    if (!wants_dx_) return;
    const PullTable<A, tile_rows> pulls(formula_, elements(), sets, sum_g.sum, sum_g_x_hat.sum, table.rstd_double);
    // Stores that straddle cache lines want one row at a time, as in the forward; so do those that hold up loads.
    bool side_by_side = sets < rows_of<interleaved> || !held_up(dy, x, dx);
    for (index_t r = 0; layout_.set_size > 256 && r < sets; ++r) side_by_side = side_by_side && lines_up(dx_.data(dx[r]));
    each_group(
        side_by_side, [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
          const A *pdy[R], *px[R];
          A* pdx[R];
          for (index_t i = 0; i < rows_of<R>; ++i) {
            pdy[i] = dy_.data(dy[r + i]);
            px[i] = x_.data(x[r + i]);
            pdx[i] = dx_.data(dx[r + i]);
          }
          const AffineRun<A> affine{weight_.data(weight[r]), nullptr, weight_offset_};
          bool stream = streaming_;
          for (index_t i = 0; i < rows_of<R>; ++i) stream = stream && lines_up(pdx[i]);
          backward_map_rows(!weight_.constant(), stream, pdy, px, pdx, layout_.set_size, table.coefficients().from(r), affine,
                            pulls.pull().from(r), adds_);
        });
  }

  /// Of the first rows of a tile, by their offsets.
  bool held_up(const index_t* dy, const index_t* x, const index_t* dx) const {
    const A *pdy[interleaved], *px[interleaved];
    A* pdx[interleaved];
    for (index_t i = 0; i < rows_of<interleaved>; ++i) {
      pdy[i] = dy_.data(dy[i]);
      px[i] = x_.data(x[i]);
      pdx[i] = dx_.data(dx[i]);
    }
    return rows_hold_up_each_other(pdx, pdy, rows_of<interleaved>) || rows_hold_up_each_other(pdx, px, rows_of<interleaved>);
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
    PullSums<1> total{};
    if (totals_.complete()) {
      totals_.read(place(set), total.g[0], total.g_x_hat[0]);
    } else {
      each_block([&](index_t first, index_t count, const AffineRun<A>& affine) {
        backward_fold_rows(!weight_.constant(), pdy, px, count, table.coefficients(), weight_.constant() ? unweighted : affine,
                           block_of(gradient, first), total);
      });
      if (weight_.constant()) weigh(one_weight, per_set, set, total.g[0], total.g_x_hat[0]);
    }
    if (totals_.present() && !totals_.complete()) return totals_.write(place(set), total.g[0], total.g_x_hat[0]);
    if (!wants_dx_) return;
    const PullTable<A, tile_rows> pulls(formula_, elements(), 1, total.g, total.g_x_hat, table.rstd_double);
    each_block([&](index_t first, index_t count, const AffineRun<A>& affine) {
      A* pdx[1] = {dx_.target(dx, first, dx_tile.element)};
      if (adds_) dx_.read(dx, first, count, dx_tile.element);
      backward_map_rows(!weight_.constant(), streaming_ && lines_up(pdx[0]), pdy, px, pdx, count, table.coefficients(), affine,
                        pulls.pull(), adds_);
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

  const F& formula_;
  const Layout& layout_;
  SetStream<A> dy_, x_, dx_, weight_;
  Operand weight_grad_, bias_grad_;
  A weight_offset_;
  StatisticArrays<P> statistics_;
  SetTotals totals_;
  bool wants_dx_;
  bool streaming_;
  bool adds_;
  bool per_set_;
  bool across_lanes_;
  LaneBackward<A, P, F> lanes_pass_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
