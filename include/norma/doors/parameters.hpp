// Weight, bias and their gradients: owned by a layer, and as the operands of a call.
#pragma once

#include <norma/core/buffer.hpp>
#include <norma/core/view.hpp>
#include <norma/doors/checks.hpp>
#include <norma/doors/visits.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Weight, bias and their gradients as broadcast operands of x; absent ones are skipped. unit_offset: the weight enters as 1 + weight.
struct AffineOperands {
  Operand weight;
  Operand bias;
  Operand weight_grad;
  Operand bias_grad;
  bool unit_offset = false;

  /// What is added to every weight.
  template <class A>
  A offset() const {
    return weight.present() && unit_offset ? A(1) : negative_zero<A>;
  }
};

/// A parameter, or a given mean or variance, of a free function: takes whatever norma::view takes, with elements of T or of 16 bits. A null
/// pointer means absent.
template <Parameter T>
class ParameterView {
 public:
  /// Absent.
  ParameterView() = default;
  /// Whatever norma::view takes, of elements T or of 16 bits; a temporary that owns its elements is refused.
  template <class U>
    requires(!std::is_same_v<std::remove_cvref_t<U>, ParameterView> && Viewable<U>)
  ParameterView(U&& t) : ParameterView(norma::view(t), 0) {
    static_assert(!is_owning_temporary<U>, "norma: this temporary owns its elements, and a view of it would dangle; give it a name first");
  }

  ///@{
  /// Whether it is present, its extents, and what the engine sees of it.
  bool has_value() const { return operand_.present(); }
  const Extents& extents() const { return extents_; }
  ///@}
  /// With the strides of its own extents.
  const Operand& operand() const { return operand_; }

 private:
  template <class E>
  ParameterView(const TensorView<E>& view, int) : operand_(view), extents_(view.extents()) {
    static_assert(std::is_same_v<std::remove_const_t<E>, T> || sizeof(E) == 2,
                  "norma: parameters of a free function are float for float x and double for double x, or have 16 bits");
  }

  Operand operand_;
  Extents extents_;
};

/// A parameter of these extents seen as a broadcast view of x. It has either the extents of x along `parameter_axes`, in x's order, or x's
/// rank with each extent x's or 1. ShapeError otherwise. An absent one stays absent.
inline Operand parameter_operand(const char* layer, const char* name, const Operand& t, const Extents& extents, const Extents& x,
                                 AxisSet parameter_axes) {
  Operand operand;
  if (!t.present()) return operand;
  operand.data = t.data;
  operand.access = t.access;
  int next = 0;
  bool fits_axes = true;
  for (int a = 0; a < x.size(); ++a) {
    const bool extends = (parameter_axes >> a & 1u) != 0;
    if (extends) fits_axes = fits_axes && next < extents.size() && extents[next] == x[a];
    operand.strides.push_back(extends && fits_axes ? t.strides[next] : 0);
    next += extends;
  }
  if (fits_axes && next == extents.size()) return operand;
  bool broadcasts = extents.size() == x.size();
  for (int a = 0; broadcasts && a < x.size(); ++a) {
    broadcasts = extents[a] == x[a] || extents[a] == 1;
    operand.strides[a] = extents[a] == 1 ? 0 : t.strides[a];
  }
  if (!broadcasts) {
    Extents wanted;
    for (int a = 0; a < x.size(); ++a) {
      if ((parameter_axes >> a & 1u) != 0) wanted.push_back(x[a]);
    }
    raise_shape_error(layer, ": ", name, " has extents ", extents, "; wanted are ", wanted, ", or those of x ", x,
                      " with 1 where it repeats");
  }
  return operand;
}
template <class T>
inline Operand parameter_operand(const char* layer, const char* name, const TensorView<T>& t, const Extents& x, AxisSet parameter_axes) {
  return parameter_operand(layer, name, Operand(t), t.extents(), x, parameter_axes);
}

template <class X>
struct ParameterOfTensor {
  using type = float;  // not a tensor: norma::view says so where the function is called
};

template <Viewable X>
struct ParameterOfTensor<X> {
  using type = ParameterFor<typename decltype(ViewOf<std::remove_cvref_t<X>>::view(std::declval<X&>()))::value_type>;
};

/// Parameter type of the free functions for a tensor X.
template <class X>
using ParameterOf = typename ParameterOfTensor<X>::type;

