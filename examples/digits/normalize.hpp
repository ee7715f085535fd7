// A norm in a network, and the list of norms that --norm knows.
#pragma once

#include "convolution.hpp"
#include "layers.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <norma/norma.hpp>
#include <span>
#include <string_view>
#include <utility>

namespace digits {

/// Any norm of norma as a layer of this example: its three calls on a view of the matrix.
template <class Norm>
class Normalize final : public Layer {
 public:
  Normalize(const MapShape& shape, Norm norm) : shape_(shape), norm_(std::move(norm)) {}

  void forward(const Matrix& x, Matrix& y) override {
    y.resizeLike(x);
    norm_.forward(view(x), view(y), saved_);
  }
  void infer(const Matrix& x, Matrix& y) const override {
    y.resizeLike(x);
    norm_(view(x), view(y));
  }
  void backward(const Matrix& dy, const Matrix& x, Matrix& dx) override {
    dx.resizeLike(x);
    norm_.backward(view(dy), view(x), saved_, view(dx));
  }
  void visit_parameters(const ParameterVisitor& visit) override {
    norm_.for_each_parameter([&](std::string_view, std::span<float> value, std::span<float> grad) { visit(value, grad); });
  }

 private:
  /// (images, channels, height, width) over channels-last memory, or plain (images, features).
  template <class Float>
  norma::TensorView<Float> view(Float* data, Eigen::Index images) const {
    if (shape_.positions() == 1) return {data, {images, shape_.channels}};
    return norma::channels_last(data, {images, shape_.channels, shape_.height, shape_.width});
  }
  norma::TensorView<const float> view(const Matrix& m) const { return view(m.data(), m.rows()); }
  norma::TensorView<float> view(Matrix& m) const { return view(m.data(), m.rows()); }

  MapShape shape_;
  Norm norm_;
  norma::Saved<float> saved_;
};

/// A norm this example can train with. A further one is one more line in `norm_choices`.
struct NormChoice {
  std::string_view name;   // as in --norm
  std::string_view title;  // as in the table and the picture
  std::unique_ptr<Layer> (*make)(const MapShape& shape);
};

template <class Norm>
std::unique_ptr<Layer> make_norm(const MapShape& shape, Norm norm) {
  return std::make_unique<Normalize<Norm>>(shape, std::move(norm));
}

/// LayerNorm and RMSNorm over all of an image, as torch.nn.LayerNorm((channels, height, width)).
template <class Norm>
std::unique_ptr<Layer> make_row_norm(const MapShape& shape) {
  return make_norm(shape, shape.positions() == 1 ? Norm({shape.channels}) : Norm({shape.channels, shape.height, shape.width}));
}

/// None where there are no planes to normalize: behind a linear layer each set would be one value.
inline std::unique_ptr<Layer> make_instance_norm(const MapShape& shape) {
  if (shape.positions() == 1) return {};
  return make_norm(shape, norma::InstanceNorm<float>(shape.channels, {.affine = true}));
}

inline constexpr Eigen::Index groups = 4;

inline constexpr std::array norm_choices = {
    NormChoice{"none", "no norm", [](const MapShape&) { return std::unique_ptr<Layer>(); }},
    NormChoice{"batch", "BatchNorm", [](const MapShape& s) { return make_norm(s, norma::BatchNorm<float>(s.channels)); }},
    NormChoice{"layer", "LayerNorm", make_row_norm<norma::LayerNorm<float>>},
    NormChoice{"group", "GroupNorm", [](const MapShape& s) { return make_norm(s, norma::GroupNorm<float>(groups, s.channels)); }},
    NormChoice{"instance", "InstanceNorm", make_instance_norm},
    NormChoice{"rms", "RMSNorm", make_row_norm<norma::RMSNorm<float>>},
};

}  // namespace digits
