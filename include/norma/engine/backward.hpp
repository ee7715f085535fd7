// Backward of a plain norm: per set dx, per slot of sets the parameter gradients.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/execution.hpp>
#include <norma/engine/backward_lanes.hpp>
#include <norma/engine/gradients.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Working memory of one slot, per element of a set: `width` running sums in A (1, or lanes<A> where sets lie across lanes) and one in double.
template <class A>
struct SlotSums {
  GradientRun<A> running{nullptr, nullptr};
  double* weight = nullptr;
  double* bias = nullptr;
  index_t padded = 0;
  index_t width = 1;
  bool fresh = true;

  static index_t bytes(index_t set_size, index_t width) {
    return padded_size(set_size) * (2 * width * static_cast<index_t>(sizeof(A)) + 2 * static_cast<index_t>(sizeof(double)));
  }

  SlotSums(index_t set_size, index_t width_of_sum, std::byte* memory) : padded(padded_size(set_size)), width(width_of_sum) {
    weight = reinterpret_cast<double*>(memory);
    bias = weight + padded;
    running.weight = reinterpret_cast<A*>(bias + padded);
    running.bias = running.weight + padded * width;
  }

  void clear_running() {
    for (index_t i = 0; i < 2 * padded * width; ++i) running.weight[i] = A(0);
  }

  /// Adds the sums in A to those in double (the first time: replaces them) and clears them.
  void flush() {
    for (index_t i = 0; i < 2 * padded; ++i) weight[i] = running_sum(i) + (fresh ? 0.0 : weight[i]);
    fresh = false;
    clear_running();
  }

 private:
  static index_t padded_size(index_t set_size) { return (set_size + lanes<float> - 1) / lanes<float> * lanes<float>; }

  double running_sum(index_t i) const {
    if (width == 1) return static_cast<double>(running.weight[i]);
    LaneSum<A> sum;
    for (int k = 0; k < lane_packs<A>; ++k) sum.packs[k] = load(running.weight + i * width + k * pack_size<A>);
    return static_cast<double>(fold_tree(sum));
  }
};

/// A is the arithmetic type, P that of statistics and parameters. An absent dx is not computed.
template <class A, class P, Formula F>
class BackwardPass {
 public:
  BackwardPass(const F& formula, const Layout& layout, const Operands& operands, A weight_offset, const StatisticArrays<P>& statistics,
               bool streaming)
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
        across_lanes_(LaneBackward<A, P, F>::suits(layout, operands)),
        lanes_pass_(formula, layout, operands, weight_offset, statistics) {
    direct_ = dy_.direct() && x_.direct() && (!wants_dx_ || dx_.direct()) && operands[stream_weight].type == element_type_of<A> &&
              (weight_.constant() || weight_.direct());
  }

  bool wants_gradients() const { return weight_grad_.present() || bias_grad_.present(); }

  /// dx of sets [first, last); no parameter gradients.
  void run(index_t first, index_t last) const {
    sweep(first, last, nullptr);
    if (streaming_) streaming_fence();
  }

