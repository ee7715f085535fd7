// Sweep: some cells of up to three tensors, block by block, as groups of registers: straight on memory as rows or lanes, or staged.
#pragma once

#include <initializer_list>

#include <norma/engine/piece.hpp>
#include <norma/engine/set_stream.hpp>
#include <norma/kernels/map.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// In which order the elements of a cell that lies across lanes are summed.
enum class Order : unsigned char {
  lanes,  ///< as if it were a row: in virtual lanes
  chain   ///< one after the other, for so few at a time that sums in double take them up
};

/// The chain of a virtual lane in a block.
inline constexpr index_t chain_length = block_length / lanes<float>;

/// How the elements of cells lie in all tensors of a sweep.
enum class Way : unsigned char {
  rows,   ///< one behind the other
  lanes,  ///< beside those of the neighbouring cells
  staged  ///< otherwise, or in another type than the arithmetic's: copied block by block
};

/// True if a store walking from `store` on is a little ahead of a load walking from `load` on in the 12 address bits that processors
/// compare first: such loads wait for stores they have nothing to do with.
NORMA_INLINE bool holds_up(const void* store, const void* load) {
  const std::uintptr_t ahead = (reinterpret_cast<std::uintptr_t>(store) - reinterpret_cast<std::uintptr_t>(load)) % 4096;
  return ahead - 1 < 256;
}

/// Columns [0, count), up to a whole register.
NORMA_INLINE void clear_columns(double* column, index_t count) {
  for (index_t r = 0; r < count; r += pack_size<double>) store(column + r, Pack<double>(0.0));
}

