// Norms whose normalized axes are split over processes (tensor parallelism): every rank holds a shard of each set.
#pragma once

#include <norma/engine/exchange.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The kept extents of x, which must agree on all ranks before longer tables can travel. ShapeError on all ranks where they do not, or
/// where one has an `error`.
inline void agree_on_sets(const CommunicatorRef& ranks, const char* layer, const std::string& error, const Extents& x, AxisSet averaged) {
  RankTable table(layer, ranks, max_rank + 1);
  index_t kept = 0;
  for (int a = 0; error.empty() && a < x.size(); ++a) {
    if ((averaged >> a & 1u) == 0) table.mine()[1 + kept++] = static_cast<double>(x[a]);
  }
  table.mine()[0] = static_cast<double>(kept);
  table.exchange(error);
  for (int r = 1; r < ranks.size(); ++r) {
    for (int i = 0; i <= max_rank; ++i) {
      if (table.of(r)[i] != table.of(0)[i]) raise_shape_error(layer, ": ranks 0 and ", r, " keep axes of different extents");
    }
  }
}

/// Moments of this rank's shard of every set; the statistic says which are to be summed again at another scale.
template <class A, class X>
inline void fold_shard(const ExecutorRef& executor, const Statistic& statistic, AxisSet averaged, const TensorView<X>& x,
                       SharedMoments& shared) {
  if (x.size() == 0) return;
  Operands operands;
  operands[stream_x] = Operand(x);
  const Cells cells(x.extents(), averaged, operands);
  Buffer<double> memory(3 * cells.count());
  const MomentArrays moments{memory.data(), memory.data() + cells.count(), memory.data() + 2 * cells.count()};
  const CellFold<A> fold(x.extents(), averaged, operands, lanes_suit(cells.walk, stream_x));
  parallel_sets(executor, cells.count(), x.size(), [&](index_t first, index_t last) { fold.run(first, last, moments); });
  for (index_t i = 0; i < cells.count(); ++i) {
    if (!is_ordinary<A>(moments.variance[i], statistic.rstd(moments.variance[i], 0))) fold.rerun(i, moments);
    shared.put(cells.layout.kept.offset(stream_stat, i), {two_sum(moments.pivot[i], moments.mean[i]), 0, moments.variance[i]},
               cells.layout.set_size);
  }
}

/// Forward over all ranks' shards; with `saved`, statistics are left there (the caller commits it).
template <class P, class X, class Y>
inline void normalize_shards(const ExecutorRef& executor, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                             const Statistic& statistic, AxisSet averaged, const TensorView<X>& x, const TensorView<Y>& y,
                             const AffineOperands& affine, Saved<P>* saved) {
  using A = Wider<P, std::remove_const_t<X>>;
  agree_on_sets(ranks, layer, error, x.extents(), averaged);
  const index_t sets = set_count(x.extents(), averaged);
  SharedMoments shared(layer, ranks, sets);
  fold_shard<A>(executor, statistic, averaged, x, shared);
  shared.exchange({});
  const index_t elements = shared.count();
  const auto statistics_of = [&](index_t set) {
    SetStatistics s = shared.merged(statistic, set);
    if (!statistic.centred()) {
      if (elements == 0) return s;
      const double mean_square = std::fma(s.mean.high, s.mean.high, s.second);
      s = {{0, 0}, finite_rstd(mean_square, statistic.rstd(mean_square, static_cast<double>(elements))), mean_square};
    }
    return s;
  };
  if (saved != nullptr) {
    const StatisticArrays statistics = saved->prepare(sets, statistic.centred());
    for (index_t set = 0; set < sets; ++set) statistics.put(set, statistics_of(set));
    saved->prepare_table(1)[0] = static_cast<double>(shared.count());
  }
  if (x.size() == 0) return;
  const Operands operands = forward_operands<A>(x, y, affine);
  const Layout layout(x.extents(), averaged, operands);
  const ForwardPass<A> pass(statistic, layout, operands, affine.template offset<A>(), {}, false);
  parallel_sets(executor, layout.sets, x.size(), [&](index_t first, index_t last) {
    for (; first < last; ++first) pass.apply(first, statistics_of(layout.kept.offset(stream_stat, first)));
  });
}

/// Its backward. Parameter gradients += those of this rank's shard, which are whole.
template <class P, class DY, class X, class DX>
inline void pull_back_shards(const ExecutorRef& executor, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                             const Statistic& statistic, AxisSet averaged, const TensorView<DY>& dy, const TensorView<X>& x,
                             Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine) {
  using A = Wider<P, std::remove_const_t<X>>;
  agree_on_sets(ranks, layer, error, x.extents(), averaged);
  const index_t sets = set_count(x.extents(), averaged);
  const SharedSums exchange(layer, ranks, sets, saved.table()[0]);
  if (x.size() == 0) {
    exchange.take_part({});
    return;
  }
  Operands operands = backward_operands<A>(dy, x, dx, affine);
  const Operand to = std::exchange(operands[stream_y], Operand());
  Buffer<double> sums(2 * sets);
  // A first sweep without dx for the sums and the parameter gradients, a second one for dx.
  Buffer<std::byte>& scratch = saved.scratch();
  const A offset = affine.template offset<A>();
  const SetTotals totals{sums.data(), sums.data() + sets, 0};
  {
    const Layout layout(x.extents(), averaged, operands);
    BackwardPass<A> pass(statistic, layout, operands, offset, saved.statistics(), false);
    pass.complete_through(totals);
    if (pass.wants_gradients()) {
      pass.run_with_gradients(executor, scratch);
    } else {
      parallel_sets(executor, layout.sets, x.size(), [&](index_t first, index_t last) { pass.run(first, last); });
    }
  }
  const index_t elements = static_cast<index_t>(exchange(totals.g, totals.g_x_hat, sets, 0));
  if (!to.present()) return;
  operands[stream_y] = to;
  operands[stream_weight_grad] = operands[stream_bias_grad] = Operand();
  const Layout layout(x.extents(), averaged, operands);
  BackwardPass<A> pass(statistic, layout, operands, offset, saved.statistics(), false);
  pass.complete_through({totals.g, totals.g_x_hat, elements});
  parallel_sets(executor, layout.sets, x.size(), [&](index_t first, index_t last) { pass.run(first, last); });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
