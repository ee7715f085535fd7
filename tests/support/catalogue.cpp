// The catalogue's instantiations: the one translation unit of the property tests that compiles the library's kernels.
#include "support/norms.hpp"

namespace norma_test {

template const std::vector<Norm<float, float>>& catalogue<float, float>();
template const std::vector<Norm<double, double>>& catalogue<double, double>();
template const std::vector<Norm<float, double>>& catalogue<float, double>();
template const std::vector<Norm<double, float>>& catalogue<double, float>();

}  // namespace norma_test
