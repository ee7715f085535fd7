// A network is a row of layers; which norm stands between them is chosen by name.
#pragma once

#include "layers.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace digits {

/// A norm this example can train with. A further one is one more line in `norm_choices`.
struct NormChoice {
  std::string_view name;   // as in --norm
  std::string_view title;  // as in the table and the picture
  std::unique_ptr<Layer> (*make)(Eigen::Index width);
};

template <class Norm>
std::unique_ptr<Layer> make_norm(Eigen::Index width) {
  return std::make_unique<Normalize<Norm>>(Norm({width}));
}

inline constexpr std::array norm_choices = {
    NormChoice{"none", "no norm", [](Eigen::Index) { return std::unique_ptr<Layer>(); }},
    NormChoice{"layer", "LayerNorm", make_norm<norma::LayerNorm<float>>},
    NormChoice{"rms", "RMSNorm", make_norm<norma::RMSNorm<float>>},
};

class Network {
 public:
  void add(std::unique_ptr<Layer> layer) {
    layers_.push_back(std::move(layer));
    outputs_.emplace_back();
  }

  const Matrix& forward(const Matrix& x) {
    for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->forward(input(i, x), outputs_[i]);
    return outputs_.back();
  }

  /// Call it behind forward(x) with the same x; `dy` is overwritten.
  void backward(const Matrix& x, Matrix& dy) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      layers_[i]->backward(dy, input(i, x), dx_);
      dy.swap(dx_);
    }
  }

  Matrix infer(const Matrix& x) const {
    Matrix current = x;
    Matrix next;
    for (const auto& layer : layers_) {
      layer->infer(current, next);
      current.swap(next);
    }
    return current;
  }

  void visit_parameters(const ParameterVisitor& visit) {
    for (const auto& layer : layers_) layer->visit_parameters(visit);
  }

 private:
  const Matrix& input(std::size_t i, const Matrix& x) const { return i == 0 ? x : outputs_[i - 1]; }

  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Matrix> outputs_;
  Matrix dx_;
};

/// What a network looks like before it has learned anything.
struct Shape {
  Eigen::Index depth = 6, width = 64;
  Start start = starts[0];
};

/// 64 pixels -> depth times (linear, norm, ReLU) -> 10 scores. Norms draw no random numbers: equal seeds, equal first weights.
inline Network make_network(const Shape& shape, const NormChoice& norm, Random& random) {
  Network network;
  for (Eigen::Index i = 0; i < shape.depth; ++i) {
    network.add(std::make_unique<Linear>(i == 0 ? pixels : shape.width, shape.width, shape.start, random));
    if (auto layer = norm.make(shape.width)) network.add(std::move(layer));
    network.add(std::make_unique<Relu>());
  }
  network.add(std::make_unique<Linear>(shape.width, classes, shape.start, random));
  return network;
}

}  // namespace digits
