// scale: one tensor as a multiple of another of its shape.
#pragma once

#include <norma/engine/engine.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// y = x * factor, or y += x * factor: any layouts and element types, arithmetic in A. Shapes have been checked.
template <class A, class X, class Y>
inline void scale(const ExecutorRef& executor, const TensorView<X>& x, A factor, const TensorView<Y>& y, Result result = Result::replaced) {
  if (x.size() == 0) return;
  const Operand from(x), to(y);
  const bool adds = result == Result::added;
  const index_t bytes = x.size() * static_cast<index_t>(sizeof(Y));
  const bool streaming = !adds && streams_output(executor.streaming(), to, bytes, from, Operand());
  scale_operand<A>(executor, x.extents(), from, factor, to, streaming, adds);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
