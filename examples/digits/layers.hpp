// What a network is made of. Each layer has the three calls that norma's own layers have: forward, inference, backward.
#pragma once

#include "data.hpp"
#include "random.hpp"

#include <Eigen/Core>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace digits {

using ParameterVisitor = std::function<void(std::span<float> value, std::span<float> grad)>;

class Layer {
 public:
  virtual ~Layer() = default;
  virtual void forward(const Matrix& x, Matrix& y) = 0;                      // training: may remember what backward needs
  virtual void infer(const Matrix& x, Matrix& y) const = 0;                  // inference: changes nothing
  virtual void backward(const Matrix& dy, const Matrix& x, Matrix& dx) = 0;  // dx = ...; parameter gradients += ...
  virtual void visit_parameters(const ParameterVisitor&) {}
};

/// How large the first weights are, uniform in [-limit, limit) with limit = gain / sqrt(in).
struct Start {
  std::string_view name;
  float gain;
};
inline constexpr std::array starts = {
    Start{"plain", 1.0F},  // torch.nn.Linear's: each layer with a ReLU shrinks the signal to 0.4 of itself
    Start{"he", 2.4495F},  // He et al. 2015: keeps the signal's size behind a ReLU
};

/// y = x * weight^T + bias; weight is (out, in).
class Linear final : public Layer {
 public:
  Linear(Eigen::Index in, Eigen::Index out, const Start& start, Random& random)
      : weight_(out, in),
        weight_grad_(Matrix::Zero(out, in)),
        bias_(Eigen::RowVectorXf::Zero(out)),
        bias_grad_(Eigen::RowVectorXf::Zero(out)) {
    const float limit = start.gain / std::sqrt(static_cast<float>(in));
    for (float& w : weight_.reshaped<Eigen::RowMajor>()) w = random.symmetric(limit);
  }

  void forward(const Matrix& x, Matrix& y) override { infer(x, y); }
  void infer(const Matrix& x, Matrix& y) const override {
    y.noalias() = x * weight_.transpose();
    y.rowwise() += bias_;
  }
  void backward(const Matrix& dy, const Matrix& x, Matrix& dx) override {
    weight_grad_.noalias() += dy.transpose() * x;
    bias_grad_ += dy.colwise().sum();
    dx.noalias() = dy * weight_;
  }
  void visit_parameters(const ParameterVisitor& visit) override {
    const auto weights = static_cast<std::size_t>(weight_.size());
    const auto outputs = static_cast<std::size_t>(bias_.size());
    visit({weight_.data(), weights}, {weight_grad_.data(), weights});
    visit({bias_.data(), outputs}, {bias_grad_.data(), outputs});
  }

 private:
  Matrix weight_, weight_grad_;
  Eigen::RowVectorXf bias_, bias_grad_;
};

class Relu final : public Layer {
 public:
  void forward(const Matrix& x, Matrix& y) override { infer(x, y); }
  void infer(const Matrix& x, Matrix& y) const override { y = x.cwiseMax(0.0F); }
  void backward(const Matrix& dy, const Matrix& x, Matrix& dx) override { dx = (x.array() > 0.0F).select(dy, 0.0F); }
};

}  // namespace digits