/// True if p starts a cache line.
NORMA_INLINE bool lines_up(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

/// S tensors, of which those from Outputs on are written. Length: elements that are staged at once. Sums want whole blocks; what is mapped
/// is cut shorter, for stacks are small.
template <class A, std::size_t S, std::size_t Outputs = S, index_t Length = Outputs == S ? block_length : block_length / 4>
class Sweep {
 public:
  static constexpr index_t length = Length;

  /// How the tensors lie decides the way, unless they are to be staged anyhow; `across_lanes`: cells are walked across lanes also where
  /// they are no neighbours. `shared`: what has numbers per element, which neighbours across lanes must share. reads_outputs: what is
  /// written is added to.
  Sweep(const Layout& layout, const Operands& operands, const Stream (&streams)[S], std::initializer_list<Stream> shared = {},
        bool staged = false, bool across_lanes = false, bool reads_outputs = false)
      : layout_(layout), reads_outputs_(reads_outputs) {
    bool rows = true, arithmetic = true;
    neighbours_ = layout.kept.count > 0;
    for (std::size_t s = 0; s < S; ++s) {
      stream_[s] = SetStream<A>(operands, layout, streams[s]);
      rows = rows && stream_[s].direct();
      arithmetic = arithmetic && operands[streams[s]].type == element_type_of<A>;
      neighbours_ = neighbours_ && layout.kept.axis[layout.kept.count - 1].stride[streams[s]] == 1;
    }
    for (const Stream s : shared) neighbours_ = neighbours_ && layout.kept.axis[layout.kept.count - 1].stride[s] == 0;
    row_ = 1;
    for (int a = layout.kept.count; a-- > 0;) {
      bool one_run = true;
      for (const Stream s : streams) one_run = one_run && layout.kept.axis[a].stride[s] == row_;
      for (const Stream s : shared) one_run = one_run && layout.kept.axis[a].stride[s] == 0;
      if (!one_run) break;
      row_ *= layout.kept.axis[a].extent;
    }
    const bool lanes = arithmetic && ((across_lanes && layout.averaged.count == 1) ||
                                      (neighbours_ && layout.averaged.count <= 1 && !(rows && layout.averaged.count == 1)));
    way_ = staged ? Way::staged : lanes ? Way::lanes : rows ? Way::rows : Way::staged;
  }
  Way way() const { return way_; }
  /// Cells of a tile.
  index_t most() const { return way_ != Way::lanes ? tile_rows : neighbours_ ? tile_lanes<A> : 1; }

  /// f(first, count) for tiles of cells [first, last): neighbours in one row of cells where they lie across lanes.
  template <class F>
  void each_tile(index_t first, index_t last, F&& f) const {
    const bool in_rows = way_ == Way::lanes && neighbours_;
    while (first < last) {
      index_t count = last - first < most() ? last - first : most();
      if (in_rows && count > row_ - first % row_) count = row_ - first % row_;
      f(first, count);
      first += count;
    }
  }

  /// Offsets of the cells of a tile in each tensor.
  struct Tile {
    index_t first, count;
    index_t offset[S][tile_rows];
  };
  NORMA_INLINE void start(index_t first, index_t count, Tile& tile) const {
    tile.first = first;
    tile.count = count;
    for (std::size_t s = 0; s < S; ++s) layout_.kept.offsets(stream_[s].stream(), first, way_ == Way::lanes ? 1 : count, tile.offset[s]);
  }
  /// Whether rows of a written tensor begin on cache lines, or whole registers of lanes do in every row.
  bool lines_up(const Tile& tile, std::size_t s) const {
    if (way_ == Way::staged) return false;
    const index_t rows = way_ == Way::lanes ? 1 : tile.count;
    std::uintptr_t bits = 0;
    for (index_t r = 0; r < rows; ++r) bits |= reinterpret_cast<std::uintptr_t>(stream_[s].data(tile.offset[s][r]));
    if (way_ == Way::lanes) bits |= static_cast<std::uintptr_t>(lane_stride(s)) * sizeof(A);
    return bits % 64 == 0;
  }

  /// Whether rows whose s-th tensor is written go side by side: not where stores straddle cache lines, whose halves then meet in the store
  /// buffer, nor where the stores of one row hold up the loads of another.
  bool together(const Tile& tile, index_t size, std::size_t s) const {
    constexpr index_t R = static_cast<index_t>(interleaved_rows<A>);
    if (R == 1 || way_ != Way::rows || tile.count < R || size <= 64 || !lines_up(tile, s)) return false;
    for (std::size_t in = 0; in < Outputs; ++in) {
      bool others = false;
      for (index_t i = 0; i < R; ++i) {
        for (index_t j = 0; j < R; ++j) others = others || (i != j && holds_up(data(tile, s, i), data(tile, in, j)));
      }
      if (others && !holds_up(data(tile, s, 0), data(tile, in, 0))) return false;
    }
    return true;
  }
  /// Elements that are swept at once: few where rows of cells are wide, so that rows are read in long pieces.
  index_t step(index_t cells, index_t size, bool stages) const {
    if (way_ == Way::lanes) return cells > lane_registers * pack_size<A> ? 8 : length;
    return way_ == Way::staged || stages ? length : size;
  }

  /// f(group, tensors of that group, first cell of the group in the tile) for elements [i, i + n), n <= length, of the tile's cells
  /// [begin, end). The first tensor is multiplied by `scale` where it is staged.
  template <class F>
  NORMA_INLINE void each_group(const Tile& tile, index_t begin, index_t end, index_t i, index_t n, A scale, bool together, F&& f) const {
    if (way_ == Way::rows) {
      constexpr int R = static_cast<int>(interleaved_rows<A>);
      index_t r = begin;
      if constexpr (R > 1) {
        for (; together && r + R <= end; r += R) rows<R>(tile, r, i, f);
      }
      for (; r < end; ++r) rows<1>(tile, r, i, f);
    } else if (way_ == Way::lanes) {
      each_lane_group<A>(
          end - begin, [&](auto group, index_t p) __attribute__((always_inline)) {
            typename decltype(group)::template Of<A> tensor[S];
            for (std::size_t s = 0; s < S; ++s)
              tensor[s] = {stream_[s].data(tile.offset[s][0]) + begin + p + i * lane_stride(s), lane_stride(s)};
            f(group, tensor, begin + p);
          });
    } else {
      for (index_t r = begin; r < end; ++r) staged(tile, r, i, n, scale, f);
    }
  }

 private:
  const A* data(const Tile& tile, std::size_t s, index_t r) const { return stream_[s].data(tile.offset[s][r]); }
  index_t lane_stride(std::size_t s) const {
    return layout_.averaged.count == 0 ? 0 : layout_.averaged.axis[0].stride[stream_[s].stream()];
  }

  template <int R, class F>
  NORMA_INLINE void rows(const Tile& tile, index_t r, index_t i, F& f) const {
    typename Rows<A, R>::template Of<A> tensor[S];
    for (std::size_t s = 0; s < S; ++s) {
      for (int k = 0; k < R; ++k) tensor[s].row[k] = stream_[s].data(tile.offset[s][r + k]) + i;
    }
    f(Rows<A, R>(), tensor, r);
  }
  template <class F>
  NORMA_INLINE void staged(const Tile& tile, index_t r, index_t i, index_t n, A scale, F& f) const {
    alignas(64) A buffer[S][Length];
    typename Rows<A, 1>::template Of<A> tensor[S];
    for (std::size_t s = 0; s < S; ++s) {
      if (s < Outputs || reads_outputs_) {
        tensor[s].row[0] = const_cast<A*>(stream_[s].read(tile.offset[s][r], i, n, buffer[s], s == 0 ? scale : A(1)));
      } else {
        tensor[s].row[0] = stream_[s].target(tile.offset[s][r], i, buffer[s]);
      }
    }
    f(Rows<A, 1>(), tensor, r);
    for (std::size_t s = Outputs; s < S; ++s) stream_[s].write(tile.offset[s][r], i, n, tensor[s].row[0]);
  }

  const Layout& layout_;
  Way way_;
  bool neighbours_;
  index_t row_;  // cells that lie side by side in all tensors
  bool reads_outputs_;
  SetStream<A> stream_[S];
};

/// A parameter along the elements of cells: straight from memory, staged, or one number for a whole cell, of which a register's worth is
/// laid out.
template <class A>
class ElementStream {
 public:
  ElementStream(const Operands& operands, const Layout& layout, Stream stream) : stream_(operands, layout, stream) {}

  bool constant() const { return stream_.constant(); }
  /// Whether read() stages nothing but a register.
  bool in_place() const { return stream_.constant() || stream_.direct(); }
  /// Elements [i, i + n) of the cell at `offset`; `memory` holds what has to be staged.
  template <std::size_t N>
  NORMA_INLINE ElementWeight<A> read(index_t offset, index_t i, index_t n, A added, A (&memory)[N]) const {
    if (!stream_.constant()) return {stream_.read(offset, i, n, memory), 1, added};
    const A value = stream_.value(offset);
    for (int l = 0; l < lanes<A>; ++l) memory[l] = value;
    return {memory, 0, added};
  }
  double value(index_t offset) const { return static_cast<double>(stream_.value(offset)); }

 private:
  SetStream<A> stream_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
