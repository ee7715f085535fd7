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
  const Family& family() const { return catalogue<float, float>()[norm].family; }
  Setting sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) const { return family().sets_of(sets, length); }
};

/// The entries of the families that `wanted` says yes to.
template <class F>
std::vector<Entry> entries_where(F wanted) {
  std::vector<Entry> entries;
  for (std::size_t n = 0; n < norm_names().size(); ++n) {
    for (const bool f64 : {false, true}) {
      const Entry entry = {n, f64};
      if (wanted(entry.family())) entries.push_back(entry);
    }
  }
  return entries;
}
inline std::vector<Entry> all_entries() {
  return entries_where([](const Family&) { return true; });
}
/// Norms over .axes.
inline std::vector<Entry> row_entries() {
  return entries_where([](const Family& family) { return family.has_axes; });
}
/// Norms whose statistics are those of x.
inline std::vector<Entry> computing_entries() {
  return entries_where([](const Family& family) { return !family.given_statistics; });
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

/// For norms of channels a parameter may also be a map of the positions.
inline std::vector<Parameters> parameters_of(const Entry& entry) {
  std::vector<Parameters> list = all_parameters();
  if (!entry.family().has_axes) {
    list.push_back({Form::spatial, Form::per_set});
    list.push_back({Form::absent, Form::spatial, true});
  }
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

inline std::vector<LengthCase> length_cases(const std::vector<Entry>& entries, const std::vector<std::ptrdiff_t>& lengths) {
  std::vector<LengthCase> cases;
  for (const Entry& entry : entries) {
    for (const std::ptrdiff_t length : lengths) {
      if (length >= entry.family().least_length) cases.push_back({entry, length});
    }
  }
  return cases;
}
inline std::vector<LengthCase> length_cases() { return length_cases(all_entries(), all_lengths()); }

/// Fewer lengths for norms of channels, whose runs are those of the norms over rows: for properties that cost much to look at.
inline std::vector<LengthCase> thinned_length_cases() {
  std::vector<LengthCase> cases;
  for (const LengthCase& c : length_cases()) {
    if (c.entry.family().has_axes || c.length <= 35 || c.length > 132 || c.length % 8 < 2) cases.push_back(c);
  }
  return cases;
}

inline std::vector<ShapeCase> shape_cases(const std::vector<Entry>& entries = all_entries()) {
  std::vector<ShapeCase> cases;
  for (const Entry& entry : entries) {
    for (const Shape& shape : entry.family().shapes) cases.push_back({entry, shape});
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

}  // namespace norma_test
