// Every subject with double parameters.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<double, float, float>();
template std::vector<Maker> makers_for<double, float, double>();
template std::vector<Maker> makers_for<double, double, float>();
template std::vector<Maker> makers_for<double, double, double>();

}  // namespace norma_test