  /// Parameter gradients (and dx) of all sets. `scratch` grows to what the slots need and is kept between calls.
  void run_with_gradients(const ExecutorRef& executor, Buffer<std::byte>& scratch) const {
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
  void sweep(index_t first, index_t last, const GradientRun<A>* gradient) const {
    if (across_lanes_) {
      lanes_pass_.sweep(first, last, gradient);
      return;
    }
    while (first < last) {
      bool side_by_side = direct_ && first + rows_of<interleaved> <= last;
      for (index_t r = 1; r < rows_of<interleaved> && side_by_side; ++r) {
        side_by_side = layout_.kept.offset(stream_weight, first + r) == layout_.kept.offset(stream_weight, first);
      }
      if (side_by_side) {
        sweep_sets<interleaved>(first, gradient);
        first += rows_of<interleaved>;
      } else {
        sweep_sets<1>(first, gradient);
        first += 1;
      }
    }
  }

  template <std::size_t R>
  void sweep_sets(index_t set, const GradientRun<A>* gradient) const {
    Tile<A> tiles[4];
    index_t dy[R], x[R], dx[R];
    alignas(64) double mean_high[tile_rows] = {}, mean_low[tile_rows] = {}, rstd[tile_rows] = {};
    for (index_t r = 0; r < rows_of<R>; ++r) {
      dy[r] = layout_.kept.offset(stream_dy, set + r);
      x[r] = layout_.kept.offset(stream_x, set + r);
      dx[r] = layout_.kept.offset(stream_y, set + r);
      const SetStatistics s = statistics_.get(layout_.kept.offset(stream_stat, set + r));
      mean_high[r] = s.mean.high;
      mean_low[r] = s.mean.low;
      rstd[r] = s.rstd;
    }
    CoefficientTable<A, tile_rows> table;
    for (index_t r = 0; r < rows_of<R>; r += pack_size<double>) table.put(r, {load(mean_high + r), load(mean_low + r)}, load(rstd + r));
    const Coefficients<A> c = table.coefficients();
    const index_t weight = layout_.kept.offset(stream_weight, set);
    const A one_weight = weight_.constant() ? weight_.value(weight) : A(0);
    const A *pdy[R], *px[R];
    const auto read = [&](index_t first, index_t count) {
      for (index_t r = 0; r < rows_of<R>; ++r) {
        pdy[r] = dy_.read(dy[r], first, count, tiles[0].element);
        px[r] = x_.read(x[r], first, count, tiles[1].element);
      }
      return AffineRun<A>{weight_.constant() ? &one_weight : weight_.read(weight, first, count, tiles[2].element), nullptr, weight_offset_};
    };
    PullSums<R> total{};
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const AffineRun<A> affine = read(first, count);
      const GradientRun<A> block_gradient = gradient == nullptr ? GradientRun<A>{} : GradientRun<A>{gradient->weight + first, gradient->bias + first};
      PullSums<R> sums;
      with_bool(!weight_.constant(), [&](auto weight_runs) {
        with_bool(gradient != nullptr, [&](auto gradients) {
          backward_fold_run<weight_runs.value, gradients.value>(pdy, px, count, c, affine, block_gradient, sums);
        });
      });
      for (index_t r = 0; r < rows_of<R>; ++r) {
        total.g[r] += sums.g[r];
        total.g_x_hat[r] += sums.g_x_hat[r];
      }
    }
    if (!wants_dx_) return;
    Pull<A> pull[R];
    for (index_t r = 0; r < rows_of<R>; ++r) pull[r] = pull_of<A>(formula_, layout_.set_size, total.g[r], total.g_x_hat[r], rstd[r]);
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const AffineRun<A> affine = read(first, count);
      A* pdx[R];
      bool aligned = streaming_;
      for (index_t r = 0; r < rows_of<R>; ++r) {
        pdx[r] = dx_.target(dx[r], first, tiles[3].element);
        aligned = aligned && reinterpret_cast<std::uintptr_t>(pdx[r]) % 64 == 0;
      }
      with_bool(!weight_.constant(), [&](auto weight_runs) {
        with_bool(aligned, [&](auto stream) { backward_map_run<weight_runs.value, stream.value>(pdy, px, pdx, count, c, affine, pull); });
      });
      for (index_t r = 0; r < rows_of<R>; ++r) dx_.write(dx[r], first, count, pdx[r]);
    }
  }

  const F& formula_;
  const Layout& layout_;
  SetStream<A> dy_, x_, dx_, weight_;
  Operand weight_grad_, bias_grad_;
  A weight_offset_;
  StatisticArrays<P> statistics_;
  bool wants_dx_;
  bool streaming_;
  bool across_lanes_;
  LaneBackward<A, P, F> lanes_pass_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
