// Every subject in float: here and in the files beside it the tests compile the library.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<float, float, float>();

}  // namespace norma_test
