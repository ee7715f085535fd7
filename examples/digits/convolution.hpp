// Convolution as one matrix product: every position's neighbourhood becomes a row ("im2col"), Eigen does the rest.
#pragma once

#include "layers.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace digits {

/// What one row of a Matrix means to a convolution: height x width positions, and at each position all channels side by side. That is
/// channels-last memory; the product below writes it by itself, and norma normalizes it where it lies.
struct MapShape {
  Eigen::Index channels = 1, height = 1, width = 1;
  Eigen::Index positions() const { return height * width; }
  Eigen::Index size() const { return channels * positions(); }
};

/// 3 x 3, zeros around the image, `stride` 1 or 2. weight is (out channels, 3, 3, in channels).
class Convolution final : public Layer {
 public:
  Convolution(const MapShape& in, Eigen::Index channels, Eigen::Index stride, const Start& start, Random& random)
      : in_(in),
        out_{channels, (in.height - 1) / stride + 1, (in.width - 1) / stride + 1},
        product_(taps * in.channels, channels, start, random) {
    for (Eigen::Index row = 0; row < out_.height; ++row)
      for (Eigen::Index column = 0; column < out_.width; ++column)
        for (Eigen::Index tap = 0; tap < taps; ++tap) {
          const Eigen::Index y = row * stride + tap / 3 - 1, x = column * stride + tap % 3 - 1;
          const bool inside = y >= 0 && y < in.height && x >= 0 && x < in.width;
          source_.push_back(inside ? (y * in.width + x) * in.channels : outside);
        }
  }

  const MapShape& out() const { return out_; }

  void forward(const Matrix& x, Matrix& y) override {
    gather(x, patches_);
    product_.forward(patches_, y);
    y.resize(x.rows(), out_.size());  // the same memory: a row per position becomes a row per image
  }
  void infer(const Matrix& x, Matrix& y) const override {
    Matrix patches;
    gather(x, patches);
    product_.infer(patches, y);
    y.resize(x.rows(), out_.size());
  }
  void backward(const Matrix& dy, const Matrix& x, Matrix& dx) override {
    dy_ = dy.reshaped<Eigen::RowMajor>(patches_.rows(), out_.channels);
    product_.backward(dy_, patches_, dpatches_);
    dx.setZero(x.rows(), x.cols());
    scatter(dx);
  }
  void visit_parameters(const ParameterVisitor& visit) override { product_.visit_parameters(visit); }

 private:
  static constexpr Eigen::Index taps = 9, outside = -1;

  void gather(const Matrix& x, Matrix& patches) const {
    patches.resize(x.rows() * out_.positions(), taps * in_.channels);
    float* to = patches.data();
    for (Eigen::Index image = 0; image < x.rows(); ++image)
      for (const Eigen::Index from : source_) {
        if (from == outside)
          std::fill_n(to, in_.channels, 0.0F);
        else
          std::copy_n(&x(image, from), in_.channels, to);
        to += in_.channels;
      }
  }
  void scatter(Matrix& dx) const {
    const float* from = dpatches_.data();
    for (Eigen::Index image = 0; image < dx.rows(); ++image)
      for (const Eigen::Index to : source_) {
        if (to != outside)
          for (Eigen::Index c = 0; c < in_.channels; ++c) dx(image, to + c) += from[c];
        from += in_.channels;
      }
  }

  MapShape in_, out_;
  Linear product_;
  std::vector<Eigen::Index> source_;  // for each position and tap: where in the image's row its channels begin
  Matrix patches_, dpatches_, dy_;
};

}  // namespace digits
