// LayerNorm and RMSNorm as layer objects: every mix of element and parameter types against the reference, and the errors at their doors.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/compare.hpp"

namespace norma_test {
namespace {

constexpr const char* name(const norma::LayerNorm<float>*) { return "LayerNorm"; }
constexpr const char* name(const norma::LayerNorm<double>*) { return "LayerNorm"; }
constexpr const char* name(const norma::RMSNorm<float>*) { return "RMSNorm"; }
constexpr const char* name(const norma::RMSNorm<double>*) { return "RMSNorm"; }

/// A layer type with the element types of x (dx too) and y (dy too).
template <class L, class XT, class YT>
struct Mix {
  using Layer = L;
  using T = typename decltype(std::declval<L&>().weight())::value_type;
  using X = XT;
  using Y = YT;
};

template <class M>
class LayerTypes : public testing::Test {};
using Mixes = testing::Types<
    Mix<norma::LayerNorm<float>, float, float>, Mix<norma::LayerNorm<float>, float, double>, Mix<norma::LayerNorm<float>, double, float>,
    Mix<norma::LayerNorm<float>, double, double>, Mix<norma::LayerNorm<double>, float, float>, Mix<norma::LayerNorm<double>, float, double>,
    Mix<norma::LayerNorm<double>, double, float>, Mix<norma::LayerNorm<double>, double, double>, Mix<norma::RMSNorm<float>, float, float>,
    Mix<norma::RMSNorm<float>, float, double>, Mix<norma::RMSNorm<float>, double, float>, Mix<norma::RMSNorm<float>, double, double>,
    Mix<norma::RMSNorm<double>, float, float>, Mix<norma::RMSNorm<double>, float, double>, Mix<norma::RMSNorm<double>, double, float>,
    Mix<norma::RMSNorm<double>, double, double>>;
TYPED_TEST_SUITE(LayerTypes, Mixes);

template <class M>
void check_against_reference(const Extents& extents, std::size_t trailing, const Where& where, bool unit_offset) {
  using T = typename M::T;
  using X = typename M::X;
  using Y = typename M::Y;
  Setting s;
  s.extents = extents;
  s.eps = 1e-3;
  s.unit_offset = unit_offset;
  s.axes.clear();
  for (std::size_t a = extents.size() - trailing; a < extents.size(); ++a) s.axes.push_back(static_cast<std::ptrdiff_t>(a));
  SCOPED_TRACE(describe(s) + ", " + norma_test::name_of(where.layout));
  const auto inputs = random_inputs<X, Y, T>(s, 101, 2);
  typename M::Layer layer(parameter_extents(Form::normalized, s), {.eps = s.eps, .bias = true, .unit_offset = unit_offset});
  std::copy(inputs.weight.begin(), inputs.weight.end(), layer.weight().begin());
  std::copy(inputs.bias.begin(), inputs.bias.end(), layer.bias().begin());
  Tensor<X> x(extents, where, inputs.x), dx(extents, where);
  Tensor<Y> dy(extents, where, inputs.dy), y(extents, where);
  norma::Saved<T> saved;
  layer(x.view(), y.view());
  const std::vector<Y> inferred = y.values();
  layer.forward(x.view(), y.view(), saved);
  layer.backward(dy.view(), x.view(), saved, dx.view());

  const bool is_rms = std::string(name(static_cast<typename M::Layer*>(nullptr))) == "RMSNorm";
  const reference::Problem p = problem(s, inputs);
  const reference::Answer exact = is_rms ? reference::rms_norm(p) : reference::layer_norm(p);
  const Bounds forward = bounds(p, exact, precision_of<norma::Wider<T, X>, Y>());
  const Bounds backward = bounds(p, exact, precision_from_saved<T, norma::Wider<T, X>, X>()),
               statistics = bounds(p, exact, precision_of<T>());
  EXPECT_TRUE(within(y.values(), exact.y, forward.y)) << "y";
  EXPECT_TRUE(same(y.values(), inferred)) << "inference and training differ";
  EXPECT_TRUE(within(dx.values(), exact.dx, backward.dx)) << "dx";
  EXPECT_TRUE(within(std::vector<T>(layer.weight_grad().begin(), layer.weight_grad().end()), exact.dweight, statistics.dweight))
      << "dweight";
  EXPECT_TRUE(within(std::vector<T>(layer.bias_grad().begin(), layer.bias_grad().end()), exact.dbias, statistics.dbias)) << "dbias";
  EXPECT_TRUE(within(std::vector<T>(saved.rstd().begin(), saved.rstd().end()), exact.rstd, statistics.rstd)) << "rstd";
  if (!is_rms) {
    EXPECT_TRUE(within(std::vector<T>(saved.mean().begin(), saved.mean().end()), exact.mean, statistics.mean)) << "mean";
  }
  EXPECT_TRUE(x.surroundings_untouched() && y.surroundings_untouched() && dx.surroundings_untouched());
}

TYPED_TEST(LayerTypes, AgreeWithTheReference) {
  for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::sliced, Layout::flipped_all}) {
    Where where;
    where.layout = layout;
    for (const bool unit_offset : {false, true}) {
      for (const std::ptrdiff_t length : {1, 2, 7, 16, 33, 100, 768, 1025})
        check_against_reference<TypeParam>({7, length}, 1, where, unit_offset);
      check_against_reference<TypeParam>({3, 4, 5, 6}, 2, where, unit_offset);
      check_against_reference<TypeParam>({3, 4, 5, 6}, 4, where, unit_offset);
      check_against_reference<TypeParam>({130}, 1, where, unit_offset);
    }
  }
}

