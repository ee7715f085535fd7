// Whether a call is one for cells, and the slices of x in which it is done: small enough that a slice is still near when it is mapped.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/execution.hpp>
#include <norma/engine/cells.hpp>
#include <norma/engine/forward_lanes.hpp>
#include <norma/engine/roles.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A part of a call: some samples and some channels of everything, and where its statistics begin among all.
struct CellSlice {
  Extents extents;
  Roles roles = 0;
  Operands operands;
  bool sums_in_columns = false;
  index_t first_set = 0;
  index_t sets_per_sample = 1, all_sets_per_sample = 1;

  /// The place among all statistics of the slice's `set`-th.
  index_t place(index_t set) const { return first_set + set / sets_per_sample * all_sets_per_sample + set % sets_per_sample; }
};

/// Norms of (N, C, spatial...) whose parameters do not vary within a cell. Cells are the planes of a sample and channel; where planes are
/// tiny and the batch is averaged, they are the batch at each position instead. What is a cell follows from the shape alone, how many make
/// a slice from memory.
class CellPlan {
 public:
  /// Without memory to allocate from, slices are made to fit the stack, and a batch norm for which no slice does is not one for cells.
  CellPlan(const Extents& extents, const Roles& roles, const Operands& operands, bool may_allocate, index_t smallest_plane = least_plane)
      : extents_(extents), roles_(roles), operands_(operands) {
    const int rank = extents.size();
    if (!roles.planes || rank < 2 || extents.product() == 0) return;
    const AxisSet spatial = spatial_axes(rank);
    const bool of_batch = roles.averaged == (batch_axis | spatial) && roles.groups == 0;
    const bool of_group = roles.averaged == (channel_axis | spatial) && roles.groups > 0;
    const bool of_instance = roles.averaged == spatial && spatial != 0;
    if (!of_batch && !of_group && !of_instance) return;
    plane_ = 1;
    for (int a = 2; a < rank; ++a) plane_ *= extents[a];
    const bool whole_planes = plane_ >= smallest_plane;
    if (!whole_planes && !of_batch) return;
    roles_.merged = of_batch ? (whole_planes ? batch_axis : spatial) : of_group ? channel_axis : 0;
    const AxisSet folded = roles_.averaged & ~roles_.merged;
    for (const Stream s : {stream_weight, stream_bias, stream_weight_grad, stream_bias_grad}) {
      for (int a = 0; a < rank; ++a) {
        const bool varies = extents[a] > 1 && operands[s].present() && operands[s].strides[a] != 0;
        if (varies && (folded >> a & 1u) != 0) return;
      }
    }
    choose_slices(of_batch, of_group, whole_planes, may_allocate);
    suits_ = may_allocate || !of_batch || cells_per_slice_ <= most_cells_on_stack;
    sums_in_columns_ = suits_ && columns_suit();
  }

  /// False: the call is one for sets.
  bool suits() const { return suits_; }
  index_t slices() const { return sample_steps_ * channel_steps_; }
  /// Whether sums over cells are taken side by side, which is another order of summation than run by run. All of x and the norm decide,
  /// neither slices nor samples beside.
  bool sums_in_columns() const { return sums_in_columns_; }
  /// All of x as one slice.
  const Roles& roles() const { return roles_; }
  /// Cells and sets of the largest slice.
  index_t cells_per_slice() const { return cells_per_slice_; }
  index_t sets_per_slice() const { return sets_per_slice_; }

