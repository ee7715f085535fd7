// What must not compile: a line that ends in "must say: sentence" is an error, and says so (check_errors.cmake). The others are right.
#include <array>
#include <norma/norma.hpp>
#include <vector>

struct PoolWithoutConcurrency {
  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    for (norma::index_t i = 0; i < tasks; ++i) f(i);
  }
};
struct PoolThatIsNotConst {
  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) {
    for (norma::index_t i = 0; i < tasks; ++i) f(i);
  }
  int concurrency() const { return 1; }
};

int main() {
  norma::LayerNorm<float> ln({8});
  norma::SyncBatchNorm<float> sync(8);
  norma::Saved<float> saved;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> a(4, 8), b(4, 8), y(4, 8);
  std::vector<float> floats(8);
  const std::vector<float> constant(8);
  std::vector<int> integers(8);
  std::vector<std::vector<float>> nested(4);
  norma::BatchNorm<float> bn(8);
  const norma::WeightNorm<float> weight_norm(a);
  norma::Saved<double> saved_doubles;
  const norma::TensorView<float> x(floats.data(), {1, 8});

  ln(a, y);
  norma::LayerNorm<float>({8}, {});  // what is there for .epsilon leaves every other list alone
  norma::LayerNorm<float>({8}, {1e-6, false});
  norma::LayerNorm<float>({8}, {.bias = false});
  norma::BatchNorm<float>(8, {1e-6, 0.1});
  norma::layer_norm(a, y, {});
  norma::layer_norm(a, y, {{1}, floats, floats, 1e-6});
  ln(a + b, y);                                                        // must say: this Eigen expression has no storage
  ln(a, y - b);                                                        // must say: this Eigen expression has no storage
  ln(a(Eigen::seqN(0, 2, Eigen::fix<2>), Eigen::all), y);              // must say: this Eigen expression has no storage
  ln(integers, integers);                                              // must say: the elements of a tensor must be float, double or 16-bit
  ln(nested, y);                                                       // must say: the elements of a tensor must be float, double or 16-bit
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
  norma::layer_norm(floats, floats, {.bias = std::array<float, 8>()});   // must say: a view of it would dangle
  ln(a, y, {.residual = Eigen::MatrixXf(4, 8)});                         // must say: a view of it would dangle
  norma::TensorView<float>(floats.data(), 2, 4);                         // must say: extents are a list in braces
  norma::TensorView<float>(floats.data(), 1l, 2l, 4l);                   // must say: extents are a list in braces
  ln(4, a, y);                                                           // must say: an executor stands here, and this is none
  ln.forward(4l, a, y, saved);                                           // must say: an executor stands here, and this is none
  ln.backward(4u, a, b, saved, y);                                       // must say: an executor stands here, and this is none
  bn.backward_frozen(4ul, a, b, y);                                      // must say: an executor stands here, and this is none
  norma::layer_norm(short(4), a, y, {.eps = 1e-6});                      // must say: an executor stands here, and this is none
  norma::QKNorm<float>(8)(char(4), a, b, y, y);                          // must say: an executor stands here, and this is none
  weight_norm(true, y);                                                  // must say: an executor stands here, and this is none
  ln(PoolWithoutConcurrency(), a, y);                                    // must say: the number of tasks that run at once; this one has not
  norma::layer_norm(PoolThatIsNotConst(), a, y);                         // must say: parallel_for of an executor must be const
  norma::LayerNorm<float>({8}, {.epsilon = 1e-6});                       // must say: this option is called eps
  norma::RMSNorm<float>({8}, {.epsilon = 1e-6, .bias = true});           // must say: this option is called eps
  norma::BatchNorm<float>(8, {.epsilon = 1e-6, .momentum = 0.2});        // must say: this option is called eps
  norma::QKNorm<float>(8, {.form = norma::QKForm::l2, .epsilon = 1e-6});  // must say: this option is called eps
  norma::layer_norm(x, y, {.axes = {0, 1}, .epsilon = 1e-6});             // must say: this option is called eps
  ln(x);                                                                  // must say: a layer writes to a tensor of yours
  ln(a, y, [](float z) { return z; });                                    // must say: behind y stands an activation, and this is none
  ln.forward(x, y);                                                       // must say: in a norma::Saved of the layer's own type
  ln.forward(x, y, saved_doubles);                                        // must say: in a norma::Saved of the layer's own type
  ln.backward(a, b, y);                                                   // must say: wants the norma::Saved that its forward filled
}
