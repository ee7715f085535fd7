// The tensors that all benchmark cases share.
#pragma once

#include "problem.hpp"

namespace bench {

/// Operands for `problem`: the beginnings of the same few large buffers for every case of type T. x, dy, weight and bias hold
/// finite, normally distributed data; all of it has been written before, so no page fault is left for the timed part.
/// The addresses stay valid, and the same, until the program ends.
template <class T>
Operands<T> operands(const Problem& problem);

/// To be called for every problem before the first `operands`: the address range is reserved once, for the largest.
template <class T>
void reserve_operands(const Problem& problem);

}  // namespace bench