  /// The same slices of more operands.
  CellPlan with(const Operands& operands) const {
    CellPlan plan = *this;
    plan.operands_ = operands;
    return plan;
  }
  /// Slices of all samples and `channels` channels, for norms that must see so much at once. Not of groups.
  CellPlan of_channels(index_t channels) const {
    CellPlan plan = *this;
    plan.samples_ = extents_[0];
    plan.channels_ = channels < extents_[1] ? channels : extents_[1];
    plan.cells_per_slice_ = roles_.merges(2) ? plan.channels_ * plane_ : plan.channels_ * plan.samples_;
    plan.sets_per_slice_ = roles_.keeps(0) ? plan.channels_ * plan.samples_ : plan.channels_;
    plan.sample_steps_ = 1;
    plan.channel_steps_ = (extents_[1] + plan.channels_ - 1) / plan.channels_;
    return plan;
  }
  /// All samples of as many channels as stay near, like the slices of a batch norm.
  CellPlan of_near_channels() const {
    Roles of_batch = roles_;
    of_batch.averaged |= batch_axis;
    return of_channels(CellPlan(extents_, of_batch, operands_, true, 1).channels_);
  }
  /// All channels of a sample.
  CellPlan of_samples() const {
    CellPlan plan = in_one_slice();
    plan.samples_ = 1;
    plan.sample_steps_ = extents_[0];
    plan.cells_per_slice_ = plan.sets_per_slice_ = extents_[1];
    return plan;
  }
  CellPlan in_one_slice() const { return of_channels(extents_[1]); }

  /// Whether a set's cells share weight and bias.
  bool coefficients_per_set() const {
    for (int a = 0; a < extents_.size(); ++a) {
      if (!roles_.merges(a) || extents_[a] == 1) continue;
      for (const Stream s : {stream_weight, stream_bias}) {
        if (operands_[s].present() && operands_[s].strides[a] != 0) return false;
      }
    }
    return true;
  }

  CellSlice slice(index_t i) const {
    const index_t n = i / channel_steps_ * samples_, c = i % channel_steps_ * channels_;
    CellSlice s{extents_, roles_, operands_, sums_in_columns_};
    s.extents[0] = extents_[0] - n < samples_ ? extents_[0] - n : samples_;
    s.extents[1] = extents_[1] - c < channels_ ? extents_[1] - c : channels_;
    const index_t per_group = roles_.groups > 0 ? extents_[1] / roles_.groups : 1;
    s.roles.groups = roles_.groups > 0 ? s.extents[1] / per_group : 0;
    s.first_set = (roles_.keeps(0) ? n * extents_[1] : 0) / per_group + c / per_group;
    s.sets_per_sample = s.extents[1] / per_group;
    s.all_sets_per_sample = extents_[1] / per_group;
    for (Operand& o : s.operands.of) {
      if (o.present()) o.data = o.at(n * o.strides[0] + c * o.strides[1]);
    }
    return s;
  }

  /// Smaller planes than this are not worth a fold of their own.
  static constexpr index_t least_plane = 16;
  static constexpr index_t most_cells_on_stack = 2048;

 private:
  void choose_slices(bool of_batch, bool of_group, bool whole_planes, bool may_allocate) {
    // Of x; with y, or dy and dx, about 1.1 MB, which a second-level cache of 2 MB keeps. Measured: twice as much costs a backward up
    // to 1.5 times the time, half as much a forward a tenth.
    const index_t near = operands_[stream_dy].present() ? index_t{384} << 10 : index_t{512} << 10;
    constexpr index_t most_cells = 1024;
    samples_ = of_batch ? extents_[0] : 1;
    const index_t unit = of_group ? extents_[1] / roles_.groups : 1;
    const index_t element = operands_[stream_x].type == ElementType::f32 ? 4 : 8;
    const index_t channel_bytes = samples_ * plane_ * element;
    const index_t channel_cells = of_batch ? (whole_planes ? samples_ : plane_) : 1;
    index_t fits = near / channel_bytes;
    if (fits > most_cells / channel_cells) fits = most_cells / channel_cells;
    index_t step = unit;
    if (lanes_lie_along_channels()) {
      // Whole registers of neighbouring channels, of whole groups.
      constexpr index_t tile = tile_positions<float>;
      while (step % tile != 0 && step < extents_[1]) step += unit;
      // Where not even that stays near, rows are read whole.
      if (step * channel_bytes > 2 * near && samples_ * extents_[1] <= 8 * most_cells) step = extents_[1];
    }
    if (fits > step) step = fits / step * step;
    if (const index_t most = most_cells_on_stack / channel_cells; !may_allocate && step > most)
      step = most > unit ? most / unit * unit : unit;
    channels_ = step < extents_[1] ? step : extents_[1];
    if (!of_batch && channels_ == extents_[1] && fits > 2 * channels_) samples_ = fits / channels_;
    if (samples_ > extents_[0]) samples_ = extents_[0];
    sample_steps_ = (extents_[0] + samples_ - 1) / samples_;
    channel_steps_ = (extents_[1] + channels_ - 1) / channels_;
    cells_per_slice_ = channels_ * (of_batch ? channel_cells : samples_);
    sets_per_slice_ = of_batch ? channels_ : samples_ * channels_ / unit;
  }
  bool columns_suit() const {
    // A sample that is normalized by itself must not notice its neighbours: what counts are its own strides, though samples side by side
    // may lie between those of channels.
    const auto along_channels = [&](const Operand& o) {
      const auto step = [&](int a) { return o.strides[a] < 0 ? -o.strides[a] : o.strides[a]; };
      bool along = extents_[1] > 1 && step(1) != 0;
      for (int a = 2; a < extents_.size(); ++a) along = along && (extents_[a] == 1 || step(1) < step(a));
      return along;
    };
    if (roles_.keeps(0) && !along_channels(operands_[stream_x])) return false;
    Operands read;
    read[stream_x] = operands_[stream_x];
    if (operands_[stream_dy].present()) {
      read[stream_dy] = operands_[stream_dy];
      read[stream_y] = operands_[stream_y];
    }
    const Layout all(extents_, roles_, read, false);
    bool suit = all.averaged.count == 1;
    for (const Stream s : {stream_x, stream_dy, stream_y}) {
      if (read[s].present()) suit = suit && (roles_.keeps(0) ? along_channels(read[s]) : lanes_suit(all, s));
    }
    return suit;
  }
  bool lanes_lie_along_channels() const { return extents_[1] > 1 && operands_[stream_x].strides[1] == 1; }

