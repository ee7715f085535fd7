// The same random numbers on every standard library: std's distributions are not specified bit for bit.
#pragma once

#include <cstdint>
#include <random>

namespace gan {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [-limit, limit).
  float symmetric(float limit) { return (2 * unit() - 1) * limit; }
  /// Mean 0, variance 1: the sum of twelve uniform numbers.
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += unit();
    return sum;
  }
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }

 private:
  float unit() { return static_cast<float>(engine_() >> 40) * 0x1p-24F; }

  std::mt19937_64 engine_;
};

}  // namespace gan
