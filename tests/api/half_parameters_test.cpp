// 16-bit parameters and statistics of the free functions are read exactly, and a 16-bit type of a user's own is an element.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "subjects/engine.hpp"
#include "support/random.hpp"

namespace theirs {

struct brain_float {
  std::uint16_t bits;
};

}  // namespace theirs

template <>
struct norma::ElementOf<theirs::brain_float> {
  static constexpr norma::ElementType type = norma::ElementType::bf16;
};

namespace norma_test { namespace {

template <class H>
class HalfParameters : public testing::Test {
 public:
  static constexpr std::size_t channels = 6, size = 2 * channels * 35;

  template <class E>
  static norma::TensorView<E> tensor(std::vector<E>& v) {
    return {v.data(), {2, channels, 5, 7}};
  }
  static std::vector<H> numbers(std::uint64_t seed, float offset) {
    std::vector<H> result;
    for (const float v : random_values<float>(channels, seed)) result.push_back(H(offset + v / 8));
    return result;
  }

  std::vector<H> weight = numbers(1, 1), bias = numbers(2, 0), mean = numbers(3, 0), variance = numbers(4, 2);
  std::vector<float> x = random_values<float>(size, 5), dy = random_values<float>(size, 6);
};
using Halves = testing::Types<norma::bfloat16, norma::float16>;
TYPED_TEST_SUITE(HalfParameters, Halves);

/// y and dx of calls that are handed parameters of P with the numbers of these.
template <class P, class Fixture>
std::vector<float> results(Fixture& f) {
  const auto as = [](const auto& halves) { return std::vector<P>(halves.begin(), halves.end()); };
  const std::vector<P> weight = as(f.weight), bias = as(f.bias), mean = as(f.mean), variance = as(f.variance);
  std::vector<float> all, result(f.x.size()), weight_grad(weight.size());
  norma::Saved<float> saved;
  const auto x = f.tensor(f.x), dy = f.tensor(f.dy), y = f.tensor(result);
  const auto take = [&] { all.insert(all.end(), result.begin(), result.end()); };
  norma::layer_norm(x, y, {.axes = {1}, .weight = weight, .bias = bias}), take();
  norma::rms_norm(x, y, saved, {.axes = {1}, .weight = weight}), take();
  norma::rms_norm_backward(dy, x, saved, y, {.axes = {1}, .weight = weight, .weight_grad = weight_grad}), take();
  norma::group_norm(x, y, {.groups = 3, .weight = weight, .bias = bias}), take();
  norma::instance_norm(x, y, {.weight = weight, .bias = bias}), take();
  norma::batch_norm(x, y, {.mean = mean, .variance = variance, .weight = weight, .bias = bias}), take();
  norma::batch_norm(x, y, saved, {.weight = weight, .bias = bias}), take();
  norma::batch_norm_backward(dy, x, saved, y, {.weight = weight}), take();
  norma::batch_norm_backward_frozen(dy, x, y, {.mean = mean, .variance = variance, .weight = weight}), take();
  all.insert(all.end(), weight_grad.begin(), weight_grad.end());
  return all;
}

TYPED_TEST(HalfParameters, AreReadExactly) { EXPECT_EQ((results<TypeParam>(*this)), (results<float>(*this))); }

TYPED_TEST(HalfParameters, OfAWrongLength) {
  const std::vector<TypeParam> wrong(this->channels + 1, TypeParam(1.0F));
  const auto tensor = this->tensor(this->x);
  EXPECT_THROW(norma::layer_norm(tensor, tensor, {.axes = {1}, .weight = wrong}), norma::ShapeError);
  EXPECT_THROW(norma::batch_norm(tensor, tensor, {.mean = wrong, .variance = this->variance}), norma::ShapeError);
}

TEST(TheirElements, AreThoseOfTheSameBits) {
  std::vector<norma::bfloat16> ours(40 * 33), expected(ours.size());
  const std::vector<float> numbers = random_values<float>(ours.size(), 7);
  std::transform(numbers.begin(), numbers.end(), ours.begin(), [](float v) { return norma::bfloat16(v); });
  std::vector<theirs::brain_float> theirs(ours.size()), actual(ours.size());
  std::transform(ours.begin(), ours.end(), theirs.begin(), [](norma::bfloat16 v) { return theirs::brain_float{v.bits}; });
  const auto rows = [](auto& v) {
    return norma::TensorView<typename std::remove_reference_t<decltype(v)>::value_type>(v.data(), {40, 33});
  };
  for (const bool columns : {false, true}) {
    const norma::Extents axes{columns ? 0 : 1};
    norma::layer_norm(rows(ours), rows(expected), {.axes = axes});
    norma::layer_norm(rows(theirs), rows(actual), {.axes = axes});
    for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(actual[i].bits, expected[i].bits) << i;
  }
}

/// A start from data rounds a bias once, whoever's type it is.
TEST(TheirElements, TakeABias) {
  const std::vector<float> t = random_values<float>(7 * 3, 8), weight = random_values<float>(3 * 4, 9);
  const norma::TensorView<const float> batch(t.data(), {7, 3});
  const auto bias_of = [&]<class B>(B) {
    norma::WeightNorm<float> layer(norma::TensorView<const float>(weight.data(), {3, 4}));
    std::vector<B> bias(3);
    layer.initialize(batch, bias);
    return bias;
  };
  const std::vector<double> exact = bias_of(0.0);
  const std::vector<norma::bfloat16> ours = bias_of(norma::bfloat16());
  const std::vector<theirs::brain_float> theirs = bias_of(theirs::brain_float());
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(static_cast<float>(ours[c]), exact[c], std::abs(exact[c]) / 256);
    EXPECT_EQ(theirs[c].bits, ours[c].bits);
  }
}

}}  // namespace norma_test
