// resolve: from moments to coefficients, for the sets of a tile at once.
#pragma once

#include <norma/engine/fold.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Statistics of the sets of a tile in double, and their coefficients in the arithmetic type; a column each.
template <class A, std::size_t Columns>
struct CoefficientTable {
  alignas(64) double mean_high[Columns];
  alignas(64) double mean_low[Columns];
  alignas(64) double rstd_double[Columns];
  alignas(64) double second[Columns];
  alignas(64) A mean[Columns];
  alignas(64) A rstd[Columns];
  alignas(64) A shift[Columns];

  /// Whether any mean is not 0.
  bool subtracts = true;

  NORMA_INLINE Coefficients<A> coefficients() const { return {mean, rstd, shift}; }
  NORMA_INLINE SetStatistics statistics(index_t r) const { return {{mean_high[r], mean_low[r]}, rstd_double[r], second[r]}; }

  /// Columns [r, r + pack_size<double>) from statistics in double. The mean goes to A and what A cannot hold of it to the shift, where a
  /// zero is -0, which leaves the sign of a zero x_hat alone.
  NORMA_INLINE void put(index_t r, const SplitSum<Pack<double>>& split, const Pack<double>& rstd_of_set) {
    store(mean_high + r, split.high);
    store(mean_low + r, split.low);
    store(rstd_double + r, rstd_of_set);
    store_doubles(mean + r, split.high);
    store_doubles(rstd + r, rstd_of_set);
    const Pack<double> low = (split.high - load_doubles(mean + r)) + split.low;
    store_doubles(shift + r, mul(Pack<double>(-0.0) - low, rstd_of_set));
  }

  /// The same, for sets of this second moment: a mean below two sigma goes to the shift altogether and spares the map a subtraction.
  /// Rounding that shift costs x_hat half an epsilon times kappa there; a constant set must not pay it.
  /// True if all these means moved.
  NORMA_INLINE bool put_forward(index_t r, const SplitSum<Pack<double>>& split, const Pack<double>& rstd_of_set,
                                const Pack<double>& second_of_set) {
    store(second + r, second_of_set);
    put(r, split, rstd_of_set);
    const Pack<double> mean_in_sigmas = mul(split.high, load_doubles(rstd + r));
    const auto moves = less(magnitude(mean_in_sigmas), Pack<double>(2.0)) && less(Pack<double>(0.0), second_of_set);
    store_doubles(mean + r, choose(moves, Pack<double>(0.0), load_doubles(mean + r)));
    store_doubles(shift + r, choose(moves, Pack<double>(-0.0) - mean_in_sigmas, load_doubles(shift + r)));
    return norma::all(moves);
  }
};

/// Of sets of `size` elements. True if all are ordinary: no square in A left its range where that would show. Otherwise the columns mean
/// nothing.
template <class A, std::size_t Columns>
NORMA_INLINE bool resolve(const Statistic& statistic, index_t size, MomentTable<A, Columns>& moments, index_t sets,
                          CoefficientTable<A, Columns>& result) {
  const double n = static_cast<double>(size);
  index_t padded = sets;
  for (; padded % pack_size<double> != 0; ++padded) moments.second[padded] = 1;  // padding columns must look ordinary
  // Registers of A reach further than those of double: what they hold there must be numbers.
  for (index_t r = padded; r < rows_of<Columns>; r += pack_size<double>) {
    for (A* const column : {result.mean, result.rstd, result.shift}) store_doubles(column + r, Pack<double>(0.0));
  }
  bool ordinary = true;
  result.subtracts = false;
  for (index_t r = 0; r < sets; r += pack_size<double>) {
    const Pack<double> second = load(moments.second + r);
    const Pack<double> rstd = statistic.rstd(second, n);
    ordinary = ordinary && all_less(second, Pack<double>(ordinary_second<A>)) && all_less(rstd, Pack<double>(ordinary_rstd<A>));
    const SplitSum<Pack<double>> split = two_sum(load(moments.pivot + r), load(moments.mean + r));
    if (statistic.centred()) {
      result.subtracts = !result.put_forward(r, split, rstd, second) || result.subtracts;
    } else {
      store(result.second + r, second);
      result.put(r, split, rstd);
    }
  }
  return ordinary;
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
