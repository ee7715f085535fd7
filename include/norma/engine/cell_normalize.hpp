// Forward over cells, slice by slice: fold, merge, resolve, map.
#pragma once

#include <norma/engine/cell_forward.hpp>
#include <norma/engine/cell_plan.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Calls run(first, last) over disjoint ranges of [0, sets), as tasks worth their start.
template <class Run>
inline void parallel_sets(const ExecutorRef& executor, index_t sets, index_t elements, Run&& run) {
  constexpr index_t worth_a_task = 8192;
  index_t tasks = executor.concurrency() > 1 ? elements / worth_a_task : 1;
  if (tasks > 4 * executor.concurrency()) tasks = 4 * executor.concurrency();
  if (tasks > sets) tasks = sets;
  if (tasks < 1) tasks = 1;
  executor.parallel_for(tasks, [&](index_t task) { run(sets * task / tasks, sets * (task + 1) / tasks); });
}

/// Reads one number of a parameter whose element type is P or A.
inline double parameter_at(const Operand& parameter, index_t offset) {
  return with_element_type(parameter.type,
                           [&](auto* typed) { return static_cast<double>(static_cast<decltype(typed)>(parameter.data)[offset]); });
}

/// f(i, set, weight, bias) with the place of each distinct pair of coefficients, its set, and the offsets of its parameters.
template <class F>
inline void each_coefficient(const Cells& cells, bool per_set, F&& f) {
  constexpr index_t batch = 64;
  const AxisList& axes = per_set ? cells.sets : cells.layout.kept;
  const index_t count = axes.size();
  index_t set[batch], weight[batch], bias[batch];
  for (index_t first = 0; first < count; first += batch) {
    const index_t n = count - first < batch ? count - first : batch;
    axes.offsets(stream_stat, first, n, set);
    axes.offsets(stream_weight, first, n, weight);
    axes.offsets(stream_bias, first, n, bias);
    for (index_t i = 0; i < n; ++i) f(per_set ? set[i] : first + i, set[i], weight[i], bias[i]);
  }
}

/// The forward of one slice. A is the arithmetic type, P that of the statistics.
template <class A>
class SliceForward {
 public:
  SliceForward(const CellSlice& slice, double weight_offset, bool streaming, Workspace& workspace)
      : slice_(slice),
        cells_(slice.extents, slice.roles, slice.operands),
        weight_offset_(weight_offset),
        workspace_(workspace),
        map_(cells_, slice_.operands, stream_x, stream_y, streaming) {
    of_set_ = {workspace.take(cells_.set_count), workspace.take(cells_.set_count), workspace.take(cells_.set_count)};
    rstd_ = workspace.take(cells_.set_count);
    // Coefficients are as many as the pairs of statistics and parameters.
    per_set_ = cells_.merged.broadcasts(stream_weight) && cells_.merged.broadcasts(stream_bias);
    const index_t coefficients = per_set_ ? cells_.set_count : cells_.count();
    for (A*& column : coefficients_.column) column = reinterpret_cast<A*>(workspace.take(coefficients));
    coefficients_.per_set = per_set_;
  }

  /// Doubles that a slice needs at most; statistics from elsewhere spare the moments of cells.
  static index_t workspace_size(const CellPlan& plan, bool folds, bool per_set) {
    const index_t cells = Workspace::padded(plan.cells_per_slice()), sets = Workspace::padded(plan.sets_per_slice());
    return (folds ? 3 * cells : 0) + 6 * sets + 3 * (per_set ? sets : cells);
  }

