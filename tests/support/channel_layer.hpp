// Layer objects over (N, C, spatial..) against the references: training forward, backward and the gradients they accumulate.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/compare.hpp"

namespace norma_test {

/// A layer type with the element types of x (dx too) and y (dy too).
template <class L, class XT, class YT>
struct Mix {
  using Layer = L;
  using T = typename decltype(std::declval<L&>().weight())::value_type;
  using X = XT;
  using Y = YT;
};

template <template <class> class L>
using MixesOf = testing::Types<Mix<L<float>, float, float>, Mix<L<float>, float, double>, Mix<L<float>, double, float>,
                               Mix<L<float>, double, double>, Mix<L<double>, float, float>, Mix<L<double>, float, double>,
                               Mix<L<double>, double, float>, Mix<L<double>, double, double>>;

template <class T>
std::vector<std::remove_const_t<T>> copy_of(std::span<T> values) {
  return {values.begin(), values.end()};
}

/// The forms of a layer's own parameters.
template <class Layer>
void set_forms(Setting& s, const Layer& layer) {
  s.weight = layer.weight().empty() ? Form::absent : Form::normalized;
  s.bias = layer.bias().empty() ? Form::absent : Form::normalized;
}

template <class Layer, class In>
void set_parameters_of(Layer& layer, const In& inputs) {
  std::copy(inputs.weight.begin(), inputs.weight.end(), layer.weight().begin());
  std::copy(inputs.bias.begin(), inputs.bias.end(), layer.bias().begin());
}

/// One training step of `layer` on random data; y, statistics and all gradients against `formula`. Returns the exact answer.
template <class X, class Y, class Layer>
reference::Answer expect_training_correct(Layer& layer, reference::Answer (*formula)(const reference::Problem&), Setting s,
                                          const Where& where, std::uint64_t seed) {
  using T = typename decltype(layer.weight())::value_type;
  SCOPED_TRACE(describe(s) + ", " + name_of(where.layout));
  set_forms(s, layer);
  const auto inputs = random_inputs<X, Y, T>(s, seed, 2);
  set_parameters_of(layer, inputs);
  layer.zero_grad();
  Tensor<X> x(s.extents, where, inputs.x), dx(s.extents, where);
  Tensor<Y> dy(s.extents, where, inputs.dy), y(s.extents, where);
  norma::Saved<T> saved;
  layer.forward(x.view(), y.view(), saved);
  layer.backward(dy.view(), x.view(), saved, dx.view());

  const reference::Problem p = problem(s, inputs);
  const reference::Answer exact = formula(p);
  const Bounds forward = bounds(p, exact, precision_of<norma::Wider<T, X>, Y>());
  const Bounds backward = bounds(p, exact, precision_from_saved<T, norma::Wider<T, X>, X>());
  const Bounds statistics = bounds(p, exact, precision_of<T>());
  EXPECT_TRUE(within(y.values(), exact.y, forward.y)) << "y";
  EXPECT_TRUE(within(dx.values(), exact.dx, backward.dx)) << "dx";
  EXPECT_TRUE(within(copy_of(layer.weight_grad()), exact.dweight, statistics.dweight)) << "dweight";
  EXPECT_TRUE(within(copy_of(layer.bias_grad()), exact.dbias, statistics.dbias)) << "dbias";
  EXPECT_TRUE(within(copy_of(saved.rstd()), exact.rstd, statistics.rstd)) << "rstd";
  EXPECT_TRUE(within(copy_of(saved.mean()), exact.mean, statistics.mean)) << "mean";
  EXPECT_TRUE(same(x.values(), inputs.x) && same(dy.values(), inputs.dy)) << "an input changed";
  EXPECT_TRUE(x.surroundings_untouched() && y.surroundings_untouched() && dx.surroundings_untouched());
  return exact;
}

/// Layouts that a channel norm meets.
inline constexpr std::array channel_layouts = {Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced,
                                               Layout::flipped_all};

}  // namespace norma_test
