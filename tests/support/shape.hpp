// Extents and row-major indices for tests and references; shares nothing with the library.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace norma_test {

using Extents = std::vector<std::ptrdiff_t>;

inline std::size_t count(const Extents& extents) {
  std::size_t n = 1;
  for (const std::ptrdiff_t extent : extents) n *= static_cast<std::size_t>(extent);
  return n;
}

/// Calls f(index) for every index of the shape, the last axis fastest.
template <class F>
void for_each_index(const Extents& extents, F f) {
  const std::size_t n = count(extents);
  Extents index(extents.size(), 0);
  for (std::size_t i = 0; i < n; ++i) {
    f(static_cast<const Extents&>(index));
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      if (++index[axis] < extents[axis]) break;
      index[axis] = 0;
    }
  }
}

/// The row-major position of index in a tensor of these extents; where an extent is 1 the index is ignored (broadcast).
inline std::size_t position(const Extents& index, const Extents& extents) {
  std::size_t at = 0;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    at = at * static_cast<std::size_t>(extents[axis]) + static_cast<std::size_t>(extents[axis] == 1 ? 0 : index[axis]);
  }
  return at;
}

/// The axes of .axes as a bit per axis; negative ones count from the back.
inline std::vector<bool> averaged(const Extents& extents, const std::vector<std::ptrdiff_t>& axes) {
  std::vector<bool> bits(extents.size(), false);
  for (const std::ptrdiff_t axis : axes) bits[static_cast<std::size_t>(axis < 0 ? axis + std::ptrdiff_t(extents.size()) : axis)] = true;
  return bits;
}

inline std::string to_string(const Extents& extents, const char* separator = "x") {
  std::string text;
  for (const std::ptrdiff_t extent : extents) {
    if (!text.empty()) text += separator;
    if (extent < 0) text += 'm';  // for minus: names of test cases have no signs
    text += std::to_string(extent < 0 ? -extent : extent);
  }
  return text.empty() ? "scalar" : text;
}

}  // namespace norma_test