  /// Statistics of x. False if a set's squares leave the range of A: ordinary(set) then tells which.
  bool fold(const ExecutorRef& executor, const Statistic& statistic) {
    of_cell_ = {workspace_.take(cells_.count()), workspace_.take(cells_.count()), workspace_.take(cells_.count())};
    const CellFold<A> fold = cell_fold();
    parallel_sets(executor, cells_.count(), slice_.extents.product(),
                  [&](index_t first, index_t last) { fold.run(first, last, of_cell_); });
    return merge(statistic);
  }
  /// The same for norms that have no other way for such sets: theirs are summed again at another scale.
  void fold_any(const ExecutorRef& executor, const Statistic& statistic) {
    if (fold(executor, statistic)) return;
    const CellFold<A> again = cell_fold();
    for (index_t i = 0; i < cells_.cells_per_set; ++i) {
      cells_.each_set(i, [&](index_t set, index_t cell) {
        if (!ordinary(set)) again.rerun(cell, of_cell_);
      });
    }
    merge(statistic);
  }
  /// Between fold and map a norm may change what is made of the statistics: y = ((x - mean) * slope + shift) * weight + bias.
  void reshape(index_t set, double slope, double shift) {
    if (slope_ == nullptr) {
      slope_ = workspace_.take(cells_.set_count);
      shift_ = workspace_.take(cells_.set_count);
      for (index_t s = 0; s < cells_.set_count; ++s) {
        slope_[s] = rstd_[s];
        shift_[s] = 0;
      }
    }
    slope_[set] = slope;
    shift_[set] = shift;
  }
  /// rstd is 0 where the variance is 0 without eps: a constant set, or squares that sank to 0.
  bool ordinary(index_t set) const { return is_ordinary<A>(of_set_.variance[set], rstd_[set]); }

  /// Statistics from elsewhere; `given` is indexed like all of x's.
  template <class Given>
  void take(const Given& given) {
    for (index_t s = 0; s < cells_.set_count; ++s) put(s, given[slice_.place(s)]);
  }
  void put(index_t set, const SetStatistics& statistics) {
    of_set_.pivot[set] = statistics.mean.high;
    of_set_.mean[set] = statistics.mean.low;
    of_set_.variance[set] = statistics.second;
    rstd_[set] = statistics.rstd;
  }
  SetStatistics statistics(index_t set) const { return {{of_set_.pivot[set], of_set_.mean[set]}, rstd_[set], of_set_.variance[set]}; }
  index_t set_count() const { return cells_.set_count; }

  /// y of every cell whose set `wanted(set)` says.
  template <class Wanted>
  void map_some(const Wanted& wanted) {
    resolve();
    for (index_t cell = 0; cell < cells_.count(); ++cell) {
      if (wanted(cells_.layout.kept.offset(stream_stat, cell))) map_.run(cell, cell + 1, coefficients_);
    }
  }
  void map(const ExecutorRef& executor) {
    resolve();
    parallel_sets(executor, cells_.count(), slice_.extents.product(),
                  [&](index_t first, index_t last) { map_.run(first, last, coefficients_); });
  }

 private:
  CellFold<A> cell_fold() const { return {slice_.extents, slice_.roles, slice_.operands, slice_.sums_in_columns}; }

  /// From the moments of cells to statistics of sets. True if all are ordinary.
  bool merge(const Statistic& statistic) {
    merge_cells(cells_, of_cell_, of_set_);
    bool all_ordinary = true;
    for (index_t s = 0; s < cells_.set_count; ++s) {
      const SplitSum<> mean = two_sum(of_set_.pivot[s], of_set_.mean[s]);
      of_set_.pivot[s] = mean.high;
      of_set_.mean[s] = mean.low;
      rstd_[s] = statistic.rstd(of_set_.variance[s], static_cast<double>(cells_.set_size()));
      all_ordinary = all_ordinary && ordinary(s);
      rstd_[s] = finite_rstd(of_set_.variance[s], rstd_[s]);
    }
    return all_ordinary;
  }

