// The program of every consumer project: one layer, run and checked; second.cpp is a second translation unit with all of norma.
#include <norma/norma.hpp>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

const char* instruction_set_elsewhere();

int main() {
  const std::string version =
      std::to_string(NORMA_VERSION_MAJOR) + "." + std::to_string(NORMA_VERSION_MINOR) + "." + std::to_string(NORMA_VERSION_PATCH);
  if (version != EXPECTED_VERSION) {
    std::printf("config.hpp says version %s, the project %s\n", version.c_str(), EXPECTED_VERSION);
    return 1;
  }

  const std::vector<float> x{1, 2, 3, 4};
  std::vector<float> y(x.size());
  norma::LayerNorm<float> ln({x.size()});
  ln(x, y);
  const double first = -1.5 / std::sqrt(1.25 + 1e-5);  // (1 - mean) / sigma
  const bool right = std::abs(static_cast<double>(y[0]) - first) < 1e-6;
  std::printf("norma %s, %s: LayerNorm of (1, 2, 3, 4) starts with %g%s\n", version.c_str(), instruction_set_elsewhere(),
              static_cast<double>(y[0]), right ? "" : ", WRONG");
  return right ? 0 : 1;
}
