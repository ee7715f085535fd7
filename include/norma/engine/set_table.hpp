// SetTable: what a piece of a call knows of its sets between fold and map, a column each.
#pragma once

#include <norma/engine/piece.hpp>
#include <norma/engine/statistics.hpp>
#include <norma/kernels/coefficients.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Forward. While cells are folded: `high` the pivot, `low` the mean relative to it, `second` m2, `merged` how many cells went in. Then the
/// mean as high + low, the second moment, rstd; and in A what the map makes of them.
template <class A>
struct SetTable {
  index_t sets = 0;
  double *high, *low, *second, *rstd, *merged;
  double* scale = nullptr;  ///< what x is multiplied with, where its squares leave the range of A; null where nowhere
  /// y = ((x - mean) * gain + shift) * weight + bias, where a hook says so, behind unscale(). Null: gain is rstd, shift 0.
  double* gain = nullptr;
  double* shift = nullptr;
  A *mean, *factor, *offset;

  /// With statistics, or the columns in A alone.
  static constexpr index_t bytes(index_t sets, bool statistics = true) {
    return padded_sets(sets) * static_cast<index_t>((statistics ? 6 * sizeof(double) : 0) + 3 * sizeof(A));
  }

  SetTable(index_t most, std::byte* memory, bool statistics = true) {
    const index_t n = padded_sets(most), doubles = statistics ? n : 0;
    high = reinterpret_cast<double*>(memory);
    low = high + doubles;
    second = low + doubles;
    rstd = second + doubles;
    merged = rstd + doubles;
    scale_memory_ = merged + doubles;
    mean = reinterpret_cast<A*>(scale_memory_ + doubles);
    factor = mean + n;
    offset = factor + n;
  }
  void start(index_t count) {
    sets = count;
    scale = gain = shift = nullptr;
  }
  /// While cells are merged: what rounding has taken from the mean.
  double* lost() { return rstd; }
  /// Nothing has been folded yet: wanted where cells are merged.
  void clear() {
    for (double* const column : {high, low, second, merged, lost()}) {
      for (index_t s = 0; s < padded_sets(sets); ++s) column[s] = 0;
    }
  }

  index_t set_count() const { return sets; }
  SetStatistics statistics(index_t set) const { return {{high[set], low[set]}, rstd[set], second[set]}; }
  void put(index_t set, const SetStatistics& s) {
    high[set] = s.mean.high;
    low[set] = s.mean.low;
    rstd[set] = s.rstd;
    second[set] = s.second;
  }
  void reshape(index_t set, double gain_of_set, double shift_of_set) {
    if (gain == nullptr) {
      gain = merged;  // which has done its work, as have scales
      shift = scale_memory_;
      for (index_t s = 0; s < padded_sets(sets); ++s) {
        gain[s] = rstd[s];
        shift[s] = 0;
      }
    }
    gain[set] = gain_of_set;
    shift[set] = shift_of_set;
  }

  /// From moments to statistics of sets of n elements, `from_cells` if these were merged. False if some are not ordinary.
  bool finish(const Statistic& statistic, index_t n, bool from_cells = false) {
    const double size = static_cast<double>(n);
    const Pack<double> inverse(1.0 / size);
    bool ordinary = true;
    for (index_t s = 0; s < sets; s += pack_size<double>) {
      // What no set fills must look ordinary. Chosen in a register: a load of numbers just stored one by one would wait for them.
      const Pack<double> filled =
          select(lane_numbers() < Pack<double>(static_cast<double>(sets - s)), load(second + s), Pack<double>(size));
      const Pack<double> second_of_set = mul(filled, inverse), rstd_of_set = statistic.rstd(second_of_set, size);
      SplitSum<Pack<double>> mean_of_set = two_sum(load(high + s), load(low + s));
      if (from_cells) mean_of_set = two_sum(mean_of_set.high, mean_of_set.low + load(lost() + s));
      store(second + s, second_of_set);
      store(rstd + s, rstd_of_set);
      store(high + s, mean_of_set.high);
      store(low + s, mean_of_set.low);
      ordinary = ordinary && all_less(second_of_set, Pack<double>(ordinary_second<A>)) &&
                 all_less(rstd_of_set, Pack<double>(ordinary_rstd<A>)) && all_less(Pack<double>(0.0), rstd_of_set);
    }
    return ordinary;
  }
  /// Gives those that are not a scale: 0, to be found.
  void mark_extraordinary() {
    scale = scale_memory_;
    for (index_t s = 0; s < sets; ++s) scale[s] = is_ordinary<A>(second[s], rstd[s]) ? 1 : 0;
  }
  /// finish() for the sets that were folded again at a scale: statistics are those of x * scale.
  void finish_scaled(const Statistic& statistic, index_t n, bool from_cells) {
    const double size = static_cast<double>(n);
    for (index_t s = 0; s < sets; ++s) {
      if (scale[s] != 1) {
        SplitSum<> mean_of_set = two_sum(high[s], low[s]);
        if (from_cells) mean_of_set = two_sum(mean_of_set.high, mean_of_set.low + lost()[s]);
        const double second_of_set = mul(second[s], 1.0 / size);
        put(s, {mean_of_set, statistic.scaled(scale[s]).rstd(second_of_set, size), second_of_set});
      }
      rstd[s] = finite_rstd(second[s], rstd[s]);
    }
  }
  /// Statistics of x itself again, also where they have left the range of A.
  void unscale() {
    if (scale == nullptr) return;
    for (index_t s = 0; s < sets; ++s) put(s, unscaled(s));
    scale = nullptr;
  }
  /// Statistics of sets [first, first + n) go to their places in the arrays.
  void keep(index_t first, index_t n, const index_t* place, const StatisticArrays& statistics) const {
    constexpr index_t W = pack_size<double>;
    index_t i = 0;
    for (; scale == nullptr && i + W <= n && consecutive(place + i, W); i += W) {
      const index_t s = first + i;
      statistics.put<Pack<double>>(place[i], {load(high + s), load(low + s)}, load(rstd + s), load(second + s));
    }
    for (; i < n; ++i) statistics.put(place[i], unscaled(first + i));
  }
  SetStatistics unscaled(index_t set) const {
    const SetStatistics s = statistics(set);
    if (scale == nullptr || scale[set] == 1) return s;
    const double back = 1.0 / scale[set];
    return {{mul(s.mean.high, back), mul(s.mean.low, back)}, s.rstd * scale[set], s.second * back * back};
  }

 private:
  double* scale_memory_;
};

/// What the map makes of the statistics of some sets, from columns that reach to whole registers; without weight and bias where these are
/// numbers per element. The mean goes to A and what A cannot hold of it to the offset, where a zero is -0, which leaves the sign of a zero
/// x_hat alone.
template <class A>
inline void make_coefficients(index_t sets, const double* high, const double* low, const double* gain, const double* weight,
                              const double* bias, A* mean, A* factor, A* offset) {
  for (index_t s = 0; s < sets; s += pack_size<double>) {
    const Pack<double> mean_of_set = load(high + s), gain_of_set = load(gain + s);
    const Pack<double> scale = weight == nullptr ? gain_of_set : mul(gain_of_set, load(weight + s));
    const Pack<double> constant = bias == nullptr ? Pack<double>(-0.0) : load(bias + s);
    store_doubles(factor + s, scale);
    store_doubles(mean + s, mean_of_set);
    const Pack<double> rest = (mean_of_set - load_doubles(mean + s)) + load(low + s);
    store_doubles(offset + s, fma(Pack<double>(-0.0) - rest, scale, constant));
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
