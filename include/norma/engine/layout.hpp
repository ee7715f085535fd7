// From tensors to runs: splits axes into averaged and kept, orders them by x's memory and collapses what is contiguous.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include <norma/engine/operands.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct Axis {
  index_t extent;
  index_t stride[stream_count];
};

/// A norm may split one axis of x in two, or two of fewer.
inline constexpr int max_axes = max_rank + 1;

/// A list of axes, outermost first, with an extent and a stride per stream.
struct AxisList {
  Axis axis[max_axes];  // the first `count` are set; clearing the others would take longer than a small row
  int count = 0;

  AxisList() { axis[0] = {1, {}}; }  // where there is none, as if there were one of one element

  index_t size() const {
    index_t product = 1;
    for (int a = 0; a < count; ++a) product *= axis[a].extent;
    return product;
  }

  /// Offset of the `linear`-th index combination in one stream, in elements.
  index_t offset(Stream s, index_t linear) const {
    index_t result = 0;
    for (int a = count - 1; a > 0; --a) {
      result += (linear % axis[a].extent) * axis[a].stride[s];
      linear /= axis[a].extent;
    }
    return result + linear * axis[0].stride[s];
  }

  /// Offsets of `n` index combinations from `first` on.
  NORMA_INLINE void offsets(Stream s, index_t first, index_t n, index_t* result) const {
    if (count > 1) return offsets_of_several(s, first, n, result);
    const index_t stride = axis[0].stride[s];
    for (index_t i = 0; i < n; ++i) result[i] = (first + i) * stride;
  }

  /// True if no axis moves the stream.
  bool broadcasts(Stream s) const {
    for (int a = 0; a < count; ++a) {
      if (axis[a].stride[s] != 0) return false;
    }
    return true;
  }
  /// True if the stream's elements lie one behind the other in the order of this list.
  bool contiguous(Stream s) const {
    index_t expected = 1;
    for (int a = count - 1; a >= 0; --a) {
      if (axis[a].stride[s] != expected) return false;
      expected *= axis[a].extent;
    }
    return true;
  }

  /// How many index combinations, from the innermost axis on, lie side by side in all of these streams, with none of the `shared` ones
  /// moving.
  template <std::size_t S>
  index_t neighbours(const Stream (&streams)[S], StreamSet shared) const {
    index_t row = 1;
    const auto lie_so = [&](int a, index_t stride) {
      bool result = true;
      for (const Stream s : streams) result = result && axis[a].stride[s] == stride;
      for (int s = 0; s < stream_count; ++s) result = result && ((shared >> s & 1u) == 0 || axis[a].stride[s] == 0);
      return result;
    };
    for (int a = count; a-- > 0 && lie_so(a, row);) row *= axis[a].extent;
    return row;
  }

  /// How many, from the innermost axis on, lie `step` apart in one stream.
  index_t run(Stream s, index_t step) const {
    index_t length = 1;
    for (int a = count; a-- > 0 && axis[a].stride[s] == step * length;) length *= axis[a].extent;
    return length;
  }

  /// Stable sort, from axis `begin` on, by descending |stride| of x, so that walking the list walks x's memory. Axes x broadcasts along
  /// stay where they are.
  void order_by_memory(int begin = 0) {
    const auto magnitude = [](const Axis& a) { return a.stride[stream_x] < 0 ? -a.stride[stream_x] : a.stride[stream_x]; };
    for (int end = count; end > begin + 1; --end) {
      for (int a = begin; a + 1 < end; ++a) {
        const index_t outer = magnitude(axis[a]);
        const index_t inner = magnitude(axis[a + 1]);
        if (outer != 0 && inner != 0 && outer < inner) std::swap(axis[a], axis[a + 1]);
      }
    }
  }

