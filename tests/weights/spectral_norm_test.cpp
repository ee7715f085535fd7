// SpectralNorm step by step against the published algorithm in long double, against Eigen's SVD and finite differences; its state, its
// errors.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <Eigen/QR>
#include <Eigen/SVD>

#include <norma/norma.hpp>

#include "support/compare.hpp"
#include "support/counting_new.hpp"
#include "support/executors.hpp"
#include "support/finite_differences.hpp"
#include "support/weights.hpp"

namespace norma_test {
namespace {

using Vector = std::vector<real>;

template <class T>
Vector exact_values(std::span<const T> values) {
  return {values.begin(), values.end()};
}

real length_of(const Vector& x) {
  real squares = 0;
  for (const real e : x) squares += e * e;
  return std::sqrt(squares);
}

/// A product of the matrix with a vector, and how far rounding in T may move each element: a sum of n terms, each rounded once or twice,
/// whose roundings walk randomly.
struct Product {
  Vector value, bound;
};

template <class T>
Product product(const Vector& matrix, const Vector& x, bool transposed, std::size_t result_size) {
  Product p;
  const std::size_t n = x.size();
  const real eps = std::numeric_limits<T>::epsilon(), growth = 3 + std::sqrt(static_cast<real>(n));
  for (std::size_t r = 0; r < result_size; ++r) {
    real sum = 0, size = 0;
    for (std::size_t c = 0; c < n; ++c) {
      const real term = (transposed ? matrix[c * result_size + r] : matrix[r * n + c]) * x[c];
      sum += term;
      size += std::abs(term);
    }
    p.value.push_back(sum);
    p.bound.push_back(eps * growth * size);
  }
  return p;
}

/// x / ||x||, its bound likewise.
template <class T>
Product normalized(const Product& x) {
  const real length = length_of(x.value), eps = std::numeric_limits<T>::epsilon(), off = length_of(x.bound) / length;
  Product p;
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    p.value.push_back(x.value[i] / length);
    p.bound.push_back(x.bound[i] / length + std::abs(p.value[i]) * (off + 2 * eps));
  }
  return p;
}

template <class T>
std::vector<T> random_weight(const WeightShape& shape, std::uint64_t seed) {
  return random_values<T>(count(shape.extents), seed);
}

template <class T>
norma::SpectralNorm<T> layer_of(const WeightShape& shape, const std::vector<T>& weight, const Where& where, int iterations = 1) {
  Tensor<T> w0(shape.extents, where, weight);
  return norma::SpectralNorm<T>(w0.view(), {.dim = *shape.dim, .n_power_iterations = iterations, .seed = 5});
}

class SpectralNorms : public testing::TestWithParam<WeightCase> {
 protected:
  template <class F>
  void typed(F f) const {
    if (GetParam().f64) {
      f(double());
    } else {
      f(float());
    }
  }
  Where where() const {
    Where w;
    w.layout = GetParam().layout;
    return w;
  }
  const WeightShape& shape() const { return GetParam().shape; }
  /// In the order of the matrix.
  template <class T>
  std::vector<T> as_matrix_of(std::span<const T> values) const {
    const Vector matrix = as_matrix(shape(), values_of(values));
    return {matrix.begin(), matrix.end()};
  }
  std::size_t rows() const { return static_cast<std::size_t>(shape().extents[shape().axis()]); }
  std::size_t columns() const { return count(shape().extents) / rows(); }
};

// One training forward, from the u that stands there: v = normalize(W^T u), u = normalize(W v), sigma = u^T W v, w = W / sigma.
TEST_P(SpectralNorms, TakeThePublishedSteps) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> weight = random_weight<T>(shape(), 101);
    auto layer = layer_of(shape(), weight, where());
    EXPECT_TRUE(same(values_of(layer.weight()), weight)) << "W is w0 bit for bit";
    ASSERT_EQ(layer.u().size(), rows());
    ASSERT_EQ(layer.v().size(), columns());
    const Vector matrix = as_matrix(shape(), weight);
    Tensor<T> w(shape().extents, where());
    norma::Saved<T> saved;
    // A start of our own: where the iteration has arrived, a wrong step would not show.
    const std::vector<T> start = random_values<T>(rows(), 102);
    const real start_length = length_of({start.begin(), start.end()});
    for (std::size_t i = 0; i < rows(); ++i) layer.u()[i] = static_cast<T>(start[i] / start_length);
    const real eps = std::numeric_limits<T>::epsilon();
    for (int step = 0; step < 3; ++step) {
      const Vector u = exact_values<T>(layer.u());
      layer.forward(w.view(), saved);
      const Product v_exact = normalized<T>(product<T>(matrix, u, true, columns()));
      EXPECT_TRUE(within(values_of(layer.v()), v_exact.value, v_exact.bound)) << "v of step " << step;
      const Vector v = exact_values<T>(layer.v());
      const Product wv = product<T>(matrix, v, false, rows());
      const Product u_exact = normalized<T>(wv);
      EXPECT_TRUE(within(values_of(layer.u()), u_exact.value, u_exact.bound)) << "u of step " << step;
      real sigma = 0, allowed = 0;
      for (std::size_t i = 0; i < rows(); ++i) {
        sigma += static_cast<real>(layer.u()[i]) * wv.value[i];
        allowed += std::abs(static_cast<real>(layer.u()[i])) * wv.bound[i];
      }
      EXPECT_LE(std::abs(layer.sigma() - sigma), allowed + 2 * eps * std::abs(sigma));
      const std::vector<T> now = w.values();
      for (std::size_t i = 0; i < now.size(); ++i) {
        const real wanted = weight[i] / static_cast<real>(layer.sigma());
        ASSERT_LE(std::abs(now[i] - wanted), 2 * eps * std::abs(wanted)) << i;
      }
    }
    EXPECT_TRUE(w.surroundings_untouched());
    Tensor<T> inferred(shape().extents, where());
    layer(inferred.view());
    EXPECT_TRUE(same(inferred.values(), w.values())) << "inference right behind a forward";
    EXPECT_TRUE(same(layer.bake(), w.values())) << "bake";
  });
}

