// Plan: what a cell is, in which order its elements are summed, and the slices in which a call is done, small enough that a slice is still
// near when it is mapped.
#pragma once

#include <norma/engine/fold.hpp>
#include <norma/engine/hook.hpp>
#include <norma/engine/roles.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A part of a call: some samples and some channels of everything. Its layout's sets are numbered sample by sample.
struct Slice {
  Extents extents;
  Roles roles = 0;
  Operands operands;
  Piece piece;
};

/// Whether a call folds x, and has memory for tasks that share the elements of cells out.
enum class Sums : unsigned char { none, of_one_task, shared };

/// Cells of the norms of (N, C, spatial...) are the planes of a sample and channel, where parameters do not vary within these; where planes
/// are tiny and the batch is averaged, they are the batch at each position instead. Elsewhere cells are sets. What is a cell, and the
/// order of its sum, follow from shape, strides and norm alone; how many make a slice from memory and threads, too.
class Plan {
 public:
  /// most_sets: for how many there is memory. The operands must outlive this.
  Plan(const Extents& extents, const Roles& roles, const Operands& operands, Span span, index_t most_sets, int threads, Sums sums)
      : extents_(extents), roles_(roles), operands_(&operands), threads_(elements() < worth_a_team ? 1 : threads), sums_(sums) {
    const int rank = extents.size();
    if (!roles.planes || rank < 2) return;
    const AxisSet spatial = spatial_axes(rank);
    const bool of_batch = roles.averaged == (batch_axis | spatial) && roles.groups == 0;
    const bool of_group = roles.averaged == (channel_axis | spatial) && roles.groups > 0;
    for (int a = 2; a < rank; ++a) plane_ *= extents[a];
    const bool whole_planes = plane_ >= least_plane || span > Span::sets;
    if (whole_planes || of_batch) roles_.merged = of_batch ? (whole_planes ? batch_axis : spatial) : of_group ? channel_axis : 0;
    if (vary(parameters, roles.averaged & ~roles_.merged)) roles_.merged = 0;
    if (of_batch && may_chain_whole_sets()) roles_.merged = 0;  // each channel is one chain down all rows
    if (of_group && roles_.merged == 0) {                       // tiny planes, where channels are neighbours
      roles_.merged = channel_axis;
      if (!may_chain()) roles_.merged = 0;
    }
    // A group that is one cell has gradients along its elements, which chains do not.
    order_ = may_chain() && (roles_.groups == 0 || roles_.merged != 0) ? Order::chain : Order::lanes;
    if (order_ == Order::chain) roles_.abreast = abreast();
    in_slices_ = roles_.merged != 0 || span != Span::none || order_ == Order::chain;
    if (in_slices_) choose_slices(span, most_sets);
  }

  /// False: cells are sets, and any of them make a piece.
  bool in_slices() const { return in_slices_; }
  const Roles& roles() const { return roles_; }
  Order order() const { return order_; }
  index_t slices() const { return sample_steps_ * channel_steps_; }
  /// Neighbouring slices that are best done by one task: the parts of rows of channels.
  index_t slices_together() const { return lanes_lie_along_channels() && sample_steps_ >= threads_ ? channel_steps_ : 1; }
  /// Of the largest slice.
  index_t sets_per_slice() const { return sets_of(samples_, channels_); }

  index_t channels_per_slice() const { return channels_; }
  /// Elements of a cell, chunks of these where they are chained, and cells of the largest slice.
  index_t cell_size() const {
    index_t size = 1;
    for (int a = 0; a < extents_.size(); ++a) size *= roles_.keeps(a) || roles_.merges(a) ? 1 : extents_[a];
    return size / roles_.abreast;
  }
  index_t chunks() const { return (cell_size() + block_length - 1) / block_length; }
  index_t cells_per_slice() const { return samples_ * channels_ * plane_ / cell_size(); }
  /// Whether tasks are to share out the elements of cells, for there are fewer slices.
  bool shares_elements() const { return may_share_elements() && slices() < threads_; }

  Slice slice(index_t i) const {
    const index_t n = i / channel_steps_ * samples_, c = i % channel_steps_ * channels_;
    Slice s{extents_, roles_, *operands_, {}};
    s.extents[0] = extents_[0] - n < samples_ ? extents_[0] - n : samples_;
    s.extents[1] = extents_[1] - c < channels_ ? extents_[1] - c : channels_;
    if (roles_.groups > 0) s.roles.groups = s.extents[1] / unit();
    s.piece.numbering = Numbering::slice;
    s.piece.sets = sets_of(s.extents[0], s.extents[1]);
    s.piece.first_set = (roles_.keeps(0) ? n * extents_[1] : 0) / unit() + c / unit();
    s.piece.sets_per_sample = s.extents[1] / unit();
    s.piece.all_sets_per_sample = extents_[1] / unit();
    for (Operand& o : s.operands.of) {
      if (o.present()) o.data = o.at(n * o.strides[0] + c * o.strides[1]);
    }
    return s;
  }

