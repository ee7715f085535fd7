// Mean and 1 / sigma of each channel of (N, C, spatial...), where no output is wanted.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// rstd = 1 / sqrt(variance); of a constant channel, 0.
struct ChannelFormula {
  static constexpr bool centred = true;
  template <class V>
  NORMA_INLINE V rstd(const V& variance) const {
    return divide(V(1.0), square_root(variance));
  }
  ChannelFormula scaled(double) const { return {}; }
  double pull(double) const { return 1.0; }
};

/// In double, in the order of the channels. Rank 2 or more has been checked. Takes memory for as many elements as t has.
template <class X>
inline Saved<double> channel_statistics(const TensorView<X>& t) {
  Saved<double> saved;
  Buffer<float> normalized(t.size());  // a norm writes its output too
  normalize<double>(ExecutorRef(sequential), ChannelFormula(), trailing_axes(t.rank(), t.rank()) & ~2u, t,
                    TensorView(normalized.data(), t.extents()), {}, &saved);
  return saved;
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
