// The engine in float arithmetic: its three kinds of elements share most of it.
#define NORMA_TEST_ENGINE_HERE
#include "subjects/engine.hpp"

NORMA_TEST_INSTANTIATE(, float, float)
#ifndef NORMA_TEST_PLAIN_TYPES
NORMA_TEST_INSTANTIATE(, float, norma::bfloat16)
NORMA_TEST_INSTANTIATE(, float, norma::float16)
#endif
