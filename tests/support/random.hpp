// Random test data that is the same on every machine: a generator of our own and no std distributions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/element.hpp"

namespace norma_test {

/// splitmix64 (Steele, Lea, Flood 2014): 64 good bits per step from any seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// Mean 0, variance 1: the sum of four uniforms, so that no libm function decides a bit.
  double normal() { return (uniform() + uniform() + uniform() + uniform() - 2.0) * 1.7320508075688772; }

  /// In [0, n).
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }

 private:
  std::uint64_t state_;
};

/// n values of the given mean and standard deviation, rounded to an element type.
Values random_values(Element e, std::size_t n, std::uint64_t seed, double mean = 0, double sigma = 1);
template <class T>
std::vector<T> random_values(std::size_t n, std::uint64_t seed, double mean = 0, double sigma = 1) {
  const Values values = random_values(element_of<T>, n, seed, mean, sigma);
  return {values.begin(), values.end()};
}

/// Parameters as a layer meets them, and as an optimizer never makes them: every seventh is 0, about half are negative.
Values random_parameters(Element e, std::size_t n, std::uint64_t seed);

/// Integers in [-3, 3]: as upstream gradients their sums are exact in any order.
Values small_integers(std::size_t n, std::uint64_t seed);

}  // namespace norma_test