  Extents extents_;
  Roles roles_;
  Operands operands_;
  bool suits_ = false;
  bool sums_in_columns_ = false;
  index_t plane_ = 1, samples_ = 1, channels_ = 1, sample_steps_ = 1, channel_steps_ = 1, cells_per_slice_ = 1, sets_per_slice_ = 1;
};

/// Numbers that the slices of a task need while they are at work: on the stack up to a size, else allocated.
class Workspace {
 public:
  /// Room for `size` doubles; `memory`, if not null, has it.
  Workspace(index_t size, double* memory) {
    next_ = memory;
    if (memory == nullptr && fits_stack(size)) next_ = stack_;
    if (next_ != nullptr) return;
    heap_.resize(size);
    next_ = heap_.data();
  }
  double* take(index_t size) {
    double* const result = next_;
    next_ += padded(size);
    return result;
  }
  /// Each piece ends on whole registers.
  static index_t padded(index_t size) { return (size + 7) / 8 * 8; }

  static bool fits_stack(index_t size) { return size <= on_stack; }

 private:
  static constexpr index_t on_stack = 25 * 1024;

  alignas(64) double stack_[on_stack];
  Buffer<double> heap_;
  double* next_;
};

/// Slices are done at once if there are enough of them, else one after the other with the executor inside.
inline index_t slice_tasks(const ExecutorRef& executor, const CellPlan& plan) {
  const int threads = executor.concurrency();
  if (threads < 2 || plan.slices() < 2 * threads) return 1;
  return plan.slices() < 4 * threads ? plan.slices() : 4 * threads;
}

/// Runs work(slice, executor for its inside, workspace) for every slice. `memory`, if not null, has room for `doubles` for each task.
template <class Work>
inline void each_slice(const ExecutorRef& executor, const CellPlan& plan, index_t doubles, double* memory, Work&& work) {
  const index_t tasks = slice_tasks(executor, plan);
  const auto run = [&](index_t task, const ExecutorRef& inside) {
    for (index_t i = plan.slices() * task / tasks; i < plan.slices() * (task + 1) / tasks; ++i) {
      Workspace workspace(doubles, memory == nullptr ? nullptr : memory + task * doubles);
      work(plan.slice(i), inside, workspace);
    }
  };
  if (tasks > 1) {
    executor.parallel_for(tasks, [&](index_t task) { run(task, ExecutorRef(sequential)); });
  } else {
    run(0, executor);
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
