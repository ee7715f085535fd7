// A norm the library does not have, written from outside on its engine: every row is brought to unit length.
#include <cmath>
#include <cstdio>
#include <vector>

#include <norma/norma.hpp>

namespace {

struct UnitLengthName {
  static constexpr const char* layer = "UnitLength";  // in error messages
};

/// y = x / sqrt(sum x^2 + eps), as before a cosine similarity: a statistic the engine knows, over the last axis. Calls, executors, strides,
/// checks and backward come with RowNorm; this norm has no weight and no bias.
template <norma::Parameter T>
class UnitLength : public norma::RowNorm<UnitLengthName, T> {
 public:
  explicit UnitLength(norma::index_t length, double eps = 1e-12)
      : norma::RowNorm<UnitLengthName, T>({norma::Statistic::Kind::length, eps}, {length}, false, false, false) {}
};

/// The largest difference between dx and the slope of sum(dy * y) measured by moving each x a little.
double gradient_error(UnitLength<double>& norm, std::vector<double> x_memory, const norma::TensorView<const double>& dy) {
  const norma::TensorView<double> x(x_memory.data(), dy.extents());
  std::vector<double> y(x_memory.size());
  std::vector<double> dx(x_memory.size());
  norma::Saved<double> saved;
  norm.forward(x, norma::TensorView<double>(y.data(), dy.extents()), saved);
  norm.backward(dy, x, saved, norma::TensorView<double>(dx.data(), dy.extents()));

  const auto loss = [&] {
    norm(x, norma::TensorView<double>(y.data(), dy.extents()));
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += dy.data()[i] * y[i];
    return sum;
  };
  double worst = 0;
  for (std::size_t i = 0; i < x_memory.size(); ++i) {
    const double kept = x_memory[i];
    const double step = 1e-6;
    x_memory[i] = kept + step;
    const double above = loss();
    x_memory[i] = kept - step;
    const double below = loss();
    x_memory[i] = kept;
    worst = std::fmax(worst, std::fabs((above - below) / (2 * step) - dx[i]));
  }
  return worst;
}

}  // namespace

int main() {
  constexpr norma::index_t rows = 3;
  constexpr norma::index_t length = 50;
  std::vector<double> x(rows * length);
  std::vector<double> dy(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<double>(3 * i + 1)) + 0.5;
    dy[i] = std::cos(static_cast<double>(5 * i + 2));
  }
  UnitLength<double> norm(length);
  const double error = gradient_error(norm, x, norma::TensorView<const double>(dy.data(), {rows, length}));

  const norma::TensorView<double> view(x.data(), {rows, length});
  norm(view, view);
  double squares = 0;
  for (norma::index_t i = 0; i < length; ++i) squares += view(1, i) * view(1, i);
  std::printf("length of row 1: %.15f; gradient against finite differences: %.1e\n", std::sqrt(squares), error);
  return std::fabs(squares - 1) < 1e-12 && error < 1e-8 ? 0 : 1;
}
