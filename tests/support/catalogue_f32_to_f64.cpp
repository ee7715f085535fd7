// The catalogue for f32 x and f64 y: here, and in the files beside it, the property tests compile the library's kernels.
#include "support/norms.hpp"

namespace norma_test {

template const std::vector<Norm<float, double>>& catalogue<float, double>();

}  // namespace norma_test
