// fold_batch_norm: inference BatchNorm disappears into the convolution or linear layer before it.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/core/view.hpp>
#include <norma/doors/parameters.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// axis: the output channels of the weight; 0 for linear layers and convolutions, 1 for transposed convolutions. Where a weight has as many
/// input channels as output channels, no shape tells that it is the wrong one.
/// groups: those of the convolution. A transposed one's weight is (in, out / groups, ...), and each group of its input channels, along axis
/// 0, has output channels of its own; another convolution's has all output channels along axis 0, whatever its groups.
struct FoldBatchNormOptions {
  Extent axis = 0;    ///< of the output channels; counted from either end
  Extent groups = 1;  ///< of the convolution; 1 or more
};

/// The weight of a transposed convolution, whose axis 0 becomes (groups, in / groups); any other as it is. ShapeError unless it has this
/// many output channels.
template <class W>
inline TensorView<W> grouped_weight(const char* layer, const TensorView<W>& w, int axis, index_t groups, index_t channels) {
  check_same_shape(layer, "weight", w, w.extents());
  if (groups < 1 || channels % groups != 0)
    raise_shape_error(layer, ": ", channels, " output channels do not split into ", groups, " groups");
  const bool splits = axis != 0 && groups > 1;
  const index_t wanted = splits ? channels / groups : channels;
  if (w.extents()[axis] != wanted) {
    raise_shape_error(layer, ": weight has extents ", w.extents(), " with ", w.extents()[axis], " output channels along axis ", axis,
                      ", the BatchNorm has ", wanted, splits ? " in each group" : "");
  }
  if (!splits) return w;
  if (w.extents()[0] % groups != 0) {
    raise_shape_error(layer, ": weight has extents ", w.extents(), "; its ", w.extents()[0],
                      " input channels along axis 0 do not split into ", groups, " groups");
  }
  return w.split_axis(0, groups);
}

/// Rewrites weight (any rank, output channels along `axis`; with groups behind it, rank 7 at most) and bias (one value per output channel)
/// in place, so that the layer alone gives what layer and bn gave at inference: with s = bn.weight / sqrt(running_var + eps), weight *= s
/// and bias = (bias - running_mean) * s + bn.bias. bn tracks statistics and is a BatchNorm, SyncBatchNorm, BatchRenorm, MeanOnlyBatchNorm,
/// InstanceNorm, or a type of yours with running_mean(), running_var() (empty: 1), weight() and bias() (empty: absent), and eps(). Runs on
/// the calling thread. ShapeError before anything is written.
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
  const auto grouped = grouped_weight(who, w, axis, options.groups.value, channels);
  const bool splits = grouped.rank() > w.rank();
  check_same_shape(who, "bias", b, {channels});
  const auto affine_along = [&](const Extents& x, AxisSet axes, index_t parts) {
    const auto scale = norma::view(bn.weight());
    AffineOperands affine;
    affine.weight = parameter_operand(who, "weight of the BatchNorm", parts > 1 ? scale.split_axis(0, parts) : scale, x, axes);
    return affine;
  };
  // A weight is scaled alone: its mean is 0, everywhere the same one.
  const P zero(0), one(1);
  const bool divides = variance.data() != nullptr;  // MeanOnlyBatchNorm does not
  if (divides) check_same_shape(who, "running_var", variance, {channels});
  const Operand variances = divides ? Operand(variance) : constant_operand(one, 1);
  AffineOperands affine = affine_along(b.extents(), 1u, 1);
  affine.bias = parameter_operand(who, "bias of the BatchNorm", norma::view(bn.bias()), b.extents(), 1u);
  const AxisSet channel_axes = splits ? 1u | 1u << (axis + 1) : 1u << axis;
  apply_statistics<P>(sequential, Roles(trailing_axes(grouped.rank(), grouped.rank()) & ~channel_axes), grouped, grouped,
                      affine_along(grouped.extents(), channel_axes, splits ? options.groups.value : 1),
                      GivenStatistics(bn.eps(), constant_operand(zero, 1), variances));
  apply_statistics<P>(sequential, Roles(0), b, b, affine, GivenStatistics(bn.eps(), Operand(mean), variances));
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
