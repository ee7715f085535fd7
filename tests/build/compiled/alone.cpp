// The halves that the test's program has beside norma::compiled, absent.
#include "../two_flags/half.hpp"

namespace two_flags {
const Half sse2 = {}, avx2 = {};
}  // namespace two_flags