// dW = (dw - <dw, w> u v^T) / sigma, added.
TEST_P(SpectralNorms, BackwardIsTheFormula) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> weight = random_weight<T>(shape(), 111), gradient = random_values<T>(weight.size(), 112);
    auto layer = layer_of(shape(), weight, where());
    Tensor<T> w(shape().extents, where()), dw(shape().extents, where(), gradient);
    norma::Saved<T> saved;
    layer.forward(w.view(), saved);
    const real sigma = layer.sigma(), eps = std::numeric_limits<T>::epsilon();
    const Vector matrix = as_matrix(shape(), weight), dm = as_matrix(shape(), gradient);
    real slope = 0, slope_size = 0;
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      slope += matrix[i] * dm[i] / sigma;
      slope_size += std::abs(matrix[i] * dm[i] / sigma);
    }
    Vector exact, bound;
    for (std::size_t r = 0; r < rows(); ++r) {
      for (std::size_t c = 0; c < columns(); ++c) {
        const real uv = static_cast<real>(layer.u()[r]) * layer.v()[c], d = dm[r * columns() + c];
        exact.push_back((d - slope * uv) / sigma);
        bound.push_back(eps * (4 * (std::abs(d) + std::abs(slope * uv)) + 2 * slope_size * std::abs(uv)) / sigma);
      }
    }
    layer.backward(dw.view(), saved);
    EXPECT_TRUE(within(as_matrix_of<T>(layer.weight_grad()), exact, bound));
    const std::vector<T> once = values_of(layer.weight_grad());
    layer.backward_frozen(dw.view());
    for (std::size_t i = 0; i < exact.size(); ++i) {
      exact[i] *= 2;
      bound[i] *= 3;
    }
    EXPECT_TRUE(within(as_matrix_of<T>(layer.weight_grad()), exact, bound)) << "backward_frozen, added";
    layer.zero_grad();
    layer.backward_frozen(dw.view());
    EXPECT_TRUE(same(values_of(layer.weight_grad()), once)) << "the same u, v and sigma";
    EXPECT_TRUE(same(dw.values(), gradient));
    EXPECT_TRUE(same(values_of(layer.weight()), weight));
  });
}

