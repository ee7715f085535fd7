#include "support/data.hpp"

#include <cmath>

namespace norma_test {

Values random_values(Element e, std::size_t n, std::uint64_t seed, double mean, double sigma) {
  Random random(seed);
  Values values(n);
  with_element(e, [&]<class T>(T element) {
    for (double& value : values) {
      put_number(element, std::fma(sigma, random.normal(), mean));
      value = number_of(element);
    }
  });
  return values;
}
Values random_parameters(Element e, std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Values values(n);
  for (double& value : values) value = random.below(7) == 0 ? 0 : rounded_to(e, random.normal());
  return values;
}
Values small_integers(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Values values(n);
  for (double& value : values) value = static_cast<double>(random.below(7)) - 3;
  return values;
}

namespace {

Values unit_vector(Element e, std::size_t n, std::uint64_t seed) {
  Values v = random_values(e, n, seed);
  double squares = 0;
  for (const double each : v) squares += each * each;
  for (double& each : v) each = rounded_to(e, each / std::sqrt(squares));
  return v;
}

Values parameter(const std::string& name, Element e, std::size_t n, std::uint64_t seed) {
  if (name == "gate") return random_values(e, n, seed, 0.5, 0.4);  // some outside [0, 1]
  if (name == "mean_weight" || name == "var_weight") return random_values(e, n, seed, 0.5, 1);
  return random_parameters(e, n, seed);
}

Values buffer(const std::string& name, Element e, std::size_t n, std::uint64_t seed, double mean, double sigma) {
  if (name.find("_u") != std::string::npos || name.find("_v") == name.size() - 2) return unit_vector(e, n, seed);
  if (name == "running_mean" || name == "mean") return random_values(e, n, seed, mean, sigma);
  Values variance = random_values(e, n, seed, 2, 0.5);
  for (double& v : variance) v = rounded_to(e, v * rounded_to(e, sigma * sigma));
  return variance;
}

reference::Numbers numbers(const Values& values) { return {values.begin(), values.end()}; }

const Values* find(const std::map<std::string, Values>& from, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto found = from.find(name);
    if (found != from.end()) return &found->second;
  }
  return nullptr;
}
reference::Numbers found(const std::map<std::string, Values>& from, const std::vector<std::string>& names) {
  const Values* const values = find(from, names);
  return values == nullptr ? reference::Numbers() : numbers(*values);
}

reference::Parameter spread(const Setting& s, Form form, const Values* values) {
  if (values == nullptr) return {};
  return {numbers(*values), cells_of(form, s)};
}

}  // namespace

Data random_data(const Subject& subject, const Types& t, const Setting& s, std::uint64_t seed, double mean, double sigma) {
  Data data;
  for (std::size_t stream = 0; stream < subject.streams.size(); ++stream) {
    const std::size_t n = count(subject.extents_of(s, stream));
    data.x.push_back(random_values(t.x, n, seed + 10 * stream, mean, sigma));
    data.dy.push_back(random_values(t.y, n, seed + 10 * stream + 1));
  }
  AnyTensor w0(t.x, s.extents, {}, data.x[0]);
  const std::unique_ptr<Norm> norm = subject.make(t, s, {{}, {}, w0.any()});
  for (const State& p : norm->parameters()) {
    if (!is_x(p.name)) data.parameters[p.name] = parameter(p.name, t.parameter, p.value.size(), ++seed + 1);
  }
  for (const State& b : norm->buffers()) data.buffers[b.name] = buffer(b.name, t.parameter, b.value.size(), ++seed + 1, mean, sigma);
  return data;
}

reference::Problem problem_of(const Subject& subject, const Setting& setting, const Data& data, bool running, std::size_t stream) {
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
