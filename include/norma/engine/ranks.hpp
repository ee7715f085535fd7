// Statistics across processes: what a rank tells the others of its sets, and what all together know then.
#pragma once

#include <string>

#include <norma/core/buffer.hpp>
#include <norma/core/communicator.hpp>
#include <norma/engine/set_table.hpp>
#include <norma/engine/sums_table.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

}}  // namespace norma::NORMA_ISA_NAMESPACE
