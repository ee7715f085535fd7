// Training: forward and backward of whole batches, products by Eigen in float.
#pragma once

#include "model.hpp"

namespace transformer {

/// What the backward of a block reads. h and mlp_h are the sums that were normalized.
template <class E>
struct Trace {
  Rows<E> h, n, qkv, qk_hat, attended, mlp_h, mlp_n, up, m;
  Rows<float> probabilities;  // context rows for each head of each sequence
  norma::Saved<float> attention_norm, qk_norm, mlp_norm, hidden_norm;
};

template <class E>
class Trainer {
 public:
  explicit Trainer(std::uint64_t seed) : model_(seed), traces_(model_.layers.size()) { model_.round_to<E>(); }

  const Model& model() const { return model_; }

  /// Logits of all tokens of `batch` equally long sequences.
  Rows<float> forward(std::span<const std::uint8_t> bytes, Index batch) {
    // A block leaves to the next norm to add what it has computed to the residual stream.
    Rows<E> branch = embed<E>(model_, bytes);
    norma::InputStream residual = positions_from(model_, 0, branch.rows() / batch);
    for (std::size_t b = 0; b < traces_.size(); ++b) {
      branch = forward(model_.layers[b], traces_[b], std::move(branch), residual, batch);
      residual = by_token(traces_[b].mlp_h, batch);
    }
    h_ = std::move(branch);
    n_.resize(h_.rows(), width);
    model_.norm.forward(by_token(h_, batch), by_token(n_, batch), norm_, {.residual = residual, .sum = by_token(h_, batch)});
    return model_.logits.times<float>(n_);
  }

  /// One step on sequences of `context` bytes, each byte of which is to be followed by its target. Returns the loss before it.
  double step(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> targets, float rate) {
    const Index batch = static_cast<Index>(bytes.size()) / context;
    Rows<float> d = forward(bytes, batch);
    const double loss = cross_entropy(d, targets);
    const Rows<E> dn = model_.logits.backward(d, n_);
    Rows<E> dh(h_.rows(), width);
    model_.norm.backward(by_token(dn, batch), by_token(h_, batch), norm_, by_token(dh, batch));
    for (std::size_t b = traces_.size(); b-- > 0;) backward(model_.layers[b], traces_[b], dh, batch);
    for (Index i = 0; i < dh.rows(); ++i) {
      model_.embedding.grad.row(bytes[static_cast<std::size_t>(i)]) += dh.row(i).template cast<float>();
      model_.positions.grad.row(i % context) += dh.row(i).template cast<float>();
    }
    adam_.step(model_, rate);
    model_.round_to<E>();
    return loss;
  }

 private:
  /// What enters is the branch that residual is added to; what is returned is the next.
  static Rows<E> forward(Block& block, Trace<E>& t, Rows<E> branch, const norma::InputStream& residual, Index batch) {
    const auto view = [batch](Rows<E>& m) { return by_token(m, batch); };
    t.h = std::move(branch);
    t.n.resize(t.h.rows(), width);
    block.attention_norm.forward(view(t.h), view(t.n), t.attention_norm, {.residual = residual, .sum = view(t.h)});
    t.qkv = block.qkv.times<E>(t.n);
    t.qk_hat.resize(t.h.rows(), 2 * width);
    block.qk_norm.forward(part_by_head(view(t.qkv), 0), part_by_head(view(t.qkv), 1), part_by_head(view(t.qk_hat), 0),
                          part_by_head(view(t.qk_hat), 1), t.qk_norm);
    attend(t, batch);
    t.mlp_h = block.out.times<E>(t.attended);
    t.mlp_n.resize(t.h.rows(), width);
    block.mlp_norm.forward(view(t.mlp_h), view(t.mlp_n), t.mlp_norm, {.residual = view(t.h), .sum = view(t.mlp_h)});
    t.up = block.up.times<E>(t.mlp_n);
    t.m.resize(t.h.rows(), hidden);
    block.hidden_norm.forward(part(view(t.up), 0, hidden), view(t.m), t.hidden_norm,
                              {.gate = part(view(t.up), 1, hidden), .gate_first = true}, norma::silu);
    return block.down.times<E>(t.m);
  }

