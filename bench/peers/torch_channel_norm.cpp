// libtorch's norms of (n, c, s). Channels-last tensors are handed over as such, except where libtorch 1.13 would misread them (GroupNorm's
// backward): there a user has to make contiguous copies, and their time counts.
#include "peers.hpp"
#include "torch_recycling.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>
#include <vector>

namespace bench::libtorch {
namespace {

struct ChannelState {
  std::unique_ptr<Loan> loan;
  at::Tensor x, y, dy, dx, weight, bias, mean, rstd, weight_grad, bias_grad, running_mean, running_variance;
  Problem p;

  ChannelState(const Problem& problem, const Operands<float>& o) : loan(nullptr), p(problem) {
    allocator();
    x = image(o.x);
    dy = image(o.dy);
    weight = at::from_blob(o.weight, {p.c});
    bias = at::from_blob(o.bias, {p.c});
    running_mean = at::empty({p.c});
    running_variance = at::empty({p.c});
    for (index_t c = 0; c < p.c; ++c) {
      running_mean.data_ptr<float>()[c] = bench::running_mean<float>(c);
      running_variance.data_ptr<float>()[c] = bench::running_variance<float>(c);
    }
  }
  at::Tensor image(float* data) const {
    if (p.s == 1) return at::from_blob(data, {p.n, p.c});
    const std::vector<std::int64_t> extents{p.n, p.c, p.s, 1};
    if (!p.channels_last()) return at::from_blob(data, extents);
    return at::from_blob(data, extents, {p.s * p.c, 1, p.c, p.c});
  }

  void forward(ChannelNorm norm, bool training) {
    if (norm == ChannelNorm::batch) {
      std::tie(y, mean, rstd) = at::native_batch_norm(x, weight, bias, running_mean, running_variance, training, 0.1, eps);
    } else if (norm == ChannelNorm::group) {
      std::tie(y, mean, rstd) = at::native_group_norm(x, weight, bias, p.n, p.c, p.s, p.groups, eps);
    } else {
      y = at::instance_norm(x, weight, bias, {}, {}, true, 0.1, eps, false);
    }
  }
  /// What instance_norm's own backward does: that of a batch norm over n * c channels.
  void instance_statistics() {
    const at::Tensor flat = x.contiguous().view({1, p.n * p.c, p.s, 1});
    at::Tensor unused;
    std::tie(unused, mean, rstd) = at::native_batch_norm(flat, weight.repeat({p.n}), bias.repeat({p.n}), {}, {}, true, 0.1, eps);
  }
  void backward(ChannelNorm norm) {
    if (norm == ChannelNorm::batch) {
      std::tie(dx, weight_grad, bias_grad) =
          at::native_batch_norm_backward(dy, x, weight, running_mean, running_variance, mean, rstd, true, eps, {true, true, true});
    } else if (norm == ChannelNorm::group) {
      std::tie(dx, weight_grad, bias_grad) =
          at::native_group_norm_backward(dy.contiguous(), x.contiguous(), mean, rstd, weight, p.n, p.c, p.s, p.groups, {true, true, true});
    } else {
      const std::vector<std::int64_t> extents{1, p.n * p.c, p.s, 1};
      std::tie(dx, weight_grad, bias_grad) =
          at::native_batch_norm_backward(dy.contiguous().view(extents), x.contiguous().view(extents), weight.repeat({p.n}), {}, {}, mean,
                                         rstd, true, eps, {true, true, true});
      dx = dx.view(x.sizes());
      weight_grad = weight_grad.view({p.n, p.c}).sum(0);
      bias_grad = bias_grad.view({p.n, p.c}).sum(0);
    }
  }
  /// Brings a result to memory of this layout.
  void bring(const at::Tensor& from, float* to) const { image(to).copy_(from); }
};

}  // namespace

Work channel_norm(ChannelNorm norm, Pass pass, const Problem& p, const Operands<float>& o) {
  auto state = std::make_shared<ChannelState>(p, o);
  state->loan = std::make_unique<Loan>(std::initializer_list<Loan::Part>{});
  if (pass != Pass::backward) {
    const bool training = pass == Pass::train;
    return {[state, norm, training] {
              state->y.reset();
              state->forward(norm, training);
            },
            [state, o] { state->bring(state->y, o.y); }};
  }
  if (norm == ChannelNorm::instance) {
    state->instance_statistics();
  } else {
    state->forward(norm, true);
  }
  state->y.reset();
  return {[state, norm] {
            state->bias_grad.reset();
            state->weight_grad.reset();
            state->dx.reset();
            state->backward(norm);
          },
          [state, o, p] {
            state->bring(state->dx, o.dx);
            std::memcpy(o.weight_grad, state->weight_grad.data_ptr<float>(), sizeof(float) * static_cast<std::size_t>(p.c));
            std::memcpy(o.bias_grad, state->bias_grad.data_ptr<float>(), sizeof(float) * static_cast<std::size_t>(p.c));
          }};
}

}  // namespace bench::libtorch
