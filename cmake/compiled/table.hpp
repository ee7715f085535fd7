// What an object of the library has to offer: the engine's entries, compiled for one instruction set.
#pragma once

#include <norma/engine/engine.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// For arithmetic in A and elements of type U where they lie.
template <class A, class U>
struct EntriesOf {
  decltype(&norma::normalize_operands<A, U>) normalize_operands;
  decltype(&norma::normalize_operands_backward<A, U>) normalize_operands_backward;
  decltype(&norma::apply_statistics_to_operands<A, U>) apply_statistics_to_operands;
  decltype(&norma::normalize_rows<A, U>) normalize_rows;
  decltype(&norma::differentiate_rows<A, U>) differentiate_rows;
};

/// For arithmetic in A, whatever lies in memory.
template <class A>
struct EntriesIn {
  decltype(&norma::scale_operand<A>) scale_operand;
  decltype(&norma::read_pairs<A>) read_pairs;
  decltype(&norma::enter_forward<A>) enter_forward;
  decltype(&norma::leave_forward<A>) leave_forward;
  decltype(&norma::enter_backward<A>) enter_backward;
  decltype(&norma::leave_backward<A>) leave_backward;
  const RowOp<A>* row_op[own_ops];
};

struct Table {
  const char* name;  ///< of the instruction set
  EntriesOf<float, float> of_f32;
  EntriesOf<double, double> of_f64;
  EntriesOf<float, bfloat16> of_bf16;
  EntriesOf<float, float16> of_f16;
  EntriesIn<float> in_f32;
  EntriesIn<double> in_f64;
  const ElementAccess* element_access[5];  ///< by ElementType

  template <class A, class U>
  const EntriesOf<A, U>& of() const {
    if constexpr (std::is_same_v<A, double>) {
      return of_f64;
    } else if constexpr (std::is_same_v<U, bfloat16>) {
      return of_bf16;
    } else if constexpr (std::is_same_v<U, float16>) {
      return of_f16;
    } else {
      return of_f32;
    }
  }
  template <class A>
  const EntriesIn<A>& in() const {
    if constexpr (std::is_same_v<A, double>) {
      return in_f64;
    } else {
      return in_f32;
    }
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE

// One for each instruction set of the library, and all that its objects show of themselves.
extern "C" const norma::Table norma_table_sse2, norma_table_avx2, norma_table_avx512, norma_table_neon, norma_table_generic;
