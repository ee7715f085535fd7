// Gradients by central differences in double: what every backward must agree with.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace norma_test {

/// The step of the four-point formula; a power of two, so that x + h - x is h for x of ordinary size.
inline constexpr double difference_step = 0x1p-11;

/// d loss / d values[i] for every i, by (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12h. `values` is changed in between and restored.
template <class Loss>
std::vector<double> finite_differences(std::vector<double>& values, Loss loss) {
  std::vector<double> gradient;
  for (double& value : values) {
    const double center = value;
    const auto at = [&](double offset) {
      value = center + offset * difference_step;
      return loss();
    };
    const double near = at(1) - at(-1);
    const double far = at(2) - at(-2);
    value = center;
    gradient.push_back((8 * near - far) / (12 * difference_step));
  }
  return gradient;
}

/// Its error: the truncation h^4 / 30 * |fifth derivative|, which for a norm of standard deviation 1 / rstd is at most about
/// 120 rstd^5 times the loss' size, and the rounding of the losses divided by h.
inline double difference_error(double loss_size, double rstd) {
  const double h = difference_step;
  return loss_size * (h * h * h * h / 30 * 120 * (1 + std::pow(rstd, 5)) + 64 * 0x1p-52 / h);
}

}  // namespace norma_test
