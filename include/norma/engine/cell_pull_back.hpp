// Backward over cells, slice by slice: fold, sum to sets, map; and the parameter gradients from the sums of all cells.
#pragma once

#include <norma/engine/cell_backward.hpp>
#include <norma/engine/cell_normalize.hpp>
#include <norma/engine/gradients.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Sums per cell of all of x, from which parameter gradients are made: sum dy, and sum dy * x_hat. Row-major in the axes along which cells
/// differ; `view` has x's rank and repeats along the folded axes.
struct CellSums {
  TensorView<double> dy, dy_x_hat;
  AxisList axes;

  CellSums(const Extents& x, const Roles& roles, const Operands& operands) {
    Extents strides = x;
    index_t stride = 1;
    const AxisSet folded = roles.averaged & ~roles.merged;
    for (int a = x.size(); a-- > 0;) {
      const bool differs = (folded >> a & 1u) == 0;
      strides[a] = differs ? stride : 0;
      if (differs) stride *= x[a];
    }
    cells_ = stride;
    extents_ = x;
    strides_ = strides;
    for (int a = 0; a < x.size(); ++a) {
      if ((folded >> a & 1u) != 0) continue;
      Axis& axis = axes.axis[axes.count++];
      axis.extent = x[a];
      for (int s = 0; s < stream_count; ++s) axis.stride[s] = operands.of[s].present() ? operands.of[s].strides[a] : 0;
    }
  }

  index_t cells() const { return cells_; }
  void use(double* memory) {
    dy = {memory, extents_, strides_};
    dy_x_hat = {memory + cells_, extents_, strides_};
  }

 private:
  index_t cells_ = 0;
  Extents extents_, strides_;
};

/// What a norm changed between its statistics and its map, per set: y = (x_hat * gain + shift) * weight + bias. Null pointers: nothing.
struct Reshape {
  const double* gain = nullptr;
  const double* shift = nullptr;

  bool present() const { return gain != nullptr || shift != nullptr; }
  double gain_of(index_t set) const { return gain == nullptr ? 1.0 : gain[set]; }
  double shift_of(index_t set) const { return shift == nullptr ? 0.0 : shift[set]; }
};

/// Sums over sets as they are: the number of elements they are over, which other processes may add to.
struct NoExchange {
  static constexpr bool always = false;  // true: also where no dx is asked for
  double operator()(double*, double*, index_t, index_t elements) const { return static_cast<double>(elements); }
};

/// The backward of one slice.
template <class A>
class SlicePull {
 public:
  SlicePull(const CellSlice& slice, double weight_offset, bool streaming, Workspace& workspace)
      : slice_(slice),
        cells_(slice.extents, slice.roles, slice.operands),
        weight_offset_(weight_offset),
        streaming_(streaming),
        pull_(cells_, slice_.operands, slice.sums_in_columns, streaming) {
    for (double*& array : of_cell_) array = workspace.take(cells_.count());
    for (double*& array : of_set_) array = workspace.take(cells_.set_count);
    for (A*& column : statistics_.column) column = reinterpret_cast<A*>(workspace.take(cells_.set_count));
    statistics_.per_set = true;
    pulls_.per_set = cells_.merged.broadcasts(stream_weight);
    const index_t pulls = pulls_.per_set ? cells_.set_count : cells_.count();
    for (A*& column : pulls_.column) column = reinterpret_cast<A*>(workspace.take(pulls));
  }

  /// Doubles that a slice needs at most.
  static index_t workspace_size(const CellPlan& plan) {
    return 5 * Workspace::padded(plan.cells_per_slice()) + 6 * Workspace::padded(plan.sets_per_slice());
  }

  /// `statistics` and `reshape` are those of all of x; `sums`, if it has memory, takes what parameter gradients are made of.
  /// exchange(sum of g, sum of g * x_hat, sets, elements of a set) says over how many elements the sums are then.
  template <class Exchange>
  void run(const ExecutorRef& executor, const Statistic& statistic, const StatisticArrays& statistics, const Reshape& reshape,
           const CellSums& sums, const Exchange& exchange) {
    reshape_ = reshape;
    const bool frozen = statistic.kind == Statistic::Kind::given;
    read_statistics(statistics);
    const index_t elements = slice_.extents.product();
    const bool wants_sums = sums.dy.data() != nullptr, wants_dx = slice_.operands[stream_y].present();
    if (wants_sums || !frozen)
      parallel_sets(executor, cells_.count(), elements,
                    [&](index_t first, index_t last) { pull_.fold(first, last, statistics_, of_cell_[0], of_cell_[1]); });
    if (wants_sums) put_sums(sums);
    if (!wants_dx && !Exchange::always) return;
    if (frozen) {
      map_frozen(executor, elements);
      return;
    }
    sum_sets();
    const double over = exchange(of_set_[0], of_set_[1], cells_.set_count, cells_.set_size());
    if (!wants_dx) return;
    resolve(statistic, over);
    parallel_sets(executor, cells_.count(), elements, [&](index_t first, index_t last) { pull_.map(first, last, statistics_, pulls_); });
  }

