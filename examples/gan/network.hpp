// What the GAN is made of: linear layers whose weight may be spectrally normalized, a small network, Adam.
#pragma once

#include "random.hpp"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <cstddef>
#include <functional>
#include <norma/norma.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gan {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ParameterVisitor = std::function<void(std::span<float> value, std::span<float> grad)>;

inline std::span<float> numbers_of(Matrix& m) { return {m.data(), static_cast<std::size_t>(m.size())}; }

/// y = x * w^T + bias with w = weight, or w = weight / sigma: the layer then owns the weight, and w is what it writes.
class Linear {
 public:
  Linear(Eigen::Index in, Eigen::Index out, bool normalize, Random& random)
      : w_(out, in), dw_(Matrix::Zero(out, in)), bias_(Matrix::Zero(1, out)), dbias_(Matrix::Zero(1, out)) {
    const float limit = std::sqrt(6.0F / static_cast<float>(in));  // He et al. 2015
    for (float& e : numbers_of(w_)) e = random.symmetric(limit);
    // The weights of this small critic move far in a step; one iteration a step would lag behind by some percent.
    if (normalize) spectral_.emplace(w_, norma::SpectralNormOptions{.n_power_iterations = 5});
  }

  void forward(const Matrix& x, Matrix& y) {
    if (spectral_) spectral_->forward(w_, saved_);
    y.noalias() = x * w_.transpose();
    y.rowwise() += bias_.row(0);
  }
  void backward(const Matrix& dy, const Matrix& x, Matrix& dx) {
    if (spectral_) {
      const Matrix dw = dy.transpose() * x;
      spectral_->backward(dw, saved_);
    } else {
      dw_.noalias() += dy.transpose() * x;
    }
    dbias_ += dy.colwise().sum();
    dx.noalias() = dy * w_;
  }
  void visit_parameters(const ParameterVisitor& visit) {
    if (spectral_) {
      spectral_->for_each_parameter([&](std::string_view, std::span<float> value, std::span<float> grad) { visit(value, grad); });
    } else {
      visit(numbers_of(w_), numbers_of(dw_));
    }
    visit(numbers_of(bias_), numbers_of(dbias_));
  }
  /// The exact largest singular value of the w that inference uses.
  double spectral_norm() const {
    Matrix w = w_;
    if (spectral_) (*spectral_)(w);
    // The root of w w^T's largest eigenvalue: a whole SVD takes a compiler most of a minute.
    const Eigen::MatrixXd wide = w.cast<double>();
    return std::sqrt(
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(wide * wide.transpose(), Eigen::EigenvaluesOnly).eigenvalues().maxCoeff());
  }

 private:
  Matrix w_, dw_, bias_, dbias_;
  std::optional<norma::SpectralNorm<float>> spectral_;
  norma::Saved<float> saved_;
};

/// Linear layers with a leaky ReLU (1 and 0.2, so its own Lipschitz constant is 1) between them.
class Network {
 public:
  Network(const std::vector<Eigen::Index>& widths, bool normalize, Random& random) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) layers_.emplace_back(widths[i], widths[i + 1], normalize, random);
    inputs_.resize(layers_.size());
  }

  const Matrix& forward(const Matrix& x) {
    inputs_[0] = x;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].forward(inputs_[i], y_);
      if (i + 1 < layers_.size()) inputs_[i + 1] = (y_.array() > 0.0F).select(y_, 0.2F * y_);
    }
    return y_;
  }
  /// Behind forward. The gradient of the network's input; parameter gradients += ....
  Matrix backward(Matrix dy) {
    Matrix dx;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      layers_[i].backward(dy, inputs_[i], dx);
      if (i > 0) dx = (inputs_[i].array() > 0.0F).select(dx, 0.2F * dx);
      dy.swap(dx);
    }
    return dy;
  }
  void visit_parameters(const ParameterVisitor& visit) {
    for (Linear& layer : layers_) layer.visit_parameters(visit);
  }
  /// An upper bound of |f(a) - f(b)| / |a - b|: the product of the layers' exact norms.
  double lipschitz_bound() const {
    double bound = 1;
    for (const Linear& layer : layers_) bound *= layer.spectral_norm();
    return bound;
  }

 private:
  std::vector<Linear> layers_;
  std::vector<Matrix> inputs_;
  Matrix y_;
};

/// Kingma, Ba 2015, with the first moment's decay of 0.5 that GANs use. A step clears the gradients.
class Adam {
 public:
  explicit Adam(float rate) : rate_(rate) {}

  void step(Network& network) {
    ++steps_;
    const float correction = std::sqrt(1 - std::pow(0.999F, steps_)) / (1 - std::pow(0.5F, steps_));
    std::size_t at = 0;
    network.visit_parameters([&](std::span<float> value, std::span<float> grad) {
      if (at == moments_.size()) moments_.push_back({Eigen::ArrayXf::Zero(size(value)), Eigen::ArrayXf::Zero(size(value))});
      Moments& m = moments_[at++];
      Eigen::Map<Eigen::ArrayXf> x(value.data(), size(value)), dx(grad.data(), size(value));
      m.first = 0.5F * m.first + 0.5F * dx;
      m.second = 0.999F * m.second + 0.001F * dx.square();
      x -= rate_ * correction * m.first / (m.second.sqrt() + 1e-8F);
      dx = 0.0F;
    });
  }

 private:
  struct Moments {
    Eigen::ArrayXf first, second;
  };
  static Eigen::Index size(std::span<float> s) { return static_cast<Eigen::Index>(s.size()); }

  float rate_;
  float steps_ = 0;
  std::vector<Moments> moments_;
};

}  // namespace gan
