// The same random numbers on every standard library: std's distributions and std::shuffle are not specified bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace digits {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [-limit, limit).
  float symmetric(float limit) {
    const float unit = static_cast<float>(engine_() >> 40) * 0x1p-24F;
    return (2.0F * unit - 1.0F) * limit;
  }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[static_cast<std::size_t>(engine_() % i)]);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace digits
