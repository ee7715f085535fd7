// SharedBatchLayer: a batch layer whose training may span processes.
#pragma once

#include <norma/doors/batch_layer.hpp>
#include <norma/engine/ranks.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Training forward of a batch norm over all ranks' x. `between` as in normalize_between, with the statistics of all ranks. `error` is that
/// of this rank's own checks. What saved holds is replaced after the exchange, so that a call that is refused leaves it alone. Returns the
/// elements of a channel on all ranks; with none, nothing happens.
template <class P, class X, class Y, class Between>
inline index_t normalize_shared(const CallRef& call, const CommunicatorRef& ranks, const char* layer, const std::string& error,
                                const Statistic& statistic, index_t channels, const TensorView<X>& x, const TensorView<Y>& y,
                                const AffineOperands& affine, Saved<P>& saved, const Between& between) {
  SharedMoments shared(layer, ranks, channels);
  StatisticArrays statistics;
  const auto exchange = [&] {
    shared.exchange(error);
    if (shared.count() == 1) raise_shape_error(layer, ": training wants more than one value per channel, on all ranks together");
    statistics = saved.prepare(channels, true);
  };
  if (!error.empty() || x.size() == 0) {
    exchange();
    for (index_t c = 0; c < channels; ++c) statistics.put(c, shared.merged(statistic, c));
    return shared.count();
  }
  const auto merge_then = [&](auto& table, const Piece& piece) {
    for (index_t c = 0; c < channels; ++c) shared.put(c, table.statistics(c), x.size() / channels);
    exchange();
    for (index_t c = 0; c < channels; ++c) table.put(c, shared.merged(statistic, c));
    between(table, piece);
  };
  normalize_between<P>(call, statistic, batch_roles(x.rank()), x, y, affine, statistics, &saved.scratch(), Span::call, merge_then);
  return shared.count();
}

/// Its backward. Parameter gradients += this rank's part.
template <class P, class DY, class X, class DX>
inline void normalize_shared_backward(const CallRef& call, const Statistic& statistic, const TensorView<DY>& dy, const TensorView<X>& x,
                                      Saved<P>& saved, const TensorView<DX>& dx, const AffineOperands& affine, const Reshape& reshape,
                                      const SharedSums& sums) {
  using A = Arithmetic<P, X, DY, DX>;
  if (x.size() == 0) {
    sums.take_part({});
    return;
  }
  const auto exchange = [&](SumsTable<A>& table, const Piece&) { sums(table, statistic); };
  differentiate<P>(call, statistic, batch_roles(x.rank()), dy, x, saved.statistics(), saved.scratch(), dx, affine, reshape,
                   Result::replaced, BackwardHook<A>(Span::call, exchange));
}

/// Layer gives
///   table_columns    numbers per channel that its backward wants of its own, in columns of saved's table
///   between(table)   what happens between statistics and map (see normalize_between)
///   reshape(table)   what that made of the statistics
///   check_options()  ShapeError if it cannot train with its options, if they can be wrong
template <class Layer, class F, Parameter T>
class SharedBatchLayer : public BatchLayer<Layer, F, T>, public SharedCalls<Layer, T> {
 public:
  using LayerCalls<Layer, T>::operator();  // inference talks to nobody
  using LayerCalls<Layer, T>::forward;
  using LayerCalls<Layer, T>::backward;
  using SharedCalls<Layer, T>::forward;
  using SharedCalls<Layer, T>::backward;

 protected:
  using BatchLayer<Layer, F, T>::BatchLayer;

  /// The table, with one number more: the elements of a channel on all ranks.
  double* prepare_table(Saved<T>& saved) const { return saved.prepare_table(Layer::table_columns * this->channels() + 1).data(); }

 private:
  friend SharedCalls<Layer, T>;

  template <class X, class Y>
  void train_shared(const CallRef& call, const CommunicatorRef& ranks, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    AffineOperands affine;
    const std::string error = error_of([&] {
      check_forward(F::layer, call, x, y, this->checked_roles(x.extents()));
      if constexpr (requires { self().check_options(); }) self().check_options();
      saved.check_room(this->channels(), true);
      affine = this->operands(x.extents(), channel_axis);
    });
    double* table = nullptr;
    const auto between = [&](auto& pass, const Piece& piece) {
      table = prepare_table(saved);
      self().between(table)(pass, piece);
    };
    const index_t m = normalize_shared(call, ranks, F::layer, error, this->statistic(), this->channels(), x, y, affine, saved, between);
    if (table == nullptr) table = prepare_table(saved);
    table[Layer::table_columns * this->channels()] = static_cast<double>(m);
    if (this->tracks() && m > 0) update_running(saved, 1, m, this->next_step(), this->mean_view(), this->variance_view());
    saved.commit(F::layer, x.extents(), batch_roles(x.rank()).spanning_processes().signature(), this->statistic());
  }

  template <class DY, class X, class DX>
  void train_shared_backward(const CallRef& call, const CommunicatorRef& ranks, const TensorView<DY>& dy, const TensorView<X>& x,
                             Saved<T>& saved, const TensorView<DX>& dx) {
    AffineOperands affine;
    const std::string error = error_of([&] {
      check_backward(F::layer, call, dy, x, saved, dx, this->checked_roles(x.extents()).spanning_processes());
      affine = this->operands_with_gradients(x.extents(), channel_axis);
    });
    const SharedSums sums(F::layer, ranks, this->channels(), error.empty() ? saved.table().back() : 0);
    if (!error.empty()) sums.take_part(error);
    normalize_shared_backward(call, this->statistic(), dy, x, saved, dx, affine, self().reshape(saved.table().data()), sums);
  }

  Layer& self() { return static_cast<Layer&>(*this); }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
