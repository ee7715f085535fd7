// The engine in float arithmetic.
#define NORMA_TEST_ENGINE_HERE
#include "subjects/engine.hpp"

NORMA_TEST_INSTANTIATE(, float, float)
