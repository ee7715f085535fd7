// The catalogue for f64: here, and in the files beside it, the property tests compile the library's kernels.
#include "support/norms.hpp"

namespace norma_test {

template const std::vector<Norm<double, double>>& catalogue<double, double>();

}  // namespace norma_test
