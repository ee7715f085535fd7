// Every subject in double.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<double, double, double>();

}  // namespace norma_test
