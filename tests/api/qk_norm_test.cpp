// QKNorm: the layers it is made of, and the start of its scale.
#include <cmath>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::QKForm;
using norma::QKNorm;

/// rms and layer forms are RMSNorm and LayerNorm over heads, l2 is RMSNorm(eps / d) / sqrt(d).
TEST(QKNorm, IsTheLayersOverHeads) {
  Tensors<float> t({3, 4, 2, 64}), q({3, 4, 2, 64}), k({3, 4, 2, 64});
  const auto expect = [&](const QKNorm<float>& norm, const auto& layer, float factor) {
    norm(t.x.view(), t.x.view(), q.y.view(), k.y.view());
    layer(t.x.view(), t.y.view());
    std::vector<float> expected = t.y.values();
    for (float& e : expected) e *= factor;
    EXPECT_TRUE(same(q.y.values(), expected) && same(k.y.values(), expected));
  };
  expect(QKNorm<float>(64, {.eps = 1e-3}), norma::RMSNorm<float>(64, {.eps = 1e-3}), 1);
  expect(QKNorm<float>(64, {.form = QKForm::layer, .eps = 1e-3}), norma::LayerNorm<float>(64, {.eps = 1e-3}), 1);
  // All factors are powers of two: eps / d = 2^-6.
  expect(QKNorm<float>(64, {.form = QKForm::l2, .eps = 1.0, .affine = false}), norma::RMSNorm<float>(64, {.eps = 0x1p-6}), 0.125f);
}

TEST(QKNorm, ScaleStartsAsInThePaper) {
  const auto check = [](auto zero, norma::index_t length) {
    using T = decltype(zero);
    QKNorm<T> layer(16, {.form = QKForm::l2, .sequence_length = length});
    const real l = static_cast<real>(length), exact = std::log2(l * l - l);
    ASSERT_EQ(layer.scale().size(), 1u);
    EXPECT_LE(std::abs(layer.scale()[0] - exact), exact * std::numeric_limits<T>::epsilon());
  };
  for (const norma::index_t length : {2, 40, 1024, 1 << 20}) {
    check(float(), length);
    check(double(), length);
  }
}

}  // namespace
}  // namespace norma_test
