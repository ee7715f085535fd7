// The data-dependent start of a reparameterised weight: scales and biases with which one batch leaves normalized (Salimans, Kingma 2016,
// section 3).
#pragma once

#include <norma/doors/normalize.hpp>
#include <norma/engine/scale.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// g /= sigma, bias = -mean / sigma for each channel of the pre-activations t (N, C, spatial...), C = g.size(); a constant channel keeps
/// its g and has bias = -mean. ShapeError names `layer`. Takes memory for as many elements as t has.
template <class T, class X, class B>
inline void start_from_batch(const ExecutorRef& executor, const char* layer, std::span<T> g, const TensorView<X>& t,
                             const TensorView<B>& bias) {
  static_assert(are_numbers<X, B>, "norma: the weight layers have no tensors of 8 bits");
  const auto channels = static_cast<index_t>(g.size());
  if (t.rank() < 2 || t.extent(1) != channels)
    raise_shape_error(layer, ": t has extents ", t.extents(), "; (N, ", channels, ", spatial...) is wanted, a channel for each g");
  check_same_shape(layer, "t", t, t.extents());
  if (bias.extents() != Extents{channels}) raise_shape_error(layer, ": bias has extents ", bias.extents(), ", g has ", channels);
  check_same_shape(layer, "bias", bias, bias.extents());
  if (t.size() == 0) return;
  Saved<double> saved;
  Buffer<float> normalized(t.size());  // a norm writes its output too
  normalize<double>(executor, {Statistic::Kind::deviation}, batch_roles(t.rank()), t, TensorView(normalized.data(), t.extents()), {},
                    &saved);
  Buffer<double> biases(channels);
  for (index_t c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double factor = saved.rstd()[i] == 0 ? 1 : saved.rstd()[i];
    g[i] = static_cast<T>(static_cast<double>(g[i]) * factor);
    biases.data()[c] = -saved.mean()[i] * factor;
  }
  scale(ExecutorRef(sequential), TensorView(biases.data(), bias.extents()), 1.0, bias);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
