// The catalogue for f64 x and f32 y: here, and in the files beside it, the property tests compile the library's kernels.
#include "support/norms.hpp"

namespace norma_test {

template const std::vector<Norm<double, float>>& catalogue<double, float>();

}  // namespace norma_test