  /// Statistics and parameters in one: scale = rstd * weight, and the offset carries what A cannot hold of the mean.
  void resolve() {
    const Operand &weight = slice_.operands[stream_weight], &bias = slice_.operands[stream_bias];
    each_coefficient(cells_, per_set_, [&](index_t i, index_t s, index_t weight_at, index_t bias_at) {
      const double weight_of_set = parameter_at(weight, weight_at) + weight_offset_;
      const double scale = mul(slope_ == nullptr ? rstd_[s] : slope_[s], weight_of_set);
      const A mean = rounded<A>(of_set_.pivot[s]);
      const double low = (of_set_.pivot[s] - static_cast<double>(mean)) + of_set_.mean[s];
      const double bias_of_set =
          shift_ == nullptr ? parameter_at(bias, bias_at) : std::fma(shift_[s], weight_of_set, parameter_at(bias, bias_at));
      coefficients_.column[0][i] = mean;
      coefficients_.column[1][i] = static_cast<A>(scale);
      coefficients_.column[2][i] = static_cast<A>(std::fma(-low, scale, bias_of_set));
    });
  }

  CellSlice slice_;
  Cells cells_;
  double weight_offset_;
  Workspace& workspace_;
  CellMap<A> map_;
  MomentArrays of_cell_, of_set_;
  double* rstd_;
  double* slope_ = nullptr;
  double* shift_ = nullptr;
  CellColumns<A> coefficients_{};
  bool per_set_;
};

/// Runs work(forward, executor for its inside, slice) on the forward of each slice. `scratch`, if not null, is used instead of new memory.
template <class A, class Work>
inline void each_slice_forward(const ExecutorRef& executor, const CellPlan& plan, double weight_offset, bool folds, bool streaming,
                               Buffer<std::byte>* scratch, Work&& work) {
  const index_t doubles = SliceForward<A>::workspace_size(plan, folds, plan.coefficients_per_set());
  double* memory = nullptr;
  if (scratch != nullptr && !Workspace::fits_stack(doubles)) {
    scratch->resize(slice_tasks(executor, plan) * doubles * static_cast<index_t>(sizeof(double)));
    memory = reinterpret_cast<double*>(scratch->data());
  }
  each_slice(executor, plan, doubles, memory, [&](const CellSlice& slice, const ExecutorRef& inside, Workspace& workspace) {
    SliceForward<A> forward(slice, weight_offset, streaming, workspace);
    work(forward, inside, slice);
  });
}

/// Forward with the statistics of x; with `statistics`, they are left there.
template <class A>
inline void normalize_cells(const ExecutorRef& executor, const Statistic& statistic, const CellPlan& plan, double weight_offset,
                            const StatisticArrays& statistics, Buffer<std::byte>* scratch, bool streaming) {
  const auto work = [&](SliceForward<A>& forward, const ExecutorRef& inside, const CellSlice& slice) {
    const auto put_all = [&](const auto& wanted) {
      for (index_t s = 0; s < forward.set_count(); ++s) {
        if (wanted(s)) statistics.put(slice.place(s), forward.statistics(s));
      }
    };
    if (forward.fold(inside, statistic)) {
      put_all([](index_t) { return true; });
      forward.map(inside);
      return;
    }
    // The sets that leave the range of A are normalized whole, at another scale; their cells are then left alone. So few need no streaming,
    // whose fence stands behind whole ranges.
    Roles whole_sets = slice.roles;
    whole_sets.merged = 0;
    const Layout layout(slice.extents, whole_sets, slice.operands);
    const ForwardPass<A> general(statistic, layout, slice.operands, static_cast<A>(weight_offset), statistics.from(slice.first_set), false);
    for (index_t set = 0; set < layout.sets; ++set) {
      if (!forward.ordinary(layout.kept.offset(stream_stat, set))) general.normalize_set(set);
    }
    const auto ordinary = [&](index_t set) { return forward.ordinary(set); };
    put_all(ordinary);
    forward.map_some(ordinary);
  };
  each_slice_forward<A>(executor, plan, weight_offset, true, streaming, scratch, work);
}

/// Forward with statistics from elsewhere.
template <class A, class Given>
inline void apply_to_cells(const ExecutorRef& executor, const CellPlan& plan, double weight_offset, const Given& given, bool streaming) {
  each_slice_forward<A>(executor, plan, weight_offset, false, streaming, nullptr,
                        [&](SliceForward<A>& forward, const ExecutorRef& inside, const CellSlice&) {
                          forward.take(given);
                          forward.map(inside);
                        });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
