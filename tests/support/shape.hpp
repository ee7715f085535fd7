// Extents and row-major indices for tests and references; shares nothing with the library.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace norma_test {

using Extents = std::vector<std::ptrdiff_t>;

inline std::size_t count(std::span<const std::ptrdiff_t> extents) {
  std::size_t n = 1;
  for (const std::ptrdiff_t extent : extents) n *= static_cast<std::size_t>(extent);
  return n;
}

/// Calls f(offset) for every index of the shape, the last axis fastest; an offset is the index times the strides.
template <class F>
void for_each_offset(std::span<const std::ptrdiff_t> extents, std::span<const std::ptrdiff_t> strides, F& f, std::ptrdiff_t offset = 0) {
  if (extents.empty()) return f(offset);
  const std::ptrdiff_t extent = extents.front(), stride = strides.front();
  for (std::ptrdiff_t i = 0; i < extent; ++i, offset += stride) {
    if (extents.size() == 1) {
      f(offset);
    } else {
      for_each_offset(extents.subspan(1), strides.subspan(1), f, offset);
    }
  }
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

/// The position of every index of the shape in a tensor of extents `in`.
inline std::vector<std::size_t> positions(const Extents& shape, const Extents& in) {
  Extents strides(shape.size(), 0);
  std::ptrdiff_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > 0; stride *= in[axis]) strides[axis] = in[axis] == 1 ? 0 : stride;
  std::vector<std::size_t> result;
  result.reserve(count(shape));
  const auto add = [&](std::ptrdiff_t at) { result.push_back(static_cast<std::size_t>(at)); };
  for_each_offset(shape, strides, add);
  return result;
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
