// Data whose sums are exact in any order, so that a wrong lane, tail or index cannot hide in a tolerance (the idea is oneDNN's).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/random.hpp"

namespace norma_test {

/// One row with a known mean and a known sum of squared deviations.
struct ExactSet {
  std::vector<double> x;
  double mean = 0;
  double m2 = 0;           // sum of (x - mean)^2
  double sum_squares = 0;  // sum of x^2
};

/// Pairs x_i + x_j = 2 * mean, an odd one at the end is the mean itself. Deviations are k * step, 1 <= k <= largest: with a mean of few
/// bits and up to 16,000 elements every partial sum of x, (x - mean), x^2 and (x - mean)^2 fits 24 bits. Partners lie within the same
/// `block` elements, so that the mean of leading elements, which an algorithm may subtract first, is the row's mean as well.
inline ExactSet exact_row(std::size_t n, double mean, double step, unsigned largest, std::uint64_t seed, std::size_t block = 64) {
  Random random(seed);
  ExactSet row;
  row.mean = mean;
  while (row.x.size() + 1 < n) {
    const double d = step * static_cast<double>(1 + random.below(largest));
    row.x.push_back(mean + d);
    row.x.push_back(mean - d);
    row.m2 += 2 * d * d;
  }
  for (std::size_t first = 0; first < row.x.size(); first += block) {
    const std::size_t size = std::min<std::size_t>(block, row.x.size() - first);
    for (std::size_t i = size; i > 1; --i) std::swap(row.x[first + i - 1], row.x[first + random.below(i)]);
  }
  if (row.x.size() < n) row.x.push_back(mean);
  for (const double x : row.x) row.sum_squares += x * x;
  return row;
}

/// small_integers in T.
template <class T>
std::vector<T> small_integers(std::size_t n, std::uint64_t seed) {
  const Values values = small_integers(n, seed);
  return {values.begin(), values.end()};
}

}  // namespace norma_test