  /// Merges neighbours that every one of these streams crosses with one stride; the others do not move.
  void collapse(StreamSet streams) {
    int last = 0;
    for (int a = 1; a < count; ++a) {
      bool one_run = true;
      for (StreamSet left = streams; left != 0; left &= left - 1) {
        const int s = std::countr_zero(left);
        one_run = one_run && axis[last].stride[s] == axis[a].stride[s] * axis[a].extent;
      }
      if (one_run) {
        const index_t extent = axis[last].extent * axis[a].extent;
        axis[last] = axis[a];
        axis[last].extent = extent;
      } else {
        axis[++last] = axis[a];
      }
    }
    if (count > 0) count = last + 1;
  }

 private:
  /// Divides once, and counts from there: divisions take longer than short cells.
  NORMA_NOINLINE void offsets_of_several(Stream s, index_t first, index_t n, index_t* result) const {
    int inner = count - 1;
    const index_t stride = axis[inner].stride[s];
    index_t run = axis[inner].extent;  // of combinations that are one stride apart
    for (; inner > 0 && axis[inner - 1].stride[s] == stride * run; --inner) run *= axis[inner - 1].extent;
    const index_t above = inner > 0 ? first / run : 0;
    index_t index[max_axes], start = (first - above * run) * stride, left = inner > 0 ? run - (first - above * run) : n;
    index_t rest = above;
    for (int a = inner - 1; a >= 0; --a) {
      const index_t next = a > 0 ? rest / axis[a].extent : 0;
      index[a] = rest - next * axis[a].extent;
      start += index[a] * axis[a].stride[s];
      rest = next;
    }
    for (index_t i = 0;;) {
      const index_t end = left < n - i ? i + left : n;
      for (; i < end; ++i, start += stride) result[i] = start;
      if (i == n) return;
      start -= run * stride;
      for (int a = inner - 1;; --a) {
        start += axis[a].stride[s];
        if (++index[a] < axis[a].extent || a == 0) break;
        start -= axis[a].extent * axis[a].stride[s];
        index[a] = 0;
      }
      left = run;
    }
  }
};

/// One bit per axis of x.
using AxisSet = unsigned;

/// Whether the channels of neighbours along the last axis lie one behind the other.
inline bool lies_in_rows(const Operand& tensor, const Extents& x) { return tensor.strides[1] == 1 && tensor.strides[x.size() - 1] == x[1]; }

/// What the axes of x are to a norm. With groups > 0, axis 1 stands for two: `groups` kept ones of neighbouring channels each, whose inside
/// is averaged (its bit is then set).
///
/// `merged` axes are averaged ones along which a set is not folded in one piece: it consists of cells, and their moments are merged. So
/// are `abreast` neighbours along the last axis, which then is an averaged one and stands for two.
struct Roles {
  AxisSet averaged = 0;
  index_t groups = 0;
  AxisSet merged = 0;
  index_t abreast = 1;
  bool shared = false;  // sets span processes
  bool planes = false;  // a norm of (N, C, spatial...): it may be done over cells, whose order of summation is another

  Roles(AxisSet averaged_axes, index_t groups_of_axis_1 = 0) : averaged(averaged_axes), groups(groups_of_axis_1) {}

  bool splits(int a) const { return groups > 0 && a == 1; }
  /// True if no part of the axis is averaged.
  bool keeps(int a) const { return (averaged >> a & 1u) == 0; }
  Roles of_planes() const {
    Roles result = *this;
    result.planes = true;
    return result;
  }
  Roles spanning_processes() const {
    Roles result = *this;
    result.shared = true;
    return result;
  }
  bool merges(int a) const { return (merged >> a & 1u) != 0; }
  /// Tells one norm's roles from another's.
  std::uint64_t signature() const { return averaged | static_cast<std::uint64_t>(groups) << 8 | static_cast<std::uint64_t>(shared) << 63; }
};

/// The index space of one pass: sets are the combinations of kept axes, their elements those of averaged axes. Kept axes along which a
/// parameter gradient varies come first: `groups` of them, each with its own gradient elements, of `sets / groups` sets. Where axes merge,
/// what is called a set here is a cell: merged axes are among the kept ones, and statistics repeat along them.
struct Layout {
  AxisList averaged;
  AxisList kept;
  index_t set_size = 1;
  index_t sets = 1;
  index_t groups = 1;

