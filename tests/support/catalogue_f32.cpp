// The catalogue for f32: here, and in the files beside it, the property tests compile the library's kernels.
#include "support/norms.hpp"

namespace norma_test {

template const std::vector<Norm<float, float>>& catalogue<float, float>();

}  // namespace norma_test
