// The calls of a layer with two inputs, queries and keys: their checks, and their passes over both.
#pragma once

#include <norma/doors/fused.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Both are normalized over their last axis by one statistic. Layer gives its `name`, head_dim(), identity() (a number that tells its kinds
/// apart in a Saved), statistic(), and the parameters of either side: q_operands(extents, axes), k_operands,
/// and both with _with_gradients.
template <class Layer, class T>
class QueryKeyCalls {
 public:
  ///@{
  /// Inference: const, allocates nothing, thread-safe. Each output has its input's extents and may be exactly it. ShapeError, before
  /// anything is written, where one does not fit.
  template <class Q, class K, class QHat, class KHat>
  void operator()(Q&& q, K&& k, QHat&& q_hat, KHat&& k_hat) const {
    (*this)(sequential, q, k, std::forward<QHat>(q_hat), std::forward<KHat>(k_hat));
  }
  template <InPlaceOfExecutor E, class Q, class K, class QHat, class KHat>
  void operator()(const E& executor, Q&& q, K&& k, QHat&& q_hat, KHat&& k_hat) const {
    checked_run(executor, norma::view(q), norma::view(k), norma::output_view(std::forward<QHat>(q_hat)),
                norma::output_view(std::forward<KHat>(k_hat)), nullptr);
  }
  ///@}

  ///@{
  /// Training forward: leaves in `saved` what backward needs, rstd (and mean) of q's rows, then of k's. ShapeError as above.
  template <class Q, class K, class QHat, class KHat>
  void forward(Q&& q, K&& k, QHat&& q_hat, KHat&& k_hat, Saved<T>& saved) {
    forward(sequential, q, k, std::forward<QHat>(q_hat), std::forward<KHat>(k_hat), saved);
  }
  template <InPlaceOfExecutor E, class Q, class K, class QHat, class KHat>
  void forward(const E& executor, Q&& q, K&& k, QHat&& q_hat, KHat&& k_hat, Saved<T>& saved) {
    const auto queries = norma::view(q);
    const auto keys = norma::view(k);
    checked_run(executor, queries, keys, norma::output_view(std::forward<QHat>(q_hat)), norma::output_view(std::forward<KHat>(k_hat)),
                &saved);
    saved.commit(Layer::name, queries.extents(), identity(queries.rank()), self().statistic());
    saved.commit_second(keys.extents());
  }
  ///@}

  ///@{
  /// dq, dk = ..., each where present; parameter gradients += .... dq may be exactly dq_hat or q; dk likewise. ShapeError, before anything
  /// is written, also unless `saved` is of these extents.
  template <class DQHat, class DKHat, class Q, class K, class DQ, class DK>
  void backward(DQHat&& dq_hat, DKHat&& dk_hat, Q&& q, K&& k, Saved<T>& saved, DQ&& dq, DK&& dk) {
    backward(sequential, dq_hat, dk_hat, q, k, saved, std::forward<DQ>(dq), std::forward<DK>(dk));
  }
  template <InPlaceOfExecutor E, class DQHat, class DKHat, class Q, class K, class DQ, class DK>
  void backward(const E& executor, DQHat&& dq_hat, DKHat&& dk_hat, Q&& q, K&& k, Saved<T>& saved, DQ&& dq, DK&& dk) {
    checked_backward(executor, norma::view(dq_hat), norma::view(dk_hat), norma::view(q), norma::view(k), saved,
                     norma::output_view(std::forward<DQ>(dq)), norma::output_view(std::forward<DK>(dk)));
  }
  ///@}

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }

  unsigned identity(int rank) const { return static_cast<unsigned>(rank) | self().identity() << 8; }

  template <class E, class Q, class K, class QHat, class KHat>
  void checked_run(const E& executor, const TensorView<Q>& q, const TensorView<K>& k, const TensorView<QHat>& q_hat,
                   const TensorView<KHat>& k_hat, Saved<T>* saved) const {
    static_assert(are_numbers<QHat, KHat>, "norma: QKNorm has no outputs of 8 bits");
    check_input("q", q);
    check_input("k", k);
    check_like("q_hat", q_hat, "q", q);
    check_like("k_hat", k_hat, "k", k);
    const AxisSet q_axes = last_axis(q), k_axes = last_axis(k);
    const ExecutorRef tasks(executor);
    const Statistic statistic = self().statistic();
    const index_t q_sets = set_count(q.extents(), q_axes);
    StatisticArrays statistics;
    if (saved != nullptr) statistics = saved->prepare(q_sets + set_count(k.extents(), k_axes), statistic.centred());
    Buffer<std::byte>* const scratch = saved == nullptr ? nullptr : &saved->scratch();
    const Rounding rounding = self().rounding();
    fused_forward<T>(tasks, q, q_hat, rounding, [&](const CallRef& call) {
      normalize<T>(call, statistic, q_axes, q, q_hat, self().q_operands(q.extents(), q_axes), statistics, scratch);
    });
    fused_forward<T>(tasks, k, k_hat, rounding, [&](const CallRef& call) {
      normalize<T>(call, statistic, k_axes, k, k_hat, self().k_operands(k.extents(), k_axes), statistics.from(q_sets), scratch);
    });
  }

  template <class E, class DQHat, class DKHat, class Q, class K, class DQ, class DK>
  void checked_backward(const E& executor, const TensorView<DQHat>& dq_hat, const TensorView<DKHat>& dk_hat, const TensorView<Q>& q,
                        const TensorView<K>& k, Saved<T>& saved, const TensorView<DQ>& dq, const TensorView<DK>& dk) {
    check_input("q", q);
    check_input("k", k);
    check_like("dq_hat", dq_hat, "q", q);
    check_like("dk_hat", dk_hat, "k", k);
    if (dq.data() != nullptr) check_like("dq", dq, "q", q);
    if (dk.data() != nullptr) check_like("dk", dk, "k", k);
    saved.check(Layer::name, q.extents(), identity(q.rank()));
    saved.check_second("k", k.extents());
    Layer& layer = static_cast<Layer&>(*this);
    const AxisSet q_axes = last_axis(q), k_axes = last_axis(k);
    const ExecutorRef tasks(executor);
    const Statistic statistic = saved.statistic();
    const StatisticArrays of_q = saved.statistics(), of_k = of_q.from(set_count(q.extents(), q_axes));
    differentiate<T>(tasks, statistic, q_axes, dq_hat, q, of_q, saved.scratch(), dq, layer.q_operands_with_gradients(q.extents(), q_axes));
    differentiate<T>(tasks, statistic, k_axes, dk_hat, k, of_k, saved.scratch(), dk, layer.k_operands_with_gradients(k.extents(), k_axes));
  }

  template <class X>
  static AxisSet last_axis(const TensorView<X>& x) {
    return 1u << (x.rank() - 1);
  }

  template <class X>
  void check_input(const char* what, const TensorView<X>& x) const {
    if (x.rank() == 0 || x.extent(-1) != self().head_dim())
      raise_shape_error(Layer::name, ": ", what, " has extents ", x.extents(), ", head_dim is ", self().head_dim());
    check_same_shape(Layer::name, what, x, x.extents());
  }
  template <class Y, class X>
  void check_like(const char* what, const TensorView<Y>& y, const char* input, const TensorView<X>& x) const {
    if (y.extents() != x.extents())
      raise_shape_error(Layer::name, ": ", what, " has extents ", y.extents(), ", ", input, " has ", x.extents());
    check_same_shape(Layer::name, what, y, x.extents());
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
