// Forward of a plain norm, set by set while hot: fold, resolve, map.
#pragma once

#include <norma/engine/fold.hpp>
#include <norma/engine/set_stream.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Calls f(std::true_type) or f(std::false_type).
template <class F>
NORMA_INLINE void with_bool(bool value, F&& f) {
  if (value) {
    f(std::true_type());
  } else {
    f(std::false_type());
  }
}

/// A is the arithmetic type, P that of the statistics.
template <class A, class P, Formula F>
class ForwardPass {
 public:
  ForwardPass(const F& formula, const Layout& layout, const Operands& operands, A weight_offset, const StatisticArrays<P>& statistics,
              bool streaming)
      : formula_(formula),
        layout_(layout),
        x_(operands, layout, stream_x),
        y_(operands, layout, stream_y),
        weight_(operands, layout, stream_weight),
        bias_(operands, layout, stream_bias),
        weight_offset_(weight_offset),
        statistics_(statistics),
        streaming_(streaming) {
    direct_ = x_.direct() && y_.direct() && in_place_for_kernel(weight_, operands[stream_weight]) && in_place_for_kernel(bias_, operands[stream_bias]);
  }

  /// Normalizes sets [first, last).
  void run(index_t first, index_t last) const {
    const index_t tile = layout_.set_size <= pivot_length ? most_rows : 4;
    for (; first < last; first += tile) {
      const index_t rows = last - first < tile ? last - first : tile;
      if (direct_ && normalize_tile(first, rows)) continue;
      for (index_t r = 0; r < rows; ++r) normalize_set(first + r);
    }
    if (streaming_) streaming_fence();
  }

  /// Normalizes one set through tiles where its memory asks for it, rescaled where its squares leave the range of A.
  void normalize_set(index_t set) const {
    Tile<A> tile;
    const index_t x = layout_.kept.offset(stream_x, set);
    const F* formula = &formula_;
    F rescaled = formula_;
    A scale(1);
    SetStatistics s;
    for (;;) {
      PivotedMoments<1> folded;
      fold_sets<F, 1, A>(layout_.set_size, folded,
                         [&](index_t first, index_t count, const A*(&p)[1]) { p[0] = x_.read(x, first, count, tile.element, scale); });
      const double second = folded.second[0];
      const double rstd = formula->rstd(second);
      s.mean = two_sum(folded.pivot[0], folded.moments[0].mean);
      s.rstd = finite_rstd(second, rstd);
      if (formula == &rescaled || is_ordinary<A>(second, rstd)) break;
      scale = scale_to_one(largest_magnitude(x, tile));
      rescaled = formula_.scaled(static_cast<double>(scale));
      formula = &rescaled;
    }
    map_set(set, coefficients<A>(s), scale);
    const double unscale = 1.0 / static_cast<double>(scale);
    statistics_.put(layout_.kept.offset(stream_stat, set), {{s.mean.high * unscale, s.mean.low * unscale}, s.rstd * static_cast<double>(scale)});
  }

 private:
  static constexpr index_t most_rows = 16;
  static constexpr std::size_t interleaved = interleaved_rows<A>;

  struct Table {
    alignas(64) double pivot[most_rows];
    alignas(64) double mean[most_rows];
    alignas(64) double second[most_rows] = {};
    alignas(64) double rstd[most_rows];
    index_t x[most_rows];
  };

  static bool in_place_for_kernel(const SetStream<A>& s, const Operand& operand) {
    return operand.type == element_type_of<A> && (s.constant() || s.direct());
  }

  /// Rows side by side, straight on the tensors. False, with nothing written, if a row's squares leave the range of A.
  bool normalize_tile(index_t first, index_t rows) const {
    Table t;
    for (index_t r = 0; r < rows; ++r) t.x[r] = layout_.kept.offset(stream_x, first + r);
    index_t r = 0;
    for (; r + rows_of<interleaved> <= rows; r += rows_of<interleaved>) fold_rows<interleaved>(t, r);
    for (; r < rows; ++r) fold_rows<1>(t, r);
    for (r = 0; r < rows; r += pack_size<double>) store(t.rstd + r, formula_.rstd(load(t.second + r)));
    Coefficients<A> c[most_rows];
    for (r = 0; r < rows; ++r) {
      if (!is_ordinary<A>(t.second[r], t.rstd[r])) return false;
    }
    for (r = 0; r < rows; ++r) {
      SetStatistics s;
      if constexpr (F::centred) s.mean = two_sum(t.pivot[r], t.mean[r]);
      s.rstd = t.rstd[r];
      c[r] = coefficients<A>(s);
      if (statistics_.rstd != nullptr) statistics_.put(layout_.kept.offset(stream_stat, first + r), s);
    }
    map_tile(first, rows, t, c);
    return true;
  }

