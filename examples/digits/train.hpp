// Training one network: cross-entropy, SGD with momentum, and what is written down after every epoch.
#pragma once

#include "network.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace digits {

struct Recipe {
  Network (*make)(const Shape&, const NormChoice&, Random&) = make_cnn;
  Shape shape = {};
  int epochs = 12;
  float rate = 0.05F, momentum = 0.9F;  // the rate of 32 images a step
  bool rate_falls = true;               // linearly, towards 0 at the end

  /// Every image moves the weights as far whatever the batch: the rate grows with it (Goyal et al. 2017; Wu and He 2018 do the same).
  float rate_of(Eigen::Index batch) const { return rate * static_cast<float>(batch) / 32.0F; }
};

/// Mean cross-entropy and the share of right answers.
struct Score {
  double loss = 0, accuracy = 0;
};

struct Epoch {
  double train_loss = 0;  // mean over the epoch's steps, while the weights moved
  Score test;
};

struct History {
  std::vector<Epoch> epochs;  // [0] is the untrained network
  double seconds = 0;         // training only, without the tests
};

/// Scores (images, 10) become the gradient of the mean cross-entropy; returns loss and accuracy.
inline Score softmax_cross_entropy(Matrix& scores, std::span<const int> label) {
  const Eigen::Index count = scores.rows();
  Score score;
  for (Eigen::Index i = 0; i < count; ++i) {
    const Eigen::Index right = label[static_cast<std::size_t>(i)];
    Eigen::Index best = 0;
    const float largest = scores.row(i).maxCoeff(&best);
    score.accuracy += best == right ? 1.0 : 0.0;
    scores.row(i).array() -= largest;
    const float right_score = scores(i, right);
    scores.row(i) = scores.row(i).array().exp();
    const float sum = scores.row(i).sum();
    score.loss += std::log(static_cast<double>(sum)) - static_cast<double>(right_score);
    scores.row(i) /= sum;
    scores(i, right) -= 1.0F;
  }
  scores /= static_cast<float>(count);
  return {score.loss / static_cast<double>(count), score.accuracy / static_cast<double>(count)};
}

/// velocity = momentum * velocity + grad; value -= rate * velocity; grad = 0.
class Sgd {
 public:
  explicit Sgd(float momentum) : momentum_(momentum) {}

  void step(Network& network, float rate) {
    std::size_t at = 0;
    network.visit_parameters([&](std::span<float> value, std::span<float> grad) {
      if (at == velocity_.size()) velocity_.emplace_back(value.size(), 0.0F);
      std::vector<float>& velocity = velocity_[at++];
      for (std::size_t i = 0; i < value.size(); ++i) {
        velocity[i] = momentum_ * velocity[i] + grad[i];
        value[i] -= rate * velocity[i];
        grad[i] = 0.0F;
      }
    });
  }

 private:
  float momentum_;
  std::vector<std::vector<float>> velocity_;
};

inline Score test(const Network& network, const Images& images) {
  Matrix scores = network.infer(images.pixel);
  return softmax_cross_entropy(scores, images.label);
}

/// The part of every batch that this process computes: all of it, or one of several equal parts, with a way to sum the gradients of all.
struct Part {
  int index = 0, parts = 1;
  std::function<void(Network&)> sum_gradients = {};
};

/// One pass over the training images in random order; a last, smaller batch is left out. `rate(share)` is the learning rate when this
/// share of the epoch is done. Returns the mean loss, that of this process' part.
template <class Rate>
double train_epoch(Network& network, Sgd& sgd, const Images& images, std::vector<Eigen::Index>& order, Eigen::Index batch, Random& random,
                   Rate rate, const Part& part = {}) {
  random.shuffle(order);
  const Eigen::Index steps = images.count() / batch, own = batch / part.parts;
  Matrix x(own, pixels);
  std::vector<int> label(static_cast<std::size_t>(own));
  double loss = 0;
  for (Eigen::Index step = 0; step < steps; ++step) {
    for (Eigen::Index i = 0; i < own; ++i) {
      const Eigen::Index image = order[static_cast<std::size_t>(step * batch + part.index * own + i)];
      x.row(i) = images.pixel.row(image);
      label[static_cast<std::size_t>(i)] = images.label[static_cast<std::size_t>(image)];
    }
    Matrix dy = network.forward(x);
    loss += softmax_cross_entropy(dy, label).loss;
    if (part.parts > 1) dy /= static_cast<float>(part.parts);  // the mean over the batch, not over this part
    network.backward(x, dy);
    if (part.sum_gradients) part.sum_gradients(network);
    sgd.step(network, rate(static_cast<float>(step) / static_cast<float>(steps)));
  }
  return loss / static_cast<double>(steps);
}

/// Trains `network`; `random` decides the order of the images. `after_epoch(test)` is told how it goes.
inline History train(Network& network, const Digits& digits, const Recipe& recipe, Eigen::Index batch, Random& random,
                     const std::function<void(const Score&)>& after_epoch, const Part& part = {}) {
  Sgd sgd(recipe.momentum);
  std::vector<Eigen::Index> order(static_cast<std::size_t>(digits.train.count()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});

  History history;
  history.epochs.push_back({test(network, digits.train).loss, test(network, digits.test)});
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) {
    const auto rate = [&](float share) {
      const float done = (static_cast<float>(epoch) + share) / static_cast<float>(recipe.epochs);
      return recipe.rate_of(batch) * (recipe.rate_falls ? 1.0F - done : 1.0F);
    };
    const auto start = std::chrono::steady_clock::now();
    const double loss = train_epoch(network, sgd, digits.train, order, batch, random, rate, part);
    history.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    history.epochs.push_back({loss, test(network, digits.test)});
    after_epoch(history.epochs.back().test);
  }
  return history;
}

/// A new network; everything random comes from `seed`.
inline History train(const Digits& digits, const Recipe& recipe, const NormChoice& norm, Eigen::Index batch, std::uint64_t seed,
                     const std::function<void(const Score&)>& after_epoch) {
  Random random(seed);
  Network network = recipe.make(recipe.shape, norm, random);
  return train(network, digits, recipe, batch, random, after_epoch);
}

}  // namespace digits
