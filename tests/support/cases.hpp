// The cases every catalogue entry is run through: lengths, shapes with axes, parameter forms; and their readable names.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "support/catalogue.hpp"
#include "support/layouts.hpp"
#include "support/setting.hpp"

namespace norma_test {

/// A catalogue entry in one element type.
struct Entry {
  std::size_t norm = 0;
  bool f64 = false;

  std::string name() const { return norm_names()[norm] + (f64 ? "_f64" : "_f32"); }
  template <class T>
  const Norm<T, T>& get() const {
    return catalogue<T, T>()[norm];
  }
};

inline std::vector<Entry> all_entries() {
  std::vector<Entry> entries;
  for (std::size_t n = 0; n < norm_names().size(); ++n) {
    entries.push_back({n, false});
    entries.push_back({n, true});
  }
  return entries;
}

/// Calls f(0.0f) or f(0.0).
template <class F>
void with_element(const Entry& entry, F f) {
  if (entry.f64) {
    f(double());
  } else {
    f(float());
  }
}

/// Every length up to four times the 32 lanes of a reduction and a bit, and around the sizes where algorithms change.
inline std::vector<std::ptrdiff_t> all_lengths() {
  std::vector<std::ptrdiff_t> lengths;
  for (std::ptrdiff_t n = 0; n <= 4 * 32 + 3; ++n) lengths.push_back(n);
  for (const std::ptrdiff_t n : {255, 256, 257, 383, 384, 509, 768, 1023, 1024, 1025, 4096, 8191, 8192, 8193, 16389, 70000})
    lengths.push_back(n);
  return lengths;
}

/// A shape and the axes to average over.
struct Shape {
  Extents extents;
  std::vector<std::ptrdiff_t> axes;

  std::string name() const { return to_string(extents) + "_over_" + to_string(axes, "_"); }
  Setting setting() const {
    Setting s;
    s.extents = extents;
    s.axes = axes;
    return s;
  }
};

/// Empty, tiny, prime and real shapes; trailing, leading, middle, all, and non-adjacent axes.
inline std::vector<Shape> all_shapes() {
  return {
      {{1, 768}, {-1}},       {{8, 64}, {-1}},          {{40, 1024}, {-1}},       {{5, 3, 7}, {-1}},
      {{5, 3, 7}, {1, 2}},    {{5, 3, 7}, {2, 1}},      {{5, 3, 7}, {0, 1, 2}},   {{5, 3, 7}, {0, 2}},
      {{5, 3, 7}, {1}},       {{5, 3, 7}, {0}},         {{5, 3, 7}, {0, 1}},      {{2, 96, 7, 9}, {1}},
      {{2, 96, 7, 9}, {-3}},  {{2, 5, 33, 17}, {2, 3}}, {{2, 5, 33, 17}, {1, 3}}, {{3, 64, 4, 4}, {1, 2, 3}},
      {{1, 1, 1}, {1}},       {{1, 1, 1}, {0, 1, 2}},   {{2, 1, 3}, {1}},         {{0, 5}, {1}},
      {{5, 0}, {1}},          {{5, 0, 3}, {2}},         {{0, 0}, {0, 1}},         {{67}, {0}},
      {{1031, 13}, {0}},      {{13, 1031}, {1}},        {{1031, 3}, {1}},         {{300, 2}, {-1}},
      {{2, 3, 4, 5}, {0, 2}}, {{2, 3, 4, 5}, {1, 2}},   {{2, 3, 4, 5}, {3, 0}},   {{2, 2, 3, 2, 2, 3, 2, 3}, {1, 4, 7}},
      {{2, 40, 37}, {1}},     {{4, 37, 40}, {0, 2}},    {{6, 1, 50}, {1, 2}},     {{17, 130}, {1}},
  };
}

/// The combinations of parameters worth a test of their own.
struct Parameters {
  Form weight, bias;
  bool unit_offset = false;
};

inline const std::vector<Parameters>& all_parameters() {
  static const std::vector<Parameters> list = {
      {Form::normalized, Form::normalized},
      {Form::absent, Form::absent},
      {Form::normalized, Form::absent},
      {Form::absent, Form::normalized},
      {Form::normalized, Form::normalized, true},
      {Form::per_set, Form::per_set, true},
      {Form::per_set, Form::normalized},
      {Form::full, Form::full},
      {Form::even_axes, Form::odd_axes},
      {Form::odd_axes, Form::even_axes, true},
      {Form::single, Form::full},
      {Form::normalized, Form::single},
      {Form::full, Form::absent},
  };
  return list;
}

inline void set_parameters(Setting& s, const Parameters& p) {
  s.weight = p.weight;
  s.bias = p.bias;
  s.unit_offset = p.unit_offset;
}

struct LengthCase {
  Entry entry;
  std::ptrdiff_t length;
};
struct ShapeCase {
  Entry entry;
  Shape shape;
};
struct LayoutCase {
  Entry entry;
  Shape shape;
  Layout layout;
};

inline std::string name_of(const Entry& e) { return e.name(); }
inline std::string name_of(const LengthCase& c) { return c.entry.name() + "_" + std::to_string(c.length); }
inline std::string name_of(const ShapeCase& c) { return c.entry.name() + "_" + c.shape.name(); }
inline std::string name_of(const LayoutCase& c) { return c.entry.name() + "_" + c.shape.name() + "_" + name_of(c.layout); }

inline std::vector<LengthCase> length_cases() {
  std::vector<LengthCase> cases;
  for (const Entry& entry : all_entries()) {
    for (const std::ptrdiff_t length : all_lengths()) cases.push_back({entry, length});
  }
  return cases;
}

inline std::vector<ShapeCase> shape_cases() {
  std::vector<ShapeCase> cases;
  for (const Entry& entry : all_entries()) {
    for (const Shape& shape : all_shapes()) cases.push_back({entry, shape});
  }
  return cases;
}

inline std::vector<LayoutCase> layout_cases() {
  std::vector<LayoutCase> cases;
  for (const ShapeCase& c : shape_cases()) {
    for (const Layout layout : all_layouts) cases.push_back({c.entry, c.shape, layout});
  }
  return cases;
}

/// `rows` rows of one length, normalized along the row.
inline Setting rows_of(std::ptrdiff_t rows, std::ptrdiff_t length) {
  Setting s;
  s.extents = {rows, length};
  return s;
}

}  // namespace norma_test
