// LayerNorm's benchmark cases.
#include "row_norm_cases.hpp"

namespace bench { namespace {

struct LayerNormCases {
  static constexpr const char* name = "LayerNorm";
  static constexpr bool centred = true;
  template <class T>
  using Layer = norma::LayerNorm<T>;

  template <class T>
  static norma::TensorView<T> channels(const Problem& p, T* data) {
    return norma::TensorView<T>(data, {p.c});
  }

  template <class E, class X, class Y, class T>
  static void forward_channels(const E& executor, X x, Y y, const Problem& p, const Operands<T>& o) {
    norma::layer_norm(executor, x, y, {.axes = {1}, .weight = channels(p, o.weight), .bias = channels(p, o.bias), .eps = eps});
  }
  template <class X, class Y, class T>
  static void train_channels(X x, Y y, norma::Saved<T>& saved, const Problem& p, const Operands<T>& o) {
    norma::layer_norm(x, y, saved, {.axes = {1}, .weight = channels(p, o.weight), .bias = channels(p, o.bias), .eps = eps});
  }
  template <class E, class X, class Y, class T>
  static void backward_channels(const E& executor, X dy, X x, norma::Saved<T>& saved, Y dx, const Problem& p, const Operands<T>& o) {
    norma::layer_norm_backward(
        executor, dy, x, saved, dx,
        {.axes = {1}, .weight = channels(p, o.weight), .weight_grad = channels(p, o.weight_grad), .bias_grad = channels(p, o.bias_grad)});
  }

  template <class T>
  static Work plain_loop(Pass pass, const Problem& p, const Operands<T>& o) {
    return loop::layer_norm(pass, p, o);
  }

  // oneDNN has no double, and normalizes the last axis only.
  template <class T>
  static void add_onednn(Case<T>& c, Work (*make)(const Problem&, const Operands<float>&)) {
    if constexpr (std::is_same_v<T, float>)
      if (c.problem.s == 1) c.impls.push_back({"onednn", make});
  }
  template <class T>
  static void add_peers_forward(Case<T>& c) {
    if constexpr (has_onednn) add_onednn(c, onednn::layer_norm_forward);
    if constexpr (has_torch) c.impls.push_back({"torch", libtorch::layer_norm_forward<T>});
    c.impls.push_back({"eigen", eigen::layer_norm_forward<T>});
  }
  template <class T>
  static void add_peers_train(Case<T>& c) {
    if constexpr (has_onednn) add_onednn(c, onednn::layer_norm_train);
    if constexpr (has_torch)
      c.impls.push_back({"torch", libtorch::layer_norm_forward<T>});  // libtorch's forward always stores the statistics
  }
  template <class T>
  static void add_peers_backward(Case<T>& c) {
    if constexpr (has_onednn) add_onednn(c, onednn::layer_norm_backward);
    if constexpr (has_torch) c.impls.push_back({"torch", libtorch::layer_norm_backward<T>});
    c.impls.push_back({"eigen", eigen::layer_norm_backward<T>});
  }
};

const Registration registration(add_row_norm<LayerNormCases>);

}  // namespace
}  // namespace bench
