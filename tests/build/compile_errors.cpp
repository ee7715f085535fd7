// A correct program, and with a MISTAKE defined one that must not compile; compile_errors.cmake knows the mistakes and the sentences.
#include <norma/norma.hpp>
#include <vector>

#ifndef MISTAKE
#define MISTAKE ln(a, y)
#endif

int main() {
  norma::LayerNorm<float> ln({8});
  norma::SyncBatchNorm<float> sync(8);
  norma::Saved<float> saved;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> a(4, 8), b(4, 8), y(4, 8);
  a.setConstant(1);
  b.setConstant(2);
  std::vector<float> floats(8);
  const std::vector<float> constant(8);
  std::vector<int> integers(8);
  MISTAKE;
}
