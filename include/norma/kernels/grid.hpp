// The fixed grid of every reduction: follows from length and type only, never from rows, threads, alignment or instruction set.
#pragma once

#include <norma/core/extents.hpp>
#include <norma/simd/lane_sum.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Elements summed in T before the lanes are folded and added up in double.
inline constexpr index_t block_length = 1024;

/// Elements that share one pivot; longer sets are merged from chunks.
inline constexpr index_t chunk_length = 8192;

/// Elements [first, last) of cells.
struct Elements {
  index_t first, last;
};

/// The pivot of a chunk of n elements is the mean of so many leading ones: a power of two, so that the lanes and the tree only ever double
/// equal numbers and the pivot of a constant set is that constant exactly. 64 keep an outlier among them harmless: cancellation loses at
/// most the factor 1 + n / 64^2.
constexpr index_t pivot_length(index_t n) {
  index_t length = 64;
  while (length > n) length /= 2;
  return length;
}

/// Rows folded side by side: their independent chains hide latency. More than the registers hold would spill.
template <class T>
inline constexpr std::size_t interleaved_rows = lane_packs<T> == 2 ? 4 : 1;

/// `count` numbers from `first` in a register of W: how many of them there are, 0 to W.
template <int W>
NORMA_INLINE constexpr int lanes_left(index_t remaining) {
  return remaining <= 0 ? 0 : remaining >= W ? W : static_cast<int>(remaining);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
