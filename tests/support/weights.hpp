// Cases of the reparameterised weights: shapes of rank 1 to 5 with their distinguished axis, and the SVD they are judged by.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "support/layouts.hpp"
#include "support/setting.hpp"
#include "support/tensor.hpp"

namespace norma_test {

/// A weight's shape and `dim` as the user says it; none: one norm for the whole tensor.
struct WeightShape {
  Extents extents;
  std::optional<std::ptrdiff_t> dim;

  /// dim counted from the front.
  std::size_t axis() const { return static_cast<std::size_t>(*dim < 0 ? *dim + static_cast<std::ptrdiff_t>(extents.size()) : *dim); }
  std::string name() const {
    return to_string(extents) +
           (dim ? std::string(*dim < 0 ? "_dim_m" : "_dim_").append(std::to_string(*dim < 0 ? -*dim : *dim)) : "_dim_none");
  }
};

inline std::string name_of(const WeightShape& shape) { return shape.name(); }

/// Vectors, rows, columns, linear and convolution weights, lengths around the lanes of a reduction; every axis, from both ends.
inline std::vector<WeightShape> weight_shapes(bool with_none) {
  std::vector<WeightShape> shapes;
  for (const Extents& extents : std::vector<Extents>{
           {1}, {7}, {1, 1}, {1, 33}, {33, 1}, {5, 31}, {16, 130}, {4, 1030}, {3, 4, 5}, {6, 3, 3, 3}, {2, 1, 3, 1}, {4, 3, 2, 2, 3}}) {
    const auto rank = static_cast<std::ptrdiff_t>(extents.size());
    for (std::ptrdiff_t dim = 0; dim < rank; ++dim) shapes.push_back({extents, dim});
    shapes.push_back({extents, -1});
    if (with_none) shapes.push_back({extents, std::nullopt});
  }
  return shapes;
}

/// The weight as a matrix, row-major: `dim` first, the other axes in order.
template <class T>
std::vector<reference::real> as_matrix(const WeightShape& shape, const std::vector<T>& weight) {
  const std::size_t dim = shape.axis(), rows = static_cast<std::size_t>(shape.extents[dim]);
  std::vector<std::vector<reference::real>> matrix(rows);
  std::size_t i = 0;
  for_each_index(shape.extents, [&](const Extents& index) {
    matrix[static_cast<std::size_t>(index[dim])].push_back(static_cast<reference::real>(weight[i++]));
  });
  std::vector<reference::real> flat;
  for (const auto& row : matrix) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

/// Logical values from a span.
template <class S>
auto values_of(S span) {
  return std::vector<std::remove_const_t<typename S::element_type>>(span.begin(), span.end());
}

struct WeightCase {
  WeightShape shape;
  bool f64;
  Layout layout;
};
inline std::string name_of(const WeightCase& c) { return c.shape.name() + (c.f64 ? "_f64_" : "_f32_") + name_of(c.layout); }

/// Every shape and dim in layouts that differ for its rank; fewer of them in double, one where dim counts from the back.
inline std::vector<WeightCase> weight_cases(bool with_none) {
  std::vector<WeightCase> cases;
  for (const WeightShape& shape : weight_shapes(with_none)) {
    const bool from_back = shape.dim && *shape.dim < 0;
    for (const Layout layout :
         {Layout::contiguous, Layout::reversed, Layout::channels_last, Layout::sliced, Layout::strided, Layout::flipped_all}) {
      const std::size_t rank = shape.extents.size();
      const bool repeats = (rank < 2 && layout == Layout::reversed) || (rank < 3 && layout == Layout::channels_last);
      if (repeats || (from_back && layout != Layout::contiguous)) continue;
      cases.push_back({shape, false, layout});
      if (layout == Layout::contiguous || layout == Layout::flipped_all) cases.push_back({shape, true, layout});
    }
  }
  return cases;
}

/// Every shape and dim, contiguous, in both types.
inline std::vector<WeightCase> contiguous_weight_cases(bool with_none) {
  std::vector<WeightCase> cases;
  for (const WeightShape& shape : weight_shapes(with_none)) {
    for (const bool f64 : {false, true}) cases.push_back({shape, f64, Layout::contiguous});
  }
  return cases;
}

}  // namespace norma_test
