// Every subject with float parameters and double x.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<float, double, float>();
template std::vector<Maker> makers_for<float, double, double>();

}  // namespace norma_test
