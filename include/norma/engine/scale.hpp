// Two tensors of one shape, element by element, whatever their layouts: as pairs of contiguous blocks.
#pragma once

#include <norma/engine/backward_call.hpp>
#include <norma/kernels/scale_run.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Blocks of A in the order of x's memory; staged where a tensor does not lie like that.
template <class A>
class TensorPair {
 public:
  template <class X, class Y>
  TensorPair(const TensorView<X>& x, const TensorView<Y>& y)
      : operands_(both(x, y)),
        layout_(x.extents(), trailing_axes(x.rank(), x.rank()), operands_),
        x_(operands_, layout_, stream_x),
        y_(operands_, layout_, stream_y) {}
  TensorPair(const TensorPair&) = delete;
  TensorPair& operator=(const TensorPair&) = delete;

  index_t size() const { return layout_.set_size; }
  index_t count() const { return (size() + block_length - 1) / block_length; }

  /// f(x, y, n): reads block `b` of both.
  template <class F>
  void read(index_t b, F&& f) const {
    Tile<A> x_tile, y_tile;
    const index_t first = b * block_length, n = length(first);
    f(x_.read(0, first, n, x_tile.element), y_.read(0, first, n, y_tile.element), n);
  }

  /// y = x * factor in block `b`, or y += x * factor.
  void scale(index_t b, A factor, bool streaming, bool adds) const {
    Tile<A> x_tile, y_tile;
    const index_t first = b * block_length, n = length(first);
    const A* const from = x_.read(0, first, n, x_tile.element);
    A* const to = y_.target(0, first, y_tile.element);
    if (adds) y_.read(0, first, n, y_tile.element);
    scale_block(streaming && lines_up(to), adds, from, to, n, factor);
    y_.write(0, first, n, to);
  }

 private:
  template <class X, class Y>
  static Operands both(const TensorView<X>& x, const TensorView<Y>& y) {
    Operands operands;
    operands[stream_x] = Operand(x);
    operands[stream_y] = Operand(y);
    return operands;
  }
  index_t length(index_t first) const { return size() - first < block_length ? size() - first : block_length; }

  Operands operands_;
  Layout layout_;
  SetStream<A> x_, y_;
};

/// y = x * factor, or y += x * factor: any layouts and element types, arithmetic in A. Shapes have been checked.
template <class A, class X, class Y>
inline void scale(const ExecutorRef& executor, const TensorView<X>& x, A factor, const TensorView<Y>& y, Result result = Result::replaced) {
  if (x.size() == 0) return;
  const TensorPair<A> blocks(x, y);
  const index_t bytes = blocks.size() * static_cast<index_t>(sizeof(Y));
  const bool adds = result == Result::added;
  const bool streaming = !adds && streams_output(executor.streaming(), Operand(y), bytes, Operand(x), Operand());
  parallel_sets(executor, blocks.count(), blocks.size(), [&](index_t first, index_t last) {
    for (index_t b = first; b < last; ++b) blocks.scale(b, factor, streaming, adds);
    if (streaming) streaming_fence();
  });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
