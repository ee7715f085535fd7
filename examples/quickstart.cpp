#include <iostream>

#include <Eigen/Core>

#include <norma/norma.hpp>

int main() {
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(4, 8), y(4, 8);  // 4 samples of 8 features, one sample per row
  norma::LayerNorm<float> ln({8});                             // normalizes the last axis, whose extent is 8
  ln(x, y);                                                    // y = (x - mean) / sqrt(variance + eps) * weight + bias
  norma::layer_norm(x, x, {.axes = {0}});                      // without a layer, in place: each column by itself
  std::cout << y << '\n';
  return y.rowwise().sum().isZero(1e-5F) && x.colwise().sum().isZero(1e-5F) ? 0 : 1;
}