  /// As many slices as stay near, for hooks that see the whole call between them.
  Plan kept_near() const {
    Plan plan = *this;
    plan.choose_slices(Span::sets, extents_.product());
    return plan;
  }
  /// The same slices of more operands.
  Plan with(const Operands& operands) const {
    Plan plan = *this;
    plan.operands_ = &operands;
    return plan;
  }
  /// Whether the cells of a set have different weights or biases.
  bool parameters_vary_in_sets() const { return vary({stream_weight, stream_bias}, roles_.merged); }
  /// Whether any of these streams has numbers per element of a cell.
  bool varies_in_cells(std::initializer_list<Stream> streams) const { return vary(streams, roles_.averaged & ~roles_.merged); }

  index_t elements() const { return extents_.product(); }
  /// Whether every cell is a set, so that cells of one slice may be folded at once.
  bool cells_are_sets() const { return roles_.merged == 0 && roles_.abreast == 1; }

  /// Smaller planes than this are not worth a fold of their own.
  static constexpr index_t least_plane = 16;
  /// Channels of a row that are worth a task of their own. What fetches ahead in one part of a row takes lines of the next away from
  /// another processor that writes there: measured, two threads are slower than one on parts of 2 KB.
  static constexpr index_t wide_part = 1024;

 private:
  static constexpr std::initializer_list<Stream> parameters = {stream_weight, stream_bias, stream_weight_grad, stream_bias_grad};

  /// Channels that share a set.
  index_t unit() const { return roles_.groups > 0 ? extents_[1] / roles_.groups : 1; }
  index_t sets_of(index_t samples, index_t channels) const { return (roles_.keeps(0) ? samples : 1) * channels / unit(); }

  bool vary(std::initializer_list<Stream> streams, AxisSet along) const {
    for (const Stream s : streams) {
      for (int a = 0; a < extents_.size(); ++a) {
        if (extents_[a] > 1 && (*operands_)[s].present() && (*operands_)[s].strides[a] != 0 && (along >> a & 1u) != 0) return true;
      }
    }
    return false;
  }
  bool may_chain_whole_sets() {
    const AxisSet merged = std::exchange(roles_.merged, 0);
    const bool result = may_chain();
    roles_.merged = merged;
    return result;
  }
  bool may_chain() const { return !vary(parameters, roles_.averaged & ~roles_.merged) && chains(); }
  bool lanes_lie_along_channels() const {
    const Operand& dy = (*operands_)[stream_dy];
    return extents_[1] > 1 && (*operands_)[stream_x].strides[1] == 1 && (!dy.present() || dy.strides[1] == 1);
  }
  bool may_share_elements() const {
    return sums_ != Sums::of_one_task && threads_ > 1 && order_ == Order::chain && lanes_lie_along_channels();
  }

  /// Whether cells lie beside their neighbours in everything that is folded. A sample that is normalized by itself must not notice its
  /// neighbours: what counts are its own strides, though samples side by side may lie between those of channels.
  bool chains() const {
    const Operands& folded = *operands_;
    const Layout all(extents_, roles_, folded, set_of({stream_x, stream_dy}));
    bool result = all.averaged.count == 1;
    for (const Stream s : {stream_x, stream_dy}) {
      if (!folded[s].present()) continue;
      const auto step = [&](int a) { return folded[s].strides[a] < 0 ? -folded[s].strides[a] : folded[s].strides[a]; };
      bool along_channels = extents_[1] > 1 && step(1) != 0;
      for (int a = 2; a < extents_.size(); ++a) along_channels = along_channels && (extents_[a] == 1 || step(1) < step(a));
      const bool neighbours = all.kept.count > 0 && all.kept.axis[all.kept.count - 1].stride[s] == 1;
      result = result && all.averaged.axis[0].stride[s] != 1 && (roles_.keeps(0) ? along_channels : neighbours);
    }
    return result;
  }

