// norma in thirty lines: normalize a matrix by rows and by columns, then train through a layer.
#include <iostream>

#include <Eigen/Core>

#include <norma/norma.hpp>

int main() {
  // 4 samples of 8 features, one sample per row. The layer normalizes the last axis, extent 8: each sample by itself.
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(4, 8);
  Eigen::MatrixXf y(4, 8);
  norma::LayerNorm<float> ln({8});
  ln(x, y);  // y = (x - mean) / sqrt(variance + eps) * weight + bias; nothing is copied or allocated

  // A MatrixXf is column-major: (row, col) lies at row + 4 * col. norma sees logical (rows, cols) and walks through the
  // strides, so the last axis is cols whatever the storage order. One sample per column? Then features are axis 0:
  Eigen::MatrixXf columns = x.transpose();
  Eigen::MatrixXf normalized(8, 4);
  norma::layer_norm(columns, normalized, {.axes = {0}});
  std::cout << "rows or columns, the same bits: " << (normalized.transpose() == y ? "yes" : "no") << '\n';

  // Training: forward remembers what backward needs; parameter gradients add up until zero_grad().
  Eigen::MatrixXf dy = Eigen::MatrixXf::Random(4, 8);
  Eigen::MatrixXf dx(4, 8);
  norma::Saved<float> saved;
  ln.forward(x, y, saved);
  ln.backward(dy, x, saved, dx);
  std::cout << "d bias[0] = " << ln.bias_grad()[0] << ", the sum of dy's first column = " << dy.col(0).sum() << '\n';

  return normalized.transpose() == y && y.rowwise().sum().isZero(1e-5F) ? 0 : 1;
}