  /// A backward of the layer's own making, for slices whose sets are their cells: resolve(sum dy, sum dy * x_hat, f) calls
  /// f(set, scale, slope, offset) for every set; then dx = dy * scale + (x_hat * slope + offset).
  template <class Resolve>
  void run_with(const ExecutorRef& executor, const StatisticArrays& statistics, const Resolve& resolve) {
    read_statistics(statistics);
    const index_t elements = slice_.extents.product();
    parallel_sets(executor, cells_.count(), elements,
                  [&](index_t first, index_t last) { pull_.fold(first, last, statistics_, of_cell_[0], of_cell_[1]); });
    each_coefficient(cells_, false, [&](index_t cell, index_t set, index_t, index_t) {
      of_set_[0][set] = of_cell_[0][cell];
      of_set_[1][set] = of_cell_[1][cell];
    });
    resolve(slice_, of_set_[0], of_set_[1], [&](index_t set, double scale, double slope, double offset) {
      pulls_.column[0][set] = static_cast<A>(scale);
      pulls_.column[1][set] = static_cast<A>(slope);
      pulls_.column[2][set] = static_cast<A>(offset);
    });
    if (!slice_.operands[stream_y].present()) return;
    pulls_.per_set = true;
    parallel_sets(executor, cells_.count(), elements, [&](index_t first, index_t last) { pull_.map(first, last, statistics_, pulls_); });
  }

 private:
  void read_statistics(const StatisticArrays& statistics) {
    for (index_t s = 0; s < cells_.set_count; ++s) {
      const SplitSum<> mean = statistics.get_mean<double>(slice_.place(s));
      const double rstd = statistics.get_rstd<double>(slice_.place(s));
      const A mean_in_a = rounded<A>(mean.high);
      statistics_.column[0][s] = mean_in_a;
      statistics_.column[1][s] = static_cast<A>(rstd);
      statistics_.column[2][s] = static_cast<A>(-((mean.high - static_cast<double>(mean_in_a)) + mean.low) * rstd);
      of_set_[2][s] = rstd;
    }
  }

  /// To the places of these cells among all. The table's element type is not that of any tensor, so its strides come as stream_cell.
  void put_sums(const CellSums& sums) const {
    const Operand& table = slice_.operands[stream_cell];
    const index_t begin = static_cast<double*>(table.data) - sums.dy.data();
    constexpr index_t batch = 64;
    index_t at[batch], set[batch];
    for (index_t first = 0; first < cells_.count(); first += batch) {
      const index_t n = cells_.count() - first < batch ? cells_.count() - first : batch;
      cells_.layout.kept.offsets(stream_cell, first, n, at);
      const double *const dy = of_cell_[0] + first, *const dy_x_hat = of_cell_[1] + first;
      for (index_t i = 0; i < n; ++i) {
        sums.dy.data()[begin + at[i]] = dy[i];
        sums.dy_x_hat.data()[begin + at[i]] = dy_x_hat[i];
      }
      if (!reshape_.present()) continue;
      cells_.layout.kept.offsets(stream_stat, first, n, set);
      for (index_t i = 0; i < n; ++i) {
        const index_t place = slice_.place(set[i]);
        sums.dy_x_hat.data()[begin + at[i]] = std::fma(reshape_.gain_of(place), dy_x_hat[i], mul(reshape_.shift_of(place), dy[i]));
      }
    }
  }

  /// dx = dy * (rstd * weight), which is a forward from dy to dx.
  void map_frozen(const ExecutorRef& executor, index_t elements) {
    each_coefficient(cells_, pulls_.per_set, [&](index_t i, index_t s, index_t weight, index_t) {
      pulls_.column[0][i] = A(0);
      pulls_.column[1][i] = static_cast<A>(mul(of_set_[2][s], weight_at(weight)));
      pulls_.column[2][i] = negative_zero<A>;
    });
    const CellMap<A> map(cells_, slice_.operands, stream_dy, stream_y, streaming_);
    parallel_sets(executor, cells_.count(), elements, [&](index_t first, index_t last) { map.run(first, last, pulls_); });
  }

  double weight_at(index_t offset) const { return parameter_at(slice_.operands[stream_weight], offset) + weight_offset_; }

  double weight_of_set(index_t offset, index_t set) const {
    return reshape_.present() ? mul(weight_at(offset), reshape_.gain_of(slice_.place(set))) : weight_at(offset);
  }

