// What a norm is asked to do: x's shape, the axes, the forms of its parameters, its scalars.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "support/random.hpp"
#include "support/reference.hpp"
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

struct Setting {
  Extents extents;
  std::vector<std::ptrdiff_t> axes = {-1};  // averaged; empty: a norm of channels, x is (N, C, spatial..)
  Form weight = Form::normalized, bias = Form::normalized;
  double eps = 1e-5;
  bool unit_offset = false, eps_outside_sqrt = false;
  std::ptrdiff_t groups = 1;
  bool given_statistics = false;  // a mean and a variance for each channel come with the inputs
};

/// The axes a plain parameter lies along, and those along which a per-set one repeats.
inline std::vector<bool> parameter_axes(const Setting& s) { return averaged(s.extents, s.axes.empty() ? Extents{1} : s.axes); }
inline bool repeats_in_set(const Setting& s, std::size_t a) { return s.axes.empty() ? a > 1 : parameter_axes(s)[a]; }

inline std::string describe(const Setting& s) {
  std::string text = "x (";
  text.append(to_string(s.extents, ", ")).append("), axes {").append(to_string(s.axes, ", "));
  text.append("}, groups ")
      .append(std::to_string(s.groups))
      .append(", weight ")
      .append(name_of(s.weight))
      .append(", bias ")
      .append(name_of(s.bias));
  text.append(", eps ").append(std::to_string(s.eps));
  return text.append(s.unit_offset ? ", unit_offset" : "").append(s.eps_outside_sqrt ? ", eps_outside_sqrt" : "");
}

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

/// Logical values of every input, row-major. Parameters are empty where absent.
template <class X, class Y, class P>
struct Inputs {
  std::vector<X> x;
  std::vector<Y> dy;
  std::vector<P> weight, bias;
  std::vector<P> mean, variance;  // where the statistics are given
};

/// Random inputs: x around `mean`, a random upstream gradient, parameters with zeros and negative values, given statistics not far from
/// those of x.
template <class X, class Y, class P>
Inputs<X, Y, P> random_inputs(const Setting& s, std::uint64_t seed, double mean = 0, double sigma = 1) {
  Inputs<X, Y, P> in;
  in.x = random_values<X>(count(s.extents), seed, mean, sigma);
  in.dy = random_values<Y>(count(s.extents), seed + 1);
  if (s.weight != Form::absent) in.weight = random_parameters<P>(count(parameter_extents(s.weight, s)), seed + 2);
  if (s.bias != Form::absent) in.bias = random_parameters<P>(count(parameter_extents(s.bias, s)), seed + 3);
  if (s.given_statistics) {
    in.mean = random_values<P>(static_cast<std::size_t>(s.extents[1]), seed + 4, mean, sigma);
    in.variance = random_values<P>(in.mean.size(), seed + 5, 2, 0.5);
    for (P& variance : in.variance) variance *= static_cast<P>(sigma * sigma);
  }
  return in;
}

namespace setting_detail {

/// One parameter over all of x: its value and its cell per element.
template <class P>
void spread(const Setting& s, Form form, const std::vector<P>& values, reference::real absent_value, std::vector<reference::real>& to,
            std::vector<std::size_t>& cell, std::size_t& cells) {
  const Extents extents = spread_extents(form, s);
  to.reserve(count(s.extents));
  cells = form == Form::absent ? 0 : count(extents);
  for_each_index(s.extents, [&](const Extents& index) {
    const std::size_t at = position(index, extents);
    cell.push_back(at);
    to.push_back(form == Form::absent ? absent_value : static_cast<reference::real>(values[at]));
  });
}

}  // namespace setting_detail

/// The same question, as the reference wants it.
template <class X, class Y, class P>
reference::Problem problem(const Setting& s, const Inputs<X, Y, P>& in) {
  reference::Problem p;
  p.extents = s.extents;
  p.axes = s.axes;
  p.x.assign(in.x.begin(), in.x.end());
  p.dy.assign(in.dy.begin(), in.dy.end());
  p.eps = s.eps;
  p.unit_offset = s.unit_offset;
  p.eps_outside_sqrt = s.eps_outside_sqrt;
  p.groups = s.groups;
  p.given_mean.assign(in.mean.begin(), in.mean.end());
  p.given_variance.assign(in.variance.begin(), in.variance.end());
  // An absent weight multiplies by 1, with unit_offset too.
  setting_detail::spread(s, s.weight, in.weight, s.unit_offset ? 0 : 1, p.weight, p.weight_cell, p.weight_cells);
  setting_detail::spread(s, s.bias, in.bias, 0, p.bias, p.bias_cell, p.bias_cells);
  return p;
}

}  // namespace norma_test
