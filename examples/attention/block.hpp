// One attention block: queries and keys by linear maps, normalized or not, and softmax over their products.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <norma/norma.hpp>
#include <optional>
#include <random>
#include <span>
#include <string_view>

namespace attention {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr Eigen::Index tokens = 32, model = 64, heads = 4, head_dim = 32;

/// The same random numbers on every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(engine_() >> 40) * 0x1p-24F;
    return sum;
  }
  Eigen::Index below(Eigen::Index n) { return static_cast<Eigen::Index>(engine_() % static_cast<std::uint64_t>(n)); }
  Matrix matrix(Eigen::Index rows, Eigen::Index columns, float deviation) {
    Matrix m(rows, columns);
    for (float& e : m.reshaped<Eigen::RowMajor>()) e = deviation * normal();
    return m;
  }

 private:
  std::mt19937_64 engine_;
};

/// What a step showed.
struct Seen {
  double loss = 0, largest_logit = 0, right = 0;
};

/// A parameter with its gradient and Adam's moments (Kingma, Ba 2015).
class Learned {
 public:
  explicit Learned(Matrix start) : value(std::move(start)), grad(Matrix::Zero(value.rows(), value.cols())), first_(grad), second_(grad) {}

  void step(float rate) {
    step({value.data(), static_cast<std::size_t>(value.size())}, {grad.data(), static_cast<std::size_t>(grad.size())}, rate);
  }
  /// The same for numbers that somebody else owns. Clears the gradient.
  void step(std::span<float> x, std::span<float> dx, float rate) {
    ++steps_;
    const float correction = std::sqrt(1 - std::pow(0.99F, steps_)) / (1 - std::pow(0.9F, steps_));
    for (std::size_t i = 0; i < x.size(); ++i) {
      float& m = first_.data()[i];
      float& s = second_.data()[i];
      m = 0.9F * m + 0.1F * dx[i];
      s = 0.99F * s + 0.01F * dx[i] * dx[i];
      x[i] -= rate * correction * m / (std::sqrt(s) + 1e-8F);
      dx[i] = 0;
    }
  }

  Matrix value, grad;

 private:
  Matrix first_, second_;
  float steps_ = 0;
};

/// Logits q . k / sqrt(head_dim); with the l2 form q . k alone, since its scale replaces the division.
class Block {
 public:
  Block(std::optional<norma::QKForm> form, Random& random)
      : wq_(random.matrix(heads * head_dim, model, 1 / std::sqrt(static_cast<float>(model)))),
        wk_(random.matrix(heads * head_dim, model, 1 / std::sqrt(static_cast<float>(model)))),
        factor_(form == norma::QKForm::l2 ? 1.0F : 1 / std::sqrt(static_cast<float>(head_dim))) {
    if (form) norm_.emplace(head_dim, norma::QKNormOptions{.form = *form, .sequence_length = tokens});
  }

  /// Each token of x (tokens, model) is to attend to the token target[i]. Gradients += ....
  Seen learn(const Matrix& x, std::span<const Eigen::Index> target) {
    Matrix q = x * wq_.value.transpose(), k = x * wk_.value.transpose(), q_hat(q.rows(), q.cols()), k_hat(q_hat);
    const auto by_head = [](Matrix& m) { return norma::TensorView<float>(m.data(), {tokens, heads, head_dim}); };
    if (norm_) {
      norm_->forward(by_head(q), by_head(k), by_head(q_hat), by_head(k_hat), saved_);
    } else {
      q_hat = q;
      k_hat = k;
    }
    Matrix dq(q.rows(), q.cols()), dk(dq);
    Seen seen;
    for (Eigen::Index h = 0; h < heads; ++h) attend(h, q_hat, k_hat, target, dq, dk, seen);
    if (norm_) norm_->backward(by_head(dq), by_head(dk), by_head(q), by_head(k), saved_, by_head(dq), by_head(dk));
    wq_.grad.noalias() += dq.transpose() * x;
    wk_.grad.noalias() += dk.transpose() * x;
    return seen;
  }

  void step(float rate) {
    wq_.step(rate);
    wk_.step(rate);
    if (!norm_) return;
    std::size_t i = 0;
    norm_->for_each_parameter([&](std::string_view, std::span<float> value, std::span<float> grad) {
      if (norm_steps_.size() == i) norm_steps_.emplace_back(Matrix::Zero(1, static_cast<Eigen::Index>(value.size())));
      norm_steps_[i++].step(value, grad, rate);
    });
  }

 private:
  /// Softmax and cross-entropy of one head; every head and token counts alike.
  void attend(Eigen::Index h, const Matrix& q, const Matrix& k, std::span<const Eigen::Index> target, Matrix& dq, Matrix& dk,
              Seen& seen) const {
    const auto queries = q.middleCols(h * head_dim, head_dim);
    const auto keys = k.middleCols(h * head_dim, head_dim);
    Matrix d = factor_ * queries * keys.transpose();
    const float share = 1.0F / static_cast<float>(heads * tokens);
    seen.largest_logit = std::max(seen.largest_logit, static_cast<double>(d.cwiseAbs().maxCoeff()));
    for (Eigen::Index i = 0; i < tokens; ++i) {
      Eigen::Index best = 0;
      const float largest = d.row(i).maxCoeff(&best), of_target = d(i, target[static_cast<std::size_t>(i)]);
      d.row(i) = (d.row(i).array() - largest).exp();
      const float sum = d.row(i).sum();
      seen.loss += static_cast<double>(share * (std::log(sum) + largest - of_target));
      seen.right += best == target[static_cast<std::size_t>(i)] ? static_cast<double>(share) : 0;
      d.row(i) *= share / sum;
      d(i, target[static_cast<std::size_t>(i)]) -= share;
    }
    dq.middleCols(h * head_dim, head_dim) = factor_ * d * keys;
    dk.middleCols(h * head_dim, head_dim) = factor_ * d.transpose() * queries;
  }

  Learned wq_, wk_;
  float factor_;
  std::optional<norma::QKNorm<float>> norm_;
  norma::Saved<float> saved_;
  std::vector<Learned> norm_steps_;
};

}  // namespace attention
