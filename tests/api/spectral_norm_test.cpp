// SpectralNorm judged by Eigen's SVD; to which forward a backward belongs, its seeds, matrices of zeros and of any size, its state and its
// errors.
#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/QR>
#include <Eigen/SVD>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::SpectralNorm;

template <class T>
double length_of(std::span<const T> x) {
  real squares = 0;
  for (const T e : x) squares += static_cast<real>(e) * e;
  return static_cast<double>(std::sqrt(squares));
}

Eigen::MatrixXd random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  const std::vector<double> values = random_values<double>(static_cast<std::size_t>(rows * columns), seed);
  return Eigen::Map<const Eigen::MatrixXd>(values.data(), rows, columns);
}

/// Columns of the left factor are orthonormal.
Eigen::MatrixXd orthonormal(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(random_matrix(rows, columns, seed));
  return qr.householderQ() * Eigen::MatrixXd::Identity(rows, columns);
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
    const Eigen::Index rows = extent(3), columns = extent(6), rank = std::min(rows, columns);
    if (!has_gap()) return random_matrix(rows, columns, seed()) * std::pow(10.0, static_cast<int>(seed() % 5) - 2);
    Eigen::VectorXd values(rank);
    for (Eigen::Index i = 0; i < rank; ++i) values[i] = i == 0 ? 1 : 0.7 * (1 - random.uniform() * static_cast<double>(i > 1));
    return orthonormal(rows, rank, seed() + 1) * values.asDiagonal() * orthonormal(columns, rank, seed() + 2).transpose();
  }
};

TEST_P(AgainstSvd, TheNormIsOneFromAboveAndShrinksTowardsOne) {
  with_element(std::get<Element>(GetParam()), [&](auto zero) {
    using T = decltype(zero);
    const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> weight = matrix().cast<T>();
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> w(weight.rows(), weight.cols());
    SpectralNorm<T> layer(weight, {.seed = seed()});
    const auto norm = [&] { return Eigen::BDCSVD<Eigen::MatrixXd>(w.template cast<double>()).singularValues()[0]; };
    layer(w);
    double before = norm();
    // Rounding of w and of sigma, that of a sum of as many terms as a product of W has, and the SVD's own in double.
    const double rounding = (static_cast<double>(std::numeric_limits<T>::epsilon()) + std::numeric_limits<double>::epsilon()) *
                            (3 + std::sqrt(static_cast<double>(weight.rows() + weight.cols())));
    EXPECT_LE(rounding, 1e-5);
    EXPECT_GE(before, 1 - std::min(1e-6, rounding));
    EXPECT_LE(before, has_gap() ? 1.05 : HUGE_VAL);
    norma::Saved<T> saved;
    for (int i = 0; i < 20; ++i) {
      layer.forward(w, saved);
      const double now = norm();
      EXPECT_GE(now, 1 - std::min(1e-6, rounding)) << "forward " << i;
      EXPECT_LE(now, before + rounding) << "forward " << i;
      before = now;
    }
    EXPECT_LE(before, has_gap() ? 1.001 : HUGE_VAL);
  });
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
  with_element(types.x, [&, &s = s, layout = layout](auto zero) {
    using T = decltype(zero);
    Tensor<T> w0(s.extents, lying(layout), random_values<T>(count(s.extents), 131)), w(s.extents, lying(layout));
    const SpectralNorm<T> layer(w0.view(), {.dim = *s.dim, .seed = 5});
    EXPECT_TRUE(same(layer.weight(), w0.values())) << "bit for bit";
    layer(w.view());
    EXPECT_TRUE(same(layer.bake(), w.values()));
    const Values was = w0.any().values(), now = w.any().values();
    const double eps = std::numeric_limits<T>::epsilon();
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_NEAR(now[i] * layer.sigma(), was[i], 2 * eps * std::abs(was[i])) << i;
    EXPECT_NEAR(length_of(layer.u()), 1, 2 * eps);
    EXPECT_NEAR(length_of(layer.v()), 1, 2 * eps);
  });
}
INSTANTIATE_TEST_SUITE_P(All, SpectralNormIdentities, testing::ValuesIn(weight_cases(false)), CaseName());

template <class T>
class SpectralNormOf : public testing::Test {};
TYPED_TEST_SUITE(SpectralNormOf, BothTypes);

// More rows than are multiplied at once.
TYPED_TEST(SpectralNormOf, ManyRows) {
  const Subject& spectral_norm = subject("SpectralNorm");
  constexpr Element e = element_of<TypeParam>;
  for (const Setting& s : {weight_shape({2500, 3}, 0), weight_shape({3, 2500}, 0), weight_shape({2, 2100, 2}, 1)}) {
    const Data data = random_data(spectral_norm, {e, e, e}, s, 211);
    expect_correct(run(spectral_norm, {e, e, e}, s, data), Exact(spectral_norm, {e, e, e}, s, data));
  }
}

