// SumsTable: what a piece of a backward knows of its sets between fold and map, a column each.
#pragma once

#include <norma/engine/piece.hpp>
#include <norma/engine/statistics.hpp>
#include <norma/kernels/coefficients.hpp>
#include <norma/kernels/grid.hpp>
#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template <class A>
struct SumsTable {
  index_t sets = 0;
  double *g, *g_x_hat;        ///< sums over a set
  double* of_block[2];        ///< while cells are folded: those over a block
  double *rstd, *weight;      ///< weight: of a set whose cells share one; 1 where they have numbers per element
  A *mean, *factor, *shift;   ///< x_hat = (x - mean) * factor + shift
  A *scale, *slope, *offset;  ///< dx = g * scale + (x_hat * slope + offset)

  static constexpr index_t bytes(index_t sets) { return padded_sets(sets) * static_cast<index_t>(6 * sizeof(double) + 6 * sizeof(A)); }

  SumsTable(index_t most, std::byte* memory) {
    const index_t n = padded_sets(most);
    g = reinterpret_cast<double*>(memory);
    g_x_hat = g + n;
    rstd = g_x_hat + n;
    weight = rstd + n;
    of_block[0] = weight + n;
    of_block[1] = of_block[0] + n;
    mean = reinterpret_cast<A*>(of_block[1] + n);
    factor = mean + n;
    shift = factor + n;
    scale = shift + n;
    slope = scale + n;
    offset = slope + n;
  }
  void start(index_t count) {
    sets = count;
    for (index_t s = 0; s < count; s += pack_size<double>) {
      store(g + s, Pack<double>(0.0));
      store(g_x_hat + s, Pack<double>(0.0));
      store(weight + s, Pack<double>(1.0));
    }
  }
  /// Statistics of sets [first, first + n) from their places in the arrays.
  void put_statistics(index_t first, index_t n, const index_t* place, const StatisticArrays& statistics) {
    const bool side_by_side = consecutive(place, n);
    index_t i = 0;
    for (; side_by_side && i < n; i += pack_size<double>) {
      const int count = lanes_left<pack_size<double>>(n - i);
      put(first + i, statistics.get_mean<Pack<double>>(place[i], count), statistics.get_rstd<Pack<double>>(place[i], count));
    }
    for (; i < n; i += pack_size<double>) {
      alignas(64) double numbers[3][pack_size<double>] = {};
      for (index_t k = 0; k < pack_size<double> && i + k < n; ++k) {
        const SplitSum<> of_set = statistics.get_mean<double>(place[i + k]);
        numbers[0][k] = of_set.high;
        numbers[1][k] = of_set.low;
        numbers[2][k] = statistics.get_rstd<double>(place[i + k]);
      }
      put(first + i, {load(numbers[0]), load(numbers[1])}, load(numbers[2]));
    }
  }
  NORMA_INLINE void add(index_t set, double sum_g, double sum_g_x_hat, double weight_of_set) {
    g[set] += sum_g;
    g_x_hat[set] += sum_g_x_hat;
    weight[set] = weight_of_set;
  }

  /// From sums over sets of so many elements: dx = rstd * (g - mean(g) - damping * x_hat * mean(g * x_hat)). A centred set of one element
  /// moves nothing, and a norm that damps nothing asks for no product with a sum that may have overflowed.
  void finish(const Statistic& statistic, double elements) {
    const bool centred = statistic.centred(), lone = centred && elements == 1, damps = statistic.damps();
    const Pack<double> inverse(lone ? 0.0 : 1.0 / elements), zero(0.0);
    for (index_t s = 0; s < sets; s += pack_size<double>) {
      const Pack<double> rstd_of_set = load(rstd + s), share = Pack<double>(-0.0) - mul(rstd_of_set, inverse);
      store_doubles(scale + s, lone ? zero : mul(rstd_of_set, load(weight + s)));
      store_doubles(slope + s, damps ? mul(mul(share, damping(statistic, s, elements)), load_pieces(g_x_hat + s)) : zero);
      store_doubles(offset + s, centred ? mul(share, load_pieces(g + s)) : zero);
    }
  }

  /// The same where statistics are constants: dx = rstd * g.
  void finish_constants() {
    for (index_t s = 0; s < sets; s += pack_size<double>) {
      store_doubles(scale + s, mul(load(rstd + s), load(weight + s)));
      store_doubles(slope + s, Pack<double>(0.0));
      store_doubles(offset + s, Pack<double>(0.0));
    }
  }

 private:
  NORMA_INLINE void put(index_t set, const SplitSum<Pack<double>>& split, const Pack<double>& rstd_of_set) {
    store(rstd + set, rstd_of_set);
    store_doubles(mean + set, split.high);
    store_doubles(factor + set, rstd_of_set);
    const Pack<double> low = (split.high - load_doubles(mean + set)) + split.low;
    store_doubles(shift + set, mul(Pack<double>(-0.0) - low, rstd_of_set));
  }
  Pack<double> damping(const Statistic& statistic, index_t set, double elements) const {
    if (statistic.kind == Statistic::Kind::deviation) return Pack<double>(1.0);
    alignas(64) double of_set[pack_size<double>];
    for (index_t i = 0; i < pack_size<double>; ++i) of_set[i] = statistic.damping(rstd[set + i], elements);
    return load(of_set);
  }
};

/// Columns for cells: sums over all their elements, over a block, and in A over a chain; and copies of numbers of their sets.
template <class A>
struct SumCells {
  index_t most;
  double* sum[2];
  double* of_block[2];
  A* running[2];
  A* number[6];

  static constexpr index_t bytes(index_t cells) { return padded_sets(cells) * static_cast<index_t>(4 * sizeof(double) + 8 * sizeof(A)); }

  /// In memory for so many.
  SumCells(index_t cells, std::byte* memory) : most(cells) {
    const index_t n = padded_sets(cells);
    double* at = reinterpret_cast<double*>(memory);
    for (double** const column : {&sum[0], &sum[1], &of_block[0], &of_block[1]}) *column = std::exchange(at, at + n);
    A* number_at = reinterpret_cast<A*>(at);
    for (A** const column : {&running[0], &running[1], &number[0], &number[1], &number[2], &number[3], &number[4], &number[5]})
      *column = std::exchange(number_at, number_at + n);
  }
  /// Columns for the sums of one block alone.
  static constexpr index_t block_bytes(index_t cells) {
    return padded_sets(cells) * static_cast<index_t>(2 * sizeof(double) + 2 * sizeof(A));
  }
  static SumCells of_one_block(index_t cells, std::byte* memory) {
    const index_t n = padded_sets(cells);
    double* const sums = reinterpret_cast<double*>(memory);
    A* const numbers = reinterpret_cast<A*>(sums + 2 * n);
    return SumCells(cells, {sums, sums + n}, {numbers, numbers + n});
  }
  /// Cells that are sets, from `set` on: sums in the columns of their table, which need no copies.
  SumCells(const SumsTable<A>& table, index_t set)
      : most(table.sets - set),
        sum{table.g + set, table.g_x_hat + set},
        of_block{table.of_block[0] + set, table.of_block[1] + set},
        running{table.scale + set, table.slope + set},
        number{} {}

 private:
  SumCells(index_t cells, const std::array<double*, 2>& block, const std::array<A*, 2>& chain)
      : most(cells), sum{}, of_block{block[0], block[1]}, running{chain[0], chain[1]}, number{} {}
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
