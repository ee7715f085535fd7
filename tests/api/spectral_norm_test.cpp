// SpectralNorm judged by Eigen's SVD, and the start of its vectors.
#include <algorithm>
#include <cmath>
#include <memory>

#include <Eigen/SVD>

#include "api/layers.hpp"

namespace norma_test { namespace {

Eigen::MatrixXd random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  const std::vector<double> values = random_values<double>(static_cast<std::size_t>(rows * columns), seed);
  return Eigen::Map<const Eigen::MatrixXd>(values.data(), rows, columns);
}

/// Reflected along a random direction, which changes no singular value.
Eigen::MatrixXd reflected(Eigen::MatrixXd m, std::uint64_t seed) {
  const Eigen::VectorXd direction = random_matrix(m.rows(), 1, seed).col(0).normalized();
  for (Eigen::Index c = 0; c < m.cols(); ++c) m.col(c) -= 2 * direction.dot(m.col(c)) * direction;
  return m;
}

/// The largest singular value, that of the smaller of w w^T and w^T w being its square.
double norm_of(const AnyTensor& w) {
  const Values values = w.values();
  Eigen::MatrixXd m = Eigen::Map<const Eigen::MatrixXd>(values.data(), w.extents()[1], w.extents()[0]);
  if (m.rows() < m.cols()) m.transposeInPlace();
  Eigen::MatrixXd square(m.cols(), m.cols());
  for (Eigen::Index i = 0; i < m.cols(); ++i) {
    for (Eigen::Index k = 0; k < m.cols(); ++k) square(i, k) = m.col(i).dot(m.col(k));
  }
  return std::sqrt(Eigen::JacobiSVD<Eigen::MatrixXd, Eigen::NoQRPreconditioner>(square).singularValues()[0]);
}

/// A seed; whether the matrix' second singular value is 0.7 of the first; the type.
class AgainstSvd : public testing::TestWithParam<std::tuple<int, bool, Element>> {
 protected:
  bool has_gap() const { return std::get<bool>(GetParam()); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(std::get<int>(GetParam())); }
  /// A shape of its own for each seed: from 1 x n and n x 1 to 91 columns.
  Eigen::MatrixXd matrix() const {
    Random random(seed() * 2 + 1000);
    const auto extent = [&](unsigned part) {
      return static_cast<Eigen::Index>(seed() % 10 == part ? 1 : 2 + random.below(part == 3 ? 40 : 90));
    };
    const Eigen::Index rows = extent(3), columns = extent(6);
    if (!has_gap()) return random_matrix(rows, columns, seed()) * std::pow(10.0, static_cast<int>(seed() % 5) - 2);
    Eigen::MatrixXd m = Eigen::MatrixXd::Zero(rows, columns);
    for (Eigen::Index i = 0; i < std::min(rows, columns); ++i) m(i, i) = i == 0 ? 1 : 0.7 * (1 - random.uniform() * (i > 1 ? 1 : 0));
    return reflected(reflected(m, seed() + 1).transpose(), seed() + 2).transpose();
  }
};

TEST_P(AgainstSvd, TheNormIsOneFromAboveAndShrinksTowardsOne) {
  const Element e = std::get<Element>(GetParam());
  const Eigen::MatrixXd weight = matrix();
  const Setting s = weight_shape({weight.rows(), weight.cols()}, 0);
  AnyTensor w0(e, s.extents, lying(Layout::reversed)), w(e, s.extents, {});
  const Eigen::MatrixXd row_major = weight.transpose();
  w0.set({row_major.data(), row_major.data() + row_major.size()});
  const std::unique_ptr<Norm> layer = subject_named("SpectralNorm").make({e, e, e}, s, {{}, {}, w0.any()});
  Call call;
  call.y = {w.any()};
  layer->infer(call);
  double before = norm_of(w);
  // Rounding of w and of sigma, that of a sum of as many terms as a product of W has, and the SVD's own in double.
  const double rounding = (epsilon_of(e) + 0x1p-52) * (3 + std::sqrt(static_cast<double>(weight.rows() + weight.cols())));
  EXPECT_LE(rounding, 1e-5);
  EXPECT_GE(before, 1 - std::min(1e-6, rounding));
  EXPECT_LE(before, has_gap() ? 1.05 : HUGE_VAL);
  for (int i = 0; i < 20; ++i) {
    layer->train(call);
    const double now = norm_of(w);
    EXPECT_GE(now, 1 - std::min(1e-6, rounding)) << "forward " << i;
    EXPECT_LE(now, before + rounding) << "forward " << i;
    before = now;
  }
  EXPECT_LE(before, has_gap() ? 1.001 : HUGE_VAL);
}
INSTANTIATE_TEST_SUITE_P(All, AgainstSvd,
                         testing::Combine(testing::Range(0, 50), testing::Bool(), testing::Values(Element::f32, Element::f64)),
                         [](const auto& each) {
                           return (std::get<bool>(each.param) ? "gap_" : "plain_") + std::to_string(std::get<int>(each.param)) + "_" +
                                  norma_test::name_of(std::get<Element>(each.param));
                         });

class SpectralNormIdentities : public testing::TestWithParam<Case> {};

TEST_P(SpectralNormIdentities, TakesTheWeightAndStartsWithUnitVectors) {
  const auto& [s, types, layout] = GetParam();
  const Values weight = random_values(types.x, count(s.extents), 131);
  const AnyTensor w0(types.x, s.extents, lying(layout), weight);
  const std::unique_ptr<Norm> layer = subject_named("SpectralNorm").make(types, s, {{}, {}, w0.any()});
  EXPECT_TRUE(same(layer->parameters().front().value.values(), weight)) << "bit for bit";
  for (const State& vector : layer->buffers()) {
    real squares = 0;
    for (const double e : vector.value.values()) squares += static_cast<real>(e) * e;
    EXPECT_NEAR(static_cast<double>(std::sqrt(squares)), 1, 2 * epsilon_of(types.x)) << vector.name;
  }
}
INSTANTIATE_TEST_SUITE_P(All, SpectralNormIdentities, testing::ValuesIn(weight_cases(false)), CaseName());

}  // namespace
}  // namespace norma_test
