// The engine in float arithmetic on half-precision elements.
#define NORMA_TEST_ENGINE_HERE
#include "subjects/engine.hpp"

NORMA_TEST_INSTANTIATE(, float, norma::float16)
