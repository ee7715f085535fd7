// The program of consumers that are about a way to the headers: reads all of norma, and compiles no layer (main.cpp runs one).
#include <norma/norma.hpp>

#include <vector>

#include "expected_version.hpp"

#if defined(EXPECT_NO_EIGEN) && defined(EIGEN_WORLD_VERSION)
#error "this way leads to Eigen, too"
#elif defined(EXPECT_EIGEN) && !defined(EIGEN_WORLD_VERSION)
#error "this way does not lead to Eigen"
#endif

int main() {
  std::vector<float> memory(8);
  const norma::LayerNorm ln({memory.size()});
  return version_is_expected() && norma::view(memory).extent(0) == 8 && ln.weight()[7] == 1 ? 0 : 1;
}
