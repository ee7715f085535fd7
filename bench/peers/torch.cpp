// libtorch's operators. LayerNorm is the native one; RMSNorm, which libtorch 1.13 does not have, is composed as its users compose it.
// Results of operators that allocate are dropped before the next call, so that each call writes to the same, recycled memory.
#include "peers.hpp"
#include "torch_recycling.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cstring>
#include <memory>
#include <tuple>

namespace bench::libtorch {
namespace {

template <class T>
at::Tensor borrow(T* data, at::IntArrayRef extents) {
  return at::from_blob(data, extents, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
}

template <class T>
std::size_t bytes(index_t count) {
  return sizeof(T) * static_cast<std::size_t>(count);
}

template <class T>
void bring(const at::Tensor& from, T* to) {
  if (from.data_ptr<T>() != to) std::memcpy(to, from.data_ptr<T>(), bytes<T>(from.numel()));
}

/// What a layer norm over the last axis needs; `loan` is destroyed last, after every tensor.
template <class T>
struct State {
  std::unique_ptr<Loan> loan;
  at::Tensor x, y, dy, dx, weight, bias, mean, rstd, weight_grad, bias_grad;

  State(const Problem& p, const Operands<T>& o) : loan(nullptr) {
    allocator();
    x = tensor(p, o.x);
    dy = tensor(p, o.dy);
    weight = borrow(o.weight, {p.c});
    bias = borrow(o.bias, {p.c});
  }
  static at::Tensor tensor(const Problem& p, T* data) {
    if (p.s == 1) return borrow(data, {p.n, p.c});
    return borrow(data, {p.n, p.c, p.s});
  }
  void forward(const at::Tensor& input) { std::tie(y, mean, rstd) = at::native_layer_norm(input, weight.sizes(), weight, bias, eps); }
  void backward(const at::Tensor& upstream, const at::Tensor& input) {
    std::tie(dx, weight_grad, bias_grad) =
        at::native_layer_norm_backward(upstream, input, weight.sizes(), mean, rstd, weight, bias, {true, true, true});
  }
  void drop_gradients() {
    bias_grad.reset();
    weight_grad.reset();
    dx.reset();
  }
};

template <class T>
Work forward_rows(const Problem& p, const Operands<T>& o) {
  auto state = std::make_shared<State<T>>(p, o);
  state->loan = std::make_unique<Loan>(std::initializer_list<Loan::Part>{{o.y, bytes<T>(p.size())}});
  return {[state] {
            state->y.reset();
            state->forward(state->x);
          },
          [state, o] { bring(state->y, o.y); }};
}

/// Channels of (n, c, s): permute, normalize the last axis, permute back into the result.
template <class T>
Work forward_channels(const Problem& p, const Operands<T>& o) {
  auto state = std::make_shared<State<T>>(p, o);
  state->loan = std::make_unique<Loan>(std::initializer_list<Loan::Part>{});
  return {[state, y = State<T>::tensor(p, o.y)] {
            state->y.reset();
            state->forward(state->x.permute({0, 2, 1}));
            y.copy_(state->y.permute({0, 2, 1}));
          },
          {}};
}

template <class T>
Work backward_rows(const Problem& p, const Operands<T>& o) {
  auto state = std::make_shared<State<T>>(p, o);
  state->forward(state->x);
  state->y.reset();
  state->loan = std::make_unique<Loan>(
      std::initializer_list<Loan::Part>{{o.dx, bytes<T>(p.size())}, {o.weight_grad, bytes<T>(p.c)}, {o.bias_grad, bytes<T>(p.c)}});
  return {[state] {
            state->drop_gradients();
            state->backward(state->dy, state->x);
          },
          [state, o] {
            const at::Tensor dx = state->dx, weight_grad = state->weight_grad, bias_grad = state->bias_grad;
            bring(dx, o.dx);
            bring(weight_grad, o.weight_grad);
            bring(bias_grad, o.bias_grad);
          }};
}

template <class T>
Work backward_channels(const Problem& p, const Operands<T>& o) {
  auto state = std::make_shared<State<T>>(p, o);
  state->loan = std::make_unique<Loan>(std::initializer_list<Loan::Part>{});
  state->forward(state->x.permute({0, 2, 1}));
  state->y.reset();
  return {[state, dx = State<T>::tensor(p, o.dx)] {
            state->drop_gradients();
            state->backward(state->dy.permute({0, 2, 1}), state->x.permute({0, 2, 1}));
            dx.copy_(state->dx.permute({0, 2, 1}));
          },
          [state, o] {
            bring(state->weight_grad, o.weight_grad);
            bring(state->bias_grad, o.bias_grad);
          }};
}

/// rstd of an RMSNorm over axis 1, kept as an axis of extent 1. The norm operator reads x once and needs no tensor of squares.
at::Tensor rms_rstd(const at::Tensor& x) {
  at::Tensor rstd = at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, true);
  return rstd.square_().div_(static_cast<double>(x.size(1))).add_(eps).rsqrt_();
}

}  // namespace

std::string version() { return TORCH_VERSION; }

void use_one_thread() {
  at::set_num_threads(1);
  static const c10::InferenceMode inference_mode;
}

template <class T>
Work layer_norm_forward(const Problem& p, const Operands<T>& o) {
  return p.s == 1 ? forward_rows(p, o) : forward_channels(p, o);
}

template <class T>
Work layer_norm_backward(const Problem& p, const Operands<T>& o) {
  return p.s == 1 ? backward_rows(p, o) : backward_channels(p, o);
}

template <class T>
Work rms_norm_forward(const Problem& p, const Operands<T>& o) {
  auto loan = std::make_shared<Loan>(std::initializer_list<Loan::Part>{});
  at::Tensor x = State<T>::tensor(p, o.x), y = State<T>::tensor(p, o.y);
  at::Tensor weight = borrow(o.weight, {p.c}).view(p.s == 1 ? at::IntArrayRef{1, p.c} : at::IntArrayRef{1, p.c, 1});
  return {[loan, x, y, weight]() mutable { at::mul_out(y, x, rms_rstd(x)).mul_(weight); }, {}};
}

template <class T>
Work rms_norm_backward(const Problem& p, const Operands<T>& o) {
  auto loan = std::make_shared<Loan>(std::initializer_list<Loan::Part>{});
  at::Tensor x = State<T>::tensor(p, o.x), dy = State<T>::tensor(p, o.dy), dx = State<T>::tensor(p, o.dx);
  at::Tensor weight = borrow(o.weight, {p.c}).view(p.s == 1 ? at::IntArrayRef{1, p.c} : at::IntArrayRef{1, p.c, 1});
  at::Tensor weight_grad = borrow(o.weight_grad, {p.c}), rstd = rms_rstd(x);
  const std::vector<std::int64_t> others = p.s == 1 ? std::vector<std::int64_t>{0} : std::vector<std::int64_t>{0, 2};
  // dx = rstd * (g - x_hat * mean(g * x_hat)) with g = dy * weight; weight_grad = sum dy * x_hat
  return {[=]() mutable {
            const at::Tensor x_hat = x * rstd;
            const at::Tensor products = dy * x_hat;
            at::sum_out(weight_grad, products, others);
            at::mul_out(dx, dy, weight);
            const at::Tensor slope = at::mul(products, weight).mean(at::IntArrayRef{1}, true);
            dx.addcmul_(x_hat, slope, -1).mul_(rstd);
          },
          {}};
}

#define NORMA_BENCH_INSTANTIATE(T)                                       \
  template Work layer_norm_forward(const Problem&, const Operands<T>&);  \
  template Work layer_norm_backward(const Problem&, const Operands<T>&); \
  template Work rms_norm_forward(const Problem&, const Operands<T>&);    \
  template Work rms_norm_backward(const Problem&, const Operands<T>&);
NORMA_BENCH_INSTANTIATE(float)
NORMA_BENCH_INSTANTIATE(double)
#undef NORMA_BENCH_INSTANTIATE

void layer_norm_bf16(index_t rows, index_t length, const void* x, const void* weight, const void* bias, void* y) {
  const auto borrowed = [](const void* data, at::IntArrayRef extents) {
    return at::from_blob(const_cast<void*>(data), extents, at::TensorOptions().dtype(at::kBFloat16));
  };
  const at::Tensor result =
      at::layer_norm(borrowed(x, {rows, length}), {length}, borrowed(weight, {length}), borrowed(bias, {length}), eps);
  std::memcpy(y, result.data_ptr(), static_cast<std::size_t>(result.nbytes()));
}

}  // namespace bench::libtorch
