// Sweep: some cells of up to three tensors, block by block, as groups of registers: straight on memory as rows or lanes, or staged.
#pragma once

#include <cstdlib>

#include <norma/engine/copies.hpp>
#include <norma/engine/fused_streams.hpp>
#include <norma/engine/piece.hpp>
#include <norma/engine/set_stream.hpp>
#include <norma/engine/way.hpp>
#include <norma/kernels/map.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// S tensors, of which those from Outputs on are written. Kernels take elements of type U where they lie, others from copies in A. Length:
/// elements that are staged at once. Sums want whole blocks; what is mapped is cut shorter, for stacks are small.
template <class A, class U, std::size_t S, std::size_t Outputs = S,
          index_t Length = Outputs == S ? block_length : 2048 / static_cast<index_t>(sizeof(A))>
class Sweep {
 public:
  static constexpr index_t length = Length;
  static constexpr bool maps = Outputs < S;
  static constexpr std::size_t output = S - 1;  ///< the one that is written, if it maps
  static_assert(S - Outputs <= 1);

  /// How the tensors lie decides the way, unless they are to be staged anyhow; `across_lanes`: cells are walked across lanes also where
  /// they are no neighbours. `shared`: what has numbers per element, which neighbours across lanes must share. reads_outputs: what is
  /// written is added to. `fused`: what changes copies of its tensors.
  Sweep(const Layout& layout, const Operands& operands, const Stream (&streams)[S], StreamSet shared = 0, bool staged = false,
        bool across_lanes = false, bool reads_outputs = false, const FusedStreams<A>* fused = nullptr)
      : layout_(layout), fused_(fused), reads_outputs_(reads_outputs), scales_(staged), converts_(fused != nullptr) {
    bool rows = true;
    for (std::size_t s = 0; s < S; ++s) {
      stream_[s] = SetStream<A, U>(operands, layout, streams[s]);
      rows = rows && stream_[s].direct();
      converted_[s] = !std::is_same_v<A, U> || !operands[streams[s]].template is<U>();
      converts_ = converts_ || !operands[streams[s]].template is<U>();
    }
    if (staged) {
      way_ = Way::staged;
    } else if ((!converts_ || across_lanes || maps) && layout.averaged.count <= 1 &&
               (across_lanes || !rows || layout.averaged.count == 0)) {
      row_ = layout.kept.neighbours(streams, shared);
      if (row_ > 1 || (across_lanes && layout.averaged.count == 1)) {
        way_ = Way::lanes;
        most_ = row_ > 1 ? tile_lanes<A> : 1;
      }
    }
    several_ = layout.sets * layout.set_size <= several_rows_bytes / static_cast<index_t>(sizeof(U)) ||
               std::abs(lane_stride(0)) >= page_bytes / static_cast<index_t>(sizeof(U));
    if (way_ == Way::lanes) return;
    way_ = rows && !staged && fused == nullptr ? Way::rows : Way::staged;
    const index_t row = layout.set_size * static_cast<index_t>(sizeof(A));
    most_ = fused == nullptr ? rows_of_tile(row) : rows_of_fused_tile(row);
  }
  Way way() const { return way_; }
  /// Cells of a tile.
  index_t most() const { return most_; }

  /// f(first, count) for tiles of cells [first, last); where they lie across lanes, neighbours in one row of cells: most_of(first, count)
  /// of `count` neighbours at most.
  template <class Most, class F>
  void each_tile(index_t first, index_t last, const Most& most_of, F&& f) const {
    const bool in_rows = way_ == Way::lanes && row_ > 1;
    while (first < last) {
      index_t count = last - first;
      if (in_rows && count > row_ - first % row_) count = row_ - first % row_;
      if (count > most_) {
        const index_t most = in_rows ? most_of(first, count) : most_;
        if (count > most) count = most;
      }
      f(first, count);
      first += count;
    }
  }
  template <class F>
  void each_tile(index_t first, index_t last, F&& f) const {
    each_tile(
        first, last, [this](index_t, index_t) { return most_; }, std::forward<F>(f));
  }

