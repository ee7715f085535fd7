// Adaptive GroupNorm as diffusion U-Nets use it (Dhariwal, Nichol 2021, arXiv 2105.05233): a linear layer turns the time embedding into
// scale and shift, y = GroupNorm(x) * (1 + scale) + shift; its gradients go all the way back to the embedding.
#include <cmath>
#include <cstdio>

#include <Eigen/Core>

#include <norma/norma.hpp>

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr norma::index_t batch = 2, channels = 8, side = 4, groups = 4, features = 5;

/// One sample per row of `condition` (batch, 2 * channels): first all scales, then all shifts. Either half is seen as (N, C, 1, 1) where
/// it lies.
norma::TensorView<double> half(Matrix& condition, norma::index_t which) {
  return {condition.data() + which * channels, {batch, channels, 1, 1}, {2 * channels, 1, 1, 1}};
}

norma::TensorView<double> maps(Matrix& rows) { return {rows.data(), {batch, channels, side, side}}; }

struct Block {
  Matrix weight = Matrix::Random(2 * channels, features);  // of the linear layer
  Matrix condition{};
  norma::Saved<double> saved{};

  Matrix forward(Matrix& x, const Matrix& embedding) {
    condition = embedding * weight.transpose();
    Matrix y(batch, channels * side * side);
    norma::group_norm(maps(x), maps(y), saved,
                      {.groups = groups, .weight = half(condition, 0), .bias = half(condition, 1), .unit_offset = true});
    return y;
  }

  /// Call it behind forward(x, ...): the gradients of x and of the embedding.
  void backward(Matrix& dy, Matrix& x, Matrix& dx, Matrix& dembedding) {
    Matrix dcondition = Matrix::Zero(batch, 2 * channels);
    norma::group_norm_backward(maps(dy), maps(x), saved, maps(dx),
                               {.groups = groups,
                                .weight = half(condition, 0),
                                .unit_offset = true,
                                .weight_grad = half(dcondition, 0),
                                .bias_grad = half(dcondition, 1)});
    dembedding = dcondition * weight;
  }
};

}  // namespace

int main() {
  Block block;
  Matrix x = Matrix::Random(batch, channels * side * side), dy = Matrix::Random(x.rows(), x.cols()), dx = dy;
  Matrix embedding = Matrix::Random(batch, features), dembedding;
  block.forward(x, embedding);
  block.backward(dy, x, dx, dembedding);

  // The loss sum(dy * y) has dy as its gradient; central differences of it must be what backward says.
  bool right = true;
  const auto check = [&](const char* what, double& value, double gradient) {
    constexpr double step = 1e-5;
    const double middle = value;
    value = middle + step;
    const double above = dy.cwiseProduct(block.forward(x, embedding)).sum();
    value = middle - step;
    const double below = dy.cwiseProduct(block.forward(x, embedding)).sum();
    value = middle;
    const double difference = (above - below) / (2 * step);
    std::printf("%-14s %11.7f, by differences %11.7f\n", what, gradient, difference);
    right &= std::abs(gradient - difference) < 1e-6;
  };
  for (Eigen::Index i = 0; i < features; ++i) check("d embedding", embedding(1, i), dembedding(1, i));
  for (const Eigen::Index i : {0, 17, 127}) check("d x", x(0, i), dx(0, i));
  return right ? 0 : 1;
}
