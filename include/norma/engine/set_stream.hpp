// SetStream: one operand over the elements of a set, as contiguous blocks of the arithmetic type; direct where memory allows, staged
// otherwise.
#pragma once

#include <norma/engine/layout.hpp>
#include <norma/kernels/stage.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <class A>
class SetStream {
 public:
  SetStream() = default;
  SetStream(const Operands& operands, const Layout& layout, Stream stream)
      : data_(operands[stream].data), type_(operands[stream].type), axes_(&layout.averaged), stream_(stream) {
    constant_ = axes_->broadcasts(stream);
    direct_ = type_ == element_type_of<A> && (constant_ ? axes_->count == 0 : axes_->contiguous(stream));
  }

  Stream stream() const { return stream_; }

  /// Elements lie in memory as the kernels want them: read() and target() give pointers into the tensor.
  bool direct() const { return direct_; }
  /// One value for the whole set.
  bool constant() const { return constant_; }
  /// Pointer to the set at `offset`; only if the element type is A.
  A* data(index_t offset) const { return static_cast<A*>(data_) + offset; }

  /// Elements [first, first + count) of the set at `offset`, times scale; staged in `tile` unless direct.
  const A* read(index_t offset, index_t first, index_t count, A* tile, A scale = A(1)) const {
    if (direct_ && scale == A(1)) return data(offset) + first;
    stage(offset, first, count, tile, scale);
    return tile;
  }

  /// The one value of a set the stream is constant in.
  A value(index_t offset) const {
    return with_element_type(
        type_, [&](auto* type) { return static_cast<A>(static_cast<const std::remove_pointer_t<decltype(type)>*>(data_)[offset]); });
  }

  /// The values of n such sets, in a column.
  void values(const index_t* offset, index_t n, double* column) const {
    with_element_type(type_, [&]<class P>(P*) { gather(static_cast<const P*>(data_), 1, offset, n, column); });
  }

  /// Where to put elements from `first` on: the tensor itself, or `tile`, which write() then spreads.
  A* target(index_t offset, index_t first, A* tile) const { return direct_ ? data(offset) + first : tile; }
  NORMA_NOINLINE void write(index_t offset, index_t first, index_t count, const A* tile) const {
    if (direct_) return;
    each_run(first, count, [&](index_t done, index_t start, index_t stride, index_t length) {
      with_element_type(type_, [&](auto* type) {
        unstage_run(static_cast<std::remove_pointer_t<decltype(type)>*>(data_) + offset + start, stride, tile + done, length);
      });
    });
  }

  /// The same of several sets, `pitch` apart in the tile; neighbours go side by side, in the order of memory.
  NORMA_NOINLINE void stage_rows(const index_t* offset, index_t rows, index_t first, index_t count, A* tile, index_t pitch, A scale) const {
    if (!neighbours(offset, rows)) {
      for (index_t r = 0; r < rows; ++r) stage(offset[r], first, count, tile + r * pitch, scale);
      return;
    }
    const index_t stride = axes_->axis[0].stride[stream_];
    with_element_type(type_, [&]<class P>(P*) {
      const P* const source = static_cast<const P*>(data_) + offset[0] + first * stride;
      for (index_t i = 0; i < count; ++i) {
        for (index_t r = 0; r < rows; ++r) tile[r * pitch + i] = static_cast<A>(source[i * stride + r]) * scale;
      }
    });
  }
  NORMA_NOINLINE void unstage_rows(const index_t* offset, index_t rows, index_t first, index_t count, const A* tile, index_t pitch) const {
    if (!neighbours(offset, rows)) {
      for (index_t r = 0; r < rows; ++r) write(offset[r], first, count, tile + r * pitch);
      return;
    }
    const index_t stride = axes_->axis[0].stride[stream_];
    with_element_type(type_, [&]<class P>(P*) {
      P* const target = static_cast<P*>(data_) + offset[0] + first * stride;
      for (index_t i = 0; i < count; ++i) {
        for (index_t r = 0; r < rows; ++r) target[i * stride + r] = static_cast<P>(tile[r * pitch + i]);
      }
    });
  }

 private:
  bool neighbours(const index_t* offset, index_t rows) const { return axes_->count <= 1 && rows > 1 && consecutive(offset, rows); }
  NORMA_NOINLINE void stage(index_t offset, index_t first, index_t count, A* tile, A scale) const {
    each_run(first, count, [&](index_t done, index_t start, index_t stride, index_t length) {
      with_element_type(type_, [&](auto* type) {
        stage_run(tile + done, static_cast<const std::remove_pointer_t<decltype(type)>*>(data_) + offset + start, stride, length, scale);
      });
    });
  }
  /// f(done, offset, stride, length) for each run along the innermost averaged axis.
  template <class F>
  void each_run(index_t first, index_t count, F&& f) const {
    const Axis& innermost = axes_->axis[axes_->count > 1 ? axes_->count - 1 : 0];
    const index_t inner = innermost.extent, stride = innermost.stride[stream_];
    if (axes_->count <= 1) return f(0, first * stride, stride, count);
    for (index_t done = 0; done < count;) {
      const index_t left_in_run = inner - (first + done) % inner;
      const index_t length = left_in_run < count - done ? left_in_run : count - done;
      f(done, axes_->offset(stream_, first + done), stride, length);
      done += length;
    }
  }

  void* data_ = nullptr;
  ElementType type_ = ElementType::f32;
  const AxisList* axes_ = nullptr;
  Stream stream_ = stream_x;
  bool constant_ = false;
  bool direct_ = false;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
