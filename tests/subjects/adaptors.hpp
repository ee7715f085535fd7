// From the library's layers and functions to the tests' Norm: the only templates between a subject and the library.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "subjects/engine.hpp"

#include "support/subject.hpp"

namespace norma_test {

/// Calls f with the executor in front, or without one.
template <class F>
void with_pool(const Pool* pool, F f) {
  if (pool != nullptr) {
    f(*pool);
  } else {
    f();
  }
}

/// The same with the rank behind the executor, or without one.
template <bool with_rank, class F>
void with_front(const Call& c, F f) {
  with_pool(c.pool, [&](const auto&... e) {
    if constexpr (with_rank) {
      f(e..., *c.rank);
    } else {
      f(e...);
    }
  });
}

/// Inputs are handed over as views of const elements: the library compiles its doors for one of the two only.
template <class T>
norma::TensorView<const T> in(const AnyView& v) {
  return v.as<const T>();
}
template <class T>
norma::TensorView<T> out(const AnyView& v) {
  return v.as<T>();
}

/// The Saved of a norm with parameters of type T.
template <class T>
class SavesFor : public Norm {
 public:
  Values saved_mean() const override { return {saved_.mean().begin(), saved_.mean().end()}; }
  Values saved_rstd() const override { return {saved_.rstd().begin(), saved_.rstd().end()}; }
  void forget() override { saved_ = norma::Saved<T>(); }
  void take_saved_of(Norm& other) override { saved_ = dynamic_cast<SavesFor&>(other).saved_; }
  void fill_by_another_layer(const Call& c) override {
    const AnyView& to = c.y[0];
    if (is_layer_norm()) {
      norma::RMSNorm<T>(to.extents[to.extents.size() - 1]).forward(out<T>(to), out<T>(to), saved_);
    } else {
      norma::LayerNorm<T>(to.extents[to.extents.size() - 1]).forward(out<T>(to), out<T>(to), saved_);
    }
  }

 protected:
  virtual bool is_layer_norm() const = 0;
  norma::Saved<T> saved_;
};

/// What layers have in common: parameters, buffers, a counter.
template <class L, class T>
class LayerState : public SavesFor<T> {
 public:
  explicit LayerState(L layer) : layer_(std::move(layer)) {}

  std::vector<State> parameters() override {
    std::vector<State> all;
    layer_.for_each_parameter([&](std::string_view name, std::span<T> value, std::span<T> grad) {
      all.push_back({std::string(name), norma::view(value), norma::view(grad)});
    });
    return all;
  }
  std::vector<State> buffers() override {
    std::vector<State> all;
    layer_.for_each_buffer([&](std::string_view name, std::span<T> value) { all.push_back({std::string(name), norma::view(value), {}}); });
    return all;
  }
  void zero_grad() override { layer_.zero_grad(); }
  std::int64_t batches() const override {
    if constexpr (requires { layer_.num_batches_tracked(); }) return layer_.num_batches_tracked();
    return 0;
  }
  void set_batches(std::int64_t n) override {
    if constexpr (requires { layer_.set_num_batches_tracked(n); }) layer_.set_num_batches_tracked(n);
  }

 protected:
  bool is_layer_norm() const override { return std::is_same_v<L, norma::LayerNorm<T>>; }
  L layer_;
};

/// A layer of one stream; on a rank it is handed that, too, at inference where its statistics are shared.
template <class L, class T, class X, class Y, bool on_rank = false>
class Layer final : public LayerState<L, T> {
 public:
  using LayerState<L, T>::LayerState;
  std::unique_ptr<Norm> copy() const override { return std::make_unique<Layer>(*this); }
  void infer(const Call& c) const override {
    constexpr bool shared = requires { this->layer_(*c.rank, in<X>(c.x[0]), out<Y>(c.y[0])); };
    with_front<on_rank && shared>(c, [&](const auto&... e) { this->layer_(e..., in<X>(c.x[0]), out<Y>(c.y[0])); });
  }
  void train(const Call& c) override {
    with_front<on_rank>(c, [&](const auto&... e) { this->layer_.forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), this->saved_); });
  }
  void backward(const Call& c) override {
    with_front<on_rank>(
        c, [&](const auto&... e) { this->layer_.backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), this->saved_, out<X>(c.dx[0])); });
  }
  void backward_frozen(const Call& c) override {
    if constexpr (requires { this->layer_.backward_frozen(in<Y>(c.dy[0]), in<X>(c.x[0]), out<X>(c.dx[0])); }) {
      with_pool(c.pool, [&](const auto&... e) { this->layer_.backward_frozen(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), out<X>(c.dx[0])); });
    } else {
      Norm::backward_frozen(c);
    }
  }
};

/// QKNorm.
template <class L, class T, class X, class Y>
class TwoStreams final : public LayerState<L, T> {
 public:
  using LayerState<L, T>::LayerState;
  std::unique_ptr<Norm> copy() const override { return std::make_unique<TwoStreams>(*this); }
  void infer(const Call& c) const override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_(e..., in<X>(c.x[0]), in<X>(c.x[1]), out<Y>(c.y[0]), out<Y>(c.y[1])); });
  }
  void train(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) {
      this->layer_.forward(e..., in<X>(c.x[0]), in<X>(c.x[1]), out<Y>(c.y[0]), out<Y>(c.y[1]), this->saved_);
    });
  }
  void backward(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) {
      this->layer_.backward(e..., in<Y>(c.dy[0]), in<Y>(c.dy[1]), in<X>(c.x[0]), in<X>(c.x[1]), this->saved_, out<X>(c.dx[0]),
                            out<X>(c.dx[1]));
    });
  }
};

