// The numbers a norm is asked about: random ones, and the question they are to the reference.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "support/subject.hpp"

namespace norma_test {

/// Logical values of every input; parameters and buffers under their state names.
struct Data {
  std::vector<Values> x, dy;  // of each stream; x of a weight's norm is the parameter that is normalized
  std::map<std::string, Values> parameters, buffers;
  std::int64_t batches = 3;
};

/// State names that play a weight's or a bias' part in a stream's formula, and the names of an x that is a parameter.
inline const std::vector<std::string>& weight_names(std::size_t stream) {
  static const std::vector<std::string> names[] = {{"weight", "q_norm.weight", "scale", "parametrizations.weight.original0"},
                                                   {"k_norm.weight"}};
  return names[stream];
}
inline const std::vector<std::string>& bias_names(std::size_t stream) {
  static const std::vector<std::string> names[] = {{"bias", "q_norm.bias"}, {"k_norm.bias"}};
  return names[stream];
}
inline bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
inline bool is_x(const std::string& parameter) {
  return is_one_of(parameter, {"parametrizations.weight.original1", "parametrizations.weight.original"});
}

namespace data_detail {

inline Values unit_vector(Element e, std::size_t n, std::uint64_t seed) {
  Values v = random_values(e, n, seed);
  double squares = 0;
  for (const double each : v) squares += each * each;
  for (double& each : v) each = rounded_to(e, each / std::sqrt(squares));
  return v;
}

inline Values parameter(const std::string& name, Element e, std::size_t n, std::uint64_t seed) {
  if (name == "gate") return random_values(e, n, seed, 0.5, 0.4);  // some outside [0, 1]
  if (name == "mean_weight" || name == "var_weight") return random_values(e, n, seed, 0.5, 1);
  return random_parameters(e, n, seed);
}

inline Values buffer(const std::string& name, Element e, std::size_t n, std::uint64_t seed, double mean, double sigma) {
  if (name.find("_u") != std::string::npos || name.find("_v") == name.size() - 2) return unit_vector(e, n, seed);
  if (name == "running_mean" || name == "mean") return random_values(e, n, seed, mean, sigma);
  Values variance = random_values(e, n, seed, 2, 0.5);
  for (double& v : variance) v = rounded_to(e, v * rounded_to(e, sigma * sigma));
  return variance;
}

}  // namespace data_detail

/// Random inputs: x around `mean`, a random upstream gradient, parameters with zeros and negative values, running or given statistics not
/// far from those of x.
inline Data random_data(const Subject& subject, const Types& t, const Setting& s, std::uint64_t seed, double mean = 0, double sigma = 1) {
  Data data;
  for (std::size_t stream = 0; stream < subject.streams.size(); ++stream) {
    const std::size_t n = count(subject.extents_of(s, stream));
    data.x.push_back(random_values(t.x, n, seed + 10 * stream, mean, sigma));
    data.dy.push_back(random_values(t.y, n, seed + 10 * stream + 1));
  }
  AnyTensor w0(t.x, s.extents, {}, data.x[0]);
  const std::unique_ptr<Norm> norm = subject.make(t, s, {{}, {}, w0.any()});
  for (const State& p : norm->parameters()) {
    if (!is_x(p.name)) data.parameters[p.name] = data_detail::parameter(p.name, t.parameter, p.value.size(), ++seed + 1);
  }
  for (const State& b : norm->buffers())
    data.buffers[b.name] = data_detail::buffer(b.name, t.parameter, b.value.size(), ++seed + 1, mean, sigma);
  return data;
}

namespace data_detail {

inline reference::Numbers numbers(const Values& values) { return {values.begin(), values.end()}; }

inline const Values* find(const std::map<std::string, Values>& from, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto found = from.find(name);
    if (found != from.end()) return &found->second;
  }
  return nullptr;
}
inline reference::Numbers found(const std::map<std::string, Values>& from, const std::vector<std::string>& names) {
  const Values* const values = find(from, names);
  return values == nullptr ? reference::Numbers() : numbers(*values);
}

inline reference::Parameter spread(const Setting& s, Form form, const Values* values) {
  if (values == nullptr) return {};
  return {numbers(*values), cells_of(form, s)};
}

}  // namespace data_detail

/// One stream's question to the reference. `running`: that of inference, where it differs.
inline reference::Problem problem_of(const Subject& subject, const Setting& setting, const Data& data, bool running = false,
                                     std::size_t stream = 0) {
  using namespace data_detail;
  Setting s = setting;
  s.extents = subject.extents_of(setting, stream);
  reference::Problem p;
  p.extents = s.extents;
  p.axes = s.axes;
  p.groups = s.groups;
  p.x.assign(data.x[stream].begin(), data.x[stream].end());
  p.dy.assign(data.dy[stream].begin(), data.dy[stream].end());
  p.weight = spread(s, s.weight, find(data.parameters, weight_names(stream)));
  p.bias = spread(s, s.bias, find(data.parameters, bias_names(stream)));
  p.eps = s.eps;
  p.unit_offset = s.unit_offset;
  p.eps_outside_sqrt = s.eps_outside_sqrt;
  p.mean = found(data.buffers, {"mean", "running_mean"});
  p.variance = found(data.buffers, {"variance", "running_var"});
  p.running = subject.given_statistics || (running && subject.tracks(s));
  p.gate = found(data.parameters, {"gate"});
  p.mean_logits = found(data.parameters, {"mean_weight"});
  p.var_logits = found(data.parameters, {"var_weight"});
  p.unbiased_instance = s.authors;
  p.r_max = s.r_max;
  p.d_max = s.d_max;
  if (s.dim) p.dim = static_cast<std::size_t>(*s.dim < 0 ? *s.dim + static_cast<std::ptrdiff_t>(s.extents.size()) : *s.dim);
  p.u = found(data.buffers, {"parametrizations.weight.0._u"});
  p.v = found(data.buffers, {"parametrizations.weight.0._v"});
  p.iterations = running ? 0 : s.iterations;
  return p;
}

}  // namespace norma_test
