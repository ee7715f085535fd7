// RMSNorm's benchmark cases. oneDNN of the version at hand has none; libtorch's is composed of its operators.
#include "row_norm_cases.hpp"

namespace bench { namespace {

struct RMSNormCases {
  static constexpr const char* name = "RMSNorm";
  static constexpr bool centred = false;
  template <class T>
  using Layer = norma::RMSNorm<T>;

  template <class T>
  static norma::TensorView<T> channels(const Problem& p, T* data) {
    return norma::TensorView<T>(data, {p.c});
  }

  template <class E, class X, class Y, class T>
  static void forward_channels(const E& executor, X x, Y y, const Problem& p, const Operands<T>& o) {
    norma::rms_norm(executor, x, y, {.axes = {1}, .weight = channels(p, o.weight), .eps = eps});
  }
  template <class X, class Y, class T>
  static void train_channels(X x, Y y, norma::Saved<T>& saved, const Problem& p, const Operands<T>& o) {
    norma::rms_norm(x, y, saved, {.axes = {1}, .weight = channels(p, o.weight), .eps = eps});
  }
  template <class E, class X, class Y, class T>
  static void backward_channels(const E& executor, X dy, X x, norma::Saved<T>& saved, Y dx, const Problem& p, const Operands<T>& o) {
    norma::rms_norm_backward(executor, dy, x, saved, dx,
                             {.axes = {1}, .weight = channels(p, o.weight), .weight_grad = channels(p, o.weight_grad)});
  }

  template <class T>
  static Work plain_loop(Pass pass, const Problem& p, const Operands<T>& o) {
    return loop::rms_norm(pass, p, o);
  }

  template <class T>
  static void add_peers_forward(Case<T>& c) {
    if constexpr (has_torch) c.impls.push_back({"torch", libtorch::rms_norm_forward<T>});
    c.impls.push_back({"eigen", eigen::rms_norm_forward<T>});
  }
  template <class T>
  static void add_peers_train(Case<T>&) {}
  template <class T>
  static void add_peers_backward(Case<T>& c) {
    if constexpr (has_torch) c.impls.push_back({"torch", libtorch::rms_norm_backward<T>});
    c.impls.push_back({"eigen", eigen::rms_norm_backward<T>});
  }
};

const Registration registration(add_row_norm<RMSNormCases>);

}  // namespace
}  // namespace bench
