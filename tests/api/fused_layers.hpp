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

/// f(layer, whether it takes a gate) for layers over x of (3, 6, 5, 7), their parameters random.
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

inline const Extents fused_extents = {3, 6, 5, 7};

/// The layouts of x and of everything else.
struct Lie {
  Layout x, others;
  Extents extents = fused_extents;
};
inline const std::array lies = {Lie{Layout::contiguous, Layout::contiguous},
                                Lie{Layout::contiguous, Layout::channels_last},
                                Lie{Layout::channels_last, Layout::channels_last},
                                Lie{Layout::channels_last, Layout::contiguous},
                                Lie{Layout::channels_last, Layout::sliced},
                                Lie{Layout::flipped_all, Layout::padded},
                                Lie{Layout::strided, Layout::reversed}};

/// f(layer, whether it takes a gate, lie) for all of them, and for rows of more channels than are copied together: whole registers of
/// them, and such with a rest.
template <class T, class F>
void each_fused_case(F f) {
  const auto with = [&](auto& layer, bool all, const Lie& lie) {
    SCOPED_TRACE(to_string(lie.extents) + ", " + name_of(lie.x) + ", " + name_of(lie.others));
    f(layer, all, lie);
  };
  each_fused_layer<T>([&](auto& layer, bool all) {
    for (const Lie& lie : lies) with(layer, all, lie);
  });
  for (const std::ptrdiff_t channels : {320, 1025, 1290}) {
    const auto wide = [&](auto layer, bool all) {
      for (const Layout others : {Layout::channels_last, Layout::padded})
        with(layer, all, {Layout::channels_last, others, {2, channels, 2, 3}});
    };
    wide(norma::BatchNorm<T>(channels), true);
    wide(norma::GroupNorm<T>(5, channels), true);
    wide(norma::InstanceNorm<T>(channels, {.affine = true}), true);
    wide(norma::SwitchableNorm<T>(channels), false);
    wide(norma::BatchInstanceNorm<T>(channels), false);
  }
}

/// A random tensor.
inline AnyTensor random_tensor(Element e, std::uint64_t seed, Layout layout, const Extents& extents = fused_extents) {
  return AnyTensor(e, extents, {layout}, random_values(e, count(extents), seed));
}

}  // namespace norma_test
