// A decoder of bytes: its sizes, its parameters and Adam. Activations are of type E, float or Eigen::bfloat16; what is learned is float.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <norma/norma.hpp>
#include <random>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace transformer {

using Index = Eigen::Index;
/// One token per row.
template <class E>
using Rows = Eigen::Matrix<E, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Bytes = std::vector<std::uint8_t>;

inline constexpr Index byte_values = 256, width = 64, heads = 4, head_dim = width / heads, hidden = 128, context = 64, blocks = 2;
/// Of queries times keys, whose root mean square is about 1.
inline constexpr float logit_scale = 0.25F;
static_assert(logit_scale * logit_scale * head_dim == 1);

/// The rows of m as (batch, tokens, columns).
template <class E>
norma::TensorView<E> by_token(Rows<E>& m, Index batch) {
  return {m.data(), {batch, m.rows() / batch, m.cols()}};
}
template <class E>
norma::TensorView<const E> by_token(const Rows<E>& m, Index batch) {
  return {m.data(), {batch, m.rows() / batch, m.cols()}};
}
/// Part i of a view of (batch, tokens, columns), each `columns` wide.
template <class V>
V part(const V& view, Index i, Index columns) {
  return view.slice(-1, i * columns, columns);
}
/// The same as (batch, tokens, heads, head_dim).
template <class V>
V part_by_head(const V& view, Index i) {
  return part(view, i, width).split_axis(-1, heads);
}

/// The same random numbers on every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// Independent, of mean 0: each the sum of twelve uniform numbers.
  Rows<float> matrix(Index rows, Index columns, float deviation) {
    Rows<float> m(rows, columns);
    for (float& e : m.reshaped<Eigen::RowMajor>()) {
      float sum = -6;
      for (int i = 0; i < 12; ++i) sum += static_cast<float>(engine_() >> 40) * 0x1p-24F;
      e = deviation * sum;
    }
    return m;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

 private:
  std::mt19937_64 engine_;
};

/// A learned matrix, and what of it the network sees: its elements rounded to the type of the activations.
struct Matrix {
  explicit Matrix(Rows<float> start) : value(std::move(start)), grad(Rows<float>::Zero(value.rows(), value.cols())), seen(value) {}

  template <class E>
  void round_to() {
    seen = value.template cast<E>().template cast<float>();
  }
  /// x times it.
  template <class Y, class X>
  Rows<Y> times(const Rows<X>& x) const {
    return (x.template cast<float>() * seen).template cast<Y>();
  }
  /// dx; grad += ....
  template <class X, class DY>
  Rows<X> backward(const Rows<DY>& dy, const Rows<X>& x) {
    grad.noalias() += x.template cast<float>().transpose() * dy.template cast<float>();
    return (dy.template cast<float>() * seen.transpose()).template cast<X>();
  }

  Rows<float> value, grad, seen;
};

/// h += attention(norm(h)); h += mlp(norm(h)), where mlp normalizes what its gate lets through (Wang et al. 2022, arXiv 2210.06423).
struct Block {
  explicit Block(Random& random)
      : qkv(random.matrix(width, 3 * width, 1 / std::sqrt(static_cast<float>(width)))),
        out(random.matrix(width, width, 0.5F / std::sqrt(static_cast<float>(width)))),
        up(random.matrix(width, 2 * hidden, 1 / std::sqrt(static_cast<float>(width)))),
        down(random.matrix(hidden, width, 0.5F / std::sqrt(static_cast<float>(hidden)))) {}

  template <class F>
  void for_each_matrix(F f) {
    for (Matrix* m : {&qkv, &out, &up, &down}) f(*m);
  }
  template <class F>
  void for_each_norm(F f) {
    f(attention_norm);
    f(qk_norm);
    f(mlp_norm);
    f(hidden_norm);
  }

  Matrix qkv, out;  // queries, keys and values side by side
  Matrix up, down;  // up: what enters the MLP, and its gate
  norma::RMSNorm<float> attention_norm{{width}, {.eps = 1e-6}}, mlp_norm{{width}, {.eps = 1e-6}}, hidden_norm{{hidden}, {.eps = 1e-6}};
  norma::QKNorm<float> qk_norm{head_dim};
};

struct Model {
  explicit Model(std::uint64_t seed) : Model(Random(seed)) {}

  /// f(value, grad) of each parameter.
  template <class F>
  void for_each_parameter(F f) {
    for_each_matrix([&](Matrix& m) { f(elements(m.value), elements(m.grad)); });
    const auto of_norm = [&](auto& layer) {
      layer.for_each_parameter([&](std::string_view, std::span<float> value, std::span<float> grad) { f(value, grad); });
    };
    for (Block& b : layers) b.for_each_norm(of_norm);
    of_norm(norm);
  }
  template <class E>
  void round_to() {
    for_each_matrix([](Matrix& m) { m.round_to<E>(); });
  }

  Matrix embedding, positions;
  std::vector<Block> layers;
  norma::RMSNorm<float> norm{{width}, {.eps = 1e-6}};
  Matrix logits;

 private:
  explicit Model(Random random)
      : embedding(random.matrix(byte_values, width, 1)),
        positions(random.matrix(context, width, 0.05F)),
        logits(random.matrix(width, byte_values, 0.1F)) {
    for (Index b = 0; b < blocks; ++b) layers.emplace_back(random);
  }
  template <class F>
  void for_each_matrix(F f) {
    f(embedding);
    f(positions);
    for (Block& b : layers) b.for_each_matrix(f);
    f(logits);
  }
  static std::span<float> elements(Rows<float>& m) { return {m.data(), static_cast<std::size_t>(m.size())}; }
};

/// What the first block adds positions to.
template <class E>
Rows<E> embed(const Model& model, std::span<const std::uint8_t> bytes) {
  Rows<E> x(static_cast<Index>(bytes.size()), width);
  for (Index i = 0; i < x.rows(); ++i) x.row(i) = model.embedding.seen.row(bytes[static_cast<std::size_t>(i)]).template cast<E>();
  return x;
}
/// (1, tokens, width): the same for all sequences.
inline norma::TensorView<const float> positions_from(const Model& model, Index first, Index tokens) {
  return by_token(model.positions.seen, 1).slice(1, first, tokens);
}

/// Kingma, Ba 2015.
class Adam {
 public:
  void step(Model& model, float rate) {
    ++steps_;
    const float correction = std::sqrt(1 - std::pow(0.95F, steps_)) / (1 - std::pow(0.9F, steps_));
    std::size_t n = 0;
    model.for_each_parameter([&](std::span<float> x, std::span<float> dx) {
      if (moments_.size() == n) moments_.emplace_back(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        auto& [m, s] = moments_[n][i];
        m = 0.9F * m + 0.1F * dx[i];
        s = 0.95F * s + 0.05F * dx[i] * dx[i];
        x[i] -= rate * correction * m / (std::sqrt(s) + 1e-8F);
        dx[i] = 0;
      }
      ++n;
    });
  }

 private:
  std::vector<std::vector<std::pair<float, float>>> moments_;
  float steps_ = 0;
};

}  // namespace transformer
