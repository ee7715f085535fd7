// What a user would write by hand with Eigen: array expressions, one row (or one image) at a time.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored \
    "-Wmaybe-uninitialized"  // GCC 12 says it of its own AVX-512 intrinsics, which Eigen inlines (GCC bug 105593)
#endif

#include "peers.hpp"

#include <Eigen/Core>

#include <cmath>
#include <vector>

namespace bench::eigen {
namespace {

template <class T>
using Matrix = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Row = Eigen::Array<T, 1, Eigen::Dynamic>;
template <class T>
using Column = Eigen::Array<T, Eigen::Dynamic, 1>;
template <class T>
using Rows = Eigen::Map<Matrix<T>>;

template <class T>
constexpr T epsilon = static_cast<T>(eps);

/// Row statistics as a forward pass leaves them to its backward. `centred` is false for RMSNorm: mean 0.
template <class T>
struct Statistics {
  Row<T> mean, rstd;
  Statistics(const Problem& p, T* x, bool centred) : mean(p.n * p.s), rstd(p.n * p.s) {
    for (index_t image = 0; image < p.n; ++image) {
      const Rows<T> plane(x + image * p.c * p.s, p.c, p.s);
      auto m = mean.segment(image * p.s, p.s);
      if (centred)
        m = plane.colwise().mean();
      else
        m.setZero();
      rstd.segment(image * p.s, p.s) = ((plane.rowwise() - m).square().colwise().mean() + epsilon<T>).rsqrt();
    }
  }
};

template <class T>
void layer_norm_rows(const Problem& p, const Operands<T>& o) {
  const Rows<T> x(o.x, p.n, p.c);
  Rows<T> y(o.y, p.n, p.c);
  const Eigen::Map<const Row<T>> weight(o.weight, p.c), bias(o.bias, p.c);
  for (index_t i = 0; i < p.n; ++i) {
    const T mean = x.row(i).mean();
    const T rstd = 1 / std::sqrt((x.row(i) - mean).square().mean() + epsilon<T>);
    y.row(i) = (x.row(i) - mean) * rstd * weight + bias;
  }
}

template <class T>
void layer_norm_channels(const Problem& p, const Operands<T>& o, Row<T>& mean, Row<T>& rstd) {
  const Eigen::Map<const Column<T>> weight(o.weight, p.c), bias(o.bias, p.c);
  for (index_t i = 0; i < p.n; ++i) {
    const Rows<T> x(o.x + i * p.c * p.s, p.c, p.s);
    Rows<T> y(o.y + i * p.c * p.s, p.c, p.s);
    mean = x.colwise().mean();
    y = x.rowwise() - mean;
    rstd = (y.square().colwise().mean() + epsilon<T>).rsqrt();
    for (index_t c = 0; c < p.c; ++c) y.row(c) = y.row(c) * rstd * weight(c) + bias(c);
  }
}

template <class T>
void rms_norm_rows(const Problem& p, const Operands<T>& o) {
  const Rows<T> x(o.x, p.n, p.c);
  Rows<T> y(o.y, p.n, p.c);
  const Eigen::Map<const Row<T>> weight(o.weight, p.c);
  for (index_t i = 0; i < p.n; ++i) y.row(i) = x.row(i) * (1 / std::sqrt(x.row(i).square().mean() + epsilon<T>)) * weight;
}

template <class T>
void rms_norm_channels(const Problem& p, const Operands<T>& o, Row<T>& rstd) {
  const Eigen::Map<const Column<T>> weight(o.weight, p.c);
  for (index_t i = 0; i < p.n; ++i) {
    const Rows<T> x(o.x + i * p.c * p.s, p.c, p.s);
    Rows<T> y(o.y + i * p.c * p.s, p.c, p.s);
    rstd = (x.square().colwise().mean() + epsilon<T>).rsqrt();
    for (index_t c = 0; c < p.c; ++c) y.row(c) = x.row(c) * rstd * weight(c);
  }
}

/// Both norms: dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat)) with g = dy * weight; mean(g) and the bias only where centred.
template <class T>
void backward_rows(const Problem& p, const Operands<T>& o, const Statistics<T>& s, bool centred, Row<T>& x_hat, Row<T>& g) {
  const Rows<T> x(o.x, p.n, p.c), dy(o.dy, p.n, p.c);
  Rows<T> dx(o.dx, p.n, p.c);
  const Eigen::Map<const Row<T>> weight(o.weight, p.c);
  Eigen::Map<Row<T>> weight_grad(o.weight_grad, p.c), bias_grad(o.bias_grad, p.c);
  weight_grad.setZero();
  bias_grad.setZero();
  for (index_t i = 0; i < p.n; ++i) {
    x_hat = (x.row(i) - s.mean(i)) * s.rstd(i);
    g = dy.row(i) * weight;
    const T slope = (g * x_hat).mean();
    const T offset = centred ? g.mean() : T(0);
    dx.row(i) = s.rstd(i) * (g - offset - x_hat * slope);
    weight_grad += dy.row(i) * x_hat;
    if (centred) bias_grad += dy.row(i);
  }
}

template <class T>
void backward_channels(const Problem& p, const Operands<T>& o, const Statistics<T>& s, bool centred, Matrix<T>& x_hat, Matrix<T>& g) {
  const Eigen::Map<const Column<T>> weight(o.weight, p.c);
  Eigen::Map<Column<T>> weight_grad(o.weight_grad, p.c), bias_grad(o.bias_grad, p.c);
  weight_grad.setZero();
  bias_grad.setZero();
  Row<T> slope(p.s), offset = Row<T>::Zero(p.s);
  for (index_t i = 0; i < p.n; ++i) {
    const Rows<T> x(o.x + i * p.c * p.s, p.c, p.s), dy(o.dy + i * p.c * p.s, p.c, p.s);
    Rows<T> dx(o.dx + i * p.c * p.s, p.c, p.s);
    const auto rstd = s.rstd.segment(i * p.s, p.s);
    x_hat = (x.rowwise() - s.mean.segment(i * p.s, p.s)).rowwise() * rstd;
    g = dy.colwise() * weight;
    slope = (g * x_hat).colwise().mean();
    if (centred) offset = g.colwise().mean();
    dx = (g.rowwise() - offset - x_hat.rowwise() * slope).rowwise() * rstd;
    weight_grad += (dy * x_hat).rowwise().sum();
    if (centred) bias_grad += dy.rowwise().sum();
  }
}

template <class T>
Work backward(const Problem& p, const Operands<T>& o, bool centred) {
  Statistics<T> s(p, o.x, centred);
  if (p.s == 1)
    return {
        [p, o, centred, s = std::move(s), x_hat = Row<T>(p.c), g = Row<T>(p.c)]() mutable { backward_rows(p, o, s, centred, x_hat, g); },
        {}};
  return {[p, o, centred, s = std::move(s), x_hat = Matrix<T>(p.c, p.s), g = Matrix<T>(p.c, p.s)]() mutable {
            backward_channels(p, o, s, centred, x_hat, g);
          },
          {}};
}

}  // namespace

template <class T>
Work layer_norm_forward(const Problem& p, const Operands<T>& o) {
  if (p.s == 1) return {[p, o] { layer_norm_rows(p, o); }, {}};
  return {[p, o, mean = Row<T>(p.s), rstd = Row<T>(p.s)]() mutable { layer_norm_channels(p, o, mean, rstd); }, {}};
}

template <class T>
Work rms_norm_forward(const Problem& p, const Operands<T>& o) {
  if (p.s == 1) return {[p, o] { rms_norm_rows(p, o); }, {}};
  return {[p, o, rstd = Row<T>(p.s)]() mutable { rms_norm_channels(p, o, rstd); }, {}};
}

template <class T>
Work layer_norm_backward(const Problem& p, const Operands<T>& o) {
  return backward(p, o, true);
}
template <class T>
Work rms_norm_backward(const Problem& p, const Operands<T>& o) {
  return backward(p, o, false);
}

#define NORMA_BENCH_INSTANTIATE(T)                                       \
  template Work layer_norm_forward(const Problem&, const Operands<T>&);  \
  template Work layer_norm_backward(const Problem&, const Operands<T>&); \
  template Work rms_norm_forward(const Problem&, const Operands<T>&);    \
  template Work rms_norm_backward(const Problem&, const Operands<T>&);
NORMA_BENCH_INSTANTIATE(float)
NORMA_BENCH_INSTANTIATE(double)
#undef NORMA_BENCH_INSTANTIATE

}  // namespace bench::eigen
