// Every subject with float parameters and float x: here and in the files beside it the tests compile the library.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<float, float, float>();
template std::vector<Maker> makers_for<float, float, double>();

}  // namespace norma_test