template <class L>
class LayerErrors : public testing::Test {};
using Layers = testing::Types<norma::LayerNorm<float>, norma::LayerNorm<double>, norma::RMSNorm<float>, norma::RMSNorm<double>>;
TYPED_TEST_SUITE(LayerErrors, Layers);

/// The message of the ShapeError that f throws; it must name the layer and have the words.
template <class L, class F>
void expect_error(F f, const std::vector<std::string>& words) {
  std::string message;
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const norma::ShapeError& error) {
    message = error.what();
  }
  EXPECT_EQ(message.rfind(std::string(name(static_cast<L*>(nullptr))).append(": "), 0), 0u) << message;
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

TYPED_TEST(LayerErrors, WrongNormalizedShape) {
  expect_error<TypeParam>([] { TypeParam layer(norma::Extents{}); }, {"normalized_shape"});
  expect_error<TypeParam>([] { TypeParam layer({3, -4}); }, {"normalized_shape", "(3, -4)"});
  EXPECT_NO_THROW(TypeParam({0}));
}

TYPED_TEST(LayerErrors, WrongTensors) {
  TypeParam layer({8});
  const std::vector<float> x(28, 1), dy(28, 1);
  std::vector<float> y(28, 5), dx(28, 5);
  using T = typename decltype(layer.weight())::value_type;
  norma::Saved<T> saved;
  const auto in = [&](const norma::Extents& e) { return norma::TensorView<const float>(x.data(), e); };
  const auto out = [&](const norma::Extents& e) { return norma::TensorView<float>(y.data(), e); };
  expect_error<TypeParam>([&] { layer(in({4, 7}), out({4, 7})); }, {"x has extents (4, 7)", "normalized_shape is (8)"});
  expect_error<TypeParam>([&] { layer(in({3, 9}), out({3, 9})); }, {"(3, 9)", "(8)"});
  expect_error<TypeParam>([&] { layer(in({}), out({})); }, {"(8)"});
  expect_error<TypeParam>([&] { layer(in({3, 8}), out({2, 8})); }, {"y", "(3, 8)", "(2, 8)"});
  expect_error<TypeParam>([&] { layer.forward(in({8, 3}), out({8, 3}), saved); }, {"(8, 3)", "(8)"});
  expect_error<TypeParam>([&] { layer.backward(in({3, 8}), in({3, 8}), saved, out({3, 8})); }, {"never filled"});
  layer.forward(in({2, 8}), norma::TensorView<float>(dx.data(), {2, 8}), saved);
  expect_error<TypeParam>([&] { layer.backward(in({3, 8}), in({3, 8}), saved, out({3, 8})); }, {"(3, 8)", "(2, 8)"});
  expect_error<TypeParam>([&] { layer.backward(in({3, 8}), in({2, 8}), saved, out({2, 8})); }, {"dy", "(3, 8)", "(2, 8)"});
  expect_error<TypeParam>([&] { layer.backward(in({2, 8}), in({2, 8}), saved, out({3, 8})); }, {"dx", "(3, 8)", "(2, 8)"});
  EXPECT_EQ(y, std::vector<float>(28, 5)) << "nothing may be written";
  for (const T g : layer.weight_grad()) EXPECT_EQ(g, T(0));
}

TYPED_TEST(LayerErrors, ANullPointerWithElements) {
  TypeParam layer({8});
  std::vector<float> some(8, 1);
  const norma::TensorView<float> null(nullptr, {1, 8}), good(some.data(), {1, 8});
  expect_error<TypeParam>([&] { layer(null, good); }, {"x"});
  expect_error<TypeParam>([&] { layer(good, null); }, {"y"});
}

TYPED_TEST(LayerErrors, SavedOfAnotherNumberOfTrailingAxes) {
  TypeParam one({4}), two({3, 4});
  using T = typename decltype(one.weight())::value_type;
  norma::Saved<T> saved;
  std::vector<float> x(24, 1), y(24);
  const norma::TensorView<float> v(x.data(), {2, 3, 4}), w(y.data(), {2, 3, 4});
  one.forward(v, w, saved);
  expect_error<TypeParam>([&] { two.backward(v, v, saved, w); }, {"axes"});
}

}  // namespace
}  // namespace norma_test
