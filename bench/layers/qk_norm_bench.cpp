// QKNorm's benchmark cases: queries and keys of equal shape, one behind the other in x, or as slices of one packed (B, T, 3, H, D) buffer
// whose values nobody touches. The layer form, because libtorch has it.
#include "../peers/peers.hpp"
#include "../support/registry.hpp"
#include "row_norm_reference.hpp"

#include <norma/norma.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench { namespace {

struct Step {
  norma::QKNorm<float> layer;
  norma::Saved<float> saved;

  Step(const Problem& p, const Operands<float>& o) : layer(p.c, {.form = norma::QKForm::layer, .eps = eps}) {
    for (const auto weight : {layer.q_weight(), layer.k_weight()}) std::copy_n(o.weight, p.c, weight.begin());
    for (const auto bias : {layer.q_bias(), layer.k_bias()}) std::copy_n(o.bias, p.c, bias.begin());
  }
};

/// Queries (which = 0) or keys (1).
template <class T>
norma::TensorView<T> side(const HeadProblem& h, T* data, int which) {
  const norma::Extents extents{h.batch, h.length, h.heads, h.head_dim};
  const index_t row = h.heads * h.head_dim;
  if (h.packed) return {data + which * row, extents, {3 * h.length * row, 3 * row, h.head_dim, 1}};
  return {data + which * h.batch * h.length * row, extents};
}

Work norma_work(Pass pass, const HeadProblem& h, const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<Step>(p, o);
  const auto q = side<const float>(h, o.x, 0), k = side<const float>(h, o.x, 1), dq_hat = side<const float>(h, o.dy, 0),
             dk_hat = side<const float>(h, o.dy, 1);
  const auto q_hat = side(h, o.y, 0), k_hat = side(h, o.y, 1), dq = side(h, o.dx, 0), dk = side(h, o.dx, 1);
  if (pass == Pass::forward) return {[=] { std::as_const(step->layer)(q, k, q_hat, k_hat); }, {}};
  step->layer.forward(q, k, q_hat, k_hat, step->saved);
  return {[=] { step->layer.backward(dq_hat, dk_hat, q, k, step->saved, dq, dk); },
          [=] {
            std::ranges::transform(step->layer.q_weight_grad(), step->layer.k_weight_grad(), o.weight_grad, std::plus());
            std::ranges::transform(step->layer.q_bias_grad(), step->layer.k_bias_grad(), o.bias_grad, std::plus());
          }};
}

/// The plain loops over all rows; in a packed buffer those of the values are put back.
Work reference(Pass pass, const HeadProblem& h, const Problem& p, const Operands<float>& o) {
  return {[=] {
            float* const to = pass == Pass::backward ? o.dx : o.y;
            if (!h.packed) return row_norm_reference<float>(pass, true)(p, o).run();
            std::fill_n(o.weight_grad, p.c, 0.0F);
            std::fill_n(o.bias_grad, p.c, 0.0F);
            std::vector<float> weight_grad(static_cast<std::size_t>(p.c)), bias_grad(weight_grad);
            const index_t row = h.heads * h.head_dim;
            for (index_t t = 0; t < h.batch * h.length; ++t) {
              const index_t first = 3 * t * row;
              const Problem part = rows(2 * h.heads, h.head_dim);
              Operands<float> there = o;
              there.x += first;
              there.y += first;
              there.dy += first;
              there.dx += first;
              row_norm_reference<float>(pass, true)(part, there).run();
              for (std::size_t i = 0; pass == Pass::backward && i < weight_grad.size(); ++i) {
                weight_grad[i] += o.weight_grad[i];
                bias_grad[i] += o.bias_grad[i];
              }
              std::fill_n(to + first + 2 * row, row, -77.0F);
            }
            std::ranges::copy(weight_grad, o.weight_grad);
            std::ranges::copy(bias_grad, o.bias_grad);
          },
          {}};
}

using Make = Work (*)(Pass, const HeadProblem&, const Problem&, const Operands<float>&);

Maker<float> on(Make make, Pass pass, const HeadProblem& h) {
  return [=](const Problem& p, const Operands<float>& o) { return make(pass, h, p, o); };
}

void enrol() {
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    for (const std::array<index_t, 4>& s : {std::array<index_t, 4>{1, 1, 32, 128}, {1, 512, 32, 128}, {4, 2048, 16, 64}}) {
      for (const bool packed : {false, true}) {
        const HeadProblem h{s[0], s[1], s[2], s[3], packed};
        Problem p = rows((packed ? 3 : 2) * h.batch * h.length * h.heads, h.head_dim);
        p.shape =
            std::to_string(h.batch) + "x" + std::to_string(h.length) + "x" + std::to_string(h.heads) + "x" + std::to_string(h.head_dim);
        p.layout = packed ? "packed" : "";
        Case<float> c{"QKNorm", pass, p, {{"norma", on(norma_work, pass, h)}}, on(reference, pass, h)};
        if constexpr (has_torch) c.impls.push_back({"torch", on(libtorch::qk_norm, pass, h)});
        if (pass == Pass::forward) c.impls.push_back({"eigen", on(eigen::qk_norm, pass, h)});
        c.impls.push_back({"loop", on(loop::qk_norm, pass, h)});
        add(std::move(c));
      }
    }
  }
}

const Registration registration(enrol);

}  // namespace
}  // namespace bench
