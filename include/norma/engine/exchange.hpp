// Statistics across processes: what a rank tells the others of its sets, and what all together know then.
#pragma once

#include <string>

#include <norma/core/buffer.hpp>
#include <norma/core/communicator.hpp>
#include <norma/engine/batch_statistics.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The text of the ShapeError that check() raises, or none. A rank must not throw before it has told the others, who would wait for it.
template <class Check>
inline std::string error_of(Check&& check) {
#if NORMA_EXCEPTIONS
  try {
    check();
  } catch (const ShapeError& error) {
    return error.what();
  }
#else
  check();
#endif
  return {};
}

/// Equally many numbers from each rank; the first says whether the rank refuses the call.
class RankTable {
 public:
  RankTable(const char* layer, const CommunicatorRef& ranks, index_t numbers) : layer_(layer), ranks_(ranks), width_(numbers + 1) {
    mine_ = Buffer<double>(width_);
    all_.resize(width_ * ranks.size());
  }

  /// This rank's numbers, 0 at first.
  double* mine() { return mine_.data() + 1; }
  /// Those of a rank, after exchange().
  const double* of(int rank) const { return all_.data() + rank * width_ + 1; }
  int ranks() const { return ranks_.size(); }

  /// ShapeError on every rank if there is an `error` on any.
  void exchange(const std::string& error = {}) {
    mine_.data()[0] = error.empty() ? 0 : 1;
    ranks_.all_gather(mine_.span(), all_.span());
    if (!error.empty()) raise_shape_error(std::string_view(error));
    for (int r = 0; r < ranks(); ++r) {
      if (all_.data()[r * width_] != 0) raise_shape_error(layer_, ": rank ", r, " refused its part of the call");
    }
  }

 private:
  const char* layer_;
  const CommunicatorRef& ranks_;
  index_t width_;
  Buffer<double> mine_, all_;
};

/// (count, mean, m2) of every set on every rank, merged in rank order: the same bits everywhere.
class SharedMoments {
 public:
  SharedMoments(const char* layer, const CommunicatorRef& ranks, index_t sets) : sets_(sets), table_(layer, ranks, 1 + 2 * sets) {}

  /// This rank's set of `count` elements, of which every set of a rank has as many.
  void put(index_t set, const SetStatistics& s, index_t count) {
    table_.mine()[0] = static_cast<double>(count);
    table_.mine()[1 + set] = s.mean.high + s.mean.low;
    table_.mine()[1 + sets_ + set] = s.second * static_cast<double>(count);
  }
  void exchange(const std::string& error) { table_.exchange(error); }

  /// Elements of a set on all ranks.
  index_t count() const {
    double total = 0;
    for (int r = 0; r < table_.ranks(); ++r) total += table_.of(r)[0];
    return static_cast<index_t>(total);
  }
  SetStatistics merged(const Statistic& statistic, index_t set) const {
    Moments<> total;
    for (int r = 0; r < table_.ranks(); ++r) {
      const double* const of_rank = table_.of(r);
      total = merge(total, Moments<>{of_rank[0], of_rank[1 + set], of_rank[1 + sets_ + set]});
    }
    if (total.count == 0) return {};  // as where one process has no elements
    const double variance = total.variance();
    return {{total.mean, 0}, finite_rstd(variance, statistic.rstd(variance, total.count)), variance};
  }

 private:
  index_t sets_;
  RankTable table_;
};

/// The sums of a backward over all ranks.
class SharedSums {
 public:
  SharedSums(const char* layer, const CommunicatorRef& ranks, index_t sets, double elements)
      : sets_(sets), elements_(elements), table_(layer, ranks, 2 * sets) {}

  /// What a rank without elements, or with an error, does instead of a sweep.
  void take_part(const std::string& error) const { table_.exchange(error); }

  /// Completes the sums of a table of all sets.
  template <class A>
  void operator()(SumsTable<A>& table, const Statistic& statistic) const {
    double* const mine = table_.mine();
    for (index_t s = 0; s < sets_; ++s) {
      mine[s] = table.g[s];
      mine[sets_ + s] = table.g_x_hat[s];
    }
    table_.exchange();
    for (index_t s = 0; s < sets_; ++s) {
      table.g[s] = table.g_x_hat[s] = 0;
      for (int r = 0; r < table_.ranks(); ++r) {
        table.g[s] += table_.of(r)[s];
        table.g_x_hat[s] += table_.of(r)[sets_ + s];
      }
    }
    table.finish(statistic, elements_);
  }

 private:
  index_t sets_;
  double elements_;
  mutable RankTable table_;
};

/// Training forward of a batch norm over all ranks' x. `between` as in normalize_between, with the statistics of all ranks. `error` is that
/// of this rank's own checks. What saved holds is replaced after the exchange, so that a call that is refused leaves it alone. Returns the
/// elements of a channel on all ranks; with none, nothing happens.
template <class P, class X, class Y, class Between>
inline index_t normalize_shared(const ExecutorRef& executor, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                                const Statistic& statistic, index_t channels, const TensorView<X>& x, const TensorView<Y>& y,
                                const AffineOperands& affine, Saved<P>& saved, const Between& between) {
  SharedMoments shared(layer, ranks, channels);
  StatisticArrays statistics;
  const auto exchange = [&] {
    shared.exchange(error);
    if (shared.count() == 1) raise_shape_error(layer, ": training wants more than one value per channel, on all ranks together");
    statistics = saved.prepare(channels, true);
  };
  if (!error.empty() || x.size() == 0) {
    exchange();
    for (index_t c = 0; c < channels; ++c) statistics.put(c, shared.merged(statistic, c));
    return shared.count();
  }
  const auto merge_then = [&](auto& table, const Piece& piece) {
    for (index_t c = 0; c < channels; ++c) shared.put(c, table.statistics(c), x.size() / channels);
    exchange();
    for (index_t c = 0; c < channels; ++c) table.put(c, shared.merged(statistic, c));
    between(table, piece);
  };
  normalize_between<P>(executor, statistic, batch_roles(x.rank()), x, y, affine, statistics, &saved.scratch(), Span::call, merge_then);
  return shared.count();
}

/// Its backward. Parameter gradients += this rank's part.
template <class P, class DY, class X, class DX>
inline void normalize_shared_backward(const ExecutorRef& executor, const Statistic& statistic, const TensorView<DY>& dy,
                                      const TensorView<X>& x, Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine,
                                      const Reshape& reshape, const SharedSums& sums) {
  using A = Wider<P, std::remove_const_t<X>>;
  if (x.size() == 0) {
    sums.take_part({});
    return;
  }
  const auto exchange = [&](SumsTable<A>& table, const Piece&) { sums(table, statistic); };
  differentiate<P>(executor, statistic, batch_roles(x.rank()), dy, x, saved.statistics(), saved.scratch(), dx, affine, reshape,
                   Result::replaced, BackwardHook<A>(Span::call, exchange));
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
