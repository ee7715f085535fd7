// Fusion: what a call does with elements beyond the norm, while a sweep has copies of them: other streams that go in or come out, an
// activation, roundings. The engine knows when, doors know what.
#pragma once

#include <optional>

#include <norma/core/execution.hpp>
#include <norma/engine/piece.hpp>
#include <norma/engine/set_stream.hpp>
#include <norma/kernels/coefficients.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Which sweep of a call. Measuring: a map whose results are looked at and not stored.
enum class Pass : unsigned char { fold, measure, map };

/// Elements [i, i + n) of some cells as a sweep has copied them: each cell a row, or cells as neighbours and each element a row; rows are
/// `pitch` apart. Other streams of the same elements are read and written through it.
template <class A>
struct Block {
  const Layout& layout;  ///< of all streams; numbers cells and elements as the sweep's does
  const Operands& operands;
  Pass pass;
  bool lanes;
  index_t cell, cells, i, n, pitch;
  A weight_offset;        ///< is added to weights
  Coefficients<A> x_hat;  ///< of these cells, in a backward
  A* of_cells;            ///< a number of each cell that outlives the block

  /// What read() may want to copy of a part.
  static constexpr index_t most = 256;

  bool has(Stream s) const { return operands[s].present(); }

  /// f(part, where its numbers begin) for parts of at most `most` numbers, padding included.
  template <class F>
  void each_part(F&& f) const {
    if (lanes) {
      const index_t step = most / pitch;
      for (index_t k = 0; k < n; k += step) {
        Block part = *this;
        part.i += k;
        part.n = n - k < step ? n - k : step;
        f(part, k * pitch);
      }
      return;
    }
    for (index_t r = 0; r < cells; ++r) {
      for (index_t k = 0; k < n; k += most) {
        Block part = *this;
        part.cell += r;
        part.cells = 1;
        part.x_hat = x_hat.mean == nullptr ? x_hat : x_hat.from(r);
        part.of_cells = of_cells == nullptr ? nullptr : of_cells + r;
        part.i += k;
        part.n = n - k < most ? n - k : most;
        f(part, r * pitch + k);
      }
    }
  }
  /// Of a part: f(where, count) for each row of numbers.
  template <class F>
  void each_row(F&& f) const {
    if (!lanes) return f(index_t{0}, n);
    for (index_t e = 0; e < n; ++e) f(e * pitch, cells);
  }

  /// Of a part: its numbers in another stream, where they lie or copied to `memory`; rows are as far apart.
  NORMA_NOINLINE const A* read(Stream s, A* memory) const {
    const SetStream<A> stream(operands, layout, s);
    if (!lanes) {
      const index_t offset = layout.kept.offset(s, cell);
      if (!stream.constant()) return stream.read(offset, i, n, memory);
      const A number = static_cast<A>(stream.value(offset));
      for (index_t e = 0; e < n; ++e) memory[e] = number;
      return memory;
    }
    each_column(s, [&](index_t c, index_t count, index_t offset, index_t step, index_t along) {
      if (count > 1) {
        for (index_t e = 0; e < n; ++e)
          operands[s].access->template in<A>().stage(memory + e * pitch, 0, operands[s].at(offset + (i + e) * along), step, 1, count, A(1));
        return;
      }
      A column[most];
      const A* const numbers = stream.read(offset, i, n, column);
      for (index_t e = 0; e < n; ++e) memory[e * pitch + c] = numbers[e];
    });
    return memory;
  }
  /// The other way round.
  NORMA_NOINLINE void write(Stream s, const A* numbers) const {
    const SetStream<A> stream(operands, layout, s);
    if (!lanes) return stream.write(layout.kept.offset(s, cell), i, n, numbers);
    each_column(s, [&](index_t c, index_t count, index_t offset, index_t step, index_t along) {
      if (count > 1) {
        for (index_t e = 0; e < n; ++e)
          operands[s].access->template in<A>().unstage(operands[s].at(offset + (i + e) * along), step, numbers + e * pitch, 0, 1, count);
        return;
      }
      A column[most];
      for (index_t e = 0; e < n; ++e) column[e] = numbers[e * pitch + c];
      stream.write(offset, i, n, column);
    });
  }

 private:
  /// f(column, count, offset, step, along): all columns in one if they are evenly spaced and their elements are, too; one by one else.
  template <class F>
  void each_column(Stream s, F&& f) const {
    index_t offset[tile_lanes<A>];
    layout.kept.offsets(s, cell, cells, offset);
    const index_t step = cells > 1 ? offset[1] - offset[0] : 1;
    bool even = layout.averaged.count <= 1 && cells > 1;
    for (index_t c = 2; c < cells; ++c) even = even && offset[c] - offset[c - 1] == step;
    if (even) return f(index_t{0}, cells, offset[0], step, layout.averaged.count == 0 ? 0 : layout.averaged.axis[0].stride[s]);
    for (index_t c = 0; c < cells; ++c) f(c, index_t{1}, offset[c], index_t{0}, index_t{0});
  }
};

