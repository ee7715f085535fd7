// Norms whose normalized axes are split over processes (tensor parallelism): every rank holds a shard of each set.
#pragma once

#include <norma/doors/normalize.hpp>
#include <norma/engine/ranks.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

/// What a forward over shards leaves for its backward.
template <class P>
inline void keep_shared(const SharedMoments& shared, const Statistic& statistic, index_t sets, Saved<P>& saved) {
  const StatisticArrays statistics = saved.prepare(sets, statistic.centred());
  for (index_t set = 0; set < sets; ++set) statistics.put(set, shared.merged(statistic, set));
  saved.prepare_table(1)[0] = static_cast<double>(shared.count());
}

/// Forward over all ranks' shards; with `saved`, statistics are left there (the caller commits it).
template <class P, class X, class Y>
inline void normalize_shards(const CallRef& call, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                             const Statistic& statistic, AxisSet averaged, const TensorView<X>& x, const TensorView<Y>& y,
                             const AffineOperands& affine, Saved<P>* saved) {
  using A = Arithmetic<P, X, Y>;
  agree_on_sets(ranks, layer, error, x.extents(), averaged);
  const index_t sets = set_count(x.extents(), averaged);
  SharedMoments shared(layer, ranks, sets);
  if (x.size() == 0) {
    shared.exchange({});
    if (saved != nullptr) keep_shared(shared, statistic, sets, *saved);
    return;
  }
  const index_t size = x.size() / sets;
  const auto exchange = [&](SetTable<A>& table, const Piece&) {
    for (index_t s = 0; s < sets; ++s) shared.put(s, table.statistics(s), size);
    shared.exchange({});
    for (index_t s = 0; s < sets; ++s) table.put(s, shared.merged(statistic, s));
    if (saved != nullptr) keep_shared(shared, statistic, sets, *saved);
  };
  normalize<P>(call, statistic, averaged, x, y, affine, StatisticArrays{}, nullptr, ForwardHook<A>(Span::call, exchange));
}

/// Its backward. Parameter gradients += those of this rank's shard, which are whole.
template <class P, class DY, class X, class DX>
inline void normalize_shards_backward(const CallRef& call, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                                      const Statistic& statistic, AxisSet averaged, const TensorView<DY>& dy, const TensorView<X>& x,
                                      Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine) {
  using A = Arithmetic<P, X, DY, DX>;
  agree_on_sets(ranks, layer, error, x.extents(), averaged);
  const index_t sets = set_count(x.extents(), averaged);
  const SharedSums exchange(layer, ranks, sets, saved.table()[0]);
  if (x.size() == 0) {
    exchange.take_part({});
    return;
  }
  const auto complete = [&](SumsTable<A>& table, const Piece&) { exchange(table, statistic); };
  differentiate<P>(call, statistic, averaged, dy, x, saved.statistics(), saved.scratch(), dx, affine, {}, Result::replaced,
                   BackwardHook<A>(Span::call, complete));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
