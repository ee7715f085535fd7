// Benchmark cases of the mixed norms against the norms they are made of.
#include "../support/registry.hpp"
#include "mixed_norm_reference.hpp"

#include <norma/norma.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace bench { namespace {

template <class T>
norma::TensorView<T> tensor(const Problem& p, T* data) {
  return p.channels_last() ? norma::channels_last(data, {p.n, p.c, p.s}) : norma::TensorView<T>(data, {p.n, p.c, p.s});
}

/// The layer, what it saves, and the tensors, kept at one address.
template <class Layer>
struct MixedStep {
  Layer layer;
  norma::Saved<float> saved;
  norma::TensorView<const float> x, dy;
  norma::TensorView<float> y, dx;

  MixedStep(Layer made, const Problem& p, const Operands<float>& o)
      : layer(std::move(made)), x(tensor<const float>(p, o.x)), dy(tensor<const float>(p, o.dy)), y(tensor(p, o.y)), dx(tensor(p, o.dx)) {
    std::copy_n(o.weight, layer.weight().size(), layer.weight().begin());
    std::copy_n(o.bias, layer.bias().size(), layer.bias().begin());
    if constexpr (requires { layer.gate(); }) std::ranges::fill(layer.gate(), static_cast<float>(MixedReference::gate));
  }
  void train() { layer.forward(x, y, saved); }
  void backward() { layer.backward(dy, x, saved, dx); }
};

template <class Layer>
Work work(Pass pass, Layer layer, const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<MixedStep<Layer>>(std::move(layer), p, o);
  if (pass == Pass::forward) return {[=] { std::as_const(step->layer)(step->x, step->y); }, {}};
  if (pass == Pass::train) return {[=] { step->train(); }, {}};
  step->train();
  return {[=] { step->backward(); },
          [=] {
            std::ranges::copy(step->layer.weight_grad(), o.weight_grad);
            std::ranges::copy(step->layer.bias_grad(), o.bias_grad);
          }};
}

template <class Make>
Impl<float> one(const char* name, Pass pass, Make make) {
  return {name, [=](const Problem& p, const Operands<float>& o) { return work(pass, make(p), p, o); }};
}

/// Instance, layer and batch norm one after another, each reading x anew.
Impl<float> separate(Pass pass) {
  return {"separate", [=](const Problem& p, const Operands<float>& o) {
            const Work parts[] = {work(pass, norma::InstanceNorm<float>(p.c, {.affine = true}), p, o),
                                  work(pass, norma::GroupNorm<float>(1, p.c), p, o), work(pass, norma::BatchNorm<float>(p.c), p, o)};
            return Work{[first = parts[0].run, second = parts[1].run, third = parts[2].run] {
                          first();
                          second();
                          third();
                        },
                        {}};
          }};
}

/// The first is the norm; what stands beside it computes something else.
void add_case(const char* name, MixedNorm norm, Pass pass, const Problem& p, std::vector<Impl<float>> impls) {
  Case<float> c{name, pass, p, std::move(impls), mixed_norm_reference(norm, pass)};
  for (std::size_t i = 1; i < c.impls.size(); ++i) c.impls[i].comparable = false;
  add(std::move(c));
}

void add_mixed_norms() {
  const auto batch_norm = [](const Problem& p) { return norma::BatchNorm<float>(p.c); };
  const auto instance_norm = [](const Problem& p) { return norma::InstanceNorm<float>(p.c, {.affine = true}); };
  for (const Pass pass : {Pass::train, Pass::backward}) {
    for (const Problem& p : {nchw(32, 256, 14, 14), nhwc(32, 256, 14, 14), nchw(32, 64, 56, 56), nhwc(32, 64, 56, 56)}) {
      std::vector<Impl<float>> switchable = {one("norma", pass, [](const Problem& q) { return norma::SwitchableNorm<float>(q.c); }),
                                             separate(pass)};
      if (pass == Pass::train) switchable.push_back(one("instance_norm", Pass::forward, instance_norm));
      add_case("SwitchableNorm", MixedNorm::switchable, pass, p, std::move(switchable));
      add_case("BatchRenorm", MixedNorm::renorm, pass, p,
               {one("norma", pass, [](const Problem& q) { return norma::BatchRenorm<float>(q.c); }), one("batch_norm", pass, batch_norm)});
      add_case(
          "BatchInstanceNorm", MixedNorm::batch_instance, pass, p,
          {one("norma", pass, [](const Problem& q) { return norma::BatchInstanceNorm<float>(q.c); }), one("batch_norm", pass, batch_norm)});
      add_case(
          "MeanOnlyBatchNorm", MixedNorm::mean_only, pass, p,
          {one("norma", pass, [](const Problem& q) { return norma::MeanOnlyBatchNorm<float>(q.c); }), one("batch_norm", pass, batch_norm)});
    }
  }
}

const Registration mixed_norms(add_mixed_norms);

}  // namespace
}  // namespace bench
