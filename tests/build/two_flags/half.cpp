// Both layers, forward and backward; compiled for each HALF.
#include "half.hpp"

#include <norma/norma.hpp>

#include <algorithm>

namespace two_flags {

namespace {

void run_layer(auto& layer, const Arrays& a) {
  const norma::TensorView<const float> x(a.x, {a.rows, a.length}), dy(a.dy, {a.rows, a.length});
  const norma::TensorView<float> y(a.y, {a.rows, a.length}), dx(a.dx, {a.rows, a.length});
  std::copy_n(a.weight, a.length, layer.weight().begin());
  if (!layer.bias().empty()) std::copy_n(a.bias, a.length, layer.bias().begin());
  norma::Saved<float> saved;
  layer.forward(x, y, saved);
  layer.backward(dy, x, saved, dx);
  layer(x, y);
  std::copy_n(layer.weight_grad().begin(), a.length, a.weight_grad);
  if (!layer.bias().empty()) std::copy_n(layer.bias_grad().begin(), a.length, a.bias_grad);
}

void layer_norm(const Arrays& a) {
  norma::LayerNorm<float> layer({a.length});
  run_layer(layer, a);
}

void rms_norm(const Arrays& a) {
  norma::RMSNorm<float> layer({a.length}, {.eps = 1e-6});
  run_layer(layer, a);
}

void fused(const Arrays& a) {
  norma::LayerNorm<float> layer({a.length});
  const norma::TensorView<const float> x(a.x, {a.rows, a.length}), dy(a.dy, {a.rows, a.length});
  const norma::TensorView<float> y(a.y, {a.rows, a.length}), dx(a.dx, {a.rows, a.length});
  std::copy_n(a.weight, a.length, layer.weight().begin());
  norma::Saved<float> saved;
  layer.forward(x, y, saved, {.residual = dy}, norma::gelu);
  layer.backward(dy, x, saved, dx, norma::silu);
  std::copy_n(layer.weight_grad().begin(), a.length, a.weight_grad);
  std::copy_n(layer.bias_grad().begin(), a.length, a.bias_grad);
}

}  // namespace

const Half HALF = {[] { return norma::instruction_set(); }, layer_norm, rms_norm, fused};

}  // namespace two_flags
