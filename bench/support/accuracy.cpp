// Data of a given mean and scale, the exact result in long double, and the worst ratio of error to bound.
#include "accuracy.hpp"

#include "registry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

namespace bench {
namespace {

using Real = long double;
using Floats = std::vector<float>;

/// Operands of one problem, drawn anew for each mean.
struct Data {
  Problem problem;
  Floats x, y, weight, bias, gradient;

  Data(const Problem& p, double mean)
      : problem(p), x(size(p.size())), y(x.size()), weight(size(p.c)), bias(size(p.c)), gradient(size(p.c)) {
    std::mt19937 bits(7);
    std::normal_distribution<double> normal;
    const auto draw = [&](Floats& values, double centre, double sigma) {
      for (float& value : values) value = static_cast<float>(centre + sigma * normal(bits));
    };
    draw(x, mean, 1);
    draw(weight, 1, 0.25);
    draw(bias, 0, 0.25);
  }
  Operands<float> operands() {
    return {x.data(), y.data(), x.data(), y.data(), weight.data(), bias.data(), gradient.data(), gradient.data()};
  }
  static std::size_t size(index_t count) { return static_cast<std::size_t>(count); }
};

/// Worst error of the rows in data.y, in units of the bound.
double worst_ratio(const Data& data, bool centred) {
  const Real unit = std::numeric_limits<float>::epsilon();
  const auto length = Data::size(data.problem.c);
  double worst = 0;
  for (std::size_t row = 0; row < data.x.size(); row += length) {
    Real mean = 0, squares = 0;
    for (std::size_t i = 0; centred && i < length; ++i) mean += Real(data.x[row + i]) / Real(length);
    for (std::size_t i = 0; i < length; ++i) squares += (Real(data.x[row + i]) - mean) * (Real(data.x[row + i]) - mean);
    const Real variance = squares / Real(length) + Real(eps), rstd = 1 / std::sqrt(variance);
    const Real kappa = std::sqrt(1 + mean * mean / variance);
    for (std::size_t i = 0; i < length; ++i) {
      const Real bias = centred ? Real(data.bias[i]) : 0, weight = data.weight[i];
      const Real exact = (Real(data.x[row + i]) - mean) * rstd * weight + bias;
      const Real bound = 4 * unit * (std::abs(exact - bias) + std::abs(bias)) + 2 * unit * kappa * std::abs(weight);
      const double ratio = static_cast<double>(std::abs(Real(data.y[row + i]) - exact) / bound);
      worst = std::isnan(ratio) ? HUGE_VAL : std::max(worst, ratio);
    }
  }
  return worst;
}

const Case<float>* first_case(const std::string& layer) {
  for (const Case<float>& c : cases<float>())
    if (c.layer == layer && c.pass == Pass::forward) return &c;
  return nullptr;
}

void print_layer(const std::string& layer, bool centred) {
  const Case<float>* c = first_case(layer);
  if (c == nullptr) return;
  const std::vector<Problem> problems = {rows(500, 1),   rows(500, 2),   rows(500, 7),   rows(200, 64),  rows(200, 255),
                                         rows(100, 768), rows(50, 1023), rows(20, 4096), rows(10, 8192), rows(4, 70'000)};
  std::printf("\n%s forward f32: worst error of y in units of the bound, rows of 1 to 70,000 elements\n%-14s", layer.c_str(),
              "mean / sigma");
  for (const Impl<float>& impl : c->impls)
    if (impl.name != "copy") std::printf(" %10s", impl.name.c_str());
  for (const double mean : {0.0, 1.0, 1e2, 1e4, 1e6}) {
    std::printf("\n%-14g", mean);
    for (const Impl<float>& impl : c->impls) {
      if (impl.name == "copy") continue;
      double worst = 0;
      for (const Problem& problem : problems) {
        Data data(problem, mean);
        impl.make(problem, data.operands()).run();
        worst = std::max(worst, worst_ratio(data, centred));
      }
      std::printf(" %10.3g", worst);
    }
  }
  std::printf("\n");
}

}  // namespace

void print_accuracy() {
  print_layer("LayerNorm", true);
  print_layer("RMSNorm", false);
}

}  // namespace bench