// Two forwards, then their two backwards: each has the u, v and sigma of its own forward, whatever ran since.
TYPED_TEST(SpectralNormOf, BackwardBelongsToItsForward) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(9 * 14, 151), dw = random_values<T>(9 * 14, 152);
  std::vector<T> w(weight.size());
  SpectralNorm<T> layer(shaped(weight, {9, 14}), {.seed = 3});
  Random random(7);
  for (T& e : layer.u()) e = static_cast<T>(random.normal() / 3);  // far from arrived: u and v move
  norma::Saved<T> first, second;
  layer.forward(shaped(w, {9, 14}), first);
  SpectralNorm<T> as_it_was = layer;
  layer.forward(shaped(w, {9, 14}), second);
  SpectralNorm<T> as_it_is = layer;
  as_it_was.backward_frozen(shaped(dw, {9, 14}));
  as_it_is.backward_frozen(shaped(dw, {9, 14}));
  layer.backward(shaped(dw, {9, 14}), first);
  EXPECT_TRUE(same(layer.weight_grad(), as_it_was.weight_grad()));
  layer.zero_grad();
  layer.backward(shaped(dw, {9, 14}), second);
  EXPECT_TRUE(same(layer.weight_grad(), as_it_is.weight_grad()));
  EXPECT_FALSE(same(as_it_was.weight_grad(), as_it_is.weight_grad())) << "u and v of the two forwards are the same: nothing was tested";
}

// n_power_iterations = 3 is three forwards of one; at construction there are 15, whatever n_power_iterations.
TYPED_TEST(SpectralNormOf, IterationsPerForward) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(7 * 11, 161);
  SpectralNorm<T> one(shaped(weight, {7, 11})), three(shaped(weight, {7, 11}), {.n_power_iterations = 3});
  EXPECT_TRUE(same(one.u(), three.u()));
  for (SpectralNorm<T>* layer : {&one, &three}) std::fill(layer->u().begin(), layer->u().end(), T(1) / std::sqrt(T(7)));
  std::vector<T> w(weight.size());
  norma::Saved<T> saved;
  three.forward(shaped(w, {7, 11}), saved);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(same(one.u(), three.u())) << i;
    one.forward(shaped(w, {7, 11}), saved);
  }
  EXPECT_TRUE(same(one.u(), three.u()) && same(one.v(), three.v()));
}

TYPED_TEST(SpectralNormOf, EqualSeedsGiveEqualBits) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(20 * 30, 171), zero(20 * 30);
  const auto u_of = [&](const std::vector<T>& w, std::uint64_t seed) {
    return copy_of(SpectralNorm<T>(shaped(w, {20, 30}), {.seed = seed}).u());
  };
  EXPECT_TRUE(same(u_of(weight, 0), u_of(weight, 0)));
  EXPECT_TRUE(same(u_of(zero, 9), u_of(zero, 9)));
  EXPECT_FALSE(same(u_of(zero, 9), u_of(zero, 10)));
}

// A zero matrix is legal: w = 0, sigma = 0, gradients finite; u and v stay unit vectors and work when the weight comes to life.
TYPED_TEST(SpectralNormOf, ZeroMatrix) {
  using T = TypeParam;
  for (const norma::Extents& extents : {norma::Extents{4, 6}, norma::Extents{1, 5}, norma::Extents{5, 1}, norma::Extents{3}}) {
    const auto size = static_cast<std::size_t>(extents.product());
    const std::vector<T> zero(size), dw = random_values<T>(size, 181);
    std::vector<T> w(size, T(7));
    SpectralNorm<T> layer(shaped(zero, extents));
    const std::vector<T> u = copy_of(layer.u()), v = copy_of(layer.v());
    norma::Saved<T> saved;
    layer.forward(shaped(w, extents), saved);
    EXPECT_EQ(w, zero);
    EXPECT_EQ(layer.sigma(), 0);
    EXPECT_TRUE(same(layer.u(), u) && same(layer.v(), v));
    layer.backward(shaped(dw, extents), saved);
    layer.backward_frozen(shaped(dw, extents));
    for (const T g : layer.weight_grad()) EXPECT_TRUE(std::isfinite(g));
    std::copy(dw.begin(), dw.end(), layer.weight().begin());
    layer.forward(shaped(w, extents), saved);
    EXPECT_GT(layer.sigma(), 0);
  }
}

// Large and small weights are ordinary weights: w does not depend on a power of two.
TYPED_TEST(SpectralNormOf, WeightsOfAnySize) {
  using T = TypeParam;
  const bool f32 = sizeof(T) == 4;
  const std::vector<T> weight = random_values<T>(12 * 17, 191);
  const SpectralNorm<T> plain(shaped(weight, {12, 17}));
  for (const int exponent : {f32 ? 100 : 660, f32 ? -100 : -660, -45}) {
    std::vector<T> scaled = weight;
    for (T& e : scaled) e = std::ldexp(e, exponent);
    const SpectralNorm<T> layer(shaped(scaled, {12, 17}));
    EXPECT_EQ(layer.sigma(), std::ldexp(plain.sigma(), exponent));
    EXPECT_TRUE(same(layer.bake(), plain.bake())) << "2^" << exponent;
  }
}

