// Subjects with float parameters of which x or y has 16 bits.
#include "subjects/entries.hpp"

namespace norma_test {

template std::vector<Maker> makers_for<float, norma::bfloat16, norma::bfloat16>();
template std::vector<Maker> makers_for<float, norma::float16, norma::float16>();
template std::vector<Maker> makers_for<float, float, norma::bfloat16>();
template std::vector<Maker> makers_for<float, norma::float16, double>();

}  // namespace norma_test
