// DenseRows: few sets, each one run of memory of the elements that kernels take. They go from the door to the kernels without a plan, for
// that would take longer than they do; their bits are those of a plan.
#pragma once

#include <norma/engine/piece.hpp>
#include <norma/engine/statistics.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// `rows` sets of `size` elements in each of S tensors, a stride apart. Weight and bias lie along a row; null pointers: absent.
template <class A, class U, std::size_t S>
struct DenseRows {
  index_t rows = 1, size = 1;
  U* data[S] = {};
  index_t stride[S] = {};
  const A* weight = nullptr;
  const A* bias = nullptr;
  A weight_offset = negative_zero<A>;

  /// Whether these tensors, of x's extents, and parameters lie like that, and are few. What a whole task is worth may as well be planned.
  bool find(const Extents& x, const Roles& roles, const Extents* const (&strides)[S], std::initializer_list<const Operand*> parameters) {
    if (roles.planes || roles.groups > 0) return false;
    int a = x.size();
    const auto parameters_step = [&](index_t step) {
      for (const Operand* const p : parameters) {
        if (p->present() && (!p->template is<A>() || p->strides[a] != step)) return false;
      }
      return true;
    };
    while (a > 0 && !roles.keeps(a - 1)) {
      if (x[--a] == 1) continue;
      for (const Extents* const s : strides) {
        if ((*s)[a] != size) return false;
      }
      if (!parameters_step(size)) return false;
      size *= x[a];
    }
    while (a > 0 && roles.keeps(a - 1)) {
      if (x[--a] == 1) continue;
      for (std::size_t s = 0; s < S; ++s) {
        if (rows == 1) stride[s] = (*strides[s])[a];
        if ((*strides[s])[a] != stride[s] * rows) return false;
      }
      if (!parameters_step(0)) return false;
      rows *= x[a];
    }
    return a == 0 && size > 1 && rows > 0 && rows * size < 2 * worth_a_task;
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
