// Random unit vectors, the same for a seed on every machine and with every standard library.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include <norma/core/config.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

class RandomDirection {
 public:
  explicit RandomDirection(std::uint64_t seed) : state_(seed) {}

  /// Elements are sums of four uniform numbers: close enough to normal ones that no direction is preferred.
  template <class T>
  void draw(std::span<T> direction) {
    double squares = 0;
    for (T& element : direction) {
      double sum = 0;
      for (int i = 0; i < 4; ++i) sum += uniform();
      element = static_cast<T>(sum - 2.0);
      squares = std::fma(static_cast<double>(element), static_cast<double>(element), squares);
    }
    const double length = std::sqrt(squares);
    for (T& element : direction) element = static_cast<T>(static_cast<double>(element) / length);
  }

 private:
  /// In [0, 1), by splitmix64 (Steele, Lea, Flood 2014).
  double uniform() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }

  std::uint64_t state_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
