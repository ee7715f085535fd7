// The engine's entries for whoever links the library: of definitions that stand before this.
#pragma once

#include "table.hpp"

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

template const ElementAccess& element_access<ElementType::f32>();
template const ElementAccess& element_access<ElementType::f64>();
template const ElementAccess& element_access<ElementType::f16>();
template const ElementAccess& element_access<ElementType::bf16>();
template const ElementAccess& element_access<ElementType::i8>();

#define NORMA_ENTRIES_OF(A, U)                                                                                                        \
  template void normalize_operands<A, U>(const CallRef&, const Statistic&, const Roles&, const Extents&, const Operands&, A, bool,    \
                                         const StatisticArrays&, Buffer<std::byte>*, const ForwardHook<A>&);                          \
  template void normalize_operands_backward<A, U>(const CallRef&, const Statistic&, const Roles&, const Extents&, const Operands&, A, \
                                                  bool, const StatisticArrays&, Buffer<std::byte>&, const Reshape&, Result,           \
                                                  const BackwardHook<A>&);                                                            \
  template void apply_statistics_to_operands<A, U>(const CallRef&, const Roles&, const Extents&, const Operands&, A, bool,            \
                                                   const GivenStatistics&);                                                           \
  template index_t normalize_rows<A, U>(const DenseRows<A, U, 2>&, const Statistic&, const StatisticArrays&);                         \
  template void differentiate_rows<A, U>(const DenseRows<A, U, 3>&, const Statistic&, const StatisticArrays&, Buffer<std::byte>&, A*, A*);
NORMA_ENTRIES_OF(float, float)
NORMA_ENTRIES_OF(double, double)
NORMA_ENTRIES_OF(float, bfloat16)
NORMA_ENTRIES_OF(float, float16)

#define NORMA_ENTRIES_IN(A)                                                                                               \
  template void scale_operand<A>(const ExecutorRef&, const Extents&, const Operand&, A, const Operand&, bool, bool);      \
  template void read_pairs<A>(const Extents&, const Operand&, const Operand&, const PairReader<A>&);                      \
  template void enter_forward<A>(const ForwardFusion<A>&, const Block<A>&, const Numbers<const A>*, const Numbers<A>*);   \
  template void leave_forward<A>(const ForwardFusion<A>&, const Block<A>&, const Numbers<A>*);                            \
  template void enter_backward<A>(const BackwardFusion<A>&, const Block<A>&, const Numbers<const A>*, const Numbers<A>*); \
  template void leave_backward<A>(const BackwardFusion<A>&, const Block<A>&, const Numbers<A>*);
NORMA_ENTRIES_IN(float)
NORMA_ENTRIES_IN(double)

}}  // namespace norma::NORMA_ISA_NAMESPACE
