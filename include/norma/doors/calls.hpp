// The public calls of activation layers, with and without an executor, and with a communicator.
#pragma once

#include <norma/core/communicator.hpp>
#include <norma/core/execution.hpp>
#include <norma/core/view.hpp>
#include <norma/doors/saved.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

}}  // namespace norma::NORMA_ISA_NAMESPACE
