// The public calls of activation layers, with and without an executor, and with a communicator.
#pragma once

#include <norma/core/communicator.hpp>
#include <norma/core/execution.hpp>
#include <norma/core/view.hpp>
#include <norma/doors/fused.hpp>
#include <norma/doors/saved.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The option of that name, where a layer has it.
template <class Layer>
inline Rounding rounding_of(const Layer& layer) {
  if constexpr (requires { layer.rounding(); }) {
    return layer.rounding();
  } else {
    return Rounding::once;
  }
}

/// The public calls of an activation layer. Layer gives `infer`, `train` and `train_backward` on checked-in views.
///
/// Each comes with an executor first or without, and with what is fused (Fused, FusedBackward), an activation, or both at the end.
template <class Layer, class T>
class LayerCalls {
 public:
  ///@{
  /// Inference: const, thread-safe. y has x's extents and may be exactly x. ShapeError, before anything is written, where x does not fit
  /// the layer, y does not fit x, or a pointer is null. Allocates nothing, but for what
  /// include/norma/README.md lists ("Memory").
  template <class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(X&& x, Y&& y, const O&... op) const { (*this)(sequential, x, std::forward<Y>(y), op...); }
  template <InPlaceOfExecutor E, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, X&& x, Y&& y, const O&... op) const {
    infer(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), op...);
  }
  template <class X, class Y, class O = Identity>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, const Fused& fused, const O& op = {}) const { (*this)(sequential, x, std::forward<Y>(y), fused, op); }
  template <InPlaceOfExecutor E, class X, class Y, class O = Identity>
  void operator()(const E& executor, X&& x, Y&& y, const Fused& fused, const O& op = {}) const {
    infer(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), fused, op);
  }
  ///@}

  ///@{
  /// Training forward: leaves in `saved` what backward needs besides x, so that y must not be x if a backward follows. ShapeError as above;
  /// allocates in the first step of a shape.
  template <class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void forward(X&& x, Y&& y, Saved<T>& saved, const O&... op) { forward(sequential, x, std::forward<Y>(y), saved, op...); }
  template <InPlaceOfExecutor E, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void forward(const E& executor, X&& x, Y&& y, Saved<T>& saved, const O&... op) {
    train(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, op...);
  }
  template <class X, class Y, class O = Identity>
  void forward(X&& x, Y&& y, Saved<T>& saved, const Fused& fused, const O& op = {}) {
    forward(sequential, x, std::forward<Y>(y), saved, fused, op);
  }
  template <InPlaceOfExecutor E, class X, class Y, class O = Identity>
  void forward(const E& executor, X&& x, Y&& y, Saved<T>& saved, const Fused& fused, const O& op = {}) {
    train(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, fused, op);
  }
  ///@}

  ///@{
  /// dx = ..., parameter gradients += ..., from the x and the parameters of the forward that filled `saved`. A dx with a null pointer is
  /// not computed; dx may be exactly dy or x. ShapeError, before anything is written, also unless `saved` was filled by a layer of this
  /// kind with these axes and extents.
  template <class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward(DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const O&... op) {
    backward(sequential, dy, x, saved, std::forward<DX>(dx), op...);
  }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward(const E& executor, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const O&... op) {
    run_backward(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)), op...);
  }
  template <class DY, class X, class DX, class O = Identity>
  void backward(DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    backward(sequential, dy, x, saved, std::forward<DX>(dx), fused, op);
  }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class O = Identity>
  void backward(const E& executor, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    run_backward(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)), fused, op);
  }
  ///@}

  // What is easily written instead, with a sentence about it.

  ///@{
  /// Refused with a sentence of the compiler.
  template <class X>
  void operator()(X&&) const {
    static_assert(std::is_void_v<X>, "norma: a layer writes to a tensor of yours: layer(x, y); y may be x");
  }
  template <Viewable X, Viewable Y, class O>
    requires(!Viewable<O> && !Op<O> && !std::is_convertible_v<O, Fused>)
  void operator()(X&&, Y&&, const O&) const {
    static_assert(std::is_void_v<X>,
                  "norma: behind y stands an activation, and this is none. It is norma::relu, norma::silu, ..., or a type of yours with "
                  "`V operator()(V z) const` and `V derivative(V z) const` for every V that is float, double or a register of norma's");
  }
  template <class X, class Y, class... P>
  void forward(X&&, Y&&, Saved<P>&...) {
    static_assert(std::is_void_v<X>,
                  "norma: a training forward leaves what backward needs in a norma::Saved of the layer's own type: "
                  "forward(x, y, saved)");
  }
  template <class DY, class X, class DX>
  void backward(DY&&, X&&, DX&&) {
    static_assert(std::is_void_v<X>, "norma: a backward wants the norma::Saved that its forward filled: backward(dy, x, saved, dx)");
  }
  ///@}

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
  Layer& self() { return static_cast<Layer&>(*this); }

  template <class X, class Y, class... What>
  void infer(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, const What&... what) const {
    fused_forward<T>(
        call, x, y, rounding_of(self()), [&](const CallRef& fused) { self().infer(fused, x, y); }, what...);
  }
  template <class X, class Y, class... What>
  void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved, const What&... what) {
    fused_forward<T>(
        call, x, y, rounding_of(self()), [&](const CallRef& fused) { self().train(fused, x, y, saved); }, what...);
  }
  template <class DY, class X, class DX, class... What>
  void run_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx,
                    const What&... what) {
    const auto run = [&](const CallRef& fused, const auto& upstream, const auto& input, const auto& result) {
      self().train_backward(fused, upstream, input, saved, result);
    };
    fused_backward<T>(call, dy, x, dx, run, what...);
  }
};

