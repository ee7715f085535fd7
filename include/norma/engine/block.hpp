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
  A weight_offset;        ///< is added to weights
  Coefficients<A> x_hat;  ///< of these cells, in a backward
  A* of_cells;            ///< a number of each cell that outlives the block

  /// What is done at once: as much as copies of other streams hold.
  static constexpr index_t most = 1024 / static_cast<index_t>(sizeof(A));
  struct Memory {
    alignas(64) A number[most];
  };

  bool has(Stream s) const { return operands[s].present(); }

  /// f(part, its place) for parts of at most `most` numbers: some elements of one row, or of all lanes.
  template <class F>
  void each_part(F&& f) const {
    Block part = *this;
    const index_t rows = lanes ? 1 : cells, step = lanes ? most / padded(cells) : most;
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
  Lines<A> lines(Memory& memory) const { return {memory.number, lanes ? padded(cells) : 0}; }
  /// Of a part: f(line, count).
  template <class F>
  NORMA_INLINE void each_line(F&& f) const {
    if (!lanes) return f(index_t{0}, n);
    for (index_t e = 0; e < n; ++e) f(e, cells);
  }

  /// Of a part: its numbers in another stream, where they lie or copied to `memory`.
  NORMA_NOINLINE Lines<const A> read(Stream s, Memory& memory) const {
    const SetStream<A> stream(operands, layout, s);
    if (!lanes) {
      const index_t offset = layout.kept.offset(s, cell);
      if (!stream.constant()) return {stream.read(offset, i, n, memory.number), 0};
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
  static index_t padded(index_t lanes_of_cells) { return (lanes_of_cells + pack_size<A> - 1) / pack_size<A> * pack_size<A>; }

  /// f(column, count, offset, step, along): all columns in one if they are evenly spaced and their elements are, too; one by one else.
  template <class F>
  void each_column(Stream s, F&& f) const {
    const AxisList &kept = layout.kept, &averaged = layout.averaged;
    if (cells > 1 && averaged.count <= 1) {
      const Axis& last = kept.axis[kept.count - 1];
      const index_t first = kept.offset(s, cell), along = averaged.count == 0 ? 0 : averaged.axis[0].stride[s];
      if (cell % last.extent + cells <= last.extent) return f(index_t{0}, cells, first, last.stride[s], along);
    }
    index_t offset[tile_lanes<A>];
    kept.offsets(s, cell, cells, offset);
    for (index_t c = 0; c < cells; ++c) f(c, index_t{1}, offset[c], index_t{0}, index_t{0});
  }
};

/// What a sweep is about: of the tile whose first cell is `first`, its cells [cell, cell + cells).
template <class A>
struct Swept {
  Pass pass;
  bool lanes;
  index_t first, cell, cells, i, n;
  const Coefficients<A>& x_hat;
  A* of_cells;

  void scale(const Numbers<A>& numbers, A factor) const {
    for (index_t c = 0; c < cells; ++c) {
      for (index_t e = 0; e < n; ++e) numbers.first[lanes ? e * numbers.pitch + c : numbers.offset[c] + e] *= factor;
    }
  }
};

/// The streams of a fused call, as its sweeps see them. Without a fusion: nothing.
template <class A>
class FusedStreams {
 public:
  using Changes = typename Fusion<A>::Changes;

  FusedStreams(const AnyFusion* fusion, const Extents& x, const Roles& roles, const Operands& operands, double weight_offset, bool folded)
      : fusion_(static_cast<const Fusion<A>*>(fusion)), weight_offset_(static_cast<A>(weight_offset)) {
    if (fusion == nullptr) return;
    all_ = fusion_->memory().take({operands, Layout(x, roles, operands)});
    for (const Pass pass : {Pass::probe, Pass::fold, Pass::refold, Pass::measure, Pass::map})
      changes_[static_cast<int>(pass)] = fusion_->changes(pass, operands, folded);
    stores_sum_ = fusion_->stores_sum(operands, folded);
  }
  ~FusedStreams() {
    if (all_ != nullptr) fusion_->memory().give_back(all_);
  }
  FusedStreams(const FusedStreams&) = delete;
  FusedStreams& operator=(const FusedStreams&) = delete;

  bool present() const { return fusion_ != nullptr; }
  const Fusion<A>& fusion() const { return *fusion_; }
  /// What a map reads.
  Stream input() const { return stores_sum_ ? stream_sum : stream_x; }
  const Changes& changes(Pass pass) const { return changes_[static_cast<int>(pass)]; }
  bool any(Pass pass) const { return (changes(pass).enters | changes(pass).leaves) != 0; }
  /// For a sweep: this, if it has to know of it.
  const FusedStreams* in(Pass pass) const { return any(pass) ? this : nullptr; }

  NORMA_NOINLINE void enter(const Swept<A>& swept, const Numbers<const A>* from, const Numbers<A>* to) const {
    fusion_->enter(block(swept), from, to);
  }
  NORMA_NOINLINE void leave(const Swept<A>& swept, const Numbers<A>* made) const { fusion_->leave(block(swept), made); }

 private:
  Block<A> block(const Swept<A>& s) const {
    return {all_->layout,
            all_->operands,
            s.pass,
            stores_sum_,
            s.lanes,
            s.first + s.cell,
            s.cells,
            s.i,
            s.n,
            weight_offset_,
            s.x_hat.mean == nullptr ? s.x_hat : s.x_hat.from(s.cell),
            s.of_cells == nullptr ? nullptr : s.of_cells + s.cell};
  }

  const Fusion<A>* fusion_;
  A weight_offset_;
  Changes changes_[5] = {};
  bool stores_sum_ = false;
  FusedTensors* all_ = nullptr;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