  /// Offsets of the cells of a tile in each tensor; and what a fusion wants to know of it, pass and streams before it starts.
  struct Tile {
    index_t first, count;
    index_t offset[S][tile_rows];
    Pass pass = maps ? Pass::map : Pass::fold;
    Coefficients<A> x_hat = {};
    A* of_cells = nullptr;
    bool streams = false;  ///< what a fusion has changed bypasses the cache
    Copies<S> copies;
  };
  NORMA_INLINE void start(index_t first, index_t count, Tile& tile) const {
    tile.first = first;
    tile.count = count;
    const bool copies = way_ == Way::staged || converts_;
    for (std::size_t s = 0; copies && s < S; ++s) tile.copies.of[s] = copy_of(s, tile);
    if (copies) tile.copies.share(Length, fused_ != nullptr);
    for (std::size_t s = 0; s < S; ++s) layout_.kept.offsets(stream_[s].stream(), first, way_ == Way::lanes ? 1 : count, tile.offset[s]);
  }
  /// Whether a written tensor can bypass the cache: rows begin on cache lines, or go one by one, from the first line on; or whole registers
  /// of lanes begin on lines in every row.
  bool can_stream(const Tile& tile, std::size_t s, bool together) const {
    if (way_ == Way::staged || converts_) return false;
    if (way_ == Way::rows && !together) return true;
    const index_t rows = way_ == Way::lanes ? 1 : tile.count;
    std::uintptr_t bits = 0;
    for (index_t r = 0; r < rows; ++r) bits |= reinterpret_cast<std::uintptr_t>(stream_[s].data(tile.offset[s][r]));
    if (way_ == Way::lanes) bits |= static_cast<std::uintptr_t>(lane_stride(s)) * sizeof(U);
    return bits % 64 == 0;
  }

  /// Whether rows whose s-th tensor is written go side by side.
  bool together(const Tile& tile, index_t size, std::size_t s) const {
    if (way_ != Way::rows) return false;
    typename RowCells<A>::template Of<U> tensor[S];
    for (std::size_t t = 0; t < S; ++t) tensor[t] = {stream_[t].data(0), tile.offset[t]};
    return rows_go_together<A, Outputs>(tile.count, size, tensor, s);
  }
  /// How many bytes the rows of a tensor that are `tiles` tiles later lie behind their like: to be asked for where memory is far. 0 where
  /// it is near, or that is not one distance.
  index_t ahead(std::size_t s, index_t tiles) const {
    const bool is_far = layout_.sets * layout_.set_size >= far_bytes / static_cast<index_t>(sizeof(U));
    if (way_ != Way::rows || layout_.kept.count != 1 || !is_far) return 0;
    return layout_.kept.axis[0].stride[stream_[s].stream()] * most_ * tiles * static_cast<index_t>(sizeof(U));
  }
  /// Elements that are swept at once; `stages`: so are others, which are read for them.
  index_t step(const Tile& tile, index_t size, bool stages) const {
    if (way_ == Way::lanes && converts_) return tile.copies.run / padded_sets(at_once(tile.count));
    if (way_ == Way::lanes || stages) return length;
    return way_ == Way::staged ? tile.copies.run : size;
  }
  /// By how many the first of these elements are fewer, so that those after them begin on lines of an output that a fusion puts past the
  /// cache.
  index_t shorter(const Tile& tile, index_t step) const {
    if (way_ != Way::staged || fused_ == nullptr || !tile.copies.of[output].targeted) return 0;
    const auto behind_line =
        static_cast<index_t>(reinterpret_cast<std::uintptr_t>(stream_[output].data(tile.offset[output][0])) % 64 / sizeof(A));
    return behind_line < step ? behind_line : 0;
  }

  /// f(cells, tensors of these cells, first of them in the tile) for elements [i, i + n), n <= length, of the tile's cells [begin, end).
  /// The first tensor is multiplied by `scale` where it is staged.
  template <class F>
  NORMA_INLINE void each_cells(const Tile& tile, index_t begin, index_t end, index_t i, index_t n, A scale, bool together, F&& f) const {
    if (way_ == Way::lanes) {
      if (converts_) return each_converted(tile, begin, end, i, n, scale, f);
      typename LaneCells<A>::template Of<U> tensor[S];
      for (std::size_t s = 0; s < S; ++s) tensor[s] = {stream_[s].data(tile.offset[s][0]) + begin + i * lane_stride(s), lane_stride(s)};
      f(LaneCells<A>{end - begin, several_}, tensor, begin);
      return;
    }
    if (way_ == Way::staged) return each_staged(tile, begin, end, i, n, scale, f);
    typename RowCells<A>::template Of<U> tensor[S];
    for (std::size_t s = 0; s < S; ++s) tensor[s] = {stream_[s].data(i), tile.offset[s] + begin};
    f(RowCells<A>{end - begin, together}, tensor, begin);
  }

