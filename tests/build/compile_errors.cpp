// A correct program, and with one macro defined a program that must not compile; compile_errors.cmake knows the sentences.
#include <norma/norma.hpp>
#include <vector>

int main() {
  norma::LayerNorm<float> ln({8});
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> a(4, 8), b(4, 8), y(4, 8);
  a.setConstant(1);
  b.setConstant(2);
  ln(a, y);
#ifdef EIGEN_EXPRESSION_AS_INPUT
  ln(a + b, y);
#endif
#ifdef EIGEN_EXPRESSION_AS_OUTPUT
  ln(a, y + b);
#endif
#ifdef INTEGER_TENSOR
  std::vector<int> integers(8), result(8);
  ln(integers, result);
#endif
#ifdef NO_TENSOR_AT_ALL
  ln(42, y);
#endif
#ifdef FOLDED_SWITCHABLE_NORM
  std::vector<float> bias(8);
  norma::fold_batch_norm(a, bias, norma::SwitchableNorm<float>(4));
#endif
#ifdef SYNC_FORWARD_ALONE
  norma::Saved<float> saved;
  norma::SyncBatchNorm<float>(8).forward(a, y, saved);
#endif
#ifdef SYNC_BACKWARD_ALONE
  norma::Saved<float> saved;
  norma::SyncBatchNorm<float>(8).backward(a, b, saved, y);
#endif
#ifdef CONSTANT_OUTPUT
  const std::vector<float> constant(8);
  ln(std::vector<float>(8), constant);
#endif
}
