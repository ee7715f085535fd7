// From the library's layers and functions to the tests' Norm: the only templates between a subject and the library.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "subjects/engine.hpp"

#include "support/ranks.hpp"
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
    if (*saved_layer() == 'L') {
      norma::RMSNorm<T>(to.extents[to.extents.size() - 1]).forward(out<T>(to), out<T>(to), saved_);
    } else {
      norma::LayerNorm<T>(to.extents[to.extents.size() - 1]).forward(out<T>(to), out<T>(to), saved_);
    }
  }

 protected:
  virtual const char* saved_layer() const = 0;
  norma::Saved<T> saved_;
};

/// What layers have in common: parameters, buffers, a counter.
template <class L, class T>
class LayerState : public SavesFor<T> {
 public:
  LayerState(L layer, const char* name) : layer_(std::move(layer)), name_(name) {}

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
  const char* saved_layer() const override { return name_; }
  L layer_;
  const char* name_;
};

/// A layer of one stream.
template <class L, class T, class X, class Y>
class Layer final : public LayerState<L, T> {
 public:
  using LayerState<L, T>::LayerState;
  std::unique_ptr<Norm> copy() const override { return std::make_unique<Layer>(*this); }
  void infer(const Call& c) const override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_(e..., in<X>(c.x[0]), out<Y>(c.y[0])); });
  }
  void train(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_.forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), this->saved_); });
  }
  void backward(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) { this->layer_.backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), this->saved_, out<X>(c.dx[0])); });
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

/// A free function with the tensors of its parameters. F::forward and F::backward call it; F::source says where its statistics come from.
enum class Source { of_x, of_the_batch, given };

template <class F, class X, class Y>
class Function final : public SavesFor<norma::ParameterFor<X>> {
  using P = norma::ParameterFor<X>;

 public:
  Function(const Setting& s, const Lent& lent) {
    axes_are(s.axes);
    options_.groups = s.groups;
    options_.eps = s.eps;
    options_.momentum = s.momentum.value_or(0.25);
    options_.unit_offset = s.unit_offset;
    options_.eps_outside_sqrt = s.eps_outside_sqrt;
    if (s.weight != Form::absent) add("weight", parameter_extents(s.weight, s), lent.weight, options_.weight, &options_.weight_grad);
    if (s.bias != Form::absent) add("bias", parameter_extents(s.bias, s), lent.bias, options_.bias, &options_.bias_grad);
    parameters_ = tensors_.size() / 2;
    if (F::source == Source::given) {
      add("mean", {s.extents[1]}, lent.weight, options_.mean);
      add("variance", {s.extents[1]}, lent.bias, options_.variance);
    }
    if (F::source == Source::of_the_batch && s.tracks) {
      add("running_mean", {s.extents[1]}, lent.weight, options_.running_mean);
      add("running_var", {s.extents[1]}, lent.bias, options_.running_var);
    }
  }

  std::unique_ptr<Norm> copy() const override { return nullptr; }  // a function is no value
  FunctionOptions* options() override { return &options_; }
  void infer(const Call& c) const override {
    with_pool(c.pool, [&](const auto&... e) {
      if constexpr (F::source == Source::of_the_batch) {
        norma::Saved<P> unused;
        FunctionOptions untracked = options_;
        untracked.running_mean = untracked.running_var = {};
        F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), unused, AsOptions<P>{untracked});
      } else {
        F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), AsOptions<P>{options_});
      }
    });
  }
  void train(const Call& c) override {
    if constexpr (F::source == Source::given) throw std::logic_error("this function does not train");
    if constexpr (F::source != Source::given) {
      with_pool(c.pool, [&](const auto&... e) { F::forward(e..., in<X>(c.x[0]), out<Y>(c.y[0]), this->saved_, AsOptions<P>{options_}); });
    }
  }
  void backward(const Call& c) override {
    with_pool(c.pool, [&](const auto&... e) {
      if constexpr (F::source == Source::given) {
        F::backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), out<X>(c.dx[0]), AsOptions<P>{options_});
      } else {
        F::backward(e..., in<Y>(c.dy[0]), in<X>(c.x[0]), this->saved_, out<X>(c.dx[0]), AsOptions<P>{options_});
      }
    });
  }

  std::vector<State> parameters() override { return {states_.begin(), states_.begin() + static_cast<std::ptrdiff_t>(parameters_)}; }
  std::vector<State> buffers() override { return {states_.begin() + static_cast<std::ptrdiff_t>(parameters_), states_.end()}; }
  void zero_grad() override {
    for (const State& s : states_) s.grad.fill(0);
  }
  bool surroundings_untouched() const override {
    for (const AnyTensor& t : tensors_) {
      if (!t.surroundings_untouched()) return false;
    }
    return true;
  }

 private:
  const char* saved_layer() const override { return F::layer; }
  void axes_are(const std::vector<std::ptrdiff_t>& axes) { options_.axes = norma::Extents(axes); }
  void add(const char* name, const Extents& extents, const Where& where, AnyView& value, AnyView* grad = nullptr) {
    tensors_.emplace_back(element_of<P>, extents, where);
    value = tensors_.back().any();
    states_.push_back({name, value, {}});
    if (grad == nullptr) return;
    tensors_.emplace_back(element_of<P>, extents, where);
    states_.back().grad = *grad = tensors_.back().any();
  }

  FunctionOptions options_;
  std::vector<AnyTensor> tensors_;
  std::vector<State> states_;
  std::size_t parameters_ = 0;
};

