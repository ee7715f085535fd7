// Block: the elements that a sweep shows a fusion, and how a fusion reaches the same elements of other streams.
#pragma once

#include <norma/engine/fusion.hpp>
#include <norma/engine/piece.hpp>
#include <norma/engine/set_stream.hpp>
#include <norma/kernels/coefficients.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Numbers of a block in one of its tensors: each cell a row that lies at its offset, or cells as neighbours and each element a row,
/// `pitch` apart.
template <class T>
struct Numbers {
  T* first = nullptr;
  const index_t* offset = nullptr;
  index_t pitch = 0;
};
/// Those of a part of a block: rows `pitch` apart.
template <class T>
struct Lines {
  T* first = nullptr;
  index_t pitch = 0;

  NORMA_INLINE T* operator[](index_t line) const { return first + line * pitch; }
  operator Lines<const T>() const { return {first, pitch}; }
};
/// Where numbers go.
template <class A>
struct Target : Lines<A> {
  bool past_cache = false;
};

/// Elements [i, i + n) of some cells that a sweep is about, lying in rows or, `lanes`, as neighbours. Other streams of the same elements
/// are read and written through it.
template <class A>
struct Block {
  const Layout& layout;  ///< of all streams; numbers cells and elements as the sweep's does
  const Operands& operands;
  Pass pass;
  bool stores_sum;  ///< a fold leaves in stream_sum what a map then takes for x
  bool lanes;
  index_t cell, cells, i, n;
  A weight_offset;             ///< is added to weights
  Coefficients<A> x_hat;       ///< of these cells, in a backward
  A* of_cells;                 ///< a number of each cell that outlives the block
  bool whole = false;          ///< other streams are taken where they lie, so that no part need be shorter
  bool is_far = false;         ///< tensors are far: what is read next is asked for
  Numbers<A> past_cache = {};  ///< where what is made goes, if that is somewhere

  /// What is done at once: as much as copies of other streams hold.
  static constexpr index_t most = 2048 / static_cast<index_t>(sizeof(A));
  struct Memory {
    alignas(64) A number[most];
  };

  bool has(Stream s) const { return operands[s].present(); }

  /// f(part, its place) for parts of at most `most` numbers unless they may be `whole`: some elements of one row, or of all lanes.
  template <class F>
  void each_part(F&& f) const {
    const index_t rows = lanes ? 1 : cells, step = whole ? n : lanes ? most / padded(cells) : most;
    if (rows == 1 && step >= n) return f(*this, index_t{0}, index_t{0});
    Block part = *this;
    for (index_t r = 0; r < rows; ++r) {
      if (!lanes) {
        part.cell = cell + r;
        part.cells = 1;
        if (x_hat.mean != nullptr) part.x_hat = x_hat.from(r);
        if (of_cells != nullptr) part.of_cells = of_cells + r;
      }
      for (index_t k = 0; k < n; k += step) {
        part.i = i + k;
        part.n = n - k < step ? n - k : step;
        f(static_cast<const Block&>(part), r, k);
      }
    }
  }
  /// Of a part: where the numbers of row r from element k on lie.
  template <class T>
  NORMA_INLINE Lines<T> lines(const Numbers<T>& numbers, index_t r, index_t k) const {
    if (lanes) return {numbers.first + k * numbers.pitch, numbers.pitch};
    return {numbers.first + numbers.offset[r] + k, 0};
  }
  /// Where the last change of what is made puts it: in its place, or past the cache.
  Target<A> target(const Numbers<A>& made, index_t r, index_t k) const {
    const bool past = past_cache.first != nullptr;
    return {lines(past ? past_cache : made, r, k), past};
  }
  Lines<A> lines(Memory& memory) const { return {memory.number, lanes ? padded(cells) : 0}; }
  /// Of a part: f(line, count) for all of these numbers.
  template <class F, class... T>
  NORMA_INLINE void each_line(F&& f, const Lines<T>&... numbers) const {
    static_assert(sizeof...(T) > 0);
    if (!lanes) return f(index_t{0}, n);
    if (((numbers.pitch == cells) && ...)) return f(index_t{0}, n * cells);
    for (index_t e = 0; e < n; ++e) f(e, cells);
  }

