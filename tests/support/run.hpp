// Runs one norm on tensors laid out, aliased and scheduled as a plan says, and brings back logical row-major results.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catalogue.hpp"
#include "support/setting.hpp"
#include "support/tensor.hpp"

namespace norma_test {

enum class Alias { none, y_is_x, dx_is_dy, dx_is_x };

/// Everything that must not change a result's mathematics, and mostly not its bits.
struct Plan {
  Where x, y, dy, dx, weight, bias;
  const Pool* pool = nullptr;
  Alias alias = Alias::none;
};

/// The same place for every tensor; parameters stay contiguous unless their rank is x's.
inline Plan everywhere(Where where) {
  Plan plan;
  plan.x = plan.y = plan.dy = plan.dx = plan.weight = plan.bias = where;
  return plan;
}

template <class X, class Y, class P>
struct Results {
  std::vector<Y> y, y_train;
  std::vector<P> mean, rstd;
  std::vector<X> dx;
  std::vector<P> dweight, dbias;
};

/// A parameter, its gradient, and their tensors; nothing where it is absent.
template <class P>
class ParameterTensor {
 public:
  ParameterTensor(const Setting& s, Form form, const Where& where, const std::vector<P>& values, P grad_start) {
    if (form == Form::absent) return;
    const Extents extents = parameter_extents(form, s);
    value_.emplace_back(extents, where, values);
    grad_.emplace_back(extents, where, std::vector<P>(values.size(), grad_start));
  }
  norma::TensorView<const P> value() { return value_.empty() ? norma::TensorView<const P>() : value_.front().view(); }
  norma::TensorView<P> grad() { return grad_.empty() ? norma::TensorView<P>() : grad_.front().view(); }
  std::vector<P> grads() const { return grad_.empty() ? std::vector<P>() : grad_.front().values(); }

  void check(const std::string& what, const std::vector<P>& values) const {
    if (value_.empty()) return;
    if (!value_.front().surroundings_untouched() || !grad_.front().surroundings_untouched()) {
      throw std::runtime_error("wrote between the elements of " + what);
    }
    const std::vector<P> now = value_.front().values();
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (!same_bits(now[i], values[i])) throw std::runtime_error("changed " + what);
    }
  }

 private:
  std::vector<Tensor<P>> value_, grad_;  // none or one
};

namespace run_detail {

template <class T>
void check_intact(const char* what, const Tensor<T>& tensor, const std::vector<T>& values) {
  const std::vector<T> now = tensor.values();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!same_bits(now[i], values[i])) throw std::runtime_error(std::string("changed the input ") + what + " at " + std::to_string(i));
  }
}

template <class T>
void check_surroundings(const char* what, const Tensor<T>& tensor) {
  if (!tensor.surroundings_untouched()) throw std::runtime_error(std::string("wrote between or around the elements of ") + what);
}

}  // namespace run_detail

/// One norm with its tensors in place; the calls can be repeated.
template <class X, class Y>
class Rig {
 public:
  using P = norma::ParameterFor<X>;

  Rig(const Norm<X, Y>& norm, const Setting& setting, const Inputs<X, Y, P>& inputs, const Plan& plan, P grad_start = 0)
      : norm_(norm),
        inputs_(inputs),
        plan_(plan),
        x_(setting.extents, plan.x, inputs.x),
        dy_(setting.extents, plan.dy, inputs.dy),
        y_(setting.extents, plan.y),
        dx_(setting.extents, plan.dx),
        weight_(setting, setting.weight, plan.weight, inputs.weight, grad_start),
        bias_(setting, setting.bias, plan.bias, inputs.bias, grad_start),
        mean_({static_cast<std::ptrdiff_t>(inputs.mean.size())}, plan.weight, inputs.mean),
        variance_({static_cast<std::ptrdiff_t>(inputs.variance.size())}, plan.bias, inputs.variance),
        options_(options_of(setting, inputs)) {
    if (setting.given_statistics) {
      options_.mean = mean_.view();
      options_.variance = variance_.view();
    }
    options_.weight = weight_.value();
    options_.bias = bias_.value();
    options_.weight_grad = weight_.grad();
    options_.bias_grad = bias_.grad();
  }