  /// How many neighbours along the last axis are cells beside each other, where channels are too few to fill registers: the tensors that
  /// are folded lie there as one run, which is as wide as so many times the channels. Follows from extents and strides alone.
  index_t abreast() const {
    const int last = extents_.size() - 1;
    const index_t channels = extents_[1];
    if (last < 2 || last + 1 == max_rank || channels >= enough_abreast || roles_.keeps(last) || roles_.merges(last)) return 1;
    for (const Stream s : {stream_x, stream_dy, stream_y}) {
      if (s == stream_y && sums_ != Sums::none) break;  // the order of a sum must not depend on how y lies
      if ((*operands_)[s].present() && !lies_in_rows((*operands_)[s], extents_)) return 1;
    }
    index_t best = 1;
    double least = cost_of_row(channels) / 1.5;  // less is not worth it: tensors that lie otherwise are slower to map to
    for (index_t k = 2; k <= extents_[last] && k * channels <= 16 * enough_abreast; ++k) {
      if (extents_[last] % k != 0 || cell_size() < k * least_plane ||
          (best * channels >= enough_abreast && k * channels > 2 * enough_abreast)) {
        continue;
      }
      const double cost = cost_of_row(k * channels) / static_cast<double>(k);
      if (cost < least) least = cost, best = k;
    }
    return best;
  }
  /// Registers that a row of so many cells takes, and as much as one for the row itself.
  static double cost_of_row(index_t cells) { return static_cast<double>((cells + 15) / 16 + 1); }
  static constexpr index_t enough_abreast = 64;

  void choose_slices(Span span, index_t most_sets) {
    // Of x; with y, or dy and dx, about 1.1 MB, which a second-level cache of 2 MB keeps. Measured: twice as much costs a backward up
    // to 1.5 times the time, half as much a forward a tenth.
    const index_t kept_bytes = (*operands_)[stream_dy].present() ? index_t{384} << 10 : index_t{512} << 10;
    const bool all_samples = !roles_.keeps(0) || span == Span::channels;
    samples_ = all_samples ? extents_[0] : 1;
    const index_t element = (*operands_)[stream_x].access->bytes, per_group = unit();
    const index_t channel_bytes = samples_ * plane_ * element, sets_per_group = roles_.keeps(0) ? samples_ : 1;
    // What is mapped alone, from end to end, need not stay near.
    const index_t fits = sums_ == Sums::none ? extents_[1] * extents_[0] : kept_bytes / channel_bytes;
    index_t step = per_group;
    if (lanes_lie_along_channels()) step = extents_[1];  // rows that are read in parts cost two to five times as much
    if (fits > step) step = fits / step * step;
    const index_t most = most_sets / sets_per_group * per_group;
    if (step > most) step = most > per_group ? most / per_group * per_group : per_group;
    channels_ = step < extents_[1] ? step : extents_[1];
    if (!all_samples && channels_ == extents_[1] && fits > 2 * channels_) {
      const index_t sets_per_sample = channels_ / per_group, room = most_sets / (sets_per_sample < 1 ? 1 : sets_per_sample);
      samples_ = fits / channels_ < room ? fits / channels_ : room < 1 ? 1 : room;
    }
    if (span == Span::sample) samples_ = 1, channels_ = extents_[1];
    if (span == Span::call) samples_ = extents_[0], channels_ = extents_[1];
    const index_t enough = lanes_lie_along_channels() ? threads_ : 2 * threads_;
    while (span != Span::call && span != Span::sample && threads_ > 1 && steps() < enough && elements() / slices() >= 2 * worth_a_task) {
      if ((!all_samples || (sums_ == Sums::none && !may_share_elements())) && samples_ > 1) {
        samples_ /= 2;
      } else if (may_share_elements() && (chunks() > 1 || channels_ < 2 * wide_part)) {
        break;
      } else if (channels_ >= 2 * per_group && (!lanes_lie_along_channels() || channels_ >= 32)) {
        channels_ = channels_ / 2 / per_group * per_group;
      } else {
        break;
      }
    }
    if (samples_ > extents_[0]) samples_ = extents_[0];
    steps();
  }
  index_t steps() {
    sample_steps_ = (extents_[0] + samples_ - 1) / samples_;
    channel_steps_ = (extents_[1] + channels_ - 1) / channels_;
    return slices();
  }

  Extents extents_;
  Roles roles_;
  const Operands* operands_;
  int threads_;
  Sums sums_;
  Order order_ = Order::lanes;
  bool in_slices_ = false;
  index_t plane_ = 1, samples_ = 1, channels_ = 1, sample_steps_ = 1, channel_steps_ = 1;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
