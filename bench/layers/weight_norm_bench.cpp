// WeightNorm's benchmark cases: v is x, w is y, dw is dy, v's gradient is dx and g the first n numbers of weight.
// A backward moves four tensors, since gradients add up: v, dw, and v's gradient both ways. Its floor is two copies.
#include "../support/registry.hpp"

#include <norma/norma.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace bench { namespace {

/// The layer and what it saves; its gradient buffer is brought to dx afterwards.
struct Step {
  norma::WeightNorm<float> layer;
  norma::Saved<float> saved;

  Step(const Problem& p, const Operands<float>& o) : layer(norma::TensorView<const float>(o.x, {p.n, p.c})) {
    std::copy_n(o.weight, p.n, layer.g().begin());
  }
};

Work norma_work(Pass pass, const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<Step>(p, o);
  const norma::TensorView<float> w(o.y, {p.n, p.c});
  const norma::TensorView<const float> dw(o.dy, {p.n, p.c});
  if (pass == Pass::forward) return {[=] { std::as_const(step->layer)(w); }, {}};
  step->layer.forward(w, step->saved);
  return {[=] { step->layer.backward(dw, step->saved); },
          [=] {
            std::ranges::copy(step->layer.v_grad(), o.dx);
            std::ranges::copy(step->layer.g_grad(), o.weight_grad);
          }};
}

void reference(Pass pass, const Problem& p, const Operands<float>& o) {
  for (index_t r = 0; r < p.n; ++r) {
    const float *v = o.x + r * p.c, *dw = o.dy + r * p.c;
    double squares = 0, product = 0;
    for (index_t i = 0; i < p.c; ++i) {
      squares += static_cast<double>(v[i]) * static_cast<double>(v[i]);
      product += static_cast<double>(v[i]) * static_cast<double>(dw[i]);
    }
    const double length = std::sqrt(squares), g = static_cast<double>(o.weight[r]);
    for (index_t i = 0; i < p.c; ++i) {
      const double direction = static_cast<double>(v[i]) / length;
      if (pass == Pass::forward)
        o.y[r * p.c + i] = static_cast<float>(g * direction);
      else
        o.dx[r * p.c + i] = static_cast<float>(g / length * (static_cast<double>(dw[i]) - direction * product / length));
    }
    if (pass == Pass::backward) o.weight_grad[r] = static_cast<float>(product / length);
  }
}

void enrol() {
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    for (const Problem& problem : {rows(512, 4608), rows(4096, 4096)}) {
      add<float>({"WeightNorm",
                  pass,
                  problem,
                  {{"norma", [pass](const Problem& p, const Operands<float>& o) { return norma_work(pass, p, o); }}},
                  [pass](const Problem& p, const Operands<float>& o) {
                    return Work{[=] { reference(pass, p, o); }, {}};
                  }});
    }
  }
}

const Registration registration(enrol);

}  // namespace
}  // namespace bench
