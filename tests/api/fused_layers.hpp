// What the tests of fused calls share: every layer that takes them, streams in any layout, and the separate calls they stand for.
#pragma once

#include "api/layers.hpp"
#include "support/executors.hpp"

namespace norma_test {

/// z where it is positive, a quarter of it elsewhere: an activation of a user's own, and in itself as exact as z.
struct Bent {
  template <class V>
  V operator()(V z) const {
    return norma::select(z > V(0), z, z * V(0.25f));
  }
  template <class V>
  V derivative(V z) const {
    return norma::select(z > V(0), V(1), V(0.25f));
  }
};

/// f(name, layer, whether it takes a gate) for layers over x of (3, 6, 5, 7), their parameters random.
template <class T, class F>
void each_fused_layer(F f) {
  const auto with = [&](const char* name, auto layer, bool all) {
    std::uint64_t seed = 70;
    layer.for_each_parameter([&](std::string_view, std::span<T> value, std::span<T>) {
      for (T& v : value) v += static_cast<T>(random_values(Element::f32, 1, ++seed)[0] / 4);
    });
    SCOPED_TRACE(name);
    f(layer, all);
  };
  with("LayerNorm", norma::LayerNorm<T>({5, 7}), true);
  with("RMSNorm", norma::RMSNorm<T>({7}, {.bias = true, .unit_offset = true}), true);
  with("GroupNorm", norma::GroupNorm<T>(3, 6), true);
  with("InstanceNorm", norma::InstanceNorm<T>(6, {.affine = true}), true);
  with("BatchNorm", norma::BatchNorm<T>(6), true);
  with("MeanOnlyBatchNorm", norma::MeanOnlyBatchNorm<T>(6), false);
  with("BatchRenorm", norma::BatchRenorm<T>(6, {.schedule = norma::RenormSchedule::constant(1.2, 0.1)}), false);
  with("SwitchableNorm", norma::SwitchableNorm<T>(6), false);
  with("BatchInstanceNorm", norma::BatchInstanceNorm<T>(6), false);
}

/// The layouts of x and of everything else.
struct Lie {
  Layout x, others;
};
inline constexpr std::array lies = {Lie{Layout::contiguous, Layout::contiguous},
                                    Lie{Layout::contiguous, Layout::channels_last},
                                    Lie{Layout::channels_last, Layout::channels_last},
                                    Lie{Layout::channels_last, Layout::contiguous},
                                    Lie{Layout::channels_last, Layout::sliced},
                                    Lie{Layout::flipped_all, Layout::padded},
                                    Lie{Layout::strided, Layout::reversed}};

inline const Extents fused_extents = {3, 6, 5, 7};

/// A random tensor.
inline AnyTensor random_tensor(Element e, std::uint64_t seed, Layout layout, const Extents& extents = fused_extents) {
  return AnyTensor(e, extents, {layout}, random_values(e, count(extents), seed));
}

}  // namespace norma_test