  /// Of the operands of these streams.
  Layout(const Extents& extents, const Roles& roles, const Operands& operands, StreamSet seen = all_streams) {
    Part part[max_axes];
    const int parts = split(extents, roles, part);
    const StreamSet present = operands.present() & seen, all = present | set_of({stream_stat});
    for (int p = 0; p < parts; ++p) {
      if (part[p].folded) add(averaged, part[p], operands, present);
    }
    averaged.order_by_memory();
    averaged.collapse(all);
    if ((present & set_of({stream_weight_grad, stream_bias_grad})) != 0) {
      for (int p = 0; p < parts; ++p) {
        if (!part[p].folded && gradients_vary(operands, part[p].axis)) add(kept, part[p], operands, present), part[p].folded = true;
      }
      kept.order_by_memory();
      groups = kept.size();
    }
    const int begin = kept.count;
    for (int p = 0; p < parts; ++p) {
      if (!part[p].folded) add(kept, part[p], operands, present);
    }
    kept.order_by_memory(begin);
    kept.collapse(all);
    set_size = averaged.size();
    sets = kept.size();
  }

  /// The kept axes that tell statistic sets apart, in the order of statistics.
  AxisList statistics() const {
    AxisList result;
    for (int a = 0; a < kept.count; ++a) {
      if (kept.axis[a].stride[stream_stat] == 0) continue;
      int at = result.count++;
      for (; at > 0 && result.axis[at - 1].stride[stream_stat] < kept.axis[a].stride[stream_stat]; --at)
        result.axis[at] = result.axis[at - 1];
      result.axis[at] = kept.axis[a];
    }
    return result;
  }
  /// Whether the cells of a set have different numbers of a stream.
  bool varies_in_set(Stream s) const {
    for (int a = 0; a < kept.count; ++a) {
      if (kept.axis[a].stride[stream_stat] == 0 && kept.axis[a].stride[s] != 0) return true;
    }
    return false;
  }

 private:
  /// An axis of x, or half of one that is split: how far a step along it is in steps of x's axis, and in statistics.
  struct Part {
    int axis;
    index_t extent, step, statistic;
    bool folded;  // or done with
  };
  /// The parts in the order of x that are no single element; how many. Statistics lie in row-major order of the kept ones.
  static int split(const Extents& extents, const Roles& roles, Part* part) {
    int count = 0;
    index_t statistics = 1;
    const auto put = [&](int a, index_t extent, index_t step, bool averages, bool folds) {
      if (extent != 1) part[count++] = {a, extent, step, averages ? 0 : statistics, folds};
      if (!averages) statistics *= extent;
    };
    for (int a = extents.size(); a-- > 0;) {
      const index_t inside = roles.splits(a) ? extents[a] / roles.groups : extents[a];
      const index_t abreast = a == extents.size() - 1 ? roles.abreast : 1;
      put(a, abreast, 1, true, false);
      if (!roles.keeps(a)) put(a, inside / abreast, abreast, true, !roles.merges(a));
      if (roles.splits(a)) put(a, roles.groups, inside, false, false);
      if (roles.keeps(a)) put(a, inside, 1, false, false);
    }
    for (int p = 0; p < count / 2; ++p) std::swap(part[p], part[count - 1 - p]);
    return count;
  }
  static void add(AxisList& list, const Part& part, const Operands& operands, StreamSet present) {
    Axis& axis = list.axis[list.count++];
    axis = {part.extent, {}};
    for (; present != 0; present &= present - 1) {
      const int s = std::countr_zero(present);
      axis.stride[s] = operands.of[s].strides[part.axis] * part.step;
    }
    axis.stride[stream_stat] = part.statistic;
  }
  static bool gradients_vary(const Operands& operands, int axis) {
    const auto varies = [&](Stream s) { return operands[s].present() && operands[s].strides[axis] != 0; };
    return varies(stream_weight_grad) || varies(stream_bias_grad);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
