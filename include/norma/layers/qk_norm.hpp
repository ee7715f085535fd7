// QKNorm: queries and keys normalized per head, so that attention logits cannot grow without bound (Henry et al. 2020, arXiv 2010.04245;
// with RMSNorm or LayerNorm per head as in today's models).
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/query_key_calls.hpp>
#include <norma/doors/visits.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// rms: x / sqrt(mean(x^2) + eps) * weight. layer: LayerNorm with weight and bias. l2: the paper's k / sqrt(sum(k^2) + eps) and
/// scale * q / sqrt(sum(q^2) + eps), whose products are the logits with nothing more.
enum class QKForm : unsigned char { rms, layer, l2 };

/// affine = false: no weights, no scale. bias: of the layer form. sequence_length L >= 2: scale starts at log2(L^2 - L).
struct QKNormOptions {
  QKForm form = QKForm::rms;           ///< which norm
  double eps = 1e-6;                   ///< added to the mean square, variance or sum of squares; 0 or more, else a ShapeError
  bool affine = true;                  ///< false: no weights, biases and scale
  bool bias = true;                    ///< of the layer form alone
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  index_t sequence_length = 1024;      ///< L of the l2 form; 2 or more, else a ShapeError
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};

/// Normalizes the last axis, of head_dim elements, of q (B, T, H, D) and k (B, S, H_kv, D), any strides, any other axes. Weights have
/// head_dim elements and are shared by the heads. T: float or double.
template <Parameter T = float>
class QKNorm : public AssignedWhole<QKNorm<T>>, public QueryKeyCalls<QKNorm<T>, T>, public VisitedParameters<QKNorm<T>> {
 public:
  /// In messages.
  static constexpr const char* name = "QKNorm";

  /// ShapeError if head_dim is negative, or an option is out of its range.
  explicit QKNorm(index_t head_dim, const QKNormOptions& options = {})
      : options_(options), head_dim_(checked(head_dim, options)), q_(head_dim, options, true), k_(head_dim, options, false) {
    const double length = static_cast<double>(options.sequence_length);
    for (T& start : scale()) start = static_cast<T>(std::log2(length * length - length));
  }
  /// Refuses a misspelt eps with a sentence of the compiler.
  QKNorm(index_t head_dim, const EpsilonOptions&) : QKNorm(head_dim, refuse_epsilon<T, QKNormOptions>()) {}

  ///@{
  /// head_dim numbers, or one (scale); empty where the form has none. The gradients are what backwards add to.
  std::span<T> q_weight() { return l2() ? std::span<T>() : q_.weight(); }
  std::span<const T> q_weight() const { return l2() ? std::span<const T>() : q_.weight(); }
  std::span<T> q_bias() { return q_.bias(); }
  std::span<const T> q_bias() const { return q_.bias(); }
  std::span<T> k_weight() { return k_.weight(); }
  std::span<const T> k_weight() const { return k_.weight(); }
  std::span<T> k_bias() { return k_.bias(); }
  std::span<const T> k_bias() const { return k_.bias(); }
  std::span<T> scale() { return l2() ? q_.weight() : std::span<T>(); }
  std::span<const T> scale() const { return l2() ? q_.weight() : std::span<const T>(); }
  std::span<T> q_weight_grad() { return l2() ? std::span<T>() : q_.weight_grad(); }
  std::span<const T> q_weight_grad() const { return l2() ? std::span<const T>() : q_.weight_grad(); }
  std::span<T> q_bias_grad() { return q_.bias_grad(); }
  std::span<const T> q_bias_grad() const { return q_.bias_grad(); }
  std::span<T> k_weight_grad() { return k_.weight_grad(); }
  std::span<const T> k_weight_grad() const { return k_.weight_grad(); }
  std::span<T> k_bias_grad() { return k_.bias_grad(); }
  std::span<const T> k_bias_grad() const { return k_.bias_grad(); }
  std::span<T> scale_grad() { return l2() ? q_.weight_grad() : std::span<T>(); }
  std::span<const T> scale_grad() const { return l2() ? q_.weight_grad() : std::span<const T>(); }
  ///@}

  /// The option of that name.
  Rounding rounding() const { return options_.rounding; }

  /// Sets all gradients to 0.
  void zero_grad() {
    q_.zero_grad();
    k_.zero_grad();
  }

  /// f(name, value) for each buffer; none here.
  template <class F>
  void for_each_buffer(F&&) const {}

 private:
  friend QueryKeyCalls<QKNorm<T>, T>;
  friend VisitedParameters<QKNorm>;

  template <class Self, class F>
  static void visit_parameters(Self& self, F& f) {
    const auto visit = [&](const char* parameter, auto value, auto grad) {
      if (value.data() != nullptr) f(std::string_view(parameter), value, grad);
    };
    visit("q_norm.weight", self.q_weight(), self.q_weight_grad());
    visit("q_norm.bias", self.q_bias(), self.q_bias_grad());
    visit("k_norm.weight", self.k_weight(), self.k_weight_grad());
    visit("k_norm.bias", self.k_bias(), self.k_bias_grad());
    visit("scale", self.scale(), self.scale_grad());
  }

  /// Weight and bias of one side. The l2 form has one number for q's: scale.
  struct Side : AffineParameters<T> {
    Side(index_t head_dim, const QKNormOptions& o, bool of_q)
        : AffineParameters<T>(o.form == QKForm::l2 ? Extents{} : Extents{head_dim}, o.affine && (o.form != QKForm::l2 || of_q),
                              o.affine && o.bias && o.form == QKForm::layer, o.unit_offset && o.form != QKForm::l2) {}
    using AffineParameters<T>::operands;
    using AffineParameters<T>::operands_with_gradients;
  };

  static index_t checked(index_t head_dim, const QKNormOptions& options) {
    if (head_dim < 0) raise_shape_error(name, ": head_dim is ", head_dim);
    checked_eps(name, options.eps);
    if (options.form == QKForm::l2 && options.sequence_length < 2)
      raise_shape_error(name, ": sequence_length is ", options.sequence_length, "; 2 or more is wanted");
    return head_dim;
  }

  bool l2() const { return options_.form == QKForm::l2; }
  index_t head_dim() const { return head_dim_; }
  unsigned identity() const { return static_cast<unsigned>(options_.form); }

  Statistic statistic() const {
    using Kind = Statistic::Kind;
    return {l2() ? Kind::length : options_.form == QKForm::layer ? Kind::deviation : Kind::mean_square, options_.eps};
  }

  /// The axes that the parameters run along.
  AxisSet along(AxisSet last) const { return l2() ? 0 : last; }
  AffineOperands q_operands(const Extents& q, AxisSet last) const { return q_.operands(q, along(last)); }
  AffineOperands k_operands(const Extents& k, AxisSet last) const { return k_.operands(k, along(last)); }
  AffineOperands q_operands_with_gradients(const Extents& q, AxisSet last) { return q_.operands_with_gradients(q, along(last)); }
  AffineOperands k_operands_with_gradients(const Extents& k, AxisSet last) { return k_.operands_with_gradients(k, along(last)); }

  QKNormOptions options_;
  index_t head_dim_;
  Side q_, k_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
