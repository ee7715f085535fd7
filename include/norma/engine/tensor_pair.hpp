// Two tensors of one shape, element by element, whatever their layouts: as pairs of contiguous blocks.
#pragma once

#include <norma/engine/forward_call.hpp>
#include <norma/kernels/scale_run.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Blocks of A in the order of x's memory; staged where a tensor does not lie like that.
template <class A>
class TensorPair {
 public:
  TensorPair(const Extents& extents, const Operand& x, const Operand& y)
      : operands_(both(x, y)),
        layout_(extents, trailing_axes(extents.size(), extents.size()), operands_),
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
    scale_block(streaming && to != y_tile.element && lines_up(to), adds, from, to, n, factor);
    y_.write(0, first, n, to);
  }

 private:
  static Operands both(const Operand& x, const Operand& y) {
    Operands operands;
    operands[stream_x] = x;
    operands[stream_y] = y;
    return operands;
  }
  index_t length(index_t first) const { return size() - first < block_length ? size() - first : block_length; }

  Operands operands_;
  Layout layout_;
  SetStream<A> x_, y_;
};

template <class A>
void scale_operand(const ExecutorRef& executor, const Extents& extents, const Operand& x, A factor, const Operand& y, bool streaming,
                   bool adds) {
  const TensorPair<A> blocks(extents, x, y);
  parallel_sets(executor, blocks.count(), blocks.size(), [&](index_t first, index_t last) {
    for (index_t b = first; b < last; ++b) blocks.scale(b, factor, streaming, adds);
    if (streaming) streaming_fence();
  });
}

template <class A>
void read_pairs(const Extents& extents, const Operand& x, const Operand& y, const PairReader<A>& reader) {
  const TensorPair<A> blocks(extents, x, y);
  for (index_t b = 0; b < blocks.count(); ++b) {
    blocks.read(b, [&](const A* of_x, const A* of_y, index_t n) { reader.read(reader.context, of_x, of_y, n); });
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
