// LayerNorm and RMSNorm: the errors at their doors, and a row beside a NaN.
#include <cmath>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::TensorView;

template <class L>
using ParameterType = typename decltype(std::declval<L&>().weight())::value_type;
template <class L>
constexpr const char* layer_name = std::is_same_v<L, norma::LayerNorm<ParameterType<L>>> ? "LayerNorm" : "RMSNorm";

template <class L>
class RowNormErrors : public testing::Test {};
using Layers = testing::Types<norma::LayerNorm<float>, norma::LayerNorm<double>, norma::RMSNorm<float>, norma::RMSNorm<double>>;
TYPED_TEST_SUITE(RowNormErrors, Layers);

TYPED_TEST(RowNormErrors, WrongNormalizedShape) {
  const Door<float> door(layer_name<TypeParam>);
  door.refuses({"normalized_shape"}, [] { TypeParam layer(norma::Extents{}); });
  door.refuses({"normalized_shape", "(3, -4)"}, [] { TypeParam layer({3, -4}); });
  EXPECT_NO_THROW(TypeParam({0}));
}

TYPED_TEST(RowNormErrors, WrongTensors) {
  Door<float> door(layer_name<TypeParam>);
  TypeParam layer({8});
  norma::Saved<ParameterType<TypeParam>> saved;
  const Values before = state_of(layer);
  const auto infer = [&](const norma::Extents& x, const norma::Extents& y) { layer(door.in(x), door.out(y)); };
  const auto backward = [&](const norma::Extents& dy, const norma::Extents& x, const norma::Extents& dx) {
    layer.backward(door.in(dy), door.in(x), saved, door.out(dx));
  };
  door.refuses({"x has extents (4, 7)", "normalized_shape is (8)"}, [&] { infer({4, 7}, {4, 7}); });
  door.refuses({"(3, 9)", "(8)"}, [&] { infer({3, 9}, {3, 9}); });
  door.refuses({"(8)"}, [&] { infer({}, {}); });
  door.refuses({"y", "(3, 8)", "(2, 8)"}, [&] { infer({3, 8}, {2, 8}); });
  door.refuses({"(8, 3)", "(8)"}, [&] { layer.forward(door.in({8, 3}), door.out({8, 3}), saved); });
  door.refuses({"never filled"}, [&] { backward({3, 8}, {3, 8}, {3, 8}); });
  Tensors<float> t({2, 8});
  layer.forward(t.x.view(), t.y.view(), saved);
  door.refuses({"(3, 8)", "(2, 8)"}, [&] { backward({3, 8}, {3, 8}, {3, 8}); });
  door.refuses({"dy", "(3, 8)", "(2, 8)"}, [&] { backward({3, 8}, {2, 8}, {2, 8}); });
  door.refuses({"dx", "(3, 8)", "(2, 8)"}, [&] { backward({2, 8}, {2, 8}, {3, 8}); });
  EXPECT_EQ(state_of(layer), before);
}

TYPED_TEST(RowNormErrors, ANullPointerWithElements) {
  Door<float> door(layer_name<TypeParam>);
  const TypeParam layer({8});
  door.refuses({"x"}, [&] { layer(TensorView<const float>(nullptr, {1, 8}), door.out({1, 8})); });
  door.refuses({"y"}, [&] { layer(door.in({1, 8}), TensorView<float>(nullptr, {1, 8})); });
}

TYPED_TEST(RowNormErrors, SavedOfAnotherNumberOfTrailingAxes) {
  TypeParam one({4}), two({3, 4});
  Tensors<ParameterType<TypeParam>> t({2, 3, 4});
  one.forward(t.x.view(), t.y.view(), t.saved);
  Door<float>(layer_name<TypeParam>).refuses({"axes"}, [&] { two.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
}

/// A row whose squares sink to 0 has the same bits beside a row with a NaN, which sends its tile another way.
TEST(RowBesideNaN, KeepsItsBits) {
  for (const norma::index_t length : {3, 64, 100, 300, 2000}) {
    const auto n = static_cast<std::size_t>(length);
    for (const float size : {1e-26f, 1e-20f, 1e-3f}) {
      std::vector<float> x = random_values<float>(2 * n, 33, 1);
      for (float& v : x) v *= size;
      std::vector<float> with_nan = x, y(2 * n), y_beside(2 * n);
      with_nan[n + 1] = std::nanf("");
      const norma::LayerNorm<float> layer({length});
      layer(shaped(x, {2, length}), shaped(y, {2, length}));
      layer(shaped(with_nan, {2, length}), shaped(y_beside, {2, length}));
      EXPECT_TRUE(std::isnan(y_beside[n]));
      y.resize(n);
      y_beside.resize(n);
      EXPECT_TRUE(same(y_beside, y)) << length << ", " << size;
    }
  }
}

}  // namespace
}  // namespace norma_test
