// The catalogue of norms: every entry is run through every property test. The list itself is in norms.hpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <norma/norma.hpp>

#include "support/executors.hpp"
#include "support/families.hpp"
#include "support/reference.hpp"

namespace norma_test {

/// Everything a norm's options may hold; each norm takes the members it knows.
template <class P>
struct Options {
  std::vector<norma::index_t> axes;
  norma::TensorView<const P> weight, bias, mean, variance;
  norma::TensorView<P> weight_grad, bias_grad;
  double eps = 0;
  bool unit_offset = false, eps_outside_sqrt = false;
  norma::index_t groups = 1;

  /// Becomes the options struct of whichever public function it is handed to.
  template <class O>
  operator O() const {
    O o;
    if constexpr (requires { o.axes; }) o.axes = axes;
    if constexpr (requires { o.groups; }) o.groups = groups;
    if constexpr (requires { o.weight; }) o.weight = weight;
    if constexpr (requires { o.bias; }) o.bias = bias;
    if constexpr (requires { o.mean; }) o.mean = mean;
    if constexpr (requires { o.variance; }) o.variance = variance;
    if constexpr (requires { o.eps; }) o.eps = eps;
    if constexpr (requires { o.unit_offset; }) o.unit_offset = unit_offset;
    if constexpr (requires { o.eps_outside_sqrt; }) o.eps_outside_sqrt = eps_outside_sqrt;
    if constexpr (requires { o.weight_grad; }) o.weight_grad = weight_grad;
    if constexpr (requires { o.bias_grad; }) o.bias_grad = bias_grad;
    return o;
  }
};

/// The options of a setting but for its parameters. Given statistics are seen where the inputs have them.
template <class X, class Y, class P>
Options<P> options_of(const Setting& s, const Inputs<X, Y, P>& inputs) {
  Options<P> options;
  options.axes = s.axes;
  options.groups = s.groups;
  options.eps = s.eps;
  options.unit_offset = s.unit_offset;
  options.eps_outside_sqrt = s.eps_outside_sqrt;
  options.mean = {inputs.mean.data(), inputs.mean.size()};
  options.variance = {inputs.variance.data(), inputs.variance.size()};
  return options;
}

/// One norm for x of element type X and y of element type Y, behind calls of one signature. A null pool: no executor is named.
template <class X, class Y>
struct Norm {
  using P = norma::ParameterFor<X>;
  using Saved = norma::Saved<P>;

  /// As its messages say it.
  std::string layer() const { return name.substr(0, name.find('_')); }

  std::string name;
  reference::Answer (*reference)(const reference::Problem&);
  Family family;
  bool centred;  // subtracts a mean
  std::function<void(const Pool*, norma::TensorView<const X> x, norma::TensorView<Y> y, const Options<P>&)> infer;
  std::function<void(const Pool*, norma::TensorView<const X> x, norma::TensorView<Y> y, Saved&, const Options<P>&)> train;
  std::function<void(const Pool*, norma::TensorView<const Y> dy, norma::TensorView<const X> x, Saved&, norma::TensorView<X> dx,
                     const Options<P>&)>
      backward;
};

/// The whole list. Instantiated for (float, float), (double, double), (float, double) and (double, float) in catalogue_*.cpp.
template <class X, class Y>
const std::vector<Norm<X, Y>>& catalogue();

/// Names of the entries, in the order of the list.
inline const std::vector<std::string>& norm_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Norm<float, float>& norm : catalogue<float, float>()) result.push_back(norm.name);
    return result;
  }();
  return names;
}

}  // namespace norma_test
