// QKNorm by libtorch: its layer_norm on queries and on keys, contiguous or as strided slices of one packed buffer.
#include "peers.hpp"
#include "torch_recycling.hpp"

#include <ATen/ATen.h>

#include <array>
#include <memory>
#include <tuple>

namespace bench::libtorch {
namespace {

at::Tensor borrow(const float* data, at::IntArrayRef extents) {
  return at::from_blob(const_cast<float*>(data), extents, at::TensorOptions().dtype(at::kFloat));
}

at::Tensor side(const HeadProblem& h, const float* data, index_t which) {
  const index_t row = h.heads * h.head_dim;
  if (h.packed) return borrow(data, {h.batch, h.length, 3, h.heads, h.head_dim}).select(2, which);
  return borrow(data + which * h.batch * h.length * row, {h.batch, h.length, h.heads, h.head_dim});
}

/// Queries or keys.
struct Side {
  at::Tensor x, dy, y, mean, rstd, dx, weight_grad, bias_grad;

  void forward(const at::Tensor& weight, const at::Tensor& bias) {
    rstd.reset();
    mean.reset();
    y.reset();
    std::tie(y, mean, rstd) = at::native_layer_norm(x, weight.sizes(), weight, bias, eps);
  }
  void backward(const at::Tensor& weight, const at::Tensor& bias) {
    bias_grad.reset();
    weight_grad.reset();
    dx.reset();
    std::tie(dx, weight_grad, bias_grad) =
        at::native_layer_norm_backward(dy, x, weight.sizes(), mean, rstd, weight, bias, {true, true, true});
  }
};

struct State {
  std::unique_ptr<Loan> loan = std::make_unique<Loan>(std::initializer_list<Loan::Part>{});
  at::Tensor weight, bias;
  std::array<Side, 2> sides;
};

}  // namespace

Work qk_norm(Pass pass, const HeadProblem& h, const Problem& p, const Operands<float>& o) {
  allocator();
  const auto state = std::make_shared<State>();
  state->weight = borrow(o.weight, {p.c});
  state->bias = borrow(o.bias, {p.c});
  for (index_t which = 0; which < 2; ++which) {
    Side& s = state->sides[static_cast<std::size_t>(which)];
    s.x = side(h, o.x, which);
    s.dy = side(h, o.dy, which);
    if (pass == Pass::backward) s.forward(state->weight, state->bias);
  }
  const auto run = [state, pass] {
    for (Side& s : state->sides) pass == Pass::forward ? s.forward(state->weight, state->bias) : s.backward(state->weight, state->bias);
  };
  return {run, [=] {
            for (index_t which = 0; which < 2; ++which) {
              const Side& s = state->sides[static_cast<std::size_t>(which)];
              side(h, pass == Pass::forward ? o.y : o.dx, which).copy_(pass == Pass::forward ? s.y : s.dx);
              if (pass == Pass::forward) continue;
              borrow(o.weight_grad, {p.c}).add_(s.weight_grad);
              borrow(o.bias_grad, {p.c}).add_(s.bias_grad);
            }
          }};
}

}  // namespace bench::libtorch
