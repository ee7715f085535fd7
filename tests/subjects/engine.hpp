// The library, with the engine's entry points declared as instantiated elsewhere: engine_*.cpp compile them, once for all tests. Users of
// this header must not include <norma/norma.hpp> first and use a norm before it.
#pragma once

#include <norma/norma.hpp>

#define NORMA_TEST_INSTANTIATE_FORMULA(prefix, A, P, F)                                                                                    \
  prefix template void norma::normalize_operands<A, P, F>(const norma::ExecutorRef&, const F&, const norma::Roles&, const norma::Extents&, \
                                                          const norma::Operands&, A, bool, const norma::StatisticArrays<P>&,               \
                                                          norma::Buffer<std::byte>*);                                                      \
  NORMA_TEST_INSTANTIATE_BACKWARD(prefix, A, P, F)
#define NORMA_TEST_INSTANTIATE_BACKWARD(prefix, A, P, F)                                                                                   \
  prefix template void norma::pull_back_operands<A, P, F>(const norma::ExecutorRef&, const F&, const norma::Roles&, const norma::Extents&, \
                                                          const norma::Operands&, A, bool, const norma::StatisticArrays<P>&,               \
                                                          norma::Buffer<std::byte>&, const norma::Reshape&, norma::Result);

/// All of the engine for one arithmetic and one type of parameters; prefix: extern, or nothing.
#define NORMA_TEST_INSTANTIATE(prefix, A, P)                                                                                            \
  NORMA_TEST_INSTANTIATE_FORMULA(prefix, A, P, norma::InverseSigma)                                                                     \
  NORMA_TEST_INSTANTIATE_FORMULA(prefix, A, P, norma::RMSNormFormula)                                                                   \
  NORMA_TEST_INSTANTIATE_FORMULA(prefix, A, P, norma::UnitNormFormula)                                                                  \
  NORMA_TEST_INSTANTIATE_FORMULA(prefix, A, P, norma::MeanOnlyFormula)                                                                  \
  NORMA_TEST_INSTANTIATE_BACKWARD(prefix, A, P, norma::FrozenFormula)                                                                   \
  prefix template void norma::apply_statistics_to_operands<A, P>(const norma::ExecutorRef&, const norma::Roles&, const norma::Extents&, \
                                                                 const norma::Operands&, A, bool, const norma::GivenStatistics<P>&);

#ifndef NORMA_TEST_ENGINE_HERE
NORMA_TEST_INSTANTIATE(extern, float, float)
NORMA_TEST_INSTANTIATE(extern, double, float)
NORMA_TEST_INSTANTIATE(extern, double, double)
#endif