  /// Of a part: its numbers in another stream, where they lie or copied to `memory`.
  NORMA_NOINLINE Lines<const A> read(Stream s, Memory& memory) const {
    const SetStream<A> stream(operands, layout, s);
    if (!lanes) {
      const index_t offset = layout.kept.offset(s, cell);
      if (!stream.constant()) {
        if (is_far && stream.direct()) ask_ahead(stream.data(offset) + i, n);
        return {stream.read(offset, i, n, memory.number), 0};
      }
      const A number = static_cast<A>(stream.value(offset));
      for (index_t e = 0; e < n; ++e) memory.number[e] = number;
      return {memory.number, 0};
    }
    const Operand& operand = operands[s];
    const Lines<A> lines = this->lines(memory);
    Lines<const A> result = lines;
    each_column(s, [&](index_t c, index_t count, index_t offset, index_t step, index_t along) {
      if (count > 1) {
        if (step == 1 && operand.template is<A>()) {
          result = {static_cast<const A*>(operand.data) + offset + i * along, along};
          for (index_t e = 0; is_far && e < n; ++e) ask_ahead(result[e], cells);
          return;
        }
        for (index_t e = 0; e < n; ++e)
          operand.access->template in<A>().stage(lines[e], 0, operand.at(offset + (i + e) * along), step, 1, count, A(1));
        return;
      }
      Memory column;
      const A* const numbers = stream.read(offset, i, n, column.number);
      for (index_t e = 0; e < n; ++e) lines[e][c] = numbers[e];
    });
    return result;
  }
  /// The other way round.
  NORMA_NOINLINE void write(Stream s, const Lines<const A>& numbers) const {
    const SetStream<A> stream(operands, layout, s);
    if (!lanes) return stream.write(layout.kept.offset(s, cell), i, n, numbers.first);
    each_column(s, [&](index_t c, index_t count, index_t offset, index_t step, index_t along) {
      if (count > 1) {
        for (index_t e = 0; e < n; ++e)
          operands[s].access->template in<A>().unstage(operands[s].at(offset + (i + e) * along), step, numbers[e], 0, 1, count);
        return;
      }
      Memory column;
      for (index_t e = 0; e < n; ++e) column.number[e] = numbers[e][c];
      stream.write(offset, i, n, column.number);
    });
  }

 private:
  /// Streams of a fused call come in turns, so that none lasts for what fetches ahead by itself.
  static void ask_ahead(const A* line, index_t count) {
    constexpr index_t line_length = 64 / static_cast<index_t>(sizeof(A)), some = 8 * line_length;
    for (index_t k = 0; k < count; k += some)
      unroll<8>([&](auto j) NORMA_INLINE_LAMBDA { prefetch(line + k + j * line_length, page_bytes); });
  }
  static index_t padded(index_t lanes_of_cells) { return (lanes_of_cells + pack_size<A> - 1) / pack_size<A> * pack_size<A>; }

  /// f(column, count, offset, step, along): all columns in one if they are evenly spaced and their elements are, too; one by one else.
  template <class F>
  void each_column(Stream s, F&& f) const {
    const AxisList &kept = layout.kept, &averaged = layout.averaged;
    if (cells > 1 && averaged.count <= 1) {
      const index_t first = kept.offset(s, cell), along = averaged.count == 0 ? 0 : averaged.axis[0].stride[s];
      const index_t step = kept.axis[kept.count - 1].stride[s];
      const index_t row = kept.run(s, step);
      if (cell % row + cells <= row) return f(index_t{0}, cells, first, step, along);
    }
    index_t offset[tile_lanes<A>];
    kept.offsets(s, cell, cells, offset);
    for (index_t c = 0; c < cells; ++c) f(c, index_t{1}, offset[c], index_t{0}, index_t{0});
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
