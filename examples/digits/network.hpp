// A network is a row of layers; which norm stands between them is chosen by name.
#pragma once

#include "convolution.hpp"
#include "layers.hpp"
#include "normalize.hpp"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace digits {

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
  Eigen::Index depth = 6, width = 64;  // of the mlp
  Eigen::Index hidden = 64;            // of the cnn: its fully connected layer, 0 for none
  Start start = starts[0];
};

inline void add_norm_and_relu(Network& network, const NormChoice& norm, const MapShape& shape) {
  if (auto layer = norm.make(shape)) network.add(std::move(layer));
  network.add(std::make_unique<Relu>());
}

/// 64 pixels -> depth times (linear, norm, ReLU) -> 10 scores. Norms draw no random numbers: equal seeds, equal first weights.
inline Network make_mlp(const Shape& shape, const NormChoice& norm, Random& random) {
  Network network;
  for (Eigen::Index i = 0; i < shape.depth; ++i) {
    network.add(std::make_unique<Linear>(i == 0 ? pixels : shape.width, shape.width, shape.start, random));
    add_norm_and_relu(network, norm, {shape.width});
  }
  network.add(std::make_unique<Linear>(shape.depth == 0 ? pixels : shape.width, classes, shape.start, random));
  return network;
}

/// Three times (convolution, norm, ReLU), planes of 8 x 8, 4 x 4, 2 x 2; then (linear, norm, ReLU) and 10 scores. The smaller a layer's
/// planes, the fewer values a channel has in a batch: at batch 2 the four norms see 128, 32, 8 and 2 of them.
inline Network make_cnn(const Shape& shape, const NormChoice& norm, Random& random) {
  struct Stage {
    Eigen::Index channels, stride;
  };
  Network network;
  MapShape map{1, 8, 8};
  for (const Stage stage : {Stage{16, 1}, Stage{32, 2}, Stage{32, 2}}) {
    auto convolution = std::make_unique<Convolution>(map, stage.channels, stage.stride, shape.start, random);
    map = convolution->out();
    network.add(std::move(convolution));
    add_norm_and_relu(network, norm, map);
  }
  if (shape.hidden > 0) {
    network.add(std::make_unique<Linear>(map.size(), shape.hidden, shape.start, random));
    add_norm_and_relu(network, norm, {shape.hidden});
  }
  network.add(std::make_unique<Linear>(shape.hidden > 0 ? shape.hidden : map.size(), classes, shape.start, random));
  return network;
}

}  // namespace digits
