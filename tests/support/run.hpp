// Runs a subject on tensors laid out, aliased and scheduled as a plan says, and brings back every result as a row of logical values.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/data.hpp"

namespace norma_test {

enum class Alias { none, y_is_x, dx_is_dy, dx_is_x };

/// Everything that must not change a result's mathematics, and mostly not its bits.
struct Plan {
  Where x, y, dy, dx, weight, bias;
  const Pool* pool = nullptr;
  Alias alias = Alias::none;
  double grad_start = 0;
};

/// The same place for every tensor; parameters stay contiguous unless their rank is x's.
inline Plan everywhere(const Where& where) {
  Plan plan;
  plan.x = plan.y = plan.dy = plan.dx = plan.weight = plan.bias = where;
  return plan;
}
inline Where lying(Layout layout) { return {layout, Placement::heap, 0}; }

/// Named results: "y" of inference, "y of training", "mean", "rstd", "dx", "d weight", "running_mean" behind a step, "frozen dx" ...
struct Rows : std::vector<std::pair<std::string, Values>> {
  const Values& at(const std::string& name) const {
    for (const auto& [row, values] : *this) {
      if (row == name) return values;
    }
    throw std::logic_error("no result is called " + name);
  }
  bool has(const std::string& name) const {
    for (const auto& row : *this) {
      if (row.first == name) return true;
    }
    return false;
  }
};

/// "y", and "y of k" for a second stream.
inline std::string row_name(const Subject& subject, const std::string& what, std::size_t stream) {
  return stream == 0 ? what : what + " of " + subject.streams[stream];
}

/// What a norm keeps beside its Saved: the counter, parameters, gradients, buffers.
inline std::vector<Values> state_of(Norm& norm) {
  std::vector<Values> all = {{static_cast<double>(norm.batches())}};
  for (const State& p : norm.parameters()) {
    all.push_back(p.value.values());
    all.push_back(p.grad.values());
  }
  for (const State& b : norm.buffers()) all.push_back(b.value.values());
  return all;
}

/// A subject with its tensors in place; the calls can be repeated.
class Rig {
 public:
  Rig(const Subject& subject, const Types& types, const Setting& setting, const Data& data, const Plan& plan = {})
      : subject_(subject), setting_(setting), data_(data), plan_(plan) {
    for (std::size_t s = 0; s < subject.streams.size(); ++s) {
      const Extents extents = subject.extents_of(setting, s);
      x_.emplace_back(types.x, extents, plan.x, data.x[s]);
      dy_.emplace_back(types.y, extents, plan.dy, data.dy[s]);
      y_.emplace_back(types.y, extents, plan.y);
      dx_.emplace_back(types.x, extents, plan.dx);
    }
    norm_ = subject.make(types, setting, {plan.weight, plan.bias, x_[0].any()});
    reset();
    for (std::size_t s = 0; s < subject.streams.size(); ++s) {
      if (!subject.owns_x) {
        call_.x.push_back(x_[s].any());
        call_.dx.push_back(plan.alias == Alias::dx_is_x ? x_[s].any() : plan.alias == Alias::dx_is_dy ? dy_[s].any() : dx_[s].any());
      }
      call_.y.push_back(plan.alias == Alias::y_is_x ? x_[s].any() : y_[s].any());
      call_.dy.push_back(dy_[s].any());
    }
    call_.pool = plan.pool;
  }

  /// Parameters, buffers and gradients as they were at first.
  void reset() {
    for (const State& p : norm_->parameters()) {
      p.value.set(is_x(p.name) ? data_.x[0] : data_.parameters.at(p.name));
      p.grad.fill(plan_.grad_start);
    }
    for (const State& b : norm_->buffers()) b.value.set(data_.buffers.at(b.name));
    if (subject_.learning != Learning::none) norm_->set_batches(data_.batches);
  }

  void infer() { norm_->infer(call_); }
  void train() { norm_->train(call_); }
  void backward() { norm_->backward(call_); }
  void backward_frozen() { norm_->backward_frozen(call_); }

