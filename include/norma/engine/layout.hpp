// From tensors to runs: splits axes into averaged and kept, orders them by x's memory and collapses what is contiguous.
#pragma once

#include <utility>

#include <norma/core/scalar.hpp>
#include <norma/core/tensor_view.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The tensors one pass walks over together; each is a broadcast view of x's index space.
enum Stream : int {
  stream_x,
  stream_y,
  stream_dy,
  stream_weight,
  stream_bias,
  stream_weight_grad,
  stream_bias_grad,
  stream_stat,
  stream_count
};

/// A tensor whose element type is known at run time only. `strides` has x's rank, 0 where it broadcasts; no data means absent.
struct Operand {
  void* data = nullptr;
  ElementType type = ElementType::f32;
  Extents strides;

  Operand() = default;
  template <class T>
  explicit Operand(const TensorView<T>& v)
      : data(const_cast<std::remove_const_t<T>*>(v.data())), type(element_type_of<T>), strides(v.strides()) {}

  bool present() const { return data != nullptr; }
};

struct Operands {
  Operand of[stream_count];
  Operand& operator[](Stream s) { return of[s]; }
  const Operand& operator[](Stream s) const { return of[s]; }
};

struct Axis {
  index_t extent;
  index_t stride[stream_count];
};

/// A list of axes, outermost first, with an extent and a stride per stream.
struct AxisList {
  Axis axis[max_rank];  // the first `count` are set; clearing the others would take longer than a small row
  int count = 0;

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
    return count == 0 ? 0 : result + linear * axis[0].stride[s];
  }

  /// Offsets of `n` index combinations from `first` on.
  NORMA_INLINE void offsets(Stream s, index_t first, index_t n, index_t* result) const {
    if (count == 0) {
      for (index_t i = 0; i < n; ++i) result[i] = 0;
      return;
    }
    const Axis& inner = axis[count - 1];
    const index_t stride = inner.stride[s];
    for (index_t i = 0; i < n;) {
      const index_t start = offset(s, first + i);
      const index_t left = count == 1 ? n - i : inner.extent - (first + i) % inner.extent;
      const index_t end = left < n - i ? i + left : n;
      for (index_t step = 0; i < end; ++i, step += stride) result[i] = start + step;
    }
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

  /// Stable sort by descending |stride| of x, so that walking the list walks x's memory. Axes x broadcasts along stay where they are.
  void order_by_memory() {
    const auto magnitude = [](const Axis& a) { return a.stride[stream_x] < 0 ? -a.stride[stream_x] : a.stride[stream_x]; };
    for (int end = count; end > 1; --end) {
      for (int a = 0; a + 1 < end; ++a) {
        const index_t outer = magnitude(axis[a]);
        const index_t inner = magnitude(axis[a + 1]);
        if (outer != 0 && inner != 0 && outer < inner) std::swap(axis[a], axis[a + 1]);
      }
    }
  }

  /// Merges neighbours that every stream crosses with one stride.
  void collapse() {
    int last = 0;
    for (int a = 1; a < count; ++a) {
      bool one_run = true;
      for (int s = 0; s < stream_count; ++s) {
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
};

/// One bit per axis of x.
using AxisSet = unsigned;

/// The index space of one pass: sets are the combinations of kept axes, their elements those of averaged axes. Kept axes along which a
/// parameter gradient varies come first: `groups` of them, each with its own gradient elements, of `sets / groups` sets.
struct Layout {
  AxisList averaged;
  AxisList kept;
  index_t set_size = 1;
  index_t sets = 1;
  index_t groups = 1;

  Layout(const Extents& extents, AxisSet averaged_axes, const Operands& operands) {
    const Extents stat = stat_strides(extents, averaged_axes);
    AxisList grouping;
    for (int a = 0; a < extents.size(); ++a) {
      if (extents[a] == 1) continue;
      Axis axis{extents[a], {}};
      for (int s = 0; s < stream_count; ++s) {
        if (operands.of[s].present()) axis.stride[s] = operands.of[s].strides[a];
      }
      axis.stride[stream_stat] = stat[a];
      const bool is_averaged = (averaged_axes >> a & 1u) != 0;
      const bool varies = axis.stride[stream_weight_grad] != 0 || axis.stride[stream_bias_grad] != 0;
      AxisList& list = is_averaged ? averaged : varies ? grouping : kept;
      list.axis[list.count++] = axis;
    }
    averaged.order_by_memory();
    averaged.collapse();
    grouping.order_by_memory();
    groups = grouping.size();
    kept.order_by_memory();
    for (int a = 0; a < kept.count; ++a) grouping.axis[grouping.count++] = kept.axis[a];
    kept = grouping;
    kept.collapse();
    set_size = averaged.size();
    sets = kept.size();
  }

 private:
  /// Statistics lie in row-major order of the kept axes, as x has them.
  static Extents stat_strides(const Extents& extents, AxisSet averaged_axes) {
    Extents strides = extents;
    index_t stride = 1;
    for (int a = extents.size(); a-- > 0;) {
      const bool is_averaged = (averaged_axes >> a & 1u) != 0;
      strides[a] = is_averaged ? 0 : stride;
      if (!is_averaged) stride *= extents[a];
    }
    return strides;
  }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
