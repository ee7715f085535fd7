// Roles of the axes of the norms of (N, C, spatial...), and how many sets that makes.
#pragma once

#include <norma/engine/layout.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

}}  // namespace norma::NORMA_ISA_NAMESPACE