/// The streams of a fused call, and what is done with them, seen by a call that does not know its arithmetic.
class AnyFusion {
 public:
  /// ShapeError unless streams and options fit `layer` and an x of these extents.
  virtual void check(const char* layer, const Extents& x, const Roles& roles) const = 0;
  /// Its streams join the operands of a call on an x of this rank, which may have an axis of one element more than they. weight_offset is
  /// added to the call's weights.
  virtual void join(Operands& operands, int rank, double weight_offset) const = 0;

 protected:
  ~AnyFusion() = default;
};

/// The same for arithmetic in A. Tensors are those of a sweep: x; x, y; dy, x; dy, x, dx.
template <class A>
class Fusion : public AnyFusion {
 public:
  /// The streams of a sweep that are copied because this changes them.
  virtual StreamSet changes(Pass pass) const = 0;
  /// Inputs have been copied; kernels have not seen them.
  virtual void enter(const Block<A>& block, A* const* tensor) const = 0;
  /// Kernels have made the outputs of a map; none is stored.
  virtual void leave(const Block<A>& block, A* const* tensor) const = 0;
  /// What a cell's number, 0 before, has become in a pass that measures the set at this place; the one that maps finds what is returned.
  virtual A measured(index_t place, A number) const = 0;

 protected:
  ~Fusion() = default;
};

/// A call: who runs it, and what is fused with the norm.
class CallRef : public ExecutorRef {
 public:
  CallRef(const ExecutorRef& executor) : ExecutorRef(executor) {}
  CallRef(const ExecutorRef& executor, const AnyFusion& fusion) : ExecutorRef(executor), fusion_(&fusion) {}

  /// A Fusion<A> of the call's arithmetic A; null where nothing is fused.
  const AnyFusion* fusion() const { return fusion_; }
  /// The same without it: for a pass of a call that is not the fused one.
  CallRef unfused() const { return CallRef(static_cast<const ExecutorRef&>(*this)); }

 private:
  const AnyFusion* fusion_ = nullptr;
};

/// What a sweep has copied of the tile whose first cell is `first`: of its cells [cell, cell + cells), in buffers that are `apart`.
template <class A>
struct Copies {
  Pass pass;
  bool lanes;
  index_t first, cell, cells, i, n, pitch;
  const Coefficients<A>& x_hat;
  A* of_cells;
  A* buffer;
  index_t apart;
  int tensors;
};

/// The streams of a fused call, as its sweeps see them. Without a fusion: nothing.
template <class A>
struct FusedStreams {
  struct Tensors {
    Operands operands;
    Layout layout;
  };
  const Fusion<A>* fusion;
  A weight_offset;
  std::optional<Tensors> all = {};

  FusedStreams(const AnyFusion* what, const Extents& x, const Roles& roles, const Operands& operands, double offset)
      : fusion(static_cast<const Fusion<A>*>(what)), weight_offset(static_cast<A>(offset)) {
    if (fusion != nullptr) all.emplace(Tensors{operands, Layout(x, roles, operands)});
  }
  FusedStreams(const FusedStreams&) = delete;
  FusedStreams& operator=(const FusedStreams&) = delete;

  bool changes(Pass pass) const { return fusion != nullptr && fusion->changes(pass) != 0; }
  /// For a sweep: this, if it has to know of it.
  const FusedStreams* in(Pass pass) const { return changes(pass) ? this : nullptr; }

  /// Inputs have been copied; the first is multiplied by `scale` when the fusion is done with it.
  NORMA_NOINLINE void enter(const Copies<A>& c, A scale) const {
    A* tensor[3];
    for (int s = 0; s < c.tensors; ++s) tensor[s] = c.buffer + s * c.apart;
    fusion->enter(block(c), tensor);
    for (index_t k = 0; scale != A(1) && k < c.pitch * (c.lanes ? c.n : c.cells); ++k) c.buffer[k] *= scale;
  }
  /// Outputs are in copies. Returns whether they are to be stored.
  NORMA_NOINLINE bool leave(const Copies<A>& c) const {
    A* tensor[3];
    for (int s = 0; s < c.tensors; ++s) tensor[s] = c.buffer + s * c.apart;
    fusion->leave(block(c), tensor);
    return c.pass != Pass::measure;
  }

 private:
  Block<A> block(const Copies<A>& c) const {
    return {all->layout, all->operands, c.pass, c.lanes, c.first + c.cell, c.cells, c.i, c.n, c.pitch, weight_offset,
            c.x_hat.mean == nullptr ? c.x_hat : c.x_hat.from(c.cell), c.of_cells == nullptr ? nullptr : c.of_cells + c.cell};
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