// Layout, executor and alignment decide no bit.
TEST_P(SpectralNorms, SameBitsWhereverAndWithWhom) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> weight = random_weight<T>(shape(), 121), gradient = random_values<T>(weight.size(), 122);
    const auto step = [&](const Where& place, const Pool* pool) {
      auto layer = layer_of(shape(), weight, place, 2);
      Tensor<T> w(shape().extents, place), dw(shape().extents, place, gradient);
      norma::Saved<T> saved;
      if (pool == nullptr) {
        layer.forward(w.view(), saved);
        layer.backward(dw.view(), saved);
        layer.backward_frozen(dw.view());
      } else {
        layer.forward(*pool, w.view(), saved);
        layer.backward(*pool, dw.view(), saved);
        layer.backward_frozen(*pool, dw.view());
      }
      return std::array<std::vector<T>, 4>{w.values(), values_of(layer.weight_grad()), values_of(layer.u()), values_of(layer.v())};
    };
    const auto expected = step({}, nullptr);
    const ShuffledPool shuffled(7);
    const ThreadPool threads(2);
    for (const Pool* pool : {static_cast<const Pool*>(nullptr), static_cast<const Pool*>(&shuffled), static_cast<const Pool*>(&threads)}) {
      Where place = where();
      place.misalignment = pool == nullptr ? 3 : 0;
      const auto results = step(place, pool);
      for (std::size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(same(results[i], expected[i])) << i;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, SpectralNorms, testing::ValuesIn(weight_cases(false)), CaseName());

class SpectralNormIdentities : public SpectralNorms {};

TEST_P(SpectralNormIdentities, UAndVAreUnitVectors) {
  typed([&](auto zero) {
    using T = decltype(zero);
    auto layer = layer_of(shape(), random_weight<T>(shape(), 131), where());
    const real eps = std::numeric_limits<T>::epsilon();
    EXPECT_NEAR(static_cast<double>(length_of(exact_values<T>(layer.u()))), 1, static_cast<double>(2 * eps));
    EXPECT_NEAR(static_cast<double>(length_of(exact_values<T>(layer.v()))), 1, static_cast<double>(2 * eps));
  });
}
INSTANTIATE_TEST_SUITE_P(All, SpectralNormIdentities, testing::ValuesIn(contiguous_weight_cases(false)), CaseName());

class SpectralNormGradients : public testing::TestWithParam<WeightShape> {};

// The gradient of W / (u^T W v) with u and v constant; that function is what sn(w) computes.
TEST_P(SpectralNormGradients, AgreeWithFiniteDifferences) {
  const WeightShape& shape = GetParam();
  if (count(shape.extents) > 200) return;
  std::vector<double> weight = random_weight<double>(shape, 141), gradient = random_values<double>(weight.size(), 142), w(weight.size());
  auto layer = layer_of(shape, weight, {});
  norma::Saved<double> saved;
  const norma::Extents extents(shape.extents);
  layer.forward(norma::TensorView<double>(w.data(), extents), saved);
  const double sigma = layer.sigma();
  layer.backward(norma::TensorView<const double>(gradient.data(), extents), saved);
  const std::vector<double> exact = finite_differences(weight, [&] {
    std::copy(weight.begin(), weight.end(), layer.weight().begin());
    const std::vector<double> now = layer.bake();
    double sum = 0;
    for (std::size_t i = 0; i < now.size(); ++i) sum += now[i] * gradient[i];
    return sum;
  });
  double size = 0;
  for (std::size_t i = 0; i < w.size(); ++i) size += std::abs(w[i] * gradient[i]);
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(layer.weight_grad()[i], exact[i], difference_error(1 + size, 1 / sigma)) << i;
}
INSTANTIATE_TEST_SUITE_P(All, SpectralNormGradients, testing::ValuesIn(weight_shapes(false)), CaseName());

/// A random matrix; with `gap`, its second singular value is 0.7 of the first.
struct SvdCase {
  int seed;
  bool gap, f64;
};
std::string name_of(const SvdCase& c) {
  return std::string(c.gap ? "gap_" : "plain_").append(std::to_string(c.seed)).append(c.f64 ? "_f64" : "_f32");
}

std::vector<SvdCase> svd_cases() {
  std::vector<SvdCase> cases;
  for (int seed = 0; seed < 50; ++seed) {
    for (const bool gap : {false, true}) {
      for (const bool f64 : {false, true}) cases.push_back({seed, gap, f64});
    }
  }
  return cases;
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

class AgainstSvd : public testing::TestWithParam<SvdCase> {
 protected:
  /// A shape of its own for each seed: from 1 x n and n x 1 to a few hundred columns.
  Eigen::MatrixXd matrix() const {
    const auto seed = static_cast<std::uint64_t>(GetParam().seed);
    Random random(seed * 2 + 1000);
    const auto extent = [&](int part) {
      return static_cast<Eigen::Index>(GetParam().seed % 10 == part ? 1 : 2 + random.below(part == 3 ? 40 : 90));
    };
    const Eigen::Index rows = extent(3), columns = extent(6), rank = std::min(rows, columns);
    if (!GetParam().gap) return random_matrix(rows, columns, seed) * std::pow(10.0, GetParam().seed % 5 - 2);
    Eigen::VectorXd values(rank);
    for (Eigen::Index i = 0; i < rank; ++i) values[i] = i == 0 ? 1 : 0.7 * (1 - random.uniform() * static_cast<double>(i > 1));
    return orthonormal(rows, rank, seed + 1) * values.asDiagonal() * orthonormal(columns, rank, seed + 2).transpose();
  }
};

TEST_P(AgainstSvd, TheNormIsOneFromAboveAndShrinksTowardsOne) {
  const auto check = [&](auto zero) {
    using T = decltype(zero);
    const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> weight = matrix().cast<T>();
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> w(weight.rows(), weight.cols());
    norma::SpectralNorm<T> layer(weight, {.seed = static_cast<std::uint64_t>(GetParam().seed)});
    const auto norm = [&] { return Eigen::BDCSVD<Eigen::MatrixXd>(w.template cast<double>()).singularValues()[0]; };
    layer(w);
    const double at_first = norm();
    // Rounding of w and of sigma: that of a sum of as many terms as a product of W has.
    const double rounding =
        static_cast<double>(std::numeric_limits<T>::epsilon()) * (3 + std::sqrt(static_cast<double>(weight.rows() + weight.cols())));
    EXPECT_LE(rounding, 1e-5);
    EXPECT_GE(at_first, 1 - std::min(1e-6, rounding));
    if (GetParam().gap) {
      EXPECT_LE(at_first, 1.05);
    }
    double before = at_first;
    norma::Saved<T> saved;
    for (int i = 0; i < 20; ++i) {
      layer.forward(w, saved);
      const double now = norm();
      EXPECT_GE(now, 1 - std::min(1e-6, rounding)) << "forward " << i;
      EXPECT_LE(now, before + rounding) << "forward " << i;
      before = now;
    }
    if (GetParam().gap) {
      EXPECT_LE(before, 1.001);
    }
  };
  if (GetParam().f64) {
    check(double());
  } else {
    check(float());
  }
}
INSTANTIATE_TEST_SUITE_P(All, AgainstSvd, testing::ValuesIn(svd_cases()), CaseName());

template <class T>
class SpectralNormOf : public testing::Test {
 public:
  static norma::TensorView<const T> view(const std::vector<T>& values, const norma::Extents& extents) { return {values.data(), extents}; }
  static norma::TensorView<T> view(std::vector<T>& values, const norma::Extents& extents) { return {values.data(), extents}; }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SpectralNormOf, Types);

// Two forwards, then their two backwards in any order: each has the u, v and sigma of its own forward, whatever ran since.
TYPED_TEST(SpectralNormOf, BackwardBelongsToItsForward) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(9 * 14, 151), first_dw = random_values<T>(9 * 14, 152),
                       second_dw = random_values<T>(9 * 14, 153);
  const norma::Extents extents{9, 14};
  std::vector<T> w(weight.size());
  const auto fresh = [&] {
    norma::SpectralNorm<T> layer(this->view(weight, extents), {.seed = 3});
    Random random(7);
    for (T& e : layer.u()) e = static_cast<T>(random.normal() / 3);  // far from arrived: u and v move
    return layer;
  };
  auto separate = fresh();
  norma::Saved<T> one;
  separate.forward(this->view(w, extents), one);
  separate.backward(this->view(first_dw, extents), one);
  const std::vector<T> of_first = values_of(separate.weight_grad());
  separate.zero_grad();
  separate.forward(this->view(w, extents), one);
  separate.backward(this->view(second_dw, extents), one);
  const std::vector<T> of_second = values_of(separate.weight_grad());

  auto layer = fresh();
  norma::Saved<T> first, second;
  layer.forward(this->view(w, extents), first);
  layer.forward(this->view(w, extents), second);
  layer(this->view(w, extents));
  layer.backward(this->view(first_dw, extents), first);
  EXPECT_TRUE(same(values_of(layer.weight_grad()), of_first));
  layer.zero_grad();
  layer.backward(this->view(second_dw, extents), second);
  EXPECT_TRUE(same(values_of(layer.weight_grad()), of_second));
  EXPECT_FALSE(same(of_first, of_second));
  layer.zero_grad();
  layer.backward(this->view(second_dw, extents), first);
  EXPECT_FALSE(same(values_of(layer.weight_grad()), of_second)) << "u and v of the two forwards are the same: nothing was tested";
}

// n_power_iterations = 3 is three forwards of one.
TYPED_TEST(SpectralNormOf, IterationsPerForward) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(7 * 11, 161);
  std::vector<T> w(weight.size()), w3(weight.size());
  norma::SpectralNorm<T> one(this->view(weight, {7, 11})), three(this->view(weight, {7, 11}), {.n_power_iterations = 3});
  EXPECT_TRUE(same(values_of(one.u()), values_of(three.u()))) << "15 iterations at construction, whatever n_power_iterations";
  for (T& e : one.u()) e = T(1) / std::sqrt(T(7));
  std::copy(one.u().begin(), one.u().end(), three.u().begin());
  norma::Saved<T> saved;
  three.forward(this->view(w3, {7, 11}), saved);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(same(w, w3)) << i;
    one.forward(this->view(w, {7, 11}), saved);
  }
  EXPECT_TRUE(same(w, w3));
  EXPECT_TRUE(same(values_of(one.u()), values_of(three.u())));
}