  /// The same for a tile across lanes and elements [i, i + n) of all its cells, step by step: f(cells, elements of the step, tensors, first
  /// cell).
  template <class F>
  NORMA_INLINE void each_chain_step(const Tile& tile, index_t i, index_t n, A scale, F&& f) const {
    const index_t most = step(tile, n, false);
    for (index_t e = 0, elements; e < n; e += elements) {
      elements = n - e < most ? n - e : most;
      each_cells(tile, 0, tile.count, i + e, elements, scale, false,
                 [&]<class Cells>(const Cells& cells, auto& tensor, index_t first) NORMA_INLINE_LAMBDA {
                   if constexpr (std::is_same_v<Cells, LaneCells<A>>) f(cells, elements, tensor, first);
                 });
    }
  }

 private:
  /// As many rows at once as the buffers hold. Out of line, for only who stages should pay for the memory.
  template <class F>
  NORMA_NOINLINE void each_staged(const Tile& tile, index_t begin, index_t end, index_t i, index_t n, A scale, F& f) const {
    const index_t pitch = (n + pack_size<A> - 1) / pack_size<A> * pack_size<A>;
    const index_t most = tile.copies.run > pitch ? tile.copies.run / pitch : 1;
    index_t place[tile_rows];
    for (index_t r = 0; r < most && r < end - begin; ++r) place[r] = r * pitch;
    typename RowCells<A>::template Of<A> tensor[S];
    alignas(64) A memory[S * Length];
    A* buffer[S];
    for (std::size_t s = 0; s < S; ++s) buffer[s] = memory + tile.copies.of[s].place;
    for (index_t r = begin, rows; r < end; r += rows) {
      rows = end - r < most ? end - r : most;
      Numbers<const A> from[S];
      for (std::size_t s = 0; s < S; ++s) {
        const index_t* const offset = tile.offset[s] + r;
        const Copy& copy = tile.copies.of[s];
        tensor[s] = {buffer[s], place};
        if (copy.lies) {
          if (!copy.changes) tensor[s] = {elements(s, i), offset};
          from[s] = {elements(s, i), offset, 0};
        } else {
          from[s] = {buffer[s], place, 0};
          if (s < Outputs || (reads_outputs_ && stream_[s].present()))
            stream_[s].stage_rows(offset, rows, i, n, buffer[s], pitch, copy.changes || s > 0 ? A(1) : scale);
        }
      }
      bool in_a_row = rows > 1 && fused_ != nullptr && fused_->continues(n);
      for (std::size_t s = 0; s < S; ++s) in_a_row = in_a_row && (tensor[s].first != buffer[s] || pitch == n);
      Swept<A> swept{tile.pass, false, tile.first, r, rows, i, n, tile.x_hat, tile.of_cells, tile.streams, in_a_row};
      if (tile.copies.of[output].targeted) swept.past_cache = {elements(output, i), tile.offset[output] + r, 0};
      with_fusion(swept, from, tensor, scale, [&] { f(RowCells<A>{rows, false}, tensor, r); });
      if (!is_put(tile)) continue;
      if (std::is_same_v<A, U> && tile.streams && stream_[output].direct()) {
        for (index_t k = 0; k < rows; ++k) copy_past_cache(elements(output, tile.offset[output][r + k] + i), buffer[output] + k * pitch, n);
      } else {
        stream_[output].unstage_rows(tile.offset[output] + r, rows, i, n, buffer[output], pitch);
      }
    }
  }

