// A feature map with made-up contents, and the comparison of a number with the same one by hand.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <norma/norma.hpp>
#include <vector>

namespace conditioning {

/// (N, C, H, W), row-major, filled with sin(step), sin(2 step), ...; zeros for step 0.
class Map {
 public:
  Map(norma::index_t n, norma::index_t c, norma::index_t h, norma::index_t w, float step = 0)
      : memory_(static_cast<std::size_t>(n * c * h * w)), extents_{n, c, h, w} {
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = std::sin(step * static_cast<float>(i + 1));
  }

  norma::TensorView<float> view() { return {memory_.data(), {extents_[0], extents_[1], extents_[2], extents_[3]}}; }
  float& operator()(norma::index_t n, norma::index_t c, norma::index_t h = 0, norma::index_t w = 0) { return view()(n, c, h, w); }

  /// The sum of f(h, w) over the positions.
  template <class F>
  double over_positions(F f) const {
    double sum = 0;
    for (norma::index_t h = 0; h < extents_[2]; ++h)
      for (norma::index_t w = 0; w < extents_[3]; ++w) sum += static_cast<double>(f(h, w));
    return sum;
  }

 private:
  std::vector<float> memory_;
  std::array<norma::index_t, 4> extents_;
};

/// Prints both numbers; are they the same but for rounding?
inline bool agree(const char* what, double norma, double by_hand) {
  const bool same = std::abs(norma - by_hand) <= 1e-4 * (1 + std::abs(by_hand));
  std::printf("%-28s %9.5f, by hand %9.5f%s\n", what, norma, by_hand, same ? "" : "   WRONG");
  return same;
}

}  // namespace conditioning