  /// What a forward has left in y, and a backward in dx and the gradients. Overwritten inputs are restored.
  void take_y(Rows& rows, const std::string& name) {
    for (std::size_t s = 0; s < y_.size(); ++s) {
      AnyTensor& to = plan_.alias == Alias::y_is_x ? x_[s] : y_[s];
      rows.emplace_back(row_name(subject_, name, s), to.values());
      if (plan_.alias == Alias::y_is_x) to.set(data_.x[s]);
    }
  }
  void take_gradients(Rows& rows, const std::string& prefix = "") {
    for (std::size_t s = 0; s < call_.dx.size(); ++s) {
      rows.emplace_back(row_name(subject_, prefix + "dx", s), call_.dx[s].values());
      if (plan_.alias == Alias::dx_is_x) x_[s].set(data_.x[s]);
      if (plan_.alias == Alias::dx_is_dy) dy_[s].set(data_.dy[s]);
    }
    for (const State& p : norm_->parameters()) rows.emplace_back(prefix + (is_x(p.name) ? "dx" : "d " + p.name), p.grad.values());
  }
  void take_state(Rows& rows) {
    for (const State& b : norm_->buffers()) rows.emplace_back(b.name, b.value.values());
    rows.emplace_back("batches", Values{static_cast<double>(norm_->batches())});
  }

  /// Inference and its backward, a training forward and backward, once each, and a look at everything that must not have changed.
  Rows all() {
    Rows rows;
    infer();
    take_y(rows, "y");
    if (subject_.has_frozen(setting_)) {
      backward_frozen();
      take_gradients(rows, "frozen ");
      reset();
    }
    if (setting_.trains && !subject_.given_statistics) {
      train();
      take_y(rows, "y of training");
      rows.emplace_back("mean", norm_->saved_mean());
      rows.emplace_back("rstd", norm_->saved_rstd());
    }
    if (setting_.trains) {
      backward();
      take_gradients(rows);
      take_state(rows);
    }
    check();
    return rows;
  }

  /// Throws if an input changed or something outside the tensors was written.
  void check() const {
    const auto intact = [](const std::string& what, const AnyView& now, const Values& before) {
      if (!now.holds(before)) throw std::runtime_error("changed " + what);
    };
    for (std::size_t s = 0; s < x_.size(); ++s) {
      intact("x", x_[s].any(), data_.x[s]);
      intact("dy", dy_[s].any(), data_.dy[s]);
      for (const AnyTensor* t : {&x_[s], &y_[s], &dy_[s], &dx_[s]}) {
        if (!t->surroundings_untouched()) throw std::runtime_error("wrote between or around the elements of a tensor");
      }
    }
    if (!norm_->surroundings_untouched()) throw std::runtime_error("wrote between or around the elements of a parameter");
    for (const State& p : norm_->parameters()) intact(p.name, p.value, is_x(p.name) ? data_.x[0] : data_.parameters.at(p.name));
  }

  Norm& norm() { return *norm_; }
  Call& call() { return call_; }
  /// Outputs as nobody has written them.
  void wipe() {
    for (AnyTensor& t : y_) t.wipe();
    for (AnyTensor& t : dx_) t.wipe();
  }
  bool outputs_untouched() const {
    bool untouched = true;
    for (std::size_t s = 0; s < y_.size(); ++s) untouched = untouched && y_[s].untouched() && dx_[s].untouched();
    return untouched;
  }
  const AnyTensor& y(std::size_t s = 0) const { return y_[s]; }
  const AnyTensor& dx(std::size_t s = 0) const { return dx_[s]; }
  /// All that a refused call must leave alone beside outputs.
  std::vector<Values> everything() {
    std::vector<Values> all = state_of(*norm_);
    all.push_back(norm_->saved_mean());
    all.push_back(norm_->saved_rstd());
    return all;
  }

 private:
  const Subject& subject_;
  const Setting& setting_;
  const Data& data_;
  Plan plan_;
  std::vector<AnyTensor> x_, dy_, y_, dx_;
  std::unique_ptr<Norm> norm_;
  Call call_;
};

inline Rows run(const Subject& subject, const Types& types, const Setting& setting, const Data& data, const Plan& plan = {}) {
  return Rig(subject, types, setting, data, plan).all();
}

}  // namespace norma_test