  /// Cells across lanes, as many at once as the buffers hold.
  template <class F>
  NORMA_NOINLINE void each_converted(const Tile& tile, index_t begin, index_t end, index_t i, index_t n, A scale, F& f) const {
    constexpr index_t W = pack_size<A>;
    const index_t all = padded_sets(at_once(end - begin)), fit = tile.copies.run / n / W * W, pitch = all < fit ? all : fit;
    typename LaneCells<A>::template Of<A> tensor[S];
    alignas(64) A memory[S * Length];
    A* buffer[S];
    for (std::size_t s = 0; s < S; ++s) buffer[s] = memory + tile.copies.of[s].place;
    for (index_t cell = begin, cells; cell < end; cell += cells) {
      cells = end - cell < pitch ? end - cell : pitch;
      Numbers<const A> from[S];
      for (std::size_t s = 0; s < S; ++s) {
        const index_t offset = tile.offset[s][0] + cell + i * lane_stride(s);
        const Copy& copy = tile.copies.of[s];
        tensor[s] = {buffer[s], pitch};
        if (copy.lies) {
          if (!copy.changes) tensor[s] = {elements(s, offset), lane_stride(s)};
          from[s] = {elements(s, offset), nullptr, lane_stride(s)};
        } else {
          from[s] = {buffer[s], nullptr, pitch};
          if (s < Outputs || (reads_outputs_ && stream_[s].present()))
            stream_[s].stage_lanes(offset, lane_stride(s), n, cells, buffer[s], pitch, copy.changes || s > 0 ? A(1) : scale);
        }
      }
      Swept<A> swept{tile.pass, true, tile.first, cell, cells, i, n, tile.x_hat, tile.of_cells, tile.streams};
      const index_t at = tile.offset[output][0] + cell + i * lane_stride(output);
      if (tile.copies.of[output].targeted) swept.past_cache = {elements(output, at), nullptr, lane_stride(output)};
      with_fusion(swept, from, tensor, scale, [&] { f(LaneCells<A>{cells, true}, tensor, cell); });
      if (!is_put(tile)) continue;
      if (tile.streams && !converted_[output]) {
        for (index_t e = 0; e < n; ++e) copy_past_cache(elements(output, at + e * lane_stride(output)), buffer[output] + e * pitch, cells);
      } else {
        stream_[output].unstage_lanes(at, lane_stride(output), n, cells, buffer[output], pitch);
      }
    }
  }

  /// How many of so many neighbours are copied together: as many as the buffers hold, or a block of a fusion.
  index_t at_once(index_t cells) const {
    const index_t most = fused_ == nullptr || fused_->lanes_lie(row_) ? Length : tile_lanes<A>;
    return cells < most ? cells : most;
  }

  Copy copy_of(std::size_t s, const Tile& tile) const {
    const bool direct = std::is_same_v<A, U> && (way_ == Way::lanes ? !converted_[s] : stream_[s].direct());
    const bool lies = direct && stream_[s].present() && (s > 0 || !scales_);
    if (fused_ == nullptr) return {lies};
    const auto& changes = fused_->changes(tile.pass);
    const auto is_in = [&](StreamSet set) { return (set >> stream_[s].stream() & 1u) != 0; };
    const bool enters = s < Outputs && is_in(changes.enters);
    if (s < Outputs) return {lies || (direct && enters), enters};
    const bool leaves = is_in(tile.streams ? changes.leaves : changes.leaves & ~changes.in_place);
    const bool taken = lies && !(leaves && reads_outputs_);  // what is added to is copied, too
    return {taken, leaves, taken && leaves && tile.streams && is_in(changes.targeted)};
  }
  /// Whether the output is in its copy and has to be put where it belongs.
  bool is_put(const Tile& tile) const {
    const Copy& copy = tile.copies.of[output];
    return maps && stream_[output].present() && copy.present() && !copy.targeted && tile.pass != Pass::measure;
  }
  A* elements(std::size_t s, index_t offset) const { return reinterpret_cast<A*>(stream_[s].data(offset)); }

  template <class Of, class F>
  NORMA_INLINE void with_fusion(const Swept<A>& swept, const Numbers<const A> (&from)[S], const Of (&tensor)[S], A scale,
                                F&& kernels) const {
    if (fused_ == nullptr) return kernels();
    fused_->template around<maps>(swept, stream_[0].stream(), from, tensor, scale, kernels);
  }
  index_t lane_stride(std::size_t s) const {
    return layout_.averaged.count == 0 ? 0 : layout_.averaged.axis[0].stride[stream_[s].stream()];
  }

  const Layout& layout_;
  const FusedStreams<A>* fused_;
  Way way_ = Way::rows;
  index_t row_ = 1;  // cells that lie side by side in all tensors
  index_t most_ = tile_rows;
  bool several_ = false;
  bool reads_outputs_;
  bool scales_;        // the first tensor may be
  bool converts_;      // some elements are of another type, or changed before kernels see them
  bool converted_[S];  // these
  SetStream<A, U> stream_[S];
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
