// Data of a given mean and scale, the exact result in long double, and the worst ratio of error to bound.
#include "accuracy.hpp"

#include "../layers/channel_norm_reference.hpp"
#include "registry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <string>
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

/// What one table is about: a layer's pass, the problems, and which elements share their statistics.
struct Subject {
  std::string title, layer;
  Pass pass;
  bool centred;
  std::vector<Problem> problems;
  std::vector<double> means;                                            ///< in standard deviations
  std::function<index_t(const Problem&, index_t n, index_t c)> set_of;  ///< numbers the statistic sets from 0
};

/// Worst error of data.y, in units of the bound.
double worst_ratio(const Data& data, const Subject& subject) {
  const Real unit = std::numeric_limits<float>::epsilon();
  const Problem& p = data.problem;
  const auto each_element = [&](auto&& f) {
    for (index_t n = 0; n < p.n; ++n)
      for (index_t c = 0; c < p.c; ++c)
        for (index_t s = 0; s < p.s; ++s) f(Data::size(p.at(n, c, s)), Data::size(subject.set_of(p, n, c)), Data::size(c));
  };
  const std::size_t sets = Data::size(subject.set_of(p, p.n - 1, p.c - 1)) + 1;
  const Real elements = static_cast<Real>(p.size()) / static_cast<Real>(sets);
  std::vector<Real> mean(sets, 0), variance(sets, Real(eps));
  if (subject.centred) each_element([&](std::size_t i, std::size_t set, std::size_t) { mean[set] += Real(data.x[i]) / elements; });
  each_element([&](std::size_t i, std::size_t set, std::size_t) {
    const Real deviation = Real(data.x[i]) - mean[set];
    variance[set] += deviation * deviation / elements;
  });
  double worst = 0;
  each_element([&](std::size_t i, std::size_t set, std::size_t c) {
    const Real kappa = std::sqrt(1 + mean[set] * mean[set] / variance[set]);
    const Real bias = subject.centred ? Real(data.bias[c]) : 0, weight = data.weight[c];
    const Real exact = (Real(data.x[i]) - mean[set]) / std::sqrt(variance[set]) * weight + bias;
    const Real bound = 4 * unit * (std::abs(exact - bias) + std::abs(bias)) + 2 * unit * kappa * std::abs(weight);
    const double ratio = static_cast<double>(std::abs(Real(data.y[i]) - exact) / bound);
    worst = std::isnan(ratio) ? HUGE_VAL : std::max(worst, ratio);
  });
  return worst;
}

void print_subject(const Subject& subject) {
  const auto& all = cases<float>();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.layer == subject.layer && c.pass == subject.pass; });
  if (found == all.end()) return;
  const auto takes_part = [](const Impl<float>& impl) { return !impl.name.starts_with("copy") && !impl.name.starts_with("norma_"); };
  std::printf("\n%s: worst error of y in units of the bound\n%-14s", subject.title.c_str(), "mean / sigma");
  for (const Impl<float>& impl : found->impls)
    if (takes_part(impl)) std::printf(" %10s", impl.name.c_str());
  for (const double mean : subject.means) {
    std::printf("\n%-14g", mean);
    for (const Impl<float>& impl : found->impls) {
      if (!takes_part(impl)) continue;
      double worst = 0;
      for (const Problem& problem : subject.problems) {
        Data data(problem, mean);
        const auto work = impl.make(problem, data.operands());
        work.run();
        if (work.collect) work.collect();  // peers that allocate their own outputs
        worst = std::max(worst, worst_ratio(data, subject));
      }
      std::printf(" %10.3g", worst);
    }
  }
  std::printf("\n");
}

void print_row_norm(const std::string& layer, bool centred) {
  print_subject({layer + " forward f32, rows of 1 to 70,000 elements",
                 layer,
                 Pass::forward,
                 centred,
                 {rows(500, 1), rows(500, 2), rows(500, 7), rows(200, 64), rows(200, 255), rows(100, 768), rows(50, 1023), rows(20, 4096),
                  rows(10, 8192), rows(4, 70'000)},
                 {0.0, 1.0, 1e2, 1e4, 1e6},
                 [](const Problem&, index_t n, index_t) { return n; }});
}

void print_channel_norm(const std::string& layer, Pass pass, ChannelNorm norm) {
  const auto sets = [norm](const Problem& p, index_t n, index_t c) { return set_of(norm, p, n, c); };
  const std::vector<double> means = {0.0, 1.0, 1e2, 1e4};
  print_subject({layer + " f32, NCHW, planes of 7x7 to 50x50",
                 layer,
                 pass,
                 true,
                 {nchw(16, 64, 7, 7), nchw(8, 64, 14, 14), nchw(2, 32, 50, 50)},
                 means,
                 sets});
  print_subject({layer + " f32, channels-last, the same planes",
                 layer,
                 pass,
                 true,
                 {nhwc(16, 64, 7, 7), nhwc(8, 64, 14, 14), nhwc(2, 32, 50, 50)},
                 means,
                 sets});
}

}  // namespace

void print_accuracy() {
  print_row_norm("LayerNorm", true);
  print_row_norm("RMSNorm", false);
  print_channel_norm("BatchNorm", Pass::train, ChannelNorm::batch);
  print_channel_norm("GroupNorm", Pass::forward, ChannelNorm::group);
  print_channel_norm("InstanceNorm", Pass::forward, ChannelNorm::instance);
}

}  // namespace bench
