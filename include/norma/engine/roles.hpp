// Roles of axes: which are averaged, and how a parameter lies along all of them. The checks every layer makes at its door.
#pragma once

#include <norma/engine/layout.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Channel norms see (N, C, spatial...).
inline constexpr AxisSet batch_axis = 1u << 0;
inline constexpr AxisSet channel_axis = 1u << 1;
constexpr AxisSet spatial_axes(int rank) { return ((1u << rank) - 1u) & ~(batch_axis | channel_axis); }

/// The sets of statistics that are shared by all samples.
inline Roles batch_roles(int rank) { return Roles(batch_axis | spatial_axes(rank)).of_planes(); }
/// Those of each sample and channel.
inline Roles plane_roles(int rank) { return Roles(spatial_axes(rank)).of_planes(); }
/// Those of groups of channels of each sample.
inline Roles group_roles(int rank, index_t groups) { return Roles(channel_axis | spatial_axes(rank), groups).of_planes(); }

/// The `count` last of `rank` axes.
constexpr AxisSet trailing_axes(int rank, int count) { return ((1u << rank) - 1u) & ~((1u << (rank - count)) - 1u); }

/// The number of statistic sets: combinations of kept axes and of groups.
inline index_t set_count(const Extents& extents, const Roles& roles) {
  index_t sets = 1;
  for (int a = 0; a < extents.size(); ++a) sets *= roles.splits(a) ? roles.groups : roles.keeps(a) ? extents[a] : 1;
  return sets;
}

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

/// A parameter seen as a broadcast view of x. It has either the extents of x along `parameter_axes`, in x's order, or x's rank with each
/// extent x's or 1. ShapeError otherwise. An absent view gives an absent operand.
template <class T>
inline Operand parameter_operand(const char* layer, const char* name, const TensorView<T>& t, const Extents& x, AxisSet parameter_axes) {
  Operand operand;
  if (t.data() == nullptr) return operand;
  operand = Operand(t);
  operand.strides = Extents();
  int next = 0;
  bool fits_axes = true;
  for (int a = 0; a < x.size(); ++a) {
    const bool extends = (parameter_axes >> a & 1u) != 0;
    if (extends) fits_axes = fits_axes && next < t.rank() && t.extents()[next] == x[a];
    operand.strides.push_back(extends && fits_axes ? t.strides()[next] : 0);
    next += extends;
  }
  if (fits_axes && next == t.rank()) return operand;
  bool broadcasts = t.rank() == x.size();
  for (int a = 0; broadcasts && a < x.size(); ++a) {
    broadcasts = t.extents()[a] == x[a] || t.extents()[a] == 1;
    operand.strides[a] = t.extents()[a] == 1 ? 0 : t.strides()[a];
  }
  if (!broadcasts) {
    Extents wanted;
    for (int a = 0; a < x.size(); ++a) {
      if ((parameter_axes >> a & 1u) != 0) wanted.push_back(x[a]);
    }
    raise_shape_error(layer, ": ", name, " has extents ", t.extents(), "; wanted are ", wanted, ", or those of x ", x,
                      " with 1 where it repeats");
  }
  return operand;
}

/// Stands in for an absent weight or bias: one value everywhere. A bias of -0 leaves the sign of a zero alone.
template <class A>
inline Operand constant_operand(const A& value, int rank) {
  Operand operand;
  operand.data = const_cast<A*>(&value);
  operand.type = element_type_of<A>;
  for (int a = 0; a < rank; ++a) operand.strides.push_back(0);
  return operand;
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
