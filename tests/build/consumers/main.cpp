// The program of the consumer of an installed norma: one layer, run and checked; second.cpp is a second translation unit with all of norma.
#include <norma/norma.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

#include "expected_version.hpp"

const char* instruction_set_elsewhere();

int main() {
  if (!version_is_expected()) return 1;

  const std::vector<float> x{1, 2, 3, 4};
  std::vector<float> y(x.size());
  norma::LayerNorm<float> ln({x.size()});
  ln(x, y);
  const double first = -1.5 / std::sqrt(1.25 + 1e-5);  // (1 - mean) / sigma
  const bool right = std::abs(static_cast<double>(y[0]) - first) < 1e-6;
  std::printf("norma %s, %s: LayerNorm of (1, 2, 3, 4) starts with %g%s\n", EXPECTED_VERSION, instruction_set_elsewhere(),
              static_cast<double>(y[0]), right ? "" : ", WRONG");
  return right ? 0 : 1;
}
