// What the reparameterised weights share: a shape with one distinguished axis, and the calls that write w.
#pragma once

#include <vector>

#include <norma/core/view.hpp>
#include <norma/doors/saved.hpp>
#include <norma/engine/scale.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The public calls. Layer gives `infer`, `train` and `train_backward` on views that have been checked, and its `name`.
template <class Layer, class T>
class Reparameterised : public AssignedWhole<Layer> {
 public:
  ///@{
  /// Inference: writes w, any view of the weight's shape, else a ShapeError. Const, thread-safe.
  template <class W>
  void operator()(W&& w) const {
    (*this)(sequential, std::forward<W>(w));
  }
  template <InPlaceOfExecutor E, class W>
  void operator()(const E& executor, W&& w) const {
    self().infer(ExecutorRef(executor), checked("w", norma::output_view(std::forward<W>(w))));
  }
  ///@}

  ///@{
  /// Training forward: writes w and leaves in `saved` what backward needs. ShapeError unless w has the weight's shape.
  template <class W>
  void forward(W&& w, Saved<T>& saved) {
    forward(sequential, std::forward<W>(w), saved);
  }
  template <InPlaceOfExecutor E, class W>
  void forward(const E& executor, W&& w, Saved<T>& saved) {
    self().train(ExecutorRef(executor), checked("w", norma::output_view(std::forward<W>(w))), saved);
    saved.commit(Layer::name, extents_, axes_, {});
  }
  ///@}

  ///@{
  /// Parameter gradients += ..., from the gradient of the w that the forward of `saved` wrote. ShapeError unless dw has the weight's shape
  /// and `saved` is of such a layer.
  template <class DW>
  void backward(DW&& dw, Saved<T>& saved) {
    backward(sequential, dw, saved);
  }
  template <InPlaceOfExecutor E, class DW>
  void backward(const E& executor, DW&& dw, Saved<T>& saved) {
    const auto gradient = checked("dw", norma::view(dw));
    saved.check(Layer::name, extents_, axes_);
    self().train_backward(ExecutorRef(executor), gradient, saved);
  }
  ///@}

  ///@{
  /// The w of inference as plain numbers, row-major: the layer may then be thrown away.
  std::vector<T> bake() const { return bake(sequential); }
  template <InPlaceOfExecutor E>
  std::vector<T> bake(const E& executor) const {
    std::vector<T> w(static_cast<std::size_t>(extents_.product()));
    (*this)(executor, TensorView<T>(w.data(), extents_));
    return w;
  }
  ///@}

  /// The weight's.
  const Extents& extents() const { return extents_; }

 protected:
  /// axes identify the distinguished axis in a Saved.
  Reparameterised(const Extents& extents, AxisSet axes) : extents_(extents), axes_(axes) {}

  AxisSet axes() const { return axes_; }
  /// The owned numbers as a tensor of the weight's shape.
  template <class B>
  auto tensor(B& buffer) const {
    return TensorView(buffer.data(), extents_);
  }

  template <class W>
  const TensorView<W>& checked(const char* what, const TensorView<W>& w) const {
    static_assert(are_numbers<W>, "norma: the weight layers have no tensors of 8 bits");
    if (w.extents() != extents_) raise_shape_error(Layer::name, ": ", what, " has extents ", w.extents(), ", the weight has ", extents_);
    check_same_shape(Layer::name, what, w, extents_);
    return w;
  }
  /// The weight a layer is built from.
  template <class W>
  static const TensorView<W>& checked_origin(const TensorView<W>& w) {
    static_assert(are_numbers<W>, "norma: the weight layers have no tensors of 8 bits");
    if (w.rank() == 0) raise_shape_error(Layer::name, ": the weight has rank 0; 1 to ", max_rank, " axes are wanted");
    check_same_shape(Layer::name, "the weight", w, w.extents());
    return w;
  }

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
  Layer& self() { return static_cast<Layer&>(*this); }

  Extents extents_;
  AxisSet axes_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
