// The softmax of a few logits: the shares of a mix.
#pragma once

#include <array>
#include <cmath>

#include <norma/core/config.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// exp(l_k) / sum_j exp(l_j) in double; logits of any size overflow nothing.
template <class T, std::size_t N>
inline std::array<double, N> softmax(const std::array<T, N>& logits) {
  std::array<double, N> result{};
  double largest = static_cast<double>(logits[0]), sum = 0;
  for (const T l : logits) largest = static_cast<double>(l) > largest ? static_cast<double>(l) : largest;
  for (std::size_t i = 0; i < N; ++i) sum += result[i] = std::exp(static_cast<double>(logits[i]) - largest);
  for (double& r : result) r /= sum;
  return result;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