TYPED_TEST(SpectralNormOf, EqualSeedsGiveEqualBits) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(20 * 30, 171), zero(20 * 30);
  const auto u_of = [&](const std::vector<T>& w, std::uint64_t seed) {
    const norma::SpectralNorm<T> layer(this->view(w, {20, 30}), {.seed = seed});
    return values_of(layer.u());
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
    norma::SpectralNorm<T> layer(this->view(zero, extents));
    const std::vector<T> u = values_of(layer.u()), v = values_of(layer.v());
    norma::Saved<T> saved;
    layer.forward(this->view(w, extents), saved);
    EXPECT_EQ(w, zero);
    EXPECT_EQ(layer.sigma(), 0);
    EXPECT_TRUE(same(values_of(layer.u()), u) && same(values_of(layer.v()), v));
    layer.backward(this->view(dw, extents), saved);
    layer.backward_frozen(this->view(dw, extents));
    for (const T g : layer.weight_grad()) EXPECT_TRUE(std::isfinite(g));
    EXPECT_NEAR(static_cast<double>(length_of(exact_values<T>(layer.u()))), 1, 2 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    std::copy(dw.begin(), dw.end(), layer.weight().begin());
    layer.forward(this->view(w, extents), saved);
    EXPECT_GT(layer.sigma(), 0);
  }
}

