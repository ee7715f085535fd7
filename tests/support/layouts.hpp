// One logical tensor in many memory layouts: strides, offset and storage for each.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "support/shape.hpp"

namespace norma_test {

enum class Layout {
  contiguous,     // row-major
  reversed,       // first axis fastest, as Eigen stores a matrix
  rotated,        // last axis slowest, the others in order
  channels_last,  // axis 1 fastest, the others in order (N, spatial..., C)
  padded,         // rows (last axis) 5 elements apart more than their length
  sliced,         // a box out of a larger tensor, along every axis
  strided,        // every second element of the last axis
  flipped,        // last axis with a negative stride
  flipped_all,    // every axis with a negative stride
};

inline constexpr std::array all_layouts = {Layout::contiguous, Layout::reversed, Layout::rotated, Layout::channels_last, Layout::padded,
                                           Layout::sliced,     Layout::strided,  Layout::flipped, Layout::flipped_all};

inline const char* name_of(Layout layout) {
  static constexpr std::array names = {"contiguous", "reversed", "rotated", "channels_last", "padded",
                                       "sliced",     "strided",  "flipped", "flipped_all"};
  return names[static_cast<std::size_t>(layout)];
}

struct Placed {
  Extents strides;
  std::ptrdiff_t offset = 0;   // of index (0, ..., 0) from the start of the storage
  std::ptrdiff_t storage = 1;  // elements
};

/// The axes from slowest to fastest.
inline std::vector<std::size_t> memory_order(std::size_t rank, Layout layout) {
  std::vector<std::size_t> order;
  for (std::size_t a = 0; a < rank; ++a) order.push_back(layout == Layout::reversed ? rank - 1 - a : a);
  if (rank > 1 && layout == Layout::rotated) {
    order.insert(order.begin(), order.back());
    order.pop_back();
  }
  if (rank > 1 && layout == Layout::channels_last) {
    order.erase(order.begin() + 1);
    order.push_back(1);
  }
  return order;
}

inline Placed place(const Extents& extents, Layout layout) {
  const std::size_t rank = extents.size();
  Placed placed;
  placed.strides.assign(rank, 1);
  const std::vector<std::size_t> order = memory_order(rank, layout);
  for (std::size_t k = rank; k-- > 0;) {
    const std::size_t axis = order[k];
    const bool fastest = k + 1 == rank;
    const std::ptrdiff_t step = fastest && layout == Layout::strided ? 2 : 1;
    const std::ptrdiff_t before = layout == Layout::sliced ? 1 : 0;
    const std::ptrdiff_t behind = layout == Layout::sliced ? 1 : fastest && layout == Layout::padded ? 5 : 0;
    const bool flip = layout == Layout::flipped_all || (layout == Layout::flipped && fastest);
    const std::ptrdiff_t stride = placed.storage * step;
    placed.offset += before * stride + (flip && extents[axis] > 0 ? (extents[axis] - 1) * stride : 0);
    placed.strides[axis] = flip ? -stride : stride;
    placed.storage = stride * (before + extents[axis] + behind);
  }
  return placed;
}

}  // namespace norma_test
