// QKNorm: slices of a packed buffer, the layers it is made of, and the start of its scale.
#include <cmath>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::QKForm;
using norma::QKNorm;

/// Queries, keys and values as one product with a matrix makes them: (B, T, (heads + 2 kv_heads) D).
struct Packed {
  explicit Packed(const Setting& s)
      : heads(s.extents[2]),
        kv_heads(s.keys[2]),
        head_dim(s.extents[3]),
        buffer({s.extents[0], s.extents[1], (heads + 2 * kv_heads) * head_dim}, {}) {
    buffer.any().fill(77);
  }
  /// (B, T, so many heads, D), from a head on.
  AnyView part(norma::index_t first, norma::index_t many) {
    return buffer.view().slice(2, first * head_dim, many * head_dim).split_axis(2, many);
  }
  std::vector<AnyView> streams() { return {part(0, heads), part(heads, kv_heads)}; }
  void set(const std::vector<Values>& values) {
    for (std::size_t i = 0; i < 2; ++i) streams()[i].set(values[i]);
  }
  void expect_values_untouched() {
    for (const double v : part(heads + kv_heads, kv_heads).values()) ASSERT_EQ(v, 77) << "the values were touched";
  }

  norma::index_t heads, kv_heads, head_dim;
  Tensor<float> buffer;
};

// Slices of one buffer give the bits of contiguous tensors, and the values between them are never touched.
void check_packed(const Subject& norm, const Setting& s, bool in_place) {
  SCOPED_TRACE(norm.name + "_" + name_of(s) + (in_place ? "_in_place" : ""));
  const Data data = random_data(norm, all_f32, s, 321);
  const Rows expected = run(norm, all_f32, s, data);
  Packed x(s), y(s), dy(s), dx(s);
  x.set(data.x);
  dy.set(data.dy);
  Rig rig(norm, all_f32, s, data);
  Call& call = rig.call();
  call.x = x.streams();
  call.dy = dy.streams();
  call.y = in_place ? call.x : y.streams();
  call.dx = in_place ? call.dy : dx.streams();
  rig.train();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(same(call.y[i].values(), expected.at(row_name(norm, "y of training", i)))) << i;
  x.set(data.x);  // which the forward may have overwritten
  rig.backward();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(same(call.dx[i].values(), expected.at(row_name(norm, "dx", i)))) << i;
  for (const State& p : rig.norm().parameters()) EXPECT_TRUE(same(p.grad.values(), expected.at("d " + p.name))) << p.name;
  for (Packed* p : {&x, &y, &dy, &dx}) p->expect_values_untouched();
}

class PackedQKV : public testing::TestWithParam<const char*> {};

/// Of models' heads, as many keys as queries and grouped ones, one position and several.
TEST_P(PackedQKV, LikeContiguousTensors) {
  for (const std::ptrdiff_t head_dim : {64, 80, 96, 128, 256}) {
    for (const std::ptrdiff_t length : {1, 13}) {
      for (const std::ptrdiff_t kv_heads : {4, 2}) {
        Setting s = varied(shape({kv_heads / 2, length, kv_heads == 4 ? 4 : 6, head_dim}, {-1}), subject_named(GetParam()).variation(0));
        s.keys = {kv_heads / 2, length, kv_heads, head_dim};
        for (const bool in_place : {false, true}) check_packed(subject_named(GetParam()), s, in_place);
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, PackedQKV, testing::Values("QKNorm_rms", "QKNorm_layer", "QKNorm_l2"),
                         [](const auto& each) { return std::string(each.param); });

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