// Large and small weights are ordinary weights: w does not depend on a power of two.
TYPED_TEST(SpectralNormOf, WeightsOfAnySize) {
  using T = TypeParam;
  const bool f32 = sizeof(T) == 4;
  const std::vector<T> weight = random_values<T>(12 * 17, 191);
  const norma::SpectralNorm<T> plain(this->view(weight, {12, 17}));
  const std::vector<T> expected = plain.bake();
  for (const int exponent : {f32 ? 100 : 660, f32 ? -100 : -660, -45}) {
    std::vector<T> scaled = weight;
    for (T& e : scaled) e = std::ldexp(e, exponent);
    const norma::SpectralNorm<T> layer(this->view(scaled, {12, 17}));
    const std::vector<T> w = layer.bake();
    EXPECT_EQ(layer.sigma(), std::ldexp(plain.sigma(), exponent));
    EXPECT_TRUE(same(w, expected)) << "2^" << exponent;
  }
}

// A NaN shows in w, but u and v recover once the weight has.
TYPED_TEST(SpectralNormOf, NaNDoesNotStay) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(5 * 6, 195);
  std::vector<T> w(weight.size());
  norma::SpectralNorm<T> layer(this->view(weight, {5, 6}));
  layer.weight()[7] = std::numeric_limits<T>::quiet_NaN();
  norma::Saved<T> saved;
  layer.forward(this->view(w, {5, 6}), saved);
  for (const T e : w) EXPECT_TRUE(std::isnan(e));
  layer.weight()[7] = weight[7];
  layer.forward(this->view(w, {5, 6}), saved);
  for (const T e : w) EXPECT_FALSE(std::isnan(e));
}