/// The calls whose statistics span processes: a communicator where an executor stands, or behind it. x, y, dy and dx are this rank's part;
/// aliasing is that of the calls without a communicator. All ranks make the same calls in the same order; what is a ShapeError on one is
/// thrown on all, before anything is written. The tables that travel are allocated anew. Layer gives `infer_shared` (if its inference talks
/// to other processes), `train_shared` and `train_shared_backward`.
template <class Layer, class T>
class SharedCalls {
 public:
  ///@{
  /// Inference of sets that are split over the ranks. row_scales are of whole sets, and refused.
  template <Communicator C, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(const C& ranks, X&& x, Y&& y, const O&... op) const { (*this)(sequential, ranks, x, std::forward<Y>(y), op...); }
  template <InPlaceOfExecutor E, Communicator C, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, const C& ranks, X&& x, Y&& y, const O&... op) const {
    infer_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x), norma::output_view(std::forward<Y>(y)), op...);
  }
  template <Communicator C, class X, class Y, class O = Identity>
  void operator()(const C& ranks, X&& x, Y&& y, const Fused& fused, const O& op = {}) const {
    (*this)(sequential, ranks, x, std::forward<Y>(y), fused, op);
  }
  template <InPlaceOfExecutor E, Communicator C, class X, class Y, class O = Identity>
  void operator()(const E& executor, const C& ranks, X&& x, Y&& y, const Fused& fused, const O& op = {}) const {
    infer_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x), norma::output_view(std::forward<Y>(y)), fused, op);
  }
  ///@}
  ///@{
  /// Training forward. Its `saved` serves a backward with the same ranks only.
  template <Communicator C, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void forward(const C& ranks, X&& x, Y&& y, Saved<T>& saved, const O&... op) {
    forward(sequential, ranks, x, std::forward<Y>(y), saved, op...);
  }
  template <InPlaceOfExecutor E, Communicator C, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void forward(const E& executor, const C& ranks, X&& x, Y&& y, Saved<T>& saved, const O&... op) {
    train_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, op...);
  }
  template <Communicator C, class X, class Y, class O = Identity>
  void forward(const C& ranks, X&& x, Y&& y, Saved<T>& saved, const Fused& fused, const O& op = {}) {
    forward(sequential, ranks, x, std::forward<Y>(y), saved, fused, op);
  }
  template <InPlaceOfExecutor E, Communicator C, class X, class Y, class O = Identity>
  void forward(const E& executor, const C& ranks, X&& x, Y&& y, Saved<T>& saved, const Fused& fused, const O& op = {}) {
    train_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, fused, op);
  }
  ///@}
  ///@{
  /// dx = ..., parameter gradients += this rank's part of them (LayerNorm's and RMSNorm's along a split axis are whole).
  template <Communicator C, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward(const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const O&... op) {
    backward(sequential, ranks, dy, x, saved, std::forward<DX>(dx), op...);
  }
  template <InPlaceOfExecutor E, Communicator C, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward(const E& executor, const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const O&... op) {
    run_backward_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(dy), norma::view(x), saved,
                    norma::output_view(std::forward<DX>(dx)), op...);
  }
  template <Communicator C, class DY, class X, class DX, class O = Identity>
  void backward(const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    backward(sequential, ranks, dy, x, saved, std::forward<DX>(dx), fused, op);
  }
  template <InPlaceOfExecutor E, Communicator C, class DY, class X, class DX, class O = Identity>
  void backward(const E& executor, const C& ranks, DY&& dy, X&& x, Saved<T>& saved, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    run_backward_on(ExecutorRef(executor), CommunicatorRef(ranks), norma::view(dy), norma::view(x), saved,
                    norma::output_view(std::forward<DX>(dx)), fused, op);
  }
  ///@}

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
  Layer& self() { return static_cast<Layer&>(*this); }

  template <class X, class Y, class... What>
  void infer_on(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y,
                const What&... what) const {
    fused_forward<T>(
        call, x, y, rounding_of(self()), [&](const CallRef& fused) { self().infer_shared(fused, ranks, x, y); }, what...);
  }
  template <class X, class Y, class... What>
  void train_on(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved,
                const What&... what) {
    fused_forward<T>(
        call, x, y, rounding_of(self()), [&](const CallRef& fused) { self().train_shared(fused, ranks, x, y, saved); }, what...);
  }
  template <class DY, class X, class DX, class... What>
  void run_backward_on(const CallRef& call, const CommunicatorRef& ranks, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved,
                       const TensorView<DX>& dx, const What&... what) {
    const auto run = [&](const CallRef& fused, const auto& upstream, const auto& input, const auto& result) {
      self().train_shared_backward(fused, ranks, upstream, input, saved, result);
    };
    fused_backward<T>(call, dy, x, dx, run, what...);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
