// Subjects with double parameters of which x or y is float.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<double, float, float>();
template std::vector<Maker> makers_for<double, float, double>();
template std::vector<Maker> makers_for<double, double, float>();

}  // namespace norma_test
