// What must not compile: a line that ends in "must say: sentence" is an error, and says so (check_errors.cmake). The others are right.
#include <norma/norma.hpp>
#include <vector>

int main() {
  norma::LayerNorm<float> ln({8});
  norma::SyncBatchNorm<float> sync(8);
  norma::Saved<float> saved;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> a(4, 8), b(4, 8), y(4, 8);
  std::vector<float> floats(8);
  const std::vector<float> constant(8);
  std::vector<int> integers(8);

  ln(a, y);
  ln(a + b, y);                                                        // must say: this Eigen expression has no storage
  ln(a, y - b);                                                        // must say: this Eigen expression has no storage
  ln(a(Eigen::seqN(0, 2, Eigen::fix<2>), Eigen::all), y);              // must say: this Eigen expression has no storage
  ln(integers, integers);                                              // must say: the elements of a tensor must be float, double or 16-bit
  ln(42, y);                                                           // must say: this is not a tensor
  ln(floats, constant);                                                // must say: an output must be writable
  norma::fold_batch_norm(a, floats, norma::SwitchableNorm<float>(4));  // must say: takes statistics of x at inference
  sync.forward(a, y, saved);                                           // must say: SyncBatchNorm trains with a communicator: forward
  sync.backward(a, b, saved, y);                                       // must say: SyncBatchNorm trains with a communicator: backward
  norma::layer_norm(floats, std::vector<float>(8));                    // must say: the result would be lost
  ln.forward(a, Eigen::MatrixXf(4, 8), saved);                         // must say: the result would be lost
  norma::TensorView<float>(std::vector<float>(8), {2, 4});             // must say: a view of it would dangle
  norma::load(ln, [](std::string_view) { return 5; });                 // must say: what the lookup gives must be a tensor
  norma::view(std::vector<float>(8));                                  // must say: a view of it would dangle
  norma::layer_norm(floats, floats, {.weight = std::vector<float>(8)});  // must say: a view of it would dangle
}
