// What the layers share: owned affine parameters, and the calls with and without an executor.
#pragma once

#include <norma/core/communicator.hpp>
#include <norma/core/view.hpp>
#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

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
class AffineParameters {
 public:
  std::span<T> weight() { return weight_.span(); }
  std::span<const T> weight() const { return weight_.span(); }
  std::span<T> bias() { return bias_.span(); }
  std::span<const T> bias() const { return bias_.span(); }
  std::span<T> weight_grad() { return weight_grad_.span(); }
  std::span<const T> weight_grad() const { return weight_grad_.span(); }
  std::span<T> bias_grad() { return bias_grad_.span(); }
  std::span<const T> bias_grad() const { return bias_grad_.span(); }

  /// Sets all gradients to 0.
  void zero_grad() {
    weight_grad_.fill(T(0));
    bias_grad_.fill(T(0));
  }

  /// f(name, value, grad) for each parameter, with PyTorch's state_dict names; read-only spans of a const layer.
  template <class F>
  void for_each_parameter(F&& f) {
    visit_parameters(*this, f);
  }
  template <class F>
  void for_each_parameter(F&& f) const {
    visit_parameters(*this, f);
  }

  /// f(name, value) for each buffer; none here.
  template <class F>
  void for_each_buffer(F&&) const {}

 protected:
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
  AffineOperands operands(const char* layer, const Extents& x, AxisSet axes) const {
    AffineOperands result;
    result.unit_offset = unit_offset_;
    const T* const any = weight_.data() != nullptr ? weight_.data() : bias_.data();
    if (any == nullptr) return result;
    const Operand one = parameter_operand(layer, "parameter", TensorView<const T>(any, shape_), x, axes);
    result.weight = one.over(weight_.data());
    result.bias = one.over(bias_.data());
    return result;
  }
  AffineOperands operands_with_gradients(const char* layer, const Extents& x, AxisSet axes) {
    AffineOperands result = operands(layer, x, axes);
    result.weight_grad = result.weight.over(weight_grad_.data());
    result.bias_grad = result.bias.over(bias_grad_.data());
    return result;
  }

  /// For norms whose backward comes down to a number per channel.
  double weight_of(index_t channel) const { return weight_.data() == nullptr ? 1.0 : static_cast<double>(weight_.data()[channel]); }
  void add_gradients(index_t channel, double of_weight, double of_bias) {
    add_to(weight_grad_, channel, of_weight);
    add_to(bias_grad_, channel, of_bias);
  }
  static void add_to(Buffer<T>& gradient, index_t channel, double value) {
    if (gradient.data() != nullptr) gradient.data()[channel] = static_cast<T>(static_cast<double>(gradient.data()[channel]) + value);
  }

 private:
  Extents shape_;
  bool unit_offset_;
  Buffer<T> weight_, bias_, weight_grad_, bias_grad_;
};

/// The public calls of an activation layer. Layer gives `infer`, `train` and `train_backward` on checked-in views.
template <class Layer, class T>
class LayerCalls {
 public:
  /// Inference: const, allocates nothing, thread-safe. y may be exactly x.
  template <class X, class Y>
  void operator()(X&& x, Y&& y) const {
    (*this)(sequential, x, std::forward<Y>(y));
  }
  template <Executor E, class X, class Y>
  void operator()(const E& executor, X&& x, Y&& y) const {
    self().infer(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)));
  }

  /// Training forward: leaves in `saved` what backward needs besides x, so that y must not be x if a backward follows.
  template <class X, class Y>
  void forward(X&& x, Y&& y, Saved<T>& saved) {
    forward(sequential, x, std::forward<Y>(y), saved);
  }
  template <Executor E, class X, class Y>
  void forward(const E& executor, X&& x, Y&& y, Saved<T>& saved) {
    self().train(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), saved);
  }

  /// dx = ..., parameter gradients += ..., from the x and the parameters of the forward that filled `saved`. A dx with a null pointer is
  /// not computed; dx may be exactly dy or x.
  template <class DY, class X, class DX>
  void backward(DY&& dy, X&& x, Saved<T>& saved, DX&& dx) {
    backward(sequential, dy, x, saved, std::forward<DX>(dx));
  }
  template <Executor E, class DY, class X, class DX>
  void backward(const E& executor, DY&& dy, X&& x, Saved<T>& saved, DX&& dx) {
    self().train_backward(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)));
  }

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
  Layer& self() { return static_cast<Layer&>(*this); }
};

/// The calls whose statistics span processes: a communicator where an executor stands, or behind it. x, y, dy and dx are this rank's part;
/// aliasing is that of the calls without a communicator. All ranks make the same calls in the same order; what is a ShapeError on one is
/// thrown on all, before anything is written. The tables that travel are allocated anew. Layer gives `infer_shared` (if its inference talks
/// to other processes), `train_shared` and `train_shared_backward`.
template <class Layer, class T>
class SharedCalls {
 public:
  /// Inference of sets that are split over the ranks.
  template <Communicator C, class X, class Y>
  void operator()(const C& ranks, X&& x, Y&& y) const {
    (*this)(sequential, ranks, x, std::forward<Y>(y));
  }
  template <Executor E, Communicator C, class X, class Y>
  void operator()(const E& executor, const C& ranks, X&& x, Y&& y) const {
    static_cast<const Layer&>(*this).infer_shared(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x),
                                                  norma::output_view(std::forward<Y>(y)));
  }
  /// Training forward. Its `saved` serves a backward with the same ranks only.
  template <Communicator C, class X, class Y>
  void forward(const C& ranks, X&& x, Y&& y, Saved<T>& saved) {
    forward(sequential, ranks, x, std::forward<Y>(y), saved);
  }
  template <Executor E, Communicator C, class X, class Y>
  void forward(const E& executor, const C& ranks, X&& x, Y&& y, Saved<T>& saved) {
    self().train_shared(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x), norma::output_view(std::forward<Y>(y)), saved);
  }
  /// dx = ..., parameter gradients += this rank's part of them (LayerNorm's and RMSNorm's along a split axis are whole).
  template <Communicator C, class DY, class X, class DX>
  void backward(const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx) {
    backward(sequential, ranks, dy, x, saved, std::forward<DX>(dx));
  }
  template <Executor E, Communicator C, class DY, class X, class DX>
  void backward(const E& executor, const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx) {
    self().train_shared_backward(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(dy), norma::view(x), saved,
                                 norma::output_view(std::forward<DX>(dx)));
  }

 private:
  Layer& self() { return static_cast<Layer&>(*this); }
};

/// The checks of a forward pass, before anything is written.
template <class X, class Y>
inline void check_forward(const char* layer, const TensorView<X>& x, const TensorView<Y>& y) {
  check_same_shape(layer, "x", x, x.extents());
  check_same_shape(layer, "y", y, x.extents());
}

/// The checks of a backward without saved statistics, before anything is written.
template <class DY, class X, class DX>
inline void check_frozen_backward(const char* layer, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) {
  check_same_shape(layer, "x", x, x.extents());
  check_same_shape(layer, "dy", dy, x.extents());
  if (dx.data() != nullptr) check_same_shape(layer, "dx", dx, x.extents());
}

/// The checks of a backward pass, before anything is written.
template <class P, class DY, class X, class DX>
inline void check_backward(const char* layer, const TensorView<DY>& dy, const TensorView<X>& x, const Saved<P>& saved,
                           const TensorView<DX>& dx, const Roles& roles) {
  check_frozen_backward(layer, dy, x, dx);
  saved.check(layer, x.extents(), roles.signature());
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
