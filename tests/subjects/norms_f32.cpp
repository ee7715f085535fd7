// Every subject with float parameters: here and in the file beside it the tests compile the library.
#include "subjects/entries.hpp"

namespace norma_test {

MakersOfTypes makers_f32() {
  return {
      makers_for<float, float, float>(),
#ifndef NORMA_TEST_PLAIN_TYPES
      makers_for<float, norma::bfloat16, norma::bfloat16>(),
      makers_for<float, norma::float16, norma::float16>(),
      makers_for<float, float, norma::bfloat16>(),
      makers_for<float, norma::float16, double>(),
      makers_for<float, float, double>(),
      makers_for<float, double, float>(),
      makers_for<float, double, double>(),
#endif
  };
}

}  // namespace norma_test
