// SetStream: one operand over the elements of a set, as contiguous blocks of the arithmetic type; direct where memory allows, staged
// otherwise.
#pragma once

#include <norma/engine/layout.hpp>
#include <norma/kernels/stage.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A is the arithmetic type; what is direct has elements of type U.
template <class A, class U = A>
class SetStream {
 public:
  SetStream() = default;
  SetStream(const Operands& operands, const Layout& layout, Stream stream)
      : data_(operands[stream].data), access_(operands[stream].access), axes_(&layout.averaged), stream_(stream) {
    constant_ = axes_->broadcasts(stream);
    direct_ = operands[stream].template is<U>() && (constant_ ? axes_->count == 0 : axes_->contiguous(stream));
  }

  Stream stream() const { return stream_; }
  bool present() const { return data_ != nullptr; }

  /// Elements lie in memory as the kernels want them: read() and target() give pointers into the tensor.
  bool direct() const { return direct_; }
  /// One value for the whole set.
  bool constant() const { return constant_; }
  /// Pointer to the set at `offset`; only if the element type is U.
  U* data(index_t offset) const { return static_cast<U*>(data_) + offset; }

  /// Elements [first, first + count) of the set at `offset`, times scale; staged in `tile` unless direct.
  const A* read(index_t offset, index_t first, index_t count, A* tile, A scale = A(1)) const {
    if (direct_ && scale == A(1)) return data(offset) + first;
    stage(offset, first, count, tile, scale);
    return tile;
  }

  /// The values of n sets the stream is constant in, in a column, and of one of them.
  void values(const index_t* offset, index_t n, double* column) const { access_->gather(data_, 1, offset, n, column); }
  double value(index_t offset) const {
    alignas(64) double column[pack_size<double>];
    values(&offset, 1, column);
    return column[0];
  }

  /// Where to put elements from `first` on: the tensor itself, or `tile`, which write() then spreads.
  A* target(index_t offset, index_t first, A* tile) const { return direct_ ? data(offset) + first : tile; }
  NORMA_NOINLINE void write(index_t offset, index_t first, index_t count, const A* tile) const {
    if constexpr (std::is_same_v<A, U>) {
      if (direct_ && tile == data(offset) + first) return;
    }
    each_run(first, count, [&](index_t done, index_t start, index_t stride, index_t length) {
      access_->template in<A>().unstage(at(offset + start), stride, tile + done, 0, 1, length);
    });
  }

  /// The same of several sets, `pitch` apart in the tile; neighbours go side by side, in the order of memory.
  NORMA_NOINLINE void stage_rows(const index_t* offset, index_t rows, index_t first, index_t count, A* tile, index_t pitch, A scale) const {
    if (neighbours(offset, rows)) {
      const index_t stride = axes_->axis[0].stride[stream_];
      return access_->template in<A>().stage(tile, pitch, at(offset[0] + first * stride), stride, rows, count, scale);
    }
    for (index_t r = 0; r < rows; ++r) stage(offset[r], first, count, tile + r * pitch, scale);
  }
  NORMA_NOINLINE void unstage_rows(const index_t* offset, index_t rows, index_t first, index_t count, const A* tile, index_t pitch) const {
    if (neighbours(offset, rows)) {
      const index_t stride = axes_->axis[0].stride[stream_];
      return access_->template in<A>().unstage(at(offset[0] + first * stride), stride, tile, pitch, rows, count);
    }
    for (index_t r = 0; r < rows; ++r) write(offset[r], first, count, tile + r * pitch);
  }

  /// Of each of `cells` neighbours the n elements from `offset` on, `stride` apart, to rows of neighbours that are `pitch` apart.
  void stage_lanes(index_t offset, index_t stride, index_t n, index_t cells, A* tile, index_t pitch, A scale) const {
    for (index_t e = 0; e < n; ++e) access_->template in<A>().stage(tile + e * pitch, 0, at(offset + e * stride), 1, 1, cells, scale);
  }
  void unstage_lanes(index_t offset, index_t stride, index_t n, index_t cells, const A* tile, index_t pitch) const {
    for (index_t e = 0; e < n; ++e) access_->template in<A>().unstage(at(offset + e * stride), 1, tile + e * pitch, 0, 1, cells);
  }

 private:
  bool neighbours(const index_t* offset, index_t rows) const { return axes_->count <= 1 && rows > 1 && consecutive(offset, rows); }
  void* at(index_t offset) const { return static_cast<std::byte*>(data_) + offset * access_->bytes; }
  NORMA_NOINLINE void stage(index_t offset, index_t first, index_t count, A* tile, A scale) const {
    each_run(first, count, [&](index_t done, index_t start, index_t stride, index_t length) {
      access_->template in<A>().stage(tile + done, 0, at(offset + start), stride, 1, length, scale);
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
  const ElementAccess* access_ = &no_elements;
  const AxisList* axes_ = nullptr;
  Stream stream_ = stream_x;
  bool constant_ = false;
  bool direct_ = false;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