  std::vector<Y> infer() {
    norm_.infer(plan_.pool, x_.view(), y_view(), options_);
    return take_y();
  }
  std::vector<Y> train() {
    norm_.train(plan_.pool, x_.view(), y_view(), saved_, options_);
    return take_y();
  }
  std::vector<X> backward() {
    if (plan_.alias == Alias::dx_is_x) {
      norm_.backward(plan_.pool, dy_.view(), x_.view(), saved_, x_.view(), options_);
      return take(x_, inputs_.x);
    }
    if constexpr (std::is_same_v<X, Y>) {
      if (plan_.alias == Alias::dx_is_dy) {
        norm_.backward(plan_.pool, dy_.view(), x_.view(), saved_, dy_.view(), options_);
        return take(dy_, inputs_.dy);
      }
    }
    norm_.backward(plan_.pool, dy_.view(), x_.view(), saved_, dx_.view(), options_);
    return dx_.values();
  }

  /// Inference, training forward and backward, once each, and a look at everything that must not have changed.
  Results<X, Y, P> all() {
    Results<X, Y, P> r;
    r.y = infer();
    r.y_train = train();
    r.mean.assign(saved_.mean().begin(), saved_.mean().end());
    r.rstd.assign(saved_.rstd().begin(), saved_.rstd().end());
    r.dx = backward();
    r.dweight = weight_.grads();
    r.dbias = bias_.grads();
    check();
    return r;
  }

  std::vector<P> weight_grads() const { return weight_.grads(); }
  std::vector<P> bias_grads() const { return bias_.grads(); }
  const typename Norm<X, Y>::Saved& saved() const { return saved_; }

  /// Throws if an input changed or something outside the tensors was written.
  void check() const {
    run_detail::check_intact("x", x_, inputs_.x);
    run_detail::check_intact("dy", dy_, inputs_.dy);
    run_detail::check_surroundings("x", x_);
    run_detail::check_surroundings("dy", dy_);
    run_detail::check_surroundings("y", y_);
    run_detail::check_surroundings("dx", dx_);
    weight_.check("weight", inputs_.weight);
    bias_.check("bias", inputs_.bias);
    run_detail::check_intact("mean", mean_, inputs_.mean);
    run_detail::check_intact("variance", variance_, inputs_.variance);
    run_detail::check_surroundings("mean", mean_);
    run_detail::check_surroundings("variance", variance_);
  }

 private:
  norma::TensorView<Y> y_view() {
    if constexpr (std::is_same_v<X, Y>) {
      if (plan_.alias == Alias::y_is_x) return x_.view();
    }
    return y_.view();
  }
  std::vector<Y> take_y() {
    if constexpr (std::is_same_v<X, Y>) {
      if (plan_.alias == Alias::y_is_x) return take(x_, inputs_.x);
    }
    return y_.values();
  }
  /// The result in an overwritten input, which is restored.
  template <class T>
  static std::vector<T> take(Tensor<T>& tensor, const std::vector<T>& restore) {
    std::vector<T> result = tensor.values();
    tensor.set(restore);
    return result;
  }

  const Norm<X, Y>& norm_;
  const Inputs<X, Y, P>& inputs_;
  Plan plan_;
  Tensor<X> x_;
  Tensor<Y> dy_, y_;
  Tensor<X> dx_;
  ParameterTensor<P> weight_, bias_;
  Tensor<P> mean_, variance_;  // given statistics, like parameters of one axis
  Options<P> options_;
  typename Norm<X, Y>::Saved saved_;
};

template <class X, class Y, class P>
Results<X, Y, P> run(const Norm<X, Y>& norm, const Setting& setting, const Inputs<X, Y, P>& inputs, const Plan& plan = {}) {
  return Rig<X, Y>(norm, setting, inputs, plan).all();
}

}  // namespace norma_test