/// A reparameterised weight: y is w, x is a parameter.
template <class L, class T, class Y>
class Weight final : public LayerState<L, T> {
 public:
  using LayerState<L, T>::LayerState;
  std::unique_ptr<Norm> copy() const override { return std::make_unique<Weight>(*this); }
  void infer(const Call& c) const override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_(e..., out<Y>(c.y[0])); });
  }
  void train(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_.forward(e..., out<Y>(c.y[0]), this->saved_); });
  }
  void backward(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_.backward(e..., in<Y>(c.dy[0]), this->saved_); });
  }
  void backward_frozen(const Call& c) override {
    if constexpr (requires { this->layer_.backward_frozen(in<Y>(c.dy[0])); }) {
      with_pool(c.pool, [&](const auto&... e) { this->layer_.backward_frozen(e..., in<Y>(c.dy[0])); });
    } else {
      Norm::backward_frozen(c);
    }
  }
};

/// FunctionOptions as the options struct of whichever function they are handed to.
template <class P>
struct AsOptions {
  const FunctionOptions& from;

  template <class O>
    requires(!std::is_same_v<O, norma::EpsilonViews>)
  operator O() const {
    O o;
    if constexpr (requires { o.axes; }) o.axes = from.axes;
    if constexpr (requires { o.groups; }) o.groups = from.groups;
    if constexpr (requires { o.running_mean; }) o.running_mean = out<P>(from.running_mean);
    if constexpr (requires { o.running_var; }) o.running_var = out<P>(from.running_var);
    if constexpr (requires { o.momentum; }) o.momentum = from.momentum;
    if constexpr (requires { o.mean; }) o.mean = in<P>(from.mean);
    if constexpr (requires { o.variance; }) o.variance = in<P>(from.variance);
    if constexpr (requires { o.weight; }) o.weight = in<P>(from.weight);
    if constexpr (requires { o.bias; }) o.bias = in<P>(from.bias);
    if constexpr (requires { o.eps; }) o.eps = from.eps;
    if constexpr (requires { o.unit_offset; }) o.unit_offset = from.unit_offset;
    if constexpr (requires { o.eps_outside_sqrt; }) o.eps_outside_sqrt = from.eps_outside_sqrt;
    if constexpr (requires { o.weight_grad; }) o.weight_grad = out<P>(from.weight_grad);
    if constexpr (requires { o.bias_grad; }) o.bias_grad = out<P>(from.bias_grad);
    return o;
  }
};

/// Where a free function's statistics come from.
enum class Source { of_x, of_the_batch, given };

/// The options of a free function and the tensors they view.
struct FunctionState {
  FunctionState(const Setting& s, const Lent& lent, Element type, Source source);

  FunctionOptions options;
  std::vector<AnyTensor> tensors;
  std::vector<State> states;
  std::ptrdiff_t parameters = 0;
};

/// A free function: F::forward and F::backward call it, F::source says where its statistics come from.
template <class F, class X, class Y>
class Function final : public SavesFor<norma::ParameterFor<X>> {
  using P = norma::ParameterFor<X>;

 public:
  Function(const Setting& s, const Lent& lent) : own_(s, lent, element_of<P>, F::source) {}

  std::unique_ptr<Norm> copy() const override { return nullptr; }  // a function is no value
  FunctionOptions* options() override { return &own_.options; }
  void infer(const Call& c) const override {
    with_pool(c.pool, [&](const auto&... e) {
      if constexpr (F::source == Source::of_the_batch) {
        norma::Saved<P> unused;
        FunctionOptions untracked = own_.options;
        untracked.running_mean = untracked.running_var = {};
        F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), unused, AsOptions<P>{untracked});
      } else {
        F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), AsOptions<P>{own_.options});
      }
    });
  }
  void train(const Call& c) override {
    if constexpr (F::source == Source::given) throw std::logic_error("this function does not train");
    if constexpr (F::source != Source::given) {
      with_pool(c.pool,
                [&](const auto&... e) { F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), this->saved_, AsOptions<P>{own_.options}); });
    }
  }
  void backward(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) {
      if constexpr (F::source == Source::given) {
        F::backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), out<X>(c.dx[0]), AsOptions<P>{own_.options});
      } else {
        F::backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), this->saved_, out<X>(c.dx[0]), AsOptions<P>{own_.options});
      }
    });
  }

  std::vector<State> parameters() override { return {own_.states.begin(), own_.states.begin() + own_.parameters}; }
  std::vector<State> buffers() override { return {own_.states.begin() + own_.parameters, own_.states.end()}; }
  void zero_grad() override {
    for (const State& s : own_.states) s.grad.fill(0);
  }
  bool surroundings_untouched() const override {
    for (const AnyTensor& t : own_.tensors) {
      if (!t.surroundings_untouched()) return false;
    }
    return true;
  }

 private:
  bool is_layer_norm() const override { return F::layer == std::string_view("LayerNorm"); }
  FunctionState own_;
};

}  // namespace norma_test