  template <std::size_t R>
  NORMA_INLINE void fold_rows(Table& t, index_t r) const {
    PivotedMoments<R> folded;
    fold_sets<F, R, A>(layout_.set_size, folded, [&](index_t first, index_t, const A*(&p)[R]) __attribute__((always_inline)) {
      for (index_t i = 0; i < rows_of<R>; ++i) p[i] = x_.data(t.x[r + i]) + first;
    });
    for (index_t i = 0; i < rows_of<R>; ++i) {
      t.pivot[r + i] = folded.pivot[i];
      t.mean[r + i] = folded.moments[i].mean;
      t.second[r + i] = folded.second[i];
    }
  }

  NORMA_INLINE void map_tile(index_t first, index_t rows, const Table& t, const Coefficients<A>* c) const {
    index_t y[most_rows], weight[most_rows], bias[most_rows];
    for (index_t r = 0; r < rows; ++r) {
      y[r] = layout_.kept.offset(stream_y, first + r);
      weight[r] = layout_.kept.offset(stream_weight, first + r);
      bias[r] = layout_.kept.offset(stream_bias, first + r);
    }
    for (index_t r = 0; r < rows;) {
      bool share = r + rows_of<interleaved> <= rows;
      for (index_t i = 1; i < rows_of<interleaved> && share; ++i) share = weight[r + i] == weight[r] && bias[r + i] == bias[r];
      const AffineRun<A> affine{weight_.data(weight[r]), bias_.data(bias[r]), weight_offset_};
      if (share) {
        map_rows<interleaved>(t.x + r, y + r, c + r, affine);
        r += rows_of<interleaved>;
      } else {
        map_rows<1>(t.x + r, y + r, c + r, affine);
        r += 1;
      }
    }
  }

  template <std::size_t R>
  NORMA_INLINE void map_rows(const index_t* x, const index_t* y, const Coefficients<A>* c, const AffineRun<A>& affine) const {
    const A* px[R];
    A* py[R];
    Coefficients<A> coefficient[R];
    for (index_t r = 0; r < rows_of<R>; ++r) {
      px[r] = x_.data(x[r]);
      py[r] = y_.data(y[r]);
      coefficient[r] = c[r];
    }
    map_pointers<R>(px, py, layout_.set_size, coefficient, affine);
  }

  template <std::size_t R>
  NORMA_INLINE void map_pointers(const A* const (&x)[R], A* const (&y)[R], index_t n, const Coefficients<A> (&c)[R], const AffineRun<A>& affine) const {
    bool aligned = streaming_;
    for (index_t r = 0; r < rows_of<R>; ++r) aligned = aligned && reinterpret_cast<std::uintptr_t>(y[r]) % 64 == 0;
    with_bool(!weight_.constant(), [&](auto weight_runs) {
      with_bool(!bias_.constant(), [&](auto bias_runs) {
        with_bool(aligned, [&](auto stream) { map_run<weight_runs.value, bias_runs.value, stream.value>(x, y, n, c, affine); });
      });
    });
  }

  void map_set(index_t set, const Coefficients<A>& c, A scale) const {
    Tile<A> x_tile, y_tile, weight_tile, bias_tile;
    const index_t x = layout_.kept.offset(stream_x, set), y = layout_.kept.offset(stream_y, set);
    const index_t weight = layout_.kept.offset(stream_weight, set), bias = layout_.kept.offset(stream_bias, set);
    const A one_weight = weight_.constant() ? weight_.value(weight) : A(0);
    const A one_bias = bias_.constant() ? bias_.value(bias) : A(0);
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const A* px[1] = {x_.read(x, first, count, x_tile.element, scale)};
      A* py[1] = {y_.target(y, first, y_tile.element)};
      const AffineRun<A> affine{weight_.constant() ? &one_weight : weight_.read(weight, first, count, weight_tile.element),
                                bias_.constant() ? &one_bias : bias_.read(bias, first, count, bias_tile.element), weight_offset_};
      map_pointers<1>(px, py, count, {c}, affine);
      y_.write(y, first, count, py[0]);
    }
  }

  A largest_magnitude(index_t x, Tile<A>& tile) const {
    A largest(0);
    for (index_t first = 0; first < layout_.set_size; first += block_length) {
      const index_t count = layout_.set_size - first < block_length ? layout_.set_size - first : block_length;
      const A* p = x_.read(x, first, count, tile.element);
      for (index_t i = 0; i < count; ++i) largest = !(std::fabs(p[i]) <= largest) ? std::fabs(p[i]) : largest;
    }
    return largest;
  }

  const F& formula_;
  const Layout& layout_;
  SetStream<A> x_, y_, weight_, bias_;
  A weight_offset_;
  StatisticArrays<P> statistics_;
  bool streaming_;
  bool direct_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
