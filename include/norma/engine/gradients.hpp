// Parameter gradients: slots of rows grown from the shape alone, and how their partial sums become grad += ...
#pragma once

#include <norma/engine/layout.hpp>
#include <norma/kernels/grid.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Sets of one gradient group that share a slot. Slots are summed independently and combined in order, so neither their number nor their
/// borders may depend on threads.
struct SlotGrid {
  index_t sets_per_slot;
  index_t slots;

  SlotGrid(index_t sets, index_t set_size) {
    const index_t most = set_size <= 8192 ? 32 : 8;
    const index_t even = (sets + most - 1) / most;
    sets_per_slot = (even + flush_interval - 1) / flush_interval * flush_interval;
    slots = sets == 0 ? 0 : (sets + sets_per_slot - 1) / sets_per_slot;
  }

  /// After so many sets the sums in T are added to sums in double.
  static constexpr index_t flush_interval = 64;
};

/// Adds `partial`, one number per element of a set in the order of `averaged`, to the gradient at `gradient`; elements that share a
/// parameter are summed in double first.
template <class P>
inline void scatter_gradient(const AxisList& averaged, Stream stream, const double* partial, P* gradient) {
  AxisList varying, shared;
  index_t linear[max_rank];
  index_t inner = 1;
  for (int a = averaged.count - 1; a >= 0; --a) {
    linear[a] = inner;
    inner *= averaged.axis[a].extent;
  }
  // In both lists stream_x stands for the position in `partial`, stream_y for the position in the gradient.
  for (int a = 0; a < averaged.count; ++a) {
    const index_t stride = averaged.axis[a].stride[stream];
    AxisList& list = stride != 0 ? varying : shared;
    Axis& axis = list.axis[list.count++];
    axis.extent = averaged.axis[a].extent;
    axis.stride[stream_x] = linear[a];
    axis.stride[stream_y] = stride;
  }
  const index_t parameters = varying.size(), sharing = shared.size();
  for (index_t p = 0; p < parameters; ++p) {
    const double* from = partial + varying.offset(stream_x, p);
    double sum = from[0];
    for (index_t e = 1; e < sharing; ++e) sum += from[shared.offset(stream_x, e)];
    P& to = gradient[varying.offset(stream_y, p)];
    to = static_cast<P>(static_cast<double>(to) + sum);
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
