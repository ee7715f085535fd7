// WeightNorm: w = g * v / ||v||, length and direction of a weight learned apart (Salimans, Kingma 2016, arXiv 1602.07868).
#pragma once

#include <optional>

#include <norma/doors/visits.hpp>
#include <norma/weights/batch_start.hpp>
#include <norma/weights/reparameterised.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// dim: the norm runs over all axes but this one, which may count from the back; std::nullopt: over all axes. legacy_names: the state
/// names of torch.nn.utils.weight_norm.
struct WeightNormOptions {
  std::optional<index_t> dim = 0;  ///< counted from either end; ShapeError if out of range
  bool legacy_names = false;       ///< weight_g, weight_v
};

/// Owns g (extent(dim) numbers, or 1) and v (row-major in the weight's axes). A row of zeros (or of subnormal
/// doubles) gives w = 0 and gradients 0. Between a forward
/// and its backward g and v must not change. T: float or double.
template <Parameter T>
class WeightNorm : public Reparameterised<WeightNorm<T>, T>, public VisitedParameters<WeightNorm<T>> {
  using Base = Reparameterised<WeightNorm<T>, T>;

 public:
  /// In messages.
  static constexpr const char* name = "WeightNorm";

  /// v = w0 and g = ||w0||: the function that w0 was part of is unchanged. Copies any viewable weight of rank 1 to 8.
  /// ShapeError for another, or an option out of its range.
  template <Viewable W>
  explicit WeightNorm(const W& w0, const WeightNormOptions& options = {}) : WeightNorm(FromView(), norma::view(w0), options) {}

  ///@{
  /// g of extent(dim) numbers, or 1; v row-major in the weight's axes; and what backwards add to.
  std::span<T> g() { return g_.span(); }
  std::span<const T> g() const { return g_.span(); }
  std::span<T> v() { return v_.span(); }
  std::span<const T> v() const { return v_.span(); }
  std::span<T> g_grad() { return g_grad_.span(); }
  std::span<const T> g_grad() const { return g_grad_.span(); }
  std::span<T> v_grad() { return v_grad_.span(); }
  std::span<const T> v_grad() const { return v_grad_.span(); }
  ///@}

  /// Sets all gradients to 0.
  void zero_grad() {
    g_grad_.fill(T(0));
    v_grad_.fill(T(0));
  }

  /// f(name, value) for each buffer; none here.
  template <class F>
  void for_each_buffer(F&&) const {}

  ///@{
  /// Data-dependent start (section 3 of the paper). t (N, C, spatial...): pre-activations of one batch with the current w and without bias.
  /// Afterwards this batch leaves with mean 0 and variance 1 per channel: g /= sigma, bias = -mean / sigma, sigma the population's. A
  /// constant channel keeps its g and has bias = -mean. ShapeError unless t has a channel for each element of g, and bias a number for
  /// each. Allocates a float for each element of t.
  template <class X, class B>
  void initialize(X&& t, B&& bias) {
    initialize(sequential, t, std::forward<B>(bias));
  }
  template <InPlaceOfExecutor E, class X, class B>
  void initialize(const E& executor, X&& t, B&& bias) {
    start_from_batch(ExecutorRef(executor), name, g(), norma::view(t), norma::output_view(std::forward<B>(bias)));
  }
  ///@}

 private:
  friend VisitedParameters<WeightNorm>;
  template <class Self, class F>
  static void visit_parameters(Self& self, F& f) {
    f(std::string_view(self.legacy_names_ ? "weight_g" : "parametrizations.weight.original0"), self.g(), self.g_grad());
    f(std::string_view(self.legacy_names_ ? "weight_v" : "parametrizations.weight.original1"), self.v(), self.v_grad());
  }

  friend Base;
  struct FromView {};
  template <class W>
  WeightNorm(FromView, const TensorView<W>& w0, const WeightNormOptions& options)
      : Base(Base::checked_origin(w0).extents(), norm_axes(w0.rank(), options.dim)),
        legacy_names_(options.legacy_names),
        g_(set_count(w0.extents(), this->axes())),
        g_grad_(g_.size()),
        v_(w0.size()),
        v_grad_(w0.size()) {
    scale(ExecutorRef(sequential), w0, T(1), this->tensor(v_));
    // v_grad has the room that the normalized v needs; what counts are its statistics.
    Saved<T> saved;
    normalize<T>(ExecutorRef(sequential), unit_length, this->axes(), this->tensor(v_), this->tensor(v_grad_), {}, &saved);
    const double size = static_cast<double>(v_.size()) / static_cast<double>(g_.size());
    for (index_t i = 0; i < g_.size(); ++i) {
      // Squares of floats fit a double, unlike 1 / length of a row of subnormals; squares of doubles may not.
      const double squares = saved.variance()[static_cast<std::size_t>(i)] * size;
      const double rstd = saved.statistics().template get_rstd<double>(i);
      g_.data()[i] = static_cast<T>(sizeof(T) == sizeof(float) ? std::sqrt(squares) : rstd > 0 ? 1.0 / rstd : rstd);
    }
    v_grad_.fill(T(0));
  }

  static AxisSet norm_axes(int rank, std::optional<index_t> dim) {
    const AxisSet all = trailing_axes(rank, rank);
    return dim ? all & ~(1u << checked_axis(name, *dim, rank)) : all;
  }
  static constexpr Statistic unit_length{Statistic::Kind::length};

  AffineOperands operands(bool with_gradient) const {
    AffineOperands result;
    result.weight = along_dim(g_);
    if (with_gradient) result.weight_grad = along_dim(g_grad_);
    return result;
  }
  /// g as a broadcast view of v: along dim, or one number everywhere.
  template <class B>
  Operand along_dim(B& buffer) const {
    Operand operand(this->tensor(buffer));
    for (int a = 0; a < operand.strides.size(); ++a) operand.strides[a] = (this->axes() >> a & 1u) != 0 ? 0 : 1;
    return operand;
  }

  template <class W>
  void infer(const ExecutorRef& executor, const TensorView<W>& w) const {
    normalize<T>(executor, unit_length, this->axes(), this->tensor(v_), w, operands(false), static_cast<Saved<T>*>(nullptr));
  }
  template <class W>
  void train(const ExecutorRef& executor, const TensorView<W>& w, Saved<T>& saved) const {
    normalize<T>(executor, unit_length, this->axes(), this->tensor(v_), w, operands(false), &saved);
  }
  template <class DW>
  void train_backward(const ExecutorRef& executor, const TensorView<DW>& dw, Saved<T>& saved) {
    differentiate<T>(executor, unit_length, this->axes(), dw, this->tensor(v_), saved.statistics(), saved.scratch(), this->tensor(v_grad_),
                     operands(true), {}, Result::added);
  }

  bool legacy_names_;
  Buffer<T> g_, g_grad_, v_, v_grad_;
};

/// double for a weight of doubles, else float.
template <Viewable W>
WeightNorm(const W&, const WeightNormOptions& = {}) -> WeightNorm<ParameterOf<W>>;

}}  // namespace norma::NORMA_ISA_NAMESPACE
