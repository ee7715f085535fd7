// SpectralNorm: w = W / sigma, sigma the largest singular value of W by power iteration (Miyato et al. 2018, arXiv 1802.05957).
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/parameters.hpp>
#include <norma/doors/visits.hpp>
#include <norma/weights/power_iteration.hpp>
#include <norma/weights/reparameterised.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// dim: the axis of W's rows (0; 1 for transposed convolutions), which may count from the back. eps: a product of u or v with W whose
/// length is at most eps * min(1, the largest |element| of W) counts as zero. legacy_names: those of torch.nn.utils.spectral_norm.
struct SpectralNormOptions {
  index_t dim = 0;             ///< counted from either end; ShapeError if out of range
  int n_power_iterations = 1;  ///< of each training forward; 1 or more, else a ShapeError
  double eps = 1e-12;          ///< relative; 0 or more, else a ShapeError
  std::uint64_t seed = 0;      ///< of the first u and v
  bool legacy_names = false;   ///< weight_orig, weight_u, weight_v
};

/// Owns W, row-major in the weight's axes. As a matrix it has `dim` first and the other axes, in order, as columns; u and v are unit
/// vectors always, of its rows and columns. A zero matrix gives w = 0 and gradients 0. Equal weight and seed give equal bits. Between a
/// forward and its backward W must not change; u and v may. The products are Eigen's and run on one thread. T: float or double.
template <Parameter T>
class SpectralNorm : public Reparameterised<SpectralNorm<T>, T>,
                     public VisitedParameters<SpectralNorm<T>>,
                     public VisitedBuffers<SpectralNorm<T>> {
  using Base = Reparameterised<SpectralNorm<T>, T>;

 public:
  /// In messages.
  static constexpr const char* name = "SpectralNorm";

  /// Copies any viewable weight of rank 1 to 8 and iterates 15 times, so that the first inference is already right. ShapeError for
  /// another, or an option out of its range.
  template <Viewable W>
  explicit SpectralNorm(const W& w0, const SpectralNormOptions& options = {}) : SpectralNorm(FromView(), norma::view(w0), options) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  template <Viewable W>
  SpectralNorm(const W& w0, const EpsilonOptions&) : SpectralNorm(w0, refuse_epsilon<W, SpectralNormOptions>()) {}

  ///@{
  /// W and what backwards add to, row-major in the weight's axes; u of its rows, v of its columns.
  std::span<T> weight() { return weight_.span(); }
  std::span<const T> weight() const { return weight_.span(); }
  std::span<T> weight_grad() { return weight_grad_.span(); }
  std::span<const T> weight_grad() const { return weight_grad_.span(); }
  std::span<T> u() { return power_.u().span(); }
  std::span<const T> u() const { return power_.u().span(); }
  std::span<T> v() { return power_.v().span(); }
  std::span<const T> v() const { return power_.v().span(); }
  ///@}

  /// u^T W v for today's W, u, v.
  double sigma() const { return power_.sigma(weight_); }

  /// Sets all gradients to 0.
  void zero_grad() { weight_grad_.fill(T(0)); }

  ///@{
  /// weight_grad += ..., from the gradient of sn(w): with today's u, v, sigma.
  template <class DW>
  void backward_frozen(DW&& dw) {
    backward_frozen(sequential, dw);
  }
  template <InPlaceOfExecutor E, class DW>
  void backward_frozen(const E& executor, DW&& dw) {
    add_gradient(ExecutorRef(executor), this->checked("dw", norma::view(dw)), sigma(), u().data(), v().data());
  }
  ///@}

 private:
  friend Base;
  friend VisitedParameters<SpectralNorm>;
  friend VisitedBuffers<SpectralNorm>;
  struct FromView {};

  template <class Self, class F>
  static void visit_parameters(Self& self, F& f) {
    f(std::string_view(self.legacy_names_ ? "weight_orig" : "parametrizations.weight.original"), self.weight(), self.weight_grad());
  }
  template <class Self, class F>
  static void visit_buffers(Self& self, F& f) {
    f(std::string_view(self.legacy_names_ ? "weight_u" : "parametrizations.weight.0._u"), self.u());
    f(std::string_view(self.legacy_names_ ? "weight_v" : "parametrizations.weight.0._v"), self.v());
  }

  template <class W>
  SpectralNorm(FromView, const TensorView<W>& w0, const SpectralNormOptions& options)
      : Base(Base::checked_origin(w0).extents(), 1u << checked_axis(name, options.dim, w0.rank())),
        iterations_(options.n_power_iterations),
        legacy_names_(options.legacy_names),
        power_(w0.extents(), checked_axis(name, options.dim, w0.rank()), checked_eps(name, options.eps), options.seed),
        weight_(w0.size()),
        weight_grad_(w0.size()) {
    if (iterations_ < 1) raise_shape_error(name, ": n_power_iterations is ", iterations_, "; 1 or more is wanted");
    scale(ExecutorRef(sequential), w0, T(1), this->tensor(weight_));
    for (int i = 0; i < 15; ++i) power_.iterate(weight_);
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
    for (int i = 0; i < iterations_; ++i) sigma = power_.iterate(weight_);
    scale(executor, this->tensor(weight_), static_cast<T>(inverse(sigma)), w);
    saved.prepare(0, false);
    double* const numbers = saved.prepare_table(1 + power_.u().size() + power_.v().size()).data();
    numbers[0] = sigma;
    std::copy_n(v().data(), v().size(), std::copy_n(u().data(), u().size(), numbers + 1));
  }
  template <class DW>
  void train_backward(const ExecutorRef& executor, const TensorView<DW>& dw, Saved<T>& saved) {
    const double* const numbers = saved.table().data();
    add_gradient(executor, dw, numbers[0], numbers + 1, numbers + 1 + u().size());
  }

  /// weight_grad += (dw - <dw, W / sigma> u v^T) / sigma.
  template <class DW, class N>
  void add_gradient(const ExecutorRef& executor, const TensorView<DW>& dw, double sigma, const N* u, const N* v) {
    const double inverse_sigma = inverse(sigma);
    double slope = 0;
    read_pairs<T>(this->extents(), Operand(this->tensor(weight_)), Operand(dw),
                  {&slope, [](void* sum, const T* weight, const T* gradient, index_t n) {
                     *static_cast<double*>(sum) += PowerIteration<T>::inner_product(weight, gradient, n);
                   }});
    scale(executor, dw, static_cast<T>(inverse_sigma), this->tensor(weight_grad_), Result::added);
    power_.subtract_outer_product(weight_grad_, slope * inverse_sigma * inverse_sigma, u, v);
  }

  int iterations_;
  bool legacy_names_;
  PowerIteration<T> power_;
  Buffer<T> weight_, weight_grad_;
};

/// double for a weight of doubles, else float.
template <Viewable W>
SpectralNorm(const W&, const SpectralNormOptions& = {}) -> SpectralNorm<ParameterOf<W>>;

}}  // namespace norma::NORMA_ISA_NAMESPACE