/// Weight and bias of a layer with their gradients; each absent where the layer has none. An ordinary value.
template <Parameter T>
class AffineParameters : public VisitedParameters<AffineParameters<T>> {
 public:
  ///@{
  /// Row-major over the parameter's shape; empty where the layer has none. The gradients are what backwards add to.
  std::span<T> weight() { return weight_.span(); }
  std::span<const T> weight() const { return weight_.span(); }
  std::span<T> bias() { return bias_.span(); }
  std::span<const T> bias() const { return bias_.span(); }
  std::span<T> weight_grad() { return weight_grad_.span(); }
  std::span<const T> weight_grad() const { return weight_grad_.span(); }
  std::span<T> bias_grad() { return bias_grad_.span(); }
  std::span<const T> bias_grad() const { return bias_grad_.span(); }
  ///@}

  /// Sets all gradients to 0.
  void zero_grad() {
    weight_grad_.fill(T(0));
    bias_grad_.fill(T(0));
  }

  /// f(name, value) for each buffer; none here.
  template <class F>
  void for_each_buffer(F&&) const {}

 protected:
  friend VisitedParameters<AffineParameters>;
  template <class Self, class F>
  static void visit_parameters(Self& self, F& f) {
    if (self.weight().data() != nullptr) f(std::string_view("weight"), self.weight(), self.weight_grad());
    if (self.bias().data() != nullptr) f(std::string_view("bias"), self.bias(), self.bias_grad());
  }

  /// Weight 1 (0 where it enters as 1 + weight), bias 0.
  AffineParameters(const Extents& shape, bool has_weight, bool has_bias, bool unit_offset) : shape_(shape), unit_offset_(unit_offset) {
    const index_t size = shape.product();
    if (has_weight) {
      weight_ = Buffer<T>(size, unit_offset ? T(0) : T(1));
      weight_grad_ = Buffer<T>(size);
    }
    if (has_bias) {
      bias_ = Buffer<T>(size);
      bias_grad_ = Buffer<T>(size);
    }
  }

  const Extents& parameter_shape() const { return shape_; }

  /// The parameters along `axes` of x, whose extents there are the layer's.
  AffineOperands operands(const Extents& x, AxisSet axes) const {
    AffineOperands result;
    result.unit_offset = unit_offset_;
    spread(weight_, x, axes, result.weight);
    spread(bias_, x, axes, result.bias);
    return result;
  }
  AffineOperands operands_with_gradients(const Extents& x, AxisSet axes) {
    AffineOperands result = operands(x, axes);
    spread(weight_grad_, x, axes, result.weight_grad);
    spread(bias_grad_, x, axes, result.bias_grad);
    return result;
  }

  /// For norms whose backward comes down to a number per channel.
  double weight_of(index_t channel) const { return weight_.data() == nullptr ? 1.0 : static_cast<double>(weight_.data()[channel]); }
  double bias_of(index_t channel) const { return bias_.data() == nullptr ? 0.0 : static_cast<double>(bias_.data()[channel]); }
  void add_gradients(index_t channel, double of_weight, double of_bias) {
    add_to(weight_grad_, channel, of_weight);
    add_to(bias_grad_, channel, of_bias);
  }
  static void add_to(Buffer<T>& gradient, index_t channel, double value) {
    if (gradient.data() != nullptr) gradient.data()[channel] = static_cast<T>(static_cast<double>(gradient.data()[channel]) + value);
  }

 private:
  /// One parameter, row-major over the extents of x along `axes`. In place: whoever copies strides just stored one by one waits for them.
  static void spread(const Buffer<T>& parameter, const Extents& x, AxisSet axes, Operand& operand) {
    if (parameter.data() == nullptr) return;
    operand.data = const_cast<T*>(parameter.data());
    operand.access = &element_access<element_type_of<T>>();
    index_t stride[max_rank], next = 1;
    for (int a = x.size(); a-- > 0;) {
      const bool extends = (axes >> a & 1u) != 0;
      stride[a] = extends ? next : 0;
      if (extends) next *= x[a];
    }
    for (int a = 0; a < x.size(); ++a) operand.strides.push_back(stride[a]);
  }

  Extents shape_;
  bool unit_offset_;
  Buffer<T> weight_, bias_, weight_grad_, bias_grad_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
