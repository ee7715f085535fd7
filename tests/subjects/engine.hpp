// The library, with the engine's entry points declared as instantiated elsewhere: engine_*.cpp compile them, once for all tests. Users of
// this header must not include <norma/norma.hpp> first and use a norm before it. With norma::compiled they are that library's.
#pragma once

#include <norma/norma.hpp>

#ifdef NORMA_COMPILED
#define NORMA_TEST_INSTANTIATE(prefix, A, U)
#else
/// All of the engine for an arithmetic A and elements U where they lie; prefix: extern, or nothing.
#define NORMA_TEST_INSTANTIATE(prefix, A, U)                                                                                          \
  prefix template void norma::normalize_operands<A, U>(                                                                               \
      const norma::CallRef&, const norma::Statistic&, const norma::Roles&, const norma::Extents&, const norma::Operands&, A, bool,    \
      const norma::StatisticArrays&, norma::Buffer<std::byte>*, const norma::ForwardHook<A>&);                                        \
  prefix template void norma::normalize_operands_backward<A, U>(                                                                      \
      const norma::CallRef&, const norma::Statistic&, const norma::Roles&, const norma::Extents&, const norma::Operands&, A, bool,    \
      const norma::StatisticArrays&, norma::Buffer<std::byte>&, const norma::Reshape&, norma::Result, const norma::BackwardHook<A>&); \
  prefix template void norma::apply_statistics_to_operands<A, U>(const norma::CallRef&, const norma::Roles&, const norma::Extents&,   \
                                                                 const norma::Operands&, A, bool, const norma::GivenStatistics&);     \
  prefix template norma::index_t norma::normalize_rows<A, U>(const norma::DenseRows<A, U, 2>&, const norma::Statistic&,               \
                                                             const norma::StatisticArrays&);                                          \
  prefix template void norma::differentiate_rows<A, U>(const norma::DenseRows<A, U, 3>&, const norma::Statistic&,                     \
                                                       const norma::StatisticArrays&, norma::Buffer<std::byte>&, A*, A*);
#endif

#ifndef NORMA_TEST_ENGINE_HERE
NORMA_TEST_INSTANTIATE(extern, float, float)
NORMA_TEST_INSTANTIATE(extern, double, double)
NORMA_TEST_INSTANTIATE(extern, float, norma::bfloat16)
NORMA_TEST_INSTANTIATE(extern, float, norma::float16)
#endif
