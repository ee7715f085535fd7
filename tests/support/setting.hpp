// What a norm is asked to do: x's shape, the axes, the forms of its parameters, its options.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "support/shape.hpp"

namespace norma_test {

/// A parameter's shape relative to x.
enum class Form {
  absent,
  normalized,  // the extents of the averaged axes, or (C) for norms of channels, as PyTorch has it
  per_set,     // x's rank, extent 1 along the averaged axes, or (N, C, 1, ..): FiLM
  even_axes,   // x's rank, x's extents along axes 0, 2, .., 1 along the others
  odd_axes,    // the other way round
  full,        // x's shape
  single,      // x's rank, every extent 1
  spatial,     // x's rank, x's extents from axis 2 on, 1 along batch and channels
};

inline const char* name_of(Form form) {
  static constexpr std::array names = {"absent", "normalized", "per_set", "even_axes", "odd_axes", "full", "single", "spatial"};
  return names[static_cast<std::size_t>(form)];
}

enum class Convention { torch, keras, onnx };

/// Each norm takes the members it knows.
struct Setting {
  Extents extents = {};
  std::vector<std::ptrdiff_t> axes = {};  // averaged; empty: a norm of channels, x is (N, C, spatial..)
  std::ptrdiff_t groups = 1;
  Extents keys = {};                       // of a second stream
  std::optional<std::ptrdiff_t> dim = {};  // of a weight
  std::vector<std::ptrdiff_t> parts = {};  // what each rank holds of the axis that is dealt to ranks
  std::size_t split_axis = 0;              // that axis
  Form weight = Form::normalized, bias = Form::normalized;
  double eps = 1e-5;
  bool unit_offset = false, eps_outside_sqrt = false;
  bool tracks = true, authors = false;
  std::optional<double> momentum = 0.25;
  Convention convention = Convention::torch;
  double r_max = 1.5, d_max = 0.5;
  int iterations = 1;
  bool trains = true;          // false: of one value per channel, which serves inference only
  std::string variation = {};  // what the options are called in names of cases

  friend bool operator==(const Setting&, const Setting&) = default;
};

/// Names of cases say what distinguishes shapes, and the variation.
inline std::string name_of(const Setting& s) {
  std::string name = to_string(s.extents);
  if (!s.axes.empty() && !s.dim) name += "_over_" + to_string(s.axes, "_");
  if (s.groups > 1) name += "_in_" + std::to_string(s.groups) + "_groups";
  if (!s.keys.empty()) name += "_and_" + to_string(s.keys);
  if (s.dim) name += "_dim_" + to_string({*s.dim});
  if (!s.parts.empty()) name += "_axis_" + std::to_string(s.split_axis) + "_as_" + to_string(s.parts, "_");
  if (!s.variation.empty()) name += "_" + s.variation;
  return name;
}

/// Options, as far as they are not the shape's own.
struct Options {
  std::optional<Form> weight = {}, bias = {};
  std::optional<double> eps = {}, momentum = {}, r_max = {}, d_max = {};
  bool unit_offset = false, eps_outside_sqrt = false, untracked = false, authors = false, cumulative = false;
  Convention convention = Convention::torch;
  int iterations = 1;
};
/// Options under a name.
struct Variation {
  std::string name;
  Options options = {};
};
inline Setting varied(Setting s, const Variation& v) {
  const Options& o = v.options;
  s.weight = o.weight.value_or(s.weight);
  s.bias = o.bias.value_or(s.bias);
  s.eps = o.eps.value_or(s.eps);
  s.momentum = o.cumulative ? std::nullopt : o.momentum ? o.momentum : s.momentum;
  s.r_max = o.r_max.value_or(s.r_max);
  s.d_max = o.d_max.value_or(s.d_max);
  s.unit_offset = o.unit_offset;
  s.eps_outside_sqrt = o.eps_outside_sqrt;
  s.tracks = !o.untracked;
  s.authors = o.authors;
  s.convention = o.convention;
  s.iterations = o.iterations;
  s.variation = v.name;
  return s;
}

/// The axes a plain parameter lies along, and those along which a per-set one repeats.
inline std::vector<bool> parameter_axes(const Setting& s) { return averaged(s.extents, s.axes.empty() ? Extents{1} : s.axes); }
inline bool repeats_in_set(const Setting& s, std::size_t a) { return s.axes.empty() && !s.dim ? a > 1 : averaged(s.extents, s.axes)[a]; }

/// Extents of a parameter with x's rank, 1 where it repeats.
inline Extents spread_extents(Form form, const Setting& s) {
  const std::vector<bool> has_parameter = parameter_axes(s);
  Extents result = s.extents;
  for (std::size_t a = 0; a < result.size(); ++a) {
    const bool has_extent = form == Form::full || (form == Form::normalized && has_parameter[a]) ||
                            (form == Form::per_set && !repeats_in_set(s, a)) || (form == Form::even_axes && a % 2 == 0) ||
                            (form == Form::odd_axes && a % 2 == 1) || (form == Form::spatial && a > 1);
    if (!has_extent) result[a] = 1;
  }
  return result;
}

/// Extents of the parameter as it is handed to the library.
inline Extents parameter_extents(Form form, const Setting& s) {
  const Extents spread = spread_extents(form, s);
  if (form != Form::normalized) return spread;
  const std::vector<bool> has_parameter = parameter_axes(s);
  Extents result;
  for (std::size_t a = 0; a < spread.size(); ++a) {
    if (has_parameter[a]) result.push_back(spread[a]);
  }
  return result;
}

/// Which of a parameter's numbers belongs to each element of x.
inline std::vector<std::size_t> cells_of(Form form, const Setting& s) { return positions(s.extents, spread_extents(form, s)); }

}  // namespace norma_test
