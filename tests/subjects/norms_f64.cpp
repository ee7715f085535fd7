// Every subject with double parameters.
#include "subjects/entries.hpp"

namespace norma_test {

MakersOfTypes makers_f64() {
  return {
      makers_for<double, double, double>(),
#ifndef NORMA_TEST_PLAIN_TYPES
      makers_for<double, float, float>(),
      makers_for<double, float, double>(),
      makers_for<double, double, float>(),
#endif
  };
}

}  // namespace norma_test
