// SpectralNorm: w = W / sigma, sigma the largest singular value of W by power iteration (Miyato et al. 2018, arXiv 1802.05957).
#pragma once

#include <limits>

#include <Eigen/Core>

#include <norma/weights/random_direction.hpp>
#include <norma/weights/reparameterised.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// dim: the axis of W's rows (0; 1 for transposed convolutions), which may count from the back. eps: a product of u or v with W whose
/// length is at most eps * min(1, the largest |element| of W) counts as zero. legacy_names: those of torch.nn.utils.spectral_norm.
struct SpectralNormOptions {
  index_t dim = 0;
  int n_power_iterations = 1;
  double eps = 1e-12;
  std::uint64_t seed = 0;
  bool legacy_names = false;
};

/// Owns W, row-major in the weight's axes. As a matrix it has `dim` first and the other axes, in order, as columns; u and v are unit
/// vectors always, of its rows and columns. A zero matrix gives w = 0 and gradients 0. Equal weight and seed give equal bits. Between a
/// forward and its backward W must not change; u and v may. The products are Eigen's and run on one thread. T: float or double.
template <Parameter T>
class SpectralNorm : public Reparameterised<SpectralNorm<T>, T> {
  using Base = Reparameterised<SpectralNorm<T>, T>;

 public:
  static constexpr const char* name = "SpectralNorm";

  /// Copies any viewable weight of rank 1 to 8 and iterates 15 times, so that the first inference is already right.
  template <Viewable W>
  explicit SpectralNorm(const W& w0, const SpectralNormOptions& options = {}) : SpectralNorm(FromView(), norma::view(w0), options) {}

  std::span<T> weight() { return weight_.span(); }
  std::span<const T> weight() const { return weight_.span(); }
  std::span<T> weight_grad() { return weight_grad_.span(); }
  std::span<const T> weight_grad() const { return weight_grad_.span(); }
  std::span<T> u() { return u_.span(); }
  std::span<const T> u() const { return u_.span(); }
  std::span<T> v() { return v_.span(); }
  std::span<const T> v() const { return v_.span(); }

  /// u^T W v for today's W, u, v.
  double sigma() const {
    double sum = 0;
    each_product([&](index_t first, const auto& product) { sum += along_u(first, product); });
    return sum;
  }

  void zero_grad() { weight_grad_.fill(T(0)); }

  /// weight_grad += ..., from the gradient of sn(w): with today's u, v, sigma.
  template <class DW>
  void backward_frozen(DW&& dw) {
    backward_frozen(sequential, dw);
  }
  template <Executor E, class DW>
  void backward_frozen(const E& executor, DW&& dw) {
    pull_through(ExecutorRef(executor), this->checked("dw", norma::view(dw)), sigma(), u_.data(), v_.data());
  }

  /// f(name, value, grad) for W; f(name, value) for u and v.
  template <class F>
  void for_each_parameter(F&& f) {
    f(std::string_view(legacy_names_ ? "weight_orig" : "parametrizations.weight.original"), weight(), weight_grad());
  }
  template <class F>
  void for_each_buffer(F&& f) {
    f(std::string_view(legacy_names_ ? "weight_u" : "parametrizations.weight.0._u"), u());
    f(std::string_view(legacy_names_ ? "weight_v" : "parametrizations.weight.0._v"), v());
  }

 private:
  friend Base;
  struct FromView {};
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using ColMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  static constexpr index_t rows_at_once = 1024;

  template <class W>
  SpectralNorm(FromView, const TensorView<W>& w0, const SpectralNormOptions& options)
      : Base(Base::checked_origin(w0).extents(), 1u << checked_axis(name, options.dim, w0.rank())),
        iterations_(options.n_power_iterations),
        eps_(options.eps),
        legacy_names_(options.legacy_names),
        weight_(w0.size()),
        weight_grad_(w0.size()) {
    if (iterations_ < 1) raise_shape_error(name, ": n_power_iterations is ", iterations_, "; 1 or more is wanted");
    const Extents& extents = w0.extents();
    for (int a = 0; a < extents.size(); ++a) {
      index_t& size = (this->axes() >> a & 1u) != 0 ? rows_ : this->axes() >> a != 0 ? outer_ : inner_;
      size *= extents[a];
    }
    scale(ExecutorRef(sequential), w0, T(1), this->tensor(weight_));
    u_ = Buffer<T>(rows_);
    v_ = Buffer<T>(outer_ * inner_);
    next_ = Buffer<T>(rows_ > v_.size() ? rows_ : v_.size());
    RandomDirection random(options.seed);
    random.draw(u_.span());
    random.draw(v_.span());
    for (int i = 0; i < 15; ++i) iterate();
  }