/// A layer on ranks that are threads: each holds its part of an axis, of the batch (then all own all parameters, and gradients are summed
/// over ranks) or of the normalized axes (then each owns its part of the parameters).
template <class L, class T, class X, class Y>
class OverRanks final : public Norm {
 public:
  /// whole: the extents of the parameters, whose axis `axis` is dealt to ranks; negative: it is the batch.
  OverRanks(std::vector<L> layers, const Setting& s, Extents whole, int axis)
      : layers_(std::move(layers)), saved_(layers_.size()), setting_(s), whole_(std::move(whole)), axis_(axis) {
    // A rank that holds nothing has nothing to name.
    L& fullest = layers_[static_cast<std::size_t>(std::max_element(s.parts.begin(), s.parts.end()) - s.parts.begin())];
    fullest.for_each_parameter([&](std::string_view name, std::span<T>, std::span<T>) { own_.push_back({std::string(name), whole_}); });
    first_buffer_ = own_.size();
    fullest.for_each_buffer([&](std::string_view name, std::span<T>) { own_.push_back({std::string(name), whole_}); });
  }

  std::unique_ptr<Norm> copy() const override { return std::make_unique<OverRanks>(layers_, setting_, whole_, axis_); }
  void infer(const Call& c) const override {
    on_ranks(c, shares_inference, [](auto& layer, auto&, const auto& ranks, const Call& mine, const auto&... e) {
      if constexpr (shares_inference) {
        layer(e..., ranks, in<X>(mine.x[0]), out<Y>(mine.y[0]));
      } else {
        layer(e..., in<X>(mine.x[0]), out<Y>(mine.y[0]));
      }
    });
  }
  void train(const Call& c) override {
    on_ranks(c, true, [](auto& layer, auto& saved, const auto& ranks, const Call& mine, const auto&... e) {
      layer.forward(e..., ranks, in<X>(mine.x[0]), out<Y>(mine.y[0]), saved);
    });
  }
  void backward(const Call& c) override {
    on_ranks(c, true, [](auto& layer, auto& saved, const auto& ranks, const Call& mine, const auto&... e) {
      layer.backward(e..., ranks, in<Y>(mine.dy[0]), in<X>(mine.x[0]), saved, out<X>(mine.dx[0]));
    });
  }
  void backward_frozen(const Call& c) override {
    if constexpr (requires(L & layer) { layer.running_mean(); }) {
      on_ranks(c, false, [](auto& layer, auto&, const auto&, const Call& mine, const auto&... e) {
        layer.backward_frozen(e..., in<Y>(mine.dy[0]), in<X>(mine.x[0]), out<X>(mine.dx[0]));
      });
    } else {
      Norm::backward_frozen(c);
    }
  }

  std::vector<State> parameters() override { return states(0, first_buffer_); }
  std::vector<State> buffers() override { return states(first_buffer_, own_.size()); }
  void zero_grad() override {
    for (Own& o : own_) o.grad.any().fill(0);
  }
  std::int64_t batches() const override { return batches_; }
  void set_batches(std::int64_t n) override { batches_ = n; }
  Values saved_mean() const override {
    return everywhere_the_same(saved_[0].mean(), [](const auto& s) { return s.mean(); });
  }
  Values saved_rstd() const override {
    return everywhere_the_same(saved_[0].rstd(), [](const auto& s) { return s.rstd(); });
  }
  void forget() override { saved_.assign(saved_.size(), norma::Saved<T>()); }
  void take_saved_of(Norm& other) override { saved_ = dynamic_cast<OverRanks&>(other).saved_; }
  void fill_by_another_layer(const Call& c) override {
    const AnyView& to = c.y[0];
    norma::Saved<T> other;
    norma::BatchNorm<T>(to.extents[1]).forward(out<T>(to), out<T>(to), other);
    saved_.assign(saved_.size(), other);
  }

 private:
  static constexpr bool shares_inference =
      requires(const L& layer, const LoneRank& ranks, norma::TensorView<const X> x, norma::TensorView<Y> y) {
    layer(ranks, x, y);
  };

  /// A parameter with its gradient, or a buffer, whole.
  struct Own {
    Own(std::string n, const Extents& extents) : name(std::move(n)), value(extents, {}), grad(extents, {}) {}
    Own(const Own& o) : Own(o.name, o.value.extents()) {}
    std::string name;
    Tensor<T> value, grad;
  };
  std::vector<State> states(std::size_t first, std::size_t last) {
    std::vector<State> all;
    for (std::size_t i = first; i < last; ++i)
      all.push_back({own_[i].name, own_[i].value.any(), i < first_buffer_ ? own_[i].grad.any() : AnyView()});
    return all;
  }

