// SpectralNorm's benchmark case: one training forward, W is x and w is y. `eigen` is the same by hand: the two products, two normalized
// vectors, W / sigma written. `products` are the two products alone, whose memory floor is W read twice.
#include "../support/registry.hpp"

#include <Eigen/Core>
#include <norma/norma.hpp>

#include <algorithm>
#include <memory>

namespace bench { namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Step {
  norma::SpectralNorm<float> layer;
  norma::Saved<float> saved;
  Eigen::VectorXf u, v;

  /// u as the layer has it after construction, for everybody.
  Step(const Problem& p, const Operands<float>& o)
      : layer(norma::TensorView<const float>(o.x, {p.n, p.c})), u(Eigen::Map<const Eigen::VectorXf>(layer.u().data(), p.n)), v(p.c) {}
};

Work norma_train(const Problem& p, const Operands<float>& o) {
  const norma::TensorView<float> w(o.y, {p.n, p.c});
  return {[w, step = std::make_shared<Step>(p, o)] { step->layer.forward(w, step->saved); }, {}};
}

Work eigen_train(const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<Step>(p, o);
  return {[=] {
            const Eigen::Map<const Matrix> weight(o.x, p.n, p.c);
            step->v.noalias() = weight.transpose() * step->u;
            step->v.normalize();
            step->u.noalias() = weight * step->v;
            const float sigma = step->u.norm();
            step->u /= sigma;
            Eigen::Map<Matrix>(o.y, p.n, p.c) = weight / sigma;
          },
          {}};
}

Work products(const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<Step>(p, o);
  return {[=] {
            const Eigen::Map<const Matrix> weight(o.x, p.n, p.c);
            step->v.noalias() = weight.transpose() * step->u;
            step->u.noalias() = weight * step->v;
            step->u /= step->u.norm();
          },
          [=] { eigen_train(p, o).run(); }};  // only to have something to verify
}

void reference(const Problem& p, const Operands<float>& o) {
  const Step step(p, o);
  const Eigen::MatrixXd weight = Eigen::Map<const Matrix>(o.x, p.n, p.c).cast<double>();
  const Eigen::VectorXd v = (weight.transpose() * step.u.cast<double>()).normalized();
  Eigen::Map<Matrix>(o.y, p.n, p.c) = (weight / (weight * v).norm()).cast<float>();
}

void enrol() {
  for (const Problem& problem : {rows(512, 4608), rows(4096, 4096)}) {
    add<float>({"SpectralNorm",
                Pass::train,
                problem,
                {{"norma", norma_train}, {"eigen", eigen_train}, {"products", products}},
                [](const Problem& p, const Operands<float>& o) {
                  return Work{[=] { reference(p, o); }, {}};
                }});
  }
}

const Registration registration(enrol);

}  // namespace
}  // namespace bench
