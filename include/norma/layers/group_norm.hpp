// GroupNorm: mean and variance over the channels of a group and all positions of a sample (Wu, He 2018, arXiv 1803.08494).
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/plain_layer.hpp>
#include <norma/doors/view_norm.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Views of the free functions. groups must divide the channels of x (N, C, ...). weight and bias: (C), or x's rank with 1 where they
/// repeat, e.g. (N, C, 1, 1) for adaptive GroupNorm.
template <Parameter T>
struct GroupNormViews {
  Extent groups = 0;                   ///< must divide the channels, else a ShapeError
  ParameterView<T> weight = {};        ///< absent: not applied
  ParameterView<T> bias = {};          ///< absent: not applied
  double eps = 1e-5;                   ///< added to the variance; 0 or more, else a ShapeError
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};
/// Views of the backward of training.
template <Parameter T>
struct GroupNormBackwardViews {
  Extent groups = 0;                 ///< must divide the channels, else a ShapeError
  ParameterView<T> weight = {};      ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};

struct GroupNormSpec {
  template <Parameter T>
  using Views = GroupNormViews<T>;
  template <Parameter T>
  using BackwardViews = GroupNormBackwardViews<T>;
  static constexpr const char* layer = "GroupNorm";

  template <Parameter T>
  static Statistic statistic(const GroupNormViews<T>& options) {
    return {Statistic::Kind::deviation, checked_eps(layer, options.eps)};
  }

  /// The sets: each group of a sample. ShapeError unless the groups divide the channels.
  static Roles roles(const Extents& x, index_t groups) {
    check_channel_rank(layer, x, 2);
    check_split(groups, x[1]);
    return group_roles(x.size(), groups);
  }
  template <class Views>
  static Roles roles(const Extents& x, const Views& options) {
    return roles(x, options.groups.value);
  }
  static void check_split(index_t groups, index_t channels) {
    if (groups < 1 || channels % groups != 0) raise_shape_error(layer, ": ", channels, " channels do not split into ", groups, " groups");
  }
};

/// torch.nn.GroupNorm's options and defaults. unit_offset: the weight starts at 0 and enters as 1 + weight.
struct GroupNormOptions {
  double eps = 1e-5;                   ///< added to the variance; 0 or more, else a ShapeError
  bool affine = true;                  ///< false: neither weight nor bias
  bool bias = true;                    ///< counts only with affine
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};

/// Normalizes (N, C, ...) over each group of C / groups neighbouring channels and all positions; weight and bias have C elements. The same
/// in training and inference. One value per set gives exactly the bias. T: float or double.
template <Parameter T = float>
class GroupNorm : public PlainLayer<GroupNorm<T>, GroupNormSpec, T> {
 public:
  /// torch's order. ShapeError unless the groups divide the channels.
  GroupNorm(index_t groups, index_t channels, const GroupNormOptions& options = {})
      : PlainLayer<GroupNorm<T>, GroupNormSpec, T>({Statistic::Kind::deviation, checked_eps(GroupNormSpec::layer, options.eps)},
                                                   {checked_channel_count(GroupNormSpec::layer, channels)}, options.affine,
                                                   options.affine && options.bias, options.unit_offset, options.rounding),
        groups_(groups) {
    GroupNormSpec::check_split(groups, channels);
  }
  /// Refuses a misspelt eps with a sentence of the compiler.
  GroupNorm(index_t groups, index_t channels, const EpsilonOptions&) : GroupNorm(groups, channels, refuse_epsilon<T, GroupNormOptions>()) {}

  /// How many.
  index_t groups() const { return groups_; }

 private:
  friend PlainLayer<GroupNorm<T>, GroupNormSpec, T>;

  NormAxes axes_of(const Extents& x) const {
    check_channels(GroupNormSpec::layer, x, 2, this->parameter_shape()[0]);
    return {GroupNormSpec::roles(x, groups_), channel_axis};
  }

  index_t groups_;
};

/// GroupNorm on views you own: inference (group_norm(x, y, options)), training forward (with a Saved before the options), each with an
/// executor first if you like. y may be exactly x. ShapeError before anything is written.
inline constexpr ViewForward<GroupNormSpec> group_norm{};

/// group_norm_backward(dy, x, saved, dx, options), after the training forward.
inline constexpr ViewBackward<GroupNormSpec> group_norm_backward{};

}}  // namespace norma::NORMA_ISA_NAMESPACE
