// Subjects with float parameters of which x or y is double.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<float, float, double>();
template std::vector<Maker> makers_for<float, double, float>();
template std::vector<Maker> makers_for<float, double, double>();

}  // namespace norma_test
