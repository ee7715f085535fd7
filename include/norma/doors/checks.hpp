// What is checked at every door, before anything is written.
#pragma once

#include <norma/doors/saved.hpp>
#include <norma/engine/fusion.hpp>
#include <norma/engine/roles.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A set of axes from a list that may count from the back. ShapeError if empty, out of range or repeated.
inline AxisSet axis_set(const char* layer, const Extents& axes, int rank) {
  if (axes.size() == 0) raise_shape_error(layer, ": axes is empty; at least one axis must be normalized");
  AxisSet result = 0;
  for (const index_t a : axes) {
    const AxisSet bit = 1u << checked_axis(layer, a, rank);
    if (result & bit) raise_shape_error(layer, ": axis ", a, " is repeated in axes ", axes);
    result |= bit;
  }
  return result;
}

/// ShapeError unless the tensor called `name` has x's extents and, if it has elements, memory.
template <class T>
inline void check_same_shape(const char* layer, const char* name, const TensorView<T>& t, const Extents& x) {
  if (t.extents() != x) raise_shape_error(layer, ": ", name, " has extents ", t.extents(), ", x has ", x);
  if (t.data() == nullptr && t.size() > 0) raise_shape_error(layer, ": ", name, " is a null pointer with extents ", t.extents());
}

/// The checks of a forward pass, before anything is written.
template <class X, class Y>
inline void check_forward(const char* layer, const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, const Roles& roles) {
  check_same_shape(layer, "x", x, x.extents());
  check_same_shape(layer, "y", y, x.extents());
  if (call.fusion() != nullptr) return call.fusion()->check(layer, x.extents(), roles);
  if (element_type_of<Y> == ElementType::i8) raise_shape_error(layer, ": y of 8 bits wants a scale, or row_scales");
}

/// The checks of a backward without saved statistics, before anything is written.
template <class DY, class X, class DX>
inline void check_frozen_backward(const char* layer, const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x,
                                  const TensorView<DX>& dx, const Roles& roles) {
  check_same_shape(layer, "x", x, x.extents());
  check_same_shape(layer, "dy", dy, x.extents());
  if (dx.data() != nullptr) check_same_shape(layer, "dx", dx, x.extents());
  if (call.fusion() != nullptr) call.fusion()->check(layer, x.extents(), roles);
}

/// The checks of a backward pass, before anything is written.
template <class P, class DY, class X, class DX>
inline void check_backward(const char* layer, const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const Saved<P>& saved,
                           const TensorView<DX>& dx, const Roles& roles) {
  check_frozen_backward(layer, call, dy, x, dx, roles);
  saved.check(layer, x.extents(), roles.signature());
}

/// ShapeError unless x is (N, C, ...) of at least this rank.
inline void check_channel_rank(const char* layer, const Extents& x, int least_rank) {
  if (x.size() < least_rank) {
    raise_shape_error(layer, ": x has extents ", x, "; wanted is ", least_rank > 2 ? "(N, C, spatial...)" : "(N, C) or (N, C, spatial...)");
  }
}

/// The same for a layer that knows how many channels it has.
inline void check_channels(const char* layer, const Extents& x, int least_rank, index_t channels) {
  check_channel_rank(layer, x, least_rank);
  if (x[1] != channels) raise_shape_error(layer, ": x has extents ", x, " with ", x[1], " channels, the layer has ", channels);
}

inline index_t checked_channel_count(const char* layer, index_t channels) {
  if (channels < 0) raise_shape_error(layer, ": ", channels, " channels");
  return channels;
}

/// ShapeError unless v, called `name`, is one value per channel.
inline void check_per_channel(const char* layer, const char* name, const Extents& extents, index_t channels) {
  if (extents.size() != 1 || extents[0] != channels) {
    raise_shape_error(layer, ": ", name, " has extents ", extents, "; wanted is one value for each of ", channels, " channels");
  }
}

/// How many values a channel has in (N, C, spatial...).
inline index_t values_per_channel(const Extents& x) {
  index_t values = x[0];
  for (int a = 2; a < x.size(); ++a) values *= x[a];
  return values;
}

/// One value has no variance to learn from.
inline void check_more_than_one_value(const char* layer, const Extents& x) {
  if (values_per_channel(x) == 1) raise_shape_error(layer, ": training wants more than one value per channel, x has extents ", x);
}

template <class F>
inline void check_training(const Extents& x) {
  if constexpr (requires { F::check_training(x); }) F::check_training(x);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
