// Parameters of a call: a number for each cell, or numbers along the elements of cells, read run by run.
#pragma once

#include <norma/engine/sweep.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// N parameters. Where one of them has a number per element, cells that share these are swept together: all that lie across lanes, and rows
/// one behind the other.
template <class A, std::size_t N>
class ElementParameters {
 public:
  /// `added` is added to each number of the first.
  ElementParameters(const Operands& operands, const Layout& layout, const Stream (&streams)[N], A added)
      : kept_(layout.kept), added_(added) {
    for (std::size_t k = 0; k < N; ++k) {
      stream_[k] = SetStream<A>(operands, layout, streams[k]);
      alike_ = alike_ && layout.kept.broadcasts(streams[k]);
      vary_ = vary_ || !stream_[k].constant();
      in_place_ = in_place_ && (stream_[k].constant() || stream_[k].direct());
    }
  }

  /// Whether one has numbers per element; which does not.
  bool vary() const { return vary_; }
  bool constant(std::size_t k) const { return stream_[k].constant(); }
  /// Whether reading them stages more than a register.
  bool stage() const { return vary_ && !in_place_; }
  /// The numbers of cells in which the k-th is constant.
  void values(std::size_t k, const index_t* offset, index_t n, double* column) const { stream_[k].values(offset, n, column); }

  /// f(begin, end, i, n, numbers) for runs [begin, end) of the `count` cells from `first` on, and for elements [i, i + n) of theirs among
  /// `elements`, n at most `step`, which is at most Length if they stage(), and at first `shorter` less. There are no numbers where nothing
  /// varies.
  template <index_t Length, class F>
  NORMA_INLINE void each(Way way, index_t first, index_t count, Elements elements, index_t step, index_t shorter, F&& f) const {
    const bool alike = !vary_ || alike_ || way == Way::lanes;
    index_t offset[N][tile_rows];
    for (std::size_t k = 0; vary_ && k < N; ++k) kept_.offsets(stream_[k].stream(), first, alike ? 1 : count, offset[k]);
    for (index_t begin = 0, end; begin < count; begin = end) {
      end = alike ? count : end_of_run(offset, begin, count);
      for (index_t i = elements.first, n = step - shorter; i < elements.last; i += n, n = step) {
        if (n > elements.last - i) n = elements.last - i;
        alignas(64) A memory[N][Length];
        ElementWeight<A> numbers[N] = {};
        for (std::size_t k = 0; vary_ && k < N; ++k) numbers[k] = read(k, offset[k][begin], i, n, memory[k]);
        f(begin, end, i, n, numbers);
      }
    }
  }

 private:
  static index_t end_of_run(const index_t (&offset)[N][tile_rows], index_t begin, index_t count) {
    const auto same = [&](index_t i) {
      bool result = true;
      for (std::size_t k = 0; k < N; ++k) result = result && offset[k][i] == offset[k][begin];
      return result;
    };
    index_t end = begin + 1;
    while (end < count && same(end)) ++end;
    return end;
  }
  /// Elements [i, i + n) of the cell at `offset`: straight from memory, staged, or one number, of which a register's worth is laid out.
  NORMA_INLINE ElementWeight<A> read(std::size_t k, index_t offset, index_t i, index_t n, A* memory) const {
    const A added = k == 0 ? added_ : A(0);
    if (!stream_[k].constant()) return {stream_[k].read(offset, i, n, memory), 1, added};
    const A number = static_cast<A>(stream_[k].value(offset));
    for (int l = 0; l < lanes<A>; ++l) memory[l] = number;
    return {memory, 0, added};
  }

  const AxisList& kept_;
  SetStream<A> stream_[N];
  A added_;
  bool alike_ = true;  // all cells have the same
  bool vary_ = false;
  bool in_place_ = true;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
