// Mean and 1 / sigma of each channel of (N, C, spatial...), where no output is wanted.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// In double, in the order of the channels; 1 / sigma of a constant channel is 0. Rank 2 or more has been checked. Takes memory for as
/// many elements as t has.
template <class X>
inline Saved<double> channel_statistics(const TensorView<X>& t) {
  Saved<double> saved;
  Buffer<float> normalized(t.size());  // a norm writes its output too
  normalize<double>(ExecutorRef(sequential), InverseSigma{0}, batch_roles(t.rank()), t, TensorView(normalized.data(), t.extents()), {},
                    &saved);
  return saved;
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
