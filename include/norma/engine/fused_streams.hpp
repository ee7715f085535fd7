// FusedStreams: the streams of a fused call, as its sweeps see them.
#pragma once

#include <cstring>

#include <norma/engine/block.hpp>
#include <norma/engine/way.hpp>
#include <norma/kernels/cells.hpp>
#include <norma/kernels/elementwise.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What a sweep is about: of the tile whose first cell is `first`, its cells [cell, cell + cells).
template <class A>
struct Swept {
  Pass pass;
  bool lanes;
  index_t first, cell, cells, i, n;
  const Coefficients<A>& x_hat;
  A* of_cells;
  bool is_far = false;         ///< outputs bypass the cache
  bool in_a_row = false;       ///< all elements of these cells, one behind the other in every tensor of the sweep
  Numbers<A> past_cache = {};  ///< where the output is put by the fusion itself

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

  FusedStreams(const AnyFusion* fusion, const Extents& x, const Roles& roles, const Operands& operands, double weight_offset, bool stores)
      : fusion_(static_cast<const Fusion<A>*>(fusion)), weight_offset_(static_cast<A>(weight_offset)) {
    if (fusion == nullptr) return;
    all_ = fusion_->memory().take({operands, Layout(x, roles, operands)});
    for (const Pass pass : {Pass::probe, Pass::fold, Pass::refold, Pass::measure, Pass::map})
      changes_[static_cast<int>(pass)] = fusion_->changes(pass, operands, stores);
    stores_sum_ = fusion_->stores_sum(operands, stores);
    if (fusion_->elementwise()) see_how_streams_lie();
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
  /// Whether rows of x + residual may be made before kernels see them, in the sum itself: all three are rows of elements U.
  template <class U>
  bool adds_rows() const {
    return stores_sum_ && fusion_->stores_plain_sum() && are_rows<U>({stream_x, stream_residual, stream_sum});
  }
  template <class U>
  void add_rows(index_t first, index_t count) const {
    const index_t size = all_->layout.set_size;
    with_bool(all_->layout.sets * size >= far_bytes / static_cast<index_t>(sizeof(U)), [&](auto ahead) {
      for (index_t cell = first; cell < first + count; ++cell)
        combine_as<A, ahead.value>(row<U>(stream_sum, cell), size, false, Sum<A>(), row<U>(stream_x, cell), row<U>(stream_residual, cell));
    });
  }
  /// Whether rows of sum_grad may be copied to dx, for kernels to add to.
  template <class U>
  bool copies_rows() const {
    return present() && fusion_->adds_sum_grad_alone(all_->operands) && are_rows<U>({stream_dy, stream_x, stream_y, stream_sum_grad});
  }
  template <class U>
  void copy_rows(index_t first, index_t count) const {
    for (index_t cell = first; cell < first + count; ++cell)
      std::memcpy(row<U>(stream_y, cell), row<U>(stream_sum_grad, cell), static_cast<std::size_t>(all_->layout.set_size) * sizeof(U));
  }
  /// Whether no stream needs copies beside `row` neighbours across lanes.
  bool lanes_lie(index_t row) const { return lanes_ >= row; }
  /// Whether so many elements, all of a cell, continue those of the cell before in every stream.
  bool continues(index_t n) const { return continues_ && n == all_->layout.set_size; }
  const Changes& changes(Pass pass) const { return changes_[static_cast<int>(pass)]; }
  bool any(Pass pass) const { return (changes(pass).enters | changes(pass).leaves) != 0; }
  /// For a sweep: this, if it has to know of it.
  const FusedStreams* in(Pass pass) const { return any(pass) ? this : nullptr; }

  /// What the kernels do, between what a fusion does with their inputs and with their outputs. What is changed is scaled behind it; the
  /// first tensor is that stream.
  template <bool Maps, std::size_t S, class Of, class F>
  NORMA_INLINE void around(const Swept<A>& swept, Stream first, const Numbers<const A> (&from)[S], const Of (&tensor)[S], A scale,
                           const F& kernels) const {
    const Changes& of_pass = changes(swept.pass);
    Numbers<A> to[S];
    for (std::size_t s = 0; s < S; ++s) {
      if constexpr (std::is_same_v<Of, typename LaneCells<A>::template Of<A>>) {
        to[s] = {tensor[s].first, nullptr, tensor[s].stride};
      } else {
        to[s] = {tensor[s].first, tensor[s].offset, 0};
      }
    }
    if (of_pass.enters != 0) enter(swept, from, to);
    if (scale != A(1) && (of_pass.enters >> first & 1u) != 0) swept.scale(to[0], scale);
    kernels();
    if (Maps && of_pass.leaves != 0) leave(swept, to);
  }

 private:
  NORMA_NOINLINE void enter(const Swept<A>& swept, const Numbers<const A>* from, const Numbers<A>* to) const {
    fusion_->enter(block(swept), from, to);
  }
  NORMA_NOINLINE void leave(const Swept<A>& swept, const Numbers<A>* made) const { fusion_->leave(block(swept), made); }

  /// f(stream) for x and dy, y or dx, and what is fused with them.
  template <class F>
  void each_stream(F&& f) const {
    for (StreamSet left = all_->operands.present() & (fused_streams | set_of({stream_x, stream_dy, stream_y})); left != 0; left &= left - 1)
      f(static_cast<Stream>(std::countr_zero(left)));
  }
  void see_how_streams_lie() {
    const Layout& layout = all_->layout;
    rows_lie_ = continues_ = true;
    lanes_ = layout.averaged.count <= 1 ? layout.sets : 0;
    each_stream([&](Stream s) {
      rows_lie_ = rows_lie_ && are_rows<A>({s});
      continues_ = continues_ && rows_lie_ && layout.kept.run(s, layout.set_size) == layout.sets;
      const index_t row = all_->operands[s].template is<A>() ? layout.kept.run(s, 1) : 0;
      if (row < lanes_) lanes_ = row;
    });
  }
  template <class U>
  bool are_rows(std::initializer_list<Stream> streams) const {
    bool result = true;
    for (const Stream s : streams) {
      const SetStream<A, U> stream(all_->operands, all_->layout, s);
      result = result && stream.direct() && !stream.constant();
    }
    return result;
  }
  template <class U>
  U* row(Stream s, index_t cell) const {
    return static_cast<U*>(all_->operands[s].data) + all_->layout.kept.offset(s, cell);
  }
  Block<A> block(const Swept<A>& s) const {
    return {all_->layout,
            all_->operands,
            s.pass,
            stores_sum_,
            s.lanes,
            s.first + s.cell,
            s.in_a_row ? 1 : s.cells,
            s.i,
            s.in_a_row ? s.cells * s.n : s.n,
            weight_offset_,
            s.x_hat.mean == nullptr ? s.x_hat : s.x_hat.from(s.cell),
            s.of_cells == nullptr ? nullptr : s.of_cells + s.cell,
            s.lanes ? s.cells > 1 && lanes_ > 0 && (s.first + s.cell) % lanes_ + s.cells <= lanes_ : rows_lie_,
            s.is_far,
            s.past_cache};
  }

  const Fusion<A>* fusion_;
  A weight_offset_;
  Changes changes_[5] = {};
  bool stores_sum_ = false;
  bool rows_lie_ = false, continues_ = false;
  index_t lanes_ = 0;  // neighbours in every stream
  FusedTensors* all_ = nullptr;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