// sigma() follows the weight while u and v stay.
TYPED_TEST(SpectralNormOf, SigmaIsOfTodaysWeight) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(6 * 8, 201);
  std::vector<T> w(weight.size());
  norma::SpectralNorm<T> layer(this->view(weight, {6, 8}));
  const double before = layer.sigma();
  const std::vector<T> u = values_of(layer.u()), baked = layer.bake();
  for (T& e : layer.weight()) e *= T(4);
  EXPECT_EQ(layer.sigma(), 4 * before);
  layer(this->view(w, {6, 8}));
  EXPECT_TRUE(same(w, baked));
  EXPECT_TRUE(same(values_of(layer.u()), u));
}

// More rows than are multiplied at once.
TYPED_TEST(SpectralNormOf, ManyRows) {
  using T = TypeParam;
  for (const norma::Extents& extents : {norma::Extents{2500, 3}, norma::Extents{3, 2500}, norma::Extents{2, 2100, 2}}) {
    const std::vector<T> weight = random_values<T>(static_cast<std::size_t>(extents.product()), 211);
    const norma::index_t dim = extents.size() == 3 ? 1 : 0;
    const norma::SpectralNorm<T> layer(this->view(weight, extents), {.dim = dim});
    const WeightShape shape{Extents(extents.begin(), extents.end()), dim};
    const Vector matrix = as_matrix(shape, weight);
    const Product wv = product<T>(matrix, exact_values<T>(layer.v()), false, layer.u().size());
    real sigma = 0, allowed = 0;
    for (std::size_t i = 0; i < layer.u().size(); ++i) {
      sigma += layer.u()[i] * wv.value[i];
      allowed += std::abs(layer.u()[i]) * wv.bound[i];
    }
    EXPECT_LE(std::abs(layer.sigma() - sigma), allowed);
    EXPECT_NEAR(static_cast<double>(length_of(wv.value)), layer.sigma(), 1e-2 * layer.sigma());
  }
}

TYPED_TEST(SpectralNormOf, AllocatesNothingInInferenceNorFromTheSecondForwardOn) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(300 * 40, 221);
  std::vector<T> w(weight.size());
  for (const norma::Extents& extents : {norma::Extents{300, 40}, norma::Extents{10, 30, 40}}) {
    for (int dim = 0; dim < extents.size(); ++dim) {
      norma::SpectralNorm<T> layer(this->view(weight, extents), {.dim = dim});
      const norma::TensorView<T> out = this->view(w, extents);
      norma::Saved<T> saved;
      layer.forward(out, saved);
      layer.backward(out, saved);
      const long before = allocations_so_far();
      layer(out);
      layer.forward(out, saved);
      layer.backward(out, saved);
      EXPECT_EQ(allocations_so_far(), before) << "dim " << dim;
    }
  }
}

TYPED_TEST(SpectralNormOf, StateHasPyTorchsNames) {
  using T = TypeParam;
  const std::vector<T> weight = random_values<T>(2 * 3, 231);
  for (const bool legacy : {false, true}) {
    norma::SpectralNorm<T> layer(this->view(weight, {2, 3}), {.legacy_names = legacy});
    std::map<std::string, std::size_t> parameters, buffers;
    layer.for_each_parameter([&](std::string_view name, std::span<T> value, std::span<T> grad) {
      EXPECT_EQ(value.data(), layer.weight().data());
      EXPECT_EQ(grad.data(), layer.weight_grad().data());
      parameters[std::string(name)] = value.size();
    });
    layer.for_each_buffer([&](std::string_view name, std::span<T> value) { buffers[std::string(name)] = value.size(); });
    using Sizes = std::map<std::string, std::size_t>;
    const std::string start = legacy ? "weight_" : "parametrizations.weight.";
    EXPECT_EQ(parameters, (Sizes{{start + (legacy ? "orig" : "original"), 6}}));
    EXPECT_EQ(buffers, (Sizes{{start + (legacy ? "u" : "0._u"), 2}, {start + (legacy ? "v" : "0._v"), 3}}));
  }
}