  /// f(block, column) for W as blocks of columns that lie like a matrix; `column` is the block's first.
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
  void each_product(F&& f) const {
    const Eigen::Map<const Vector> v(v_.data(), v_.size());
    Eigen::Matrix<T, Eigen::Dynamic, 1, Eigen::ColMajor, rows_at_once, 1> product;
    for (index_t first = 0; first < rows_; first += rows_at_once) {
      product.setZero(rows_ - first < rows_at_once ? rows_ - first : rows_at_once);
      each_block(weight_, [&](const auto& block, index_t column) {
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

  /// v = normalize(W^T u), u = normalize(W v). Returns sigma, the bits of sigma().
  double iterate() {
    const Eigen::Map<const Vector> u(u_.data(), u_.size());
    Eigen::Map<Vector> next_v(next_.data(), v_.size()), next_u(next_.data(), u_.size());
    each_block(weight_, [&](const auto& block, index_t column) { next_v.segment(column, block.cols()).noalias() = block.transpose() * u; });
    take_direction(next_v, v_);
    each_product([&](index_t first, const auto& product) { next_u.segment(first, product.size()) = product; });
    take_direction(next_u, u_);
    double sigma = 0;
    for (index_t first = 0; first < rows_; first += rows_at_once)
      sigma += along_u(first, next_u.segment(first, rows_ - first < rows_at_once ? rows_ - first : rows_at_once));
    return sigma;
  }

  /// unit = product / ||product||; the old one stays where the product is zero (or holds a NaN, which sigma then shows).
  void take_direction(const Eigen::Map<Vector>& product, Buffer<T>& unit) const {
    if (product.size() == 0) return;
    const double length = product.template cast<double>().stableNorm();
    if (!(length > 0) || !(length <= std::numeric_limits<double>::max())) return;
    if (length <= eps_) {
      const Eigen::Map<const Vector> all(weight_.data(), weight_.size());
      if (length <= eps_ * static_cast<double>(all.cwiseAbs().maxCoeff())) return;
    }
    Eigen::Map<Vector>(unit.data(), unit.size()) = (product.template cast<double>() / length).template cast<T>();
  }

  static double inverse(double sigma) { return sigma == 0 ? 0 : 1 / sigma; }

  template <class W>
  void infer(const ExecutorRef& executor, const TensorView<W>& w) const {
    scale(executor, this->tensor(weight_), static_cast<T>(inverse(sigma())), w);
  }
  /// Saved: sigma, u, v.
  template <class W>
  void train(const ExecutorRef& executor, const TensorView<W>& w, Saved<T>& saved) {
    double sigma = 0;
    for (int i = 0; i < iterations_; ++i) sigma = iterate();
    scale(executor, this->tensor(weight_), static_cast<T>(inverse(sigma)), w);
    saved.prepare(0, false);
    double* const numbers = saved.prepare_table(1 + u_.size() + v_.size()).data();
    numbers[0] = sigma;
    std::copy_n(v_.data(), v_.size(), std::copy_n(u_.data(), u_.size(), numbers + 1));
  }
  template <class DW>
  void pull(const ExecutorRef& executor, const TensorView<DW>& dw, Saved<T>& saved) {
    const double* const numbers = saved.table().data();
    pull_through(executor, dw, numbers[0], numbers + 1, numbers + 1 + u_.size());
  }

  /// weight_grad += (dw - <dw, W / sigma> u v^T) / sigma.
  template <class DW, class N>
  void pull_through(const ExecutorRef& executor, const TensorView<DW>& dw, double sigma, const N* u, const N* v) {
    const double inverse_sigma = inverse(sigma);
    const PairedBlocks<T> blocks(this->tensor(weight_), dw);
    double slope = 0;
    for (index_t b = 0; b < blocks.count(); ++b) {
      blocks.read(b, [&](const T* weight, const T* gradient, index_t n) {
        const Eigen::Map<const Vector> x(weight, n), dx(gradient, n);
        slope += x.template cast<double>().dot(dx.template cast<double>());
      });
    }
    scale(executor, dw, static_cast<T>(inverse_sigma), this->tensor(weight_grad_), Result::added);
    using Numbers = Eigen::Map<const Eigen::Matrix<N, Eigen::Dynamic, 1>>;
    const Vector along = Numbers(u, u_.size()).template cast<T>() * static_cast<T>(slope * inverse_sigma * inverse_sigma);
    each_block(weight_grad_, [&](auto&& block, index_t column) {
      block.noalias() -= along * Numbers(v + column, block.cols()).template cast<T>().transpose();
    });
  }

  index_t rows_ = 1, outer_ = 1, inner_ = 1;
  int iterations_;
  double eps_;
  bool legacy_names_;
  Buffer<T> weight_, weight_grad_, u_, v_, next_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