// A NaN shows in w, but u and v recover once the weight has.
TYPED_TEST(SpectralNormOf, NaNDoesNotStay) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(5 * 6, 195);
  std::vector<T> w(weight.size());
  SpectralNorm<T> layer(shaped(weight, {5, 6}));
  layer.weight()[7] = std::numeric_limits<T>::quiet_NaN();
  norma::Saved<T> saved;
  layer.forward(shaped(w, {5, 6}), saved);
  for (const T e : w) EXPECT_TRUE(std::isnan(e));
  layer.weight()[7] = weight[7];
  layer.forward(shaped(w, {5, 6}), saved);
  for (const T e : w) EXPECT_FALSE(std::isnan(e));
}

// sigma() follows the weight while u and v stay.
TYPED_TEST(SpectralNormOf, SigmaIsOfTodaysWeight) {
  using T = TypeParam;
  SpectralNorm<T> layer(shaped(random_values<T>(6 * 8, 201), {6, 8}));
  const double before = layer.sigma();
  const std::vector<T> u = copy_of(layer.u()), baked = layer.bake();
  for (T& e : layer.weight()) e *= T(4);
  EXPECT_EQ(layer.sigma(), 4 * before);
  EXPECT_TRUE(same(layer.bake(), baked));
  EXPECT_TRUE(same(layer.u(), u));
}

TYPED_TEST(SpectralNormOf, StateHasPyTorchsNames) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(2 * 3, 231);
  SpectralNorm<T> layer(shaped(weight, {2, 3})), legacy(shaped(weight, {2, 3}), {.legacy_names = true});
  EXPECT_EQ(names_of(layer),
            (Names{{"parametrizations.weight.original", 6}, {"parametrizations.weight.0._u", 2}, {"parametrizations.weight.0._v", 3}}));
  EXPECT_EQ(names_of(legacy), (Names{{"weight_orig", 6}, {"weight_u", 2}, {"weight_v", 3}}));
}

TYPED_TEST(SpectralNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  Door<T> door("SpectralNorm");
  using Layer = SpectralNorm<T>;
  door.refuses({"rank 0"}, [&] { Layer layer(door.in({})); });
  door.refuses({"axis", "2"}, [&] { Layer layer(door.in({2, 3}), {.dim = 2}); });
  door.refuses({"axis", "-3"}, [&] { Layer layer(door.in({2, 3}), {.dim = -3}); });
  door.refuses({"n_power_iterations", "0"}, [&] { Layer layer(door.in({2, 3}), {.n_power_iterations = 0}); });
  const std::vector<T> weight = random_values<T>(6, 241);
  Layer layer(shaped(weight, {2, 3})), other(shaped(weight, {3, 2})), across(shaped(weight, {2, 3}), {.dim = 1});
  norma::WeightNorm<T> weight_norm(shaped(weight, {2, 3}));
  std::vector<T> w(6);
  norma::Saved<T> saved, of_other, of_across, of_weight_norm, never;
  other.forward(shaped(w, {3, 2}), of_other);
  across.forward(shaped(w, {2, 3}), of_across);
  weight_norm.forward(shaped(w, {2, 3}), of_weight_norm);
  layer.forward(shaped(w, {2, 3}), saved);
  const Values before = state_of(layer);
  door.refuses({"w", "(3, 2)", "(2, 3)"}, [&] { layer(door.out({3, 2})); });
  door.refuses({"w", "(6)"}, [&] { layer.forward(door.out({6}), saved); });
  door.refuses({"w", "null"}, [&] { layer.forward(norma::TensorView<T>(nullptr, {2, 3}), saved); });
  door.refuses({"dw", "(3, 2)"}, [&] { layer.backward(door.in({3, 2}), saved); });
  door.refuses({"dw", "(3, 2)"}, [&] { layer.backward_frozen(door.in({3, 2})); });
  door.refuses({"never filled"}, [&] { layer.backward(door.in({2, 3}), never); });
  door.refuses({"(3, 2)"}, [&] { layer.backward(door.in({2, 3}), of_other); });
  door.refuses({"axes"}, [&] { layer.backward(door.in({2, 3}), of_across); });
  door.refuses({"WeightNorm"}, [&] { layer.backward(door.in({2, 3}), of_weight_norm); });
  EXPECT_EQ(state_of(layer), before) << "u may not move, and no gradient";
  layer.backward(door.in({2, 3}), saved);  // still good
  EXPECT_NE(layer.weight_grad()[0], T(0));
}

}  // namespace
}  // namespace norma_test