void expect_error(const std::function<void()>& f, const std::vector<std::string>& words) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const norma::ShapeError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("SpectralNorm: ", 0), 0u) << message;
    for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

TYPED_TEST(SpectralNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  using Layer = norma::SpectralNorm<T>;
  const std::vector<T> weight = random_values<T>(6, 241);
  const auto in = [&](const norma::Extents& e) { return this->view(weight, e); };
  expect_error([&] { Layer layer(in({})); }, {"rank 0"});
  expect_error([&] { Layer layer(in({2, 3}), {.dim = 2}); }, {"axis", "2"});
  expect_error([&] { Layer layer(in({2, 3}), {.dim = -3}); }, {"axis", "-3"});
  expect_error([&] { Layer layer(in({2, 3}), {.n_power_iterations = 0}); }, {"n_power_iterations", "0"});
  Layer layer(in({2, 3})), other(in({3, 2})), across(in({2, 3}), {.dim = 1});
  std::vector<T> w(6, T(5));
  const auto out = [&](const norma::Extents& e) { return this->view(w, e); };
  norma::Saved<T> saved, of_other, of_across, never;
  other.forward(out({3, 2}), of_other);
  across.forward(out({2, 3}), of_across);
  layer.forward(out({2, 3}), saved);
  std::fill(w.begin(), w.end(), T(5));
  const std::vector<T> u = values_of(layer.u());
  expect_error([&] { layer(out({3, 2})); }, {"w", "(3, 2)", "(2, 3)"});
  expect_error([&] { layer.forward(out({6}), saved); }, {"w", "(6)"});
  expect_error([&] { layer.forward(norma::TensorView<T>(nullptr, {2, 3}), saved); }, {"w", "null"});
  expect_error([&] { layer.backward(in({3, 2}), saved); }, {"dw", "(3, 2)"});
  expect_error([&] { layer.backward_frozen(in({3, 2})); }, {"dw", "(3, 2)"});
  expect_error([&] { layer.backward(in({2, 3}), never); }, {"never filled"});
  expect_error([&] { layer.backward(in({2, 3}), of_other); }, {"(3, 2)"});
  expect_error([&] { layer.backward(in({2, 3}), of_across); }, {"axes"});
  norma::WeightNorm<T> weight_norm(in({2, 3}));
  norma::Saved<T> of_weight_norm;
  weight_norm.forward(out({2, 3}), of_weight_norm);
  std::fill(w.begin(), w.end(), T(5));
  expect_error([&] { layer.backward(in({2, 3}), of_weight_norm); }, {"WeightNorm"});
  EXPECT_EQ(w, std::vector<T>(6, T(5))) << "nothing may be written";
  EXPECT_TRUE(same(values_of(layer.u()), u)) << "u may not move";
  for (const T gradient : values_of(layer.weight_grad())) EXPECT_EQ(gradient, T(0));
  layer.backward(in({2, 3}), saved);  // still good
  EXPECT_NE(layer.weight_grad()[0], T(0));
}

TYPED_TEST(SpectralNormOf, EmptyWeights) {
  using T = TypeParam;
  for (const norma::Extents& extents : {norma::Extents{0, 3}, norma::Extents{3, 0}, norma::Extents{0}, norma::Extents{2, 0, 3}}) {
    const norma::TensorView<T> empty(nullptr, extents);
    norma::SpectralNorm<T> layer(empty);
    norma::Saved<T> saved;
    EXPECT_NO_THROW(layer(empty));
    EXPECT_NO_THROW(layer.forward(empty, saved));
    EXPECT_NO_THROW(layer.backward(empty, saved));
    EXPECT_NO_THROW(layer.backward_frozen(empty));
    EXPECT_EQ(layer.sigma(), 0);
  }
}

}  // namespace
}  // namespace norma_test