  /// Sums of g and g * x_hat per set.
  void sum_sets() {
    double *const sum_g = of_set_[0], *const sum_g_x_hat = of_set_[1];
    for (index_t s = 0; s < cells_.set_count; ++s) sum_g[s] = sum_g_x_hat[s] = 0;
    if (!pulls_.per_set) {
      each_coefficient(cells_, false, [&](index_t cell, index_t s, index_t weight, index_t) {
        const double w = weight_of_set(weight, s);
        sum_g[s] = std::fma(w, of_cell_[0][cell], sum_g[s]);
        sum_g_x_hat[s] = std::fma(w, of_cell_[1][cell], sum_g_x_hat[s]);
      });
      return;
    }
    for (index_t i = 0; i < cells_.cells_per_set; ++i) {
      cells_.each_set(
          i, [&](index_t s, index_t cell) __attribute__((always_inline)) {
            sum_g[s] += of_cell_[0][cell];
            sum_g_x_hat[s] += of_cell_[1][cell];
          });
    }
    each_coefficient(cells_, true, [&](index_t, index_t s, index_t weight, index_t) {
      const double w = weight_of_set(weight, s);
      sum_g[s] *= w;
      sum_g_x_hat[s] *= w;
    });
  }

  /// dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat)) as scale, slope, offset; sums are over so many elements.
  void resolve(const Statistic& statistic, double elements) {
    double *const sum_g = of_set_[0], *const sum_g_x_hat = of_set_[1], *const rstd = of_set_[2];
    // A centred set of one element moves nothing.
    const bool lone = statistic.centred() && elements == 1;
    const double inverse = lone ? 0.0 : 1.0 / elements;
    each_coefficient(cells_, pulls_.per_set, [&](index_t i, index_t s, index_t weight, index_t) {
      const double rstd_per_element = mul(rstd[s], inverse);
      const double w = weight_of_set(weight, s);
      pulls_.column[0][i] = static_cast<A>(lone ? 0.0 : mul(rstd[s], w));
      // A norm that damps nothing asks for no product with a sum that may have overflowed.
      const double damping = statistic.damping(rstd[s], elements);
      pulls_.column[1][i] = damping == 0 ? A(0) : static_cast<A>(-rstd_per_element * damping * sum_g_x_hat[s]);
      pulls_.column[2][i] = statistic.centred() ? static_cast<A>(-rstd_per_element * sum_g[s]) : A(0);
    });
  }

  CellSlice slice_;
  Cells cells_;
  double weight_offset_;
  bool streaming_;
  CellPull<A> pull_;
  Reshape reshape_;
  double* of_cell_[2];  // sum dy, sum dy * x_hat
  double* of_set_[3];   // sum g, sum g * x_hat, rstd
  CellColumns<A> statistics_{}, pulls_{};
};

/// Backward with the statistics a forward has left, or any others; see pull_back.
template <class A, class Exchange = NoExchange>
inline void pull_back_cells(const ExecutorRef& executor, const Statistic& statistic, const Extents& x, const CellPlan& plan,
                            const Operands& operands, double weight_offset, const StatisticArrays& statistics, Buffer<std::byte>& scratch,
                            bool streaming, const Reshape& reshape = {}, const Exchange& exchange = {}) {
  CellSums sums(x, plan.roles(), operands);
  const bool gradients = operands[stream_weight_grad].present() || operands[stream_bias_grad].present();
  const index_t doubles = SlicePull<A>::workspace_size(plan);
  const index_t of_sums = gradients ? 2 * Workspace::padded(sums.cells()) : 0;
  const index_t of_slices = Workspace::fits_stack(doubles) ? 0 : slice_tasks(executor, plan) * doubles;
  scratch.resize((of_sums + of_slices) * static_cast<index_t>(sizeof(double)));
  double* const memory = reinterpret_cast<double*>(scratch.data());
  Operands with_sums = operands;
  if (gradients) {
    sums.use(memory);
    with_sums[stream_cell] = Operand(sums.dy);
  }
  const CellPlan slices = plan.with(with_sums);
  each_slice(executor, slices, doubles, of_slices > 0 ? memory + of_sums : nullptr,
             [&](const CellSlice& slice, const ExecutorRef& inside, Workspace& workspace) {
               SlicePull<A>(slice, weight_offset, streaming, workspace).run(inside, statistic, statistics, reshape, sums, exchange);
             });
  if (operands[stream_weight_grad].present()) {
    scatter_gradient(sums.axes, stream_weight_grad, sums.dy_x_hat.data(), operands[stream_weight_grad], 0);
  }
  if (operands[stream_bias_grad].present()) {
    scatter_gradient(sums.axes, stream_bias_grad, sums.dy.data(), operands[stream_bias_grad], 0);
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