  std::ptrdiff_t first_of(std::size_t rank) const {
    std::ptrdiff_t first = 0;
    for (std::size_t r = 0; r < rank; ++r) first += setting_.parts[r];
    return first;
  }
  /// The part of a whole view that a rank holds; a view that does not have the whole's extent there is handed on as it is.
  AnyView part_of(const AnyView& v, std::size_t rank, std::size_t axis) const {
    const int a = static_cast<int>(axis);
    if (v.extents.size() <= a || v.extents[a] != first_of(setting_.parts.size())) return v;
    return v.through([&](auto view) { return view.slice(a, first_of(rank), setting_.parts[rank]); });
  }
  AnyView parameter_part(const AnyView& v, std::size_t rank) const {
    return axis_ < 0 ? v : part_of(v, rank, static_cast<std::size_t>(axis_));
  }

  /// Each rank's layer gets its parameters, makes its call with its part of the tensors, and its gradients and buffers are brought back.
  template <class F>
  void on_ranks(const Call& c, bool shared, F f) const {
    hand_out();
    const std::size_t size = layers_.size();
    std::vector<std::string> errors(size);
    std::mutex one_at_a_time;
    ThreadRanks(static_cast<int>(size)).run([&](const ThreadRanks::Rank& rank) {
      const auto r = static_cast<std::size_t>(rank.rank());
      const Call& whole = c.right != nullptr && rank.rank() != c.bad_rank ? *c.right : c;
      Call mine;
      for (auto [from, to] : {std::pair(&whole.x, &mine.x), {&whole.y, &mine.y}, {&whole.dy, &mine.dy}, {&whole.dx, &mine.dx}})
        for (const AnyView& v : *from) to->push_back(part_of(v, r, setting_.split_axis));
      try {
        with_pool(c.pool, [&](const auto&... e) { f(layers_[r], saved_[r], rank, mine, e...); });
      } catch (const norma::ShapeError& error) {
        errors[r] = error.what();
      }
    });
    std::string first;
    std::size_t refused = 0;
    for (const std::string& error : errors) {
      if (error.empty()) continue;
      ++refused;
      const bool of_itself = error.find("refused") == std::string::npos;
      if (first.empty() || of_itself) first = error;
    }
    if (shared && refused > 0 && refused < size) throw std::logic_error("only some ranks refused: " + first);
    if (refused > 0) throw norma::ShapeError(first);
    bring_back();
  }

  void hand_out() const {
    for (std::size_t r = 0; r < layers_.size(); ++r) {
      auto own = own_.begin();
      layers_[r].for_each_parameter([&](std::string_view, std::span<T> value, std::span<T> grad) {
        AnyView(norma::view(value)).set(parameter_part(own->value.any(), r).values());
        const Values gradient = parameter_part(own->grad.any(), r).values();
        // Gradients that are summed go on from the first rank's.
        AnyView(norma::view(grad)).set(axis_ < 0 && r > 0 ? Values(gradient.size(), 0) : gradient);
        ++own;
      });
      layers_[r].for_each_buffer(
          [&](std::string_view, std::span<T> value) { AnyView(norma::view(value)).set((own++)->value.any().values()); });
      if constexpr (requires { layers_[r].set_num_batches_tracked(batches_); }) layers_[r].set_num_batches_tracked(batches_);
    }
  }
  void bring_back() const {
    std::vector<Values> sums(own_.size());
    for (std::size_t r = 0; r < layers_.size(); ++r) {
      std::size_t i = 0;
      layers_[r].for_each_parameter([&](std::string_view, std::span<T>, std::span<T> grad) {
        const Values mine(grad.begin(), grad.end());
        if (axis_ >= 0) {
          parameter_part(own_[i++].grad.any(), r).set(mine);
          return;
        }
        sums[i].resize(mine.size());
        for (std::size_t k = 0; k < mine.size(); ++k) sums[i][k] += mine[k];
        own_[i].grad.any().set(sums[i]);
        ++i;
      });
      layers_[r].for_each_buffer([&](std::string_view name, std::span<T> value) {
        const Values mine(value.begin(), value.end());
        if (r > 0 && !(mine == own_[i].value.any().values())) throw std::logic_error("ranks differ in " + std::string(name));
        own_[i++].value.any().set(mine);
      });
      if constexpr (requires { layers_[r].num_batches_tracked(); }) {
        if (r > 0 && layers_[r].num_batches_tracked() != batches_) throw std::logic_error("ranks counted differently");
        batches_ = layers_[r].num_batches_tracked();
      }
    }
  }
  template <class F>
  Values everywhere_the_same(std::span<const T> first, F of) const {
    const Values values(first.begin(), first.end());
    for (const norma::Saved<T>& saved : saved_) {
      const Values other(of(saved).begin(), of(saved).end());
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (other.size() != values.size() || !same_number(other[i], values[i])) throw std::logic_error("ranks saved different statistics");
      }
    }
    return values;
  }

  mutable std::vector<L> layers_;
  mutable std::vector<norma::Saved<T>> saved_;
  Setting setting_;
  Extents whole_;
  int axis_;
  mutable std::vector<Own> own_;
  std::size_t first_buffer_ = 0;
  mutable std::int64_t batches_ = 0;
};

}  // namespace norma_test