  /// dh: of the block's output, and when it returns, of its input; either way of both what was added and what it was added to.
  static void backward(Block& block, Trace<E>& t, Rows<E>& dh, Index batch) {
    const auto view = [batch](auto& m) { return by_token(m, batch); };
    const Rows<E> dm = block.down.backward(dh, t.m);
    Rows<E> dup(t.up.rows(), t.up.cols());
    block.hidden_norm.backward(view(dm), part(view(t.up), 0, hidden), t.hidden_norm, part(view(dup), 0, hidden),
                               {.gate = part(view(t.up), 1, hidden), .gate_first = true, .gate_grad = part(view(dup), 1, hidden)},
                               norma::silu);
    const Rows<E> dmlp_n = block.up.backward(dup, t.mlp_n);
    block.mlp_norm.backward(view(dmlp_n), view(t.mlp_h), t.mlp_norm, view(dh), {.sum_grad = view(dh)});
    const Rows<E> dqkv = attend_backward(block, t, block.out.backward(dh, t.attended), batch);
    const Rows<E> dn = block.qkv.backward(dqkv, t.n);
    block.attention_norm.backward(view(dn), view(t.h), t.attention_norm, view(dh), {.sum_grad = view(dh)});
  }

  /// f(rows of its sequence, columns of its head, rows of its probabilities) of each head.
  template <class F>
  static void each_head(Index rows, Index batch, F f) {
    const Index tokens = rows / batch;
    for (Index s = 0; s < batch; ++s) {
      for (Index h = 0; h < heads; ++h) f(Eigen::seqN(s * tokens, tokens), h * head_dim, Eigen::seqN((s * heads + h) * tokens, tokens));
    }
  }
  static auto head(const Rows<E>& m, const auto& rows, Index column) {
    return m(rows, Eigen::seqN(column, Eigen::fix<head_dim>)).template cast<float>();
  }
  static auto head(Rows<E>& m, const auto& rows, Index column) { return m(rows, Eigen::seqN(column, Eigen::fix<head_dim>)); }

  static void attend(Trace<E>& t, Index batch) {
    const Trace<E>& c = t;
    t.attended.resize(t.h.rows(), width);
    t.probabilities.setZero(t.h.rows() * heads, t.h.rows() / batch);
    each_head(t.h.rows(), batch, [&](const auto& rows, Index column, const auto& probabilities) {
      Rows<float> p = logit_scale * (head(c.qk_hat, rows, column) * head(c.qk_hat, rows, width + column).transpose());
      for (Index i = 0; i < p.rows(); ++i) {
        auto past = p.row(i).head(i + 1);
        past = (past.array() - past.maxCoeff()).exp().eval();
        past /= past.sum();
        p.row(i).tail(p.cols() - i - 1).setZero();
      }
      head(t.attended, rows, column) = (p * head(c.qkv, rows, 2 * width + column)).template cast<E>();
      t.probabilities(probabilities, Eigen::all) = p;
    });
  }

  static Rows<E> attend_backward(Block& block, Trace<E>& t, const Rows<E>& d, Index batch) {
    const Trace<E>& c = t;
    Rows<E> dqkv(t.qkv.rows(), t.qkv.cols());
    each_head(t.h.rows(), batch, [&](const auto& rows, Index column, const auto& probabilities) {
      const Rows<float> p = t.probabilities(probabilities, Eigen::all), of_head = head(d, rows, column);
      Rows<float> dp = of_head * head(c.qkv, rows, 2 * width + column).transpose();
      const Eigen::VectorXf shared = dp.cwiseProduct(p).rowwise().sum();
      dp = logit_scale * p.cwiseProduct(dp.colwise() - shared);
      head(dqkv, rows, column) = (dp * head(c.qk_hat, rows, width + column)).template cast<E>();
      head(dqkv, rows, width + column) = (dp.transpose() * head(c.qk_hat, rows, column)).template cast<E>();
      head(dqkv, rows, 2 * width + column) = (p.transpose() * of_head).template cast<E>();
    });
    const auto dq = part_by_head(by_token(dqkv, batch), 0), dk = part_by_head(by_token(dqkv, batch), 1);
    const auto qkv = by_token(c.qkv, batch);
    block.qk_norm.backward(dq, dk, part_by_head(qkv, 0), part_by_head(qkv, 1), t.qk_norm, dq, dk);
    return dqkv;
  }

  /// The mean over all rows, in nats; logits become its gradient.
  static double cross_entropy(Rows<float>& logits, std::span<const std::uint8_t> targets) {
    double loss = 0;
    const float share = 1 / static_cast<float>(logits.rows());
    for (Index i = 0; i < logits.rows(); ++i) {
      auto row = logits.row(i);
      const Index target = targets[static_cast<std::size_t>(i)];
      const float largest = row.maxCoeff(), of_target = row(target);
      row = (row.array() - largest).exp().eval();
      const float sum = row.sum();
      loss += static_cast<double>(share * (std::log(sum) + largest - of_target));
      row *= share / sum;
      row(target) -= share;
    }
    return loss;
  }

  Model model_;
  Adam adam_;
  std::vector<Trace<E>> traces_;
  Rows<E> h_, n_;
  norma::Saved<float> norm_;
};

}  // namespace transformer
