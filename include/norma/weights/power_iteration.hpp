// PowerIteration: the largest singular value of a weight seen as a matrix, a step at a time.
#pragma once

#include <limits>

#include <norma/core/buffer.hpp>
#include <norma/core/eigen.hpp>
#include <norma/weights/random_direction.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Owns u and v, unit vectors always, of the rows and columns of a matrix that others own: a row-major weight with axis `dim` first and
/// the other axes, in order, as columns. The products are Eigen's.
template <class T>
class PowerIteration {
 public:
  /// eps: see SpectralNormOptions. Starts from random directions.
  PowerIteration(const Extents& extents, index_t dim, double eps, std::uint64_t seed) : eps_(eps) {
    for (int a = 0; a < extents.size(); ++a) {
      index_t& size = a == dim ? rows_ : a < dim ? outer_ : inner_;
      size *= extents[a];
    }
    u_ = Buffer<T>(rows_);
    v_ = Buffer<T>(outer_ * inner_);
    next_ = Buffer<T>(rows_ > v_.size() ? rows_ : v_.size());
    RandomDirection random(seed);
    random.draw(u_.span());
    random.draw(v_.span());
  }

  Buffer<T>& u() { return u_; }
  const Buffer<T>& u() const { return u_; }
  Buffer<T>& v() { return v_; }
  const Buffer<T>& v() const { return v_; }

  /// v = normalize(W^T u), u = normalize(W v). Returns u^T W v, the bits of sigma().
  double iterate(const Buffer<T>& weight) {
    const Eigen::Map<const Vector> u(u_.data(), u_.size());
    Eigen::Map<Vector> next_v(next_.data(), v_.size()), next_u(next_.data(), u_.size());
    each_block(weight, [&](const auto& block, index_t column) { next_v.segment(column, block.cols()).noalias() = block.transpose() * u; });
    take_direction(weight, next_v, v_);
    each_product(weight, [&](index_t first, const auto& product) { next_u.segment(first, product.size()) = product; });
    take_direction(weight, next_u, u_);
    double sigma = 0;
    for (index_t first = 0; first < rows_; first += rows_at_once) sigma += along_u(first, next_u.segment(first, rows_from(first)));
    return sigma;
  }

  /// u^T W v for today's W, u, v. Allocates nothing.
  double sigma(const Buffer<T>& weight) const {
    double sum = 0;
    each_product(weight, [&](index_t first, const auto& product) { sum += along_u(first, product); });
    return sum;
  }

  /// The sum of a[i] * b[i] in double.
  static double inner_product(const T* a, const T* b, index_t n) {
    return Eigen::Map<const Vector>(a, n).template cast<double>().dot(Eigen::Map<const Vector>(b, n).template cast<double>());
  }

  /// gradient -= factor * u v^T, for a u and a v of type N. Allocates nothing: some rows and columns at a time, on the stack.
  template <class N>
  void subtract_outer_product(Buffer<T>& gradient, double factor, const N* u, const N* v) const {
    using Numbers = Eigen::Map<const Eigen::Matrix<N, Eigen::Dynamic, 1>>;
    Part along_rows, along_columns;
    for (index_t first = 0; first < rows_; first += rows_at_once) {
      along_rows = Numbers(u + first, rows_from(first)).template cast<T>() * static_cast<T>(factor);
      each_block(gradient, [&](auto&& block, index_t column) {
        for (index_t done = 0; done < block.cols(); done += rows_at_once) {
          const index_t n = block.cols() - done < rows_at_once ? block.cols() - done : rows_at_once;
          along_columns = Numbers(v + column + done, n).template cast<T>();
          block.block(first, done, along_rows.size(), n).noalias() -= along_rows * along_columns.transpose();
        }
      });
    }
  }

 private:
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using ColMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  static constexpr index_t rows_at_once = 1024;
  using Part = Eigen::Matrix<T, Eigen::Dynamic, 1, Eigen::ColMajor, rows_at_once, 1>;

  index_t rows_from(index_t first) const { return rows_ - first < rows_at_once ? rows_ - first : rows_at_once; }

  /// f(block, column) for a matrix as blocks of columns that lie like a matrix; `column` is the block's first.
  template <class B, class F>
  void each_block(B& buffer, F&& f) const {
    constexpr bool fixed = std::is_const_v<B>;
    if (inner_ == 1) {
      f(Eigen::Map<std::conditional_t<fixed, const ColMajor, ColMajor>>(buffer.data(), rows_, outer_), 0);
      return;
    }
    for (index_t o = 0; o < outer_; ++o)
      f(Eigen::Map<std::conditional_t<fixed, const RowMajor, RowMajor>>(buffer.data() + o * rows_ * inner_, rows_, inner_), o * inner_);
  }

  /// f(first, W v from row `first` on): some rows at a time, on the stack.
  template <class F>
  void each_product(const Buffer<T>& weight, F&& f) const {
    const Eigen::Map<const Vector> v(v_.data(), v_.size());
    Part product;
    for (index_t first = 0; first < rows_; first += rows_at_once) {
      product.setZero(rows_from(first));
      each_block(weight, [&](const auto& block, index_t column) {
        product.noalias() += block.middleRows(first, product.size()) * v.segment(column, block.cols());
      });
      f(first, product);
    }
  }

  /// What rows from `first` on, of which W v is given, add to sigma.
  template <class V>
  double along_u(index_t first, const V& product) const {
    const Eigen::Map<const Vector> u(u_.data(), u_.size());
    return u.segment(first, product.size()).template cast<double>().dot(product.template cast<double>());
  }

  /// unit = product / ||product||; the old one stays where the product is zero (or holds a NaN, which sigma then shows).
  void take_direction(const Buffer<T>& weight, const Eigen::Map<Vector>& product, Buffer<T>& unit) const {
    if (product.size() == 0) return;
    const double length = product.template cast<double>().stableNorm();
    if (!(length > 0) || !(length <= (std::numeric_limits<double>::max)())) return;
    if (length <= eps_) {
      const Eigen::Map<const Vector> all(weight.data(), weight.size());
      if (length <= eps_ * static_cast<double>(all.cwiseAbs().maxCoeff())) return;
    }
    Eigen::Map<Vector>(unit.data(), unit.size()) = (product.template cast<double>() / length).template cast<T>();
  }

  index_t rows_ = 1, outer_ = 1, inner_ = 1;
  double eps_;
  Buffer<T> u_, v_, next_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
