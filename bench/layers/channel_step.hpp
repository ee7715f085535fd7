// A layer over the tensors of a case: what the cases of the channel norms and those of fused calls share.
#pragma once

#include "../peers/peers.hpp"

#include <norma/norma.hpp>

#include <algorithm>
#include <utility>

namespace bench {

template <class T>
norma::TensorView<T> channel_tensor(const Problem& p, T* data) {
  if (p.s == 1) return {data, {p.n, p.c}};
  return p.channels_last() ? norma::channels_last(data, {p.n, p.c, p.s}) : norma::TensorView<T>(data, {p.n, p.c, p.s});
}

/// The layer with the case's parameters, and what it saves, kept at one address.
template <class Layer>
struct ChannelStep {
  Layer layer;
  norma::Saved<float> saved;

  ChannelStep(Layer made, const Problem& p, const Operands<float>& o) : layer(std::move(made)) {
    std::copy_n(o.weight, p.c, layer.weight().begin());
    std::copy_n(o.bias, static_cast<index_t>(layer.bias().size()), layer.bias().begin());
    if constexpr (requires { layer.running_mean(); }) {
      for (std::size_t c = 0; c < layer.running_mean().size(); ++c) {
        layer.running_mean()[c] = running_mean<float>(static_cast<index_t>(c));
        layer.running_var()[c] = running_variance<float>(static_cast<index_t>(c));
      }
    }
  }
  /// Parameter gradients, to the operands.
  void collect(const Operands<float>& o) const {
    std::ranges::copy(layer.weight_grad(), o.weight_grad);
    std::ranges::copy(layer.bias_grad(), o.bias_grad);
  }
};

}  // namespace bench
