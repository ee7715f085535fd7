// fold_batch_norm: inference BatchNorm disappears into the convolution or linear layer before it.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/core/view.hpp>
#include <norma/doors/parameters.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// axis: the output channels of the weight; 0 for linear layers and convolutions, 1 for transposed convolutions.
struct FoldBatchNormOptions {
  Extent axis = 0;
};

/// Rewrites weight (any rank, output channels along `axis`) and bias (one value per output channel) in place, so that the layer alone gives
/// what layer and bn gave at inference: with s = bn.weight / sqrt(running_var + eps), weight *= s and bias = (bias - running_mean) * s +
/// bn.bias. bn tracks statistics and is a BatchNorm, SyncBatchNorm, BatchRenorm, MeanOnlyBatchNorm, InstanceNorm, or a type of yours with
/// their accessors. Runs on the calling thread. ShapeError before anything is written.
template <class W, class B, class Norm>
inline void fold_batch_norm(W&& weight, B&& bias, const Norm& bn, const FoldBatchNormOptions& options = {}) {
  static_assert(
      !requires { Norm::inference_takes_statistics; },
      "norma: this norm takes statistics of x at inference, which no layer before it can take over");
  constexpr const char* who = "fold_batch_norm";
  const auto w = norma::output_view(std::forward<W>(weight));
  const auto b = norma::output_view(std::forward<B>(bias));
  const auto mean = norma::view(bn.running_mean()), variance = norma::view(bn.running_var());
  using P = typename decltype(mean)::value_type;
  const index_t channels = mean.size();
  if (mean.data() == nullptr) raise_shape_error(who, ": the BatchNorm tracks no running statistics");
  const int axis = checked_axis(who, options.axis.value, w.rank());
  check_same_shape(who, "weight", w, w.extents());
  if (w.extents()[axis] != channels) {
    raise_shape_error(who, ": weight has extents ", w.extents(), " with ", w.extents()[axis], " output channels along axis ", axis,
                      ", the BatchNorm has ", channels);
  }
  check_same_shape(who, "bias", b, {channels});
  const auto affine_along = [&](const Extents& x, int channel) {
    AffineOperands affine;
    affine.weight = parameter_operand(who, "weight of the BatchNorm", norma::view(bn.weight()), x, 1u << channel);
    return affine;
  };
  // A weight is scaled alone: its mean is 0, everywhere the same one.
  const P zero(0), one(1);
  const bool divides = variance.data() != nullptr;  // MeanOnlyBatchNorm does not
  const Operand variances = divides ? Operand(variance) : constant_operand(one, 1);
  const Roles all_but_channel = ((1u << w.rank()) - 1u) & ~(1u << axis);
  apply_statistics<P>(sequential, all_but_channel, w, w, affine_along(w.extents(), axis),
                      GivenStatistics(bn.eps(), constant_operand(zero, 1), variances));
  AffineOperands affine = affine_along(b.extents(), 0);
  affine.bias = parameter_operand(who, "bias of the BatchNorm", norma::view(bn.bias()), b.extents(), 1u);
  apply_statistics<P>(sequential, Roles(0), b, b, affine, GivenStatistics(bn.eps(), Operand(mean), variances));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
