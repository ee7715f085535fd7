// Inference with a key/value cache, whose logits do not depend on what else is computed along with them.
#pragma once

#include "model.hpp"

namespace transformer {

/// Bits depend on the order of sums, and a library of matrix products chooses that by the number of rows. norma promises the same bits for
/// a row wherever it stands; so that all else does, too, every other sum is written out for one row at a time, over its terms from the
/// first to the last, 32 sums side by side. Rows are independent tasks of the executor.
template <class E>
class Decoder {
 public:
  Decoder(const Model& model, Index batch) : model_(model), batch_(batch) {
    for (std::size_t b = 0; b < model.layers.size(); ++b) {
      keys_.emplace_back(batch * context, width);
      values_.emplace_back(batch * context, width);
    }
  }

  /// The logits of the next bytes, as many of each sequence, one sequence behind the other.
  template <norma::Executor X>
  Rows<float> next(const X& executor, std::span<const std::uint8_t> bytes) {
    const auto view = [this](Rows<E>& m) { return by_token(m, batch_); };
    Rows<E> branch = embed<E>(model_, bytes), h(branch.rows(), width), n(branch.rows(), width), attended(branch.rows(), width);
    const Index tokens = branch.rows() / batch_;
    norma::InputStream residual = positions_from(model_, position_, tokens);
    for (std::size_t b = 0; b < model_.layers.size(); ++b) {
      const Block& block = model_.layers[b];
      block.attention_norm(executor, view(branch), view(n), {.residual = residual, .sum = view(h)});
      residual = view(h);
      Rows<E> qkv = product<E>(executor, n, block.qkv);
      const auto queries = part_by_head(view(qkv), 0), keys = part_by_head(view(qkv), 1);
      const auto cached = [&](Rows<E>& cache) { return view(cache).slice(1, position_, tokens); };
      block.qk_norm(executor, queries, keys, queries, cached(keys_[b]).split_axis(-1, heads));
      for (Index i = 0; i < qkv.rows(); ++i) values_[b].row(cache_row(i, tokens)) = qkv.row(i).tail(width);
      executor.parallel_for(qkv.rows(), [&](Index i) { attend(&qkv(i, 0), b, cache_row(i, tokens), &attended(i, 0)); });
      branch = product<E>(executor, attended, block.out);
      block.mlp_norm(executor, view(branch), view(n), {.residual = residual, .sum = view(h)});
      Rows<E> up = product<E>(executor, n, block.up), m(n.rows(), hidden);
      block.hidden_norm(executor, part(view(up), 0, hidden), view(m), {.gate = part(view(up), 1, hidden), .gate_first = true}, norma::silu);
      branch = product<E>(executor, m, block.down);
    }
    model_.norm(executor, view(branch), view(n), {.residual = residual});
    position_ += tokens;
    return product<float>(executor, n, model_.logits);
  }

 private:
  static constexpr Index side_by_side = 32;

  /// Where the cache has row i of `tokens` new ones of each sequence.
  Index cache_row(Index i, Index tokens) const { return i / tokens * context + position_ + i % tokens; }

  template <class Y, class X>
  static Rows<Y> product(const X& executor, const Rows<E>& x, const Matrix& w) {
    static_assert(width % side_by_side == 0 && hidden % side_by_side == 0 && byte_values % side_by_side == 0);
    Rows<Y> y(x.rows(), w.seen.cols());
    executor.parallel_for(x.rows(), [&](Index i) {
      for (Index first = 0; first < y.cols(); first += side_by_side) {
        Eigen::Array<float, 1, side_by_side> sums = Eigen::Array<float, 1, side_by_side>::Zero();
        for (Index k = 0; k < x.cols(); ++k) sums += static_cast<float>(x(i, k)) * w.seen.template block<1, side_by_side>(k, first).array();
        y.template block<1, side_by_side>(i, first) = sums.matrix().template cast<Y>();
      }
    });
    return y;
  }

  /// All heads of the token in that row of the cache, from the queries in q to y.
  void attend(const E* q, std::size_t block, Index row, E* y) const {
    using Head = Eigen::Array<float, 1, head_dim>;
    const auto head = [](const E* elements) { return Eigen::Map<const Eigen::Array<E, 1, head_dim>>(elements).template cast<float>(); };
    const Index first = row / context * context, seen = row - first + 1;
    for (Index c = 0; c < width; c += head_dim) {
      float weight[context], largest = -std::numeric_limits<float>::infinity(), sum = 0;
      for (Index i = 0; i < seen; ++i) {
        const Head terms = head(q + c) * head(&keys_[block](first + i, c));
        float logit = 0;
        for (Index k = 0; k < head_dim; ++k) logit += terms(k);
        weight[i] = logit_scale * logit;
        largest = std::max(largest, weight[i]);
      }
      Head mean = Head::Zero();
      for (Index i = 0; i < seen; ++i) {
        weight[i] = std::exp(weight[i] - largest);
        sum += weight[i];
        mean += weight[i] * head(&values_[block](first + i, c));
      }
      Eigen::Map<Eigen::Array<E, 1, head_dim>>(y + c) = (mean / sum).template cast<E>();
    }
  }

  const Model& model_;
  Index batch_, position_ = 0;
  std::vector<Rows<E>> keys_, values_;  // context rows of each sequence, for each block
};

}  // namespace transformer
