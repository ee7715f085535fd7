// QKNorm: slices of a packed buffer, the layers it is made of, the start of its scale, rows of zeros, its state and its errors.
#include <cmath>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::QKForm;
using norma::QKNorm;
using norma::TensorView;

struct PackedCase {
  std::string norm;
  Setting setting;
  bool in_place;
};
std::string name_of(const PackedCase& c) { return c.norm + "_" + name_of(c.setting) + (c.in_place ? "_in_place" : ""); }
void PrintTo(const PackedCase& c, std::ostream* out) { *out << name_of(c); }

std::vector<PackedCase> packed_cases() {
  std::vector<PackedCase> cases;
  for (const char* norm : {"QKNorm_rms", "QKNorm_layer", "QKNorm_l2"}) {
    const auto add = [&](const Extents& q, const Extents& k) {
      Setting s = varied(shape(q, {-1}), subject(norm).variation(0));
      s.keys = k;
      for (const bool in_place : {false, true}) cases.push_back({norm, s, in_place});
    };
    for (const std::ptrdiff_t head_dim : {64, 80, 96, 128, 256}) {
      for (const std::ptrdiff_t length : {1, 13}) {
        add({2, length, 4, head_dim}, {2, length, 4, head_dim});
        add({1, length, 6, head_dim}, {1, length, 2, head_dim});
      }
    }
  }
  return cases;
}

/// Queries, keys and values as one product with a matrix makes them: (B, T, (heads + 2 kv_heads) D).
class Packed {
 public:
  explicit Packed(const Setting& s)
      : heads_(s.extents[2]),
        kv_heads_(s.keys[2]),
        head_dim_(s.extents[3]),
        buffer_({s.extents[0], s.extents[1], (heads_ + 2 * kv_heads_) * head_dim_}, {}) {
    buffer_.any().fill(77);
  }
  std::vector<AnyView> streams() { return {part(0, heads_), part(heads_, kv_heads_)}; }
  void set(const std::vector<Values>& values) {
    for (std::size_t i = 0; i < 2; ++i) streams()[i].set(values[i]);
  }
  void expect_values_untouched() {
    for (const double v : part(heads_ + kv_heads_, kv_heads_).values()) ASSERT_EQ(v, 77) << "the values were touched";
  }

 private:
  /// (B, T, so many heads, D), from a head on.
  AnyView part(norma::index_t first, norma::index_t heads) {
    return buffer_.view().slice(2, first * head_dim_, heads * head_dim_).split_axis(2, heads);
  }
  norma::index_t heads_, kv_heads_, head_dim_;
  Tensor<float> buffer_;
};

class PackedQKV : public testing::TestWithParam<PackedCase> {};

// Slices of one buffer give the bits of contiguous tensors, and the values between them are never touched.
TEST_P(PackedQKV, LikeContiguousTensors) {
  const auto& [name, s, in_place] = GetParam();
  const Subject& norm = subject(name);
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
INSTANTIATE_TEST_SUITE_P(All, PackedQKV, testing::ValuesIn(packed_cases()), CaseName());

template <class T>
class QKNormOf : public testing::Test {};
TYPED_TEST_SUITE(QKNormOf, BothTypes);

/// rms and layer forms are RMSNorm and LayerNorm over heads, l2 is RMSNorm(eps / d) / sqrt(d).
TYPED_TEST(QKNormOf, IsTheLayersOverHeads) {
  using T = TypeParam;
  Tensors<T> t({3, 4, 2, 64}), q({3, 4, 2, 64}), k({3, 4, 2, 64});
  const auto expect = [&](const QKNorm<T>& norm, const auto& layer, T factor) {
    norm(t.x.view(), t.x.view(), q.y.view(), k.y.view());
    layer(t.x.view(), t.y.view());
    std::vector<T> expected = t.y.values();
    for (T& e : expected) e *= factor;
    EXPECT_TRUE(same(q.y.values(), expected) && same(k.y.values(), expected));
  };
  expect(QKNorm<T>(64, {.eps = 1e-3}), norma::RMSNorm<T>(64, {.eps = 1e-3}), 1);
  expect(QKNorm<T>(64, {.form = QKForm::layer, .eps = 1e-3}), norma::LayerNorm<T>(64, {.eps = 1e-3}), 1);
  // All factors are powers of two: eps / d = 2^-6.
  expect(QKNorm<T>(64, {.form = QKForm::l2, .eps = 1.0, .affine = false}), norma::RMSNorm<T>(64, {.eps = 0x1p-6}), T(0.125));
}

TYPED_TEST(QKNormOf, ScaleStartsAsInThePaper) {
  using T = TypeParam;
  for (const norma::index_t length : {2, 40, 1024, 1 << 20}) {
    QKNorm<T> layer(16, {.form = QKForm::l2, .sequence_length = length});
    const real l = static_cast<real>(length), exact = std::log2(l * l - l);
    ASSERT_EQ(layer.scale().size(), 1u);
    EXPECT_LE(std::abs(layer.scale()[0] - exact), exact * std::numeric_limits<T>::epsilon());
  }
}

// Rows of zeros stay zero in every form, with finite gradients, whatever eps.
TYPED_TEST(QKNormOf, ZeroRows) {
  using T = TypeParam;
  for (const QKForm form : {QKForm::rms, QKForm::layer, QKForm::l2}) {
    for (const double eps : {1e-6, 0.0}) {
      Tensors<T> q({3, 24}), k({3, 24});
      std::vector<T> with_zeros = q.x.values();
      std::fill_n(with_zeros.begin() + 24, 24, T(0));
      q.x.set(with_zeros);
      QKNorm<T> layer(24, {.form = form, .eps = eps});
      norma::Saved<T> saved;
      layer.forward(q.x.view(), k.x.view(), q.y.view(), k.y.view(), saved);
      layer.backward(q.dy.view(), k.dy.view(), q.x.view(), k.x.view(), saved, q.dx.view(), k.dx.view());
      const std::vector<T> y = q.y.values(), dx = q.dx.values();
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(y[i] == T(0), i / 24 == 1) << i;
        EXPECT_TRUE(std::isfinite(dx[i])) << i;
      }
    }
  }
}

// What a form has: names, sizes, and empty spans for the rest.
TYPED_TEST(QKNormOf, State) {
  using T = TypeParam;
  const auto expect = [](QKNorm<T> layer, const Names& names) { EXPECT_EQ(names_of(layer), names); };
  expect(QKNorm<T>(8), {{"q_norm.weight", 8}, {"k_norm.weight", 8}});
  expect(QKNorm<T>(8, {.form = QKForm::layer}), {{"q_norm.weight", 8}, {"q_norm.bias", 8}, {"k_norm.weight", 8}, {"k_norm.bias", 8}});
  expect(QKNorm<T>(8, {.form = QKForm::layer, .bias = false}), {{"q_norm.weight", 8}, {"k_norm.weight", 8}});
  expect(QKNorm<T>(8, {.form = QKForm::l2}), {{"scale", 1}});
  expect(QKNorm<T>(8, {.form = QKForm::layer, .affine = false}), {});
  QKNorm<T> rms(8), unit(8, {.unit_offset = true}), l2(8, {.form = QKForm::l2});
  EXPECT_EQ(rms.q_weight()[3], T(1));
  EXPECT_EQ(unit.k_weight()[3], T(0));
  EXPECT_TRUE(rms.q_bias().empty() && rms.scale().empty() && rms.scale_grad().empty() && l2.q_weight().empty() && l2.k_bias_grad().empty());
}

TYPED_TEST(QKNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  Door<T> door("QKNorm");
  using Layer = QKNorm<T>;
  door.refuses({"head_dim", "-1"}, [] { Layer layer(-1); });
  door.refuses({"sequence_length", "1"}, [] { Layer layer(8, {.form = QKForm::l2, .sequence_length = 1}); });
  Layer layer(8), other(8, {.form = QKForm::l2});
  const auto infer = [&](const norma::Extents& q, const norma::Extents& k, const norma::Extents& q_hat, const norma::Extents& k_hat) {
    layer(door.in(q), door.in(k), door.out(q_hat), door.out(k_hat));
  };
  door.refuses({"q has extents (2, 4)", "head_dim is 8"}, [&] { infer({2, 4}, {2, 8}, {2, 4}, {2, 8}); });
  door.refuses({"k has extents (8, 2)", "head_dim is 8"}, [&] { infer({2, 8}, {8, 2}, {2, 8}, {8, 2}); });
  door.refuses({"q", "head_dim"}, [&] { infer({}, {8}, {}, {8}); });
  door.refuses({"q_hat", "(3, 8)", "(2, 8)"}, [&] { infer({2, 8}, {3, 8}, {3, 8}, {3, 8}); });
  door.refuses({"k_hat", "(2, 8)", "(3, 8)"}, [&] { infer({2, 8}, {3, 8}, {2, 8}, {2, 8}); });
  door.refuses({"q", "null"}, [&] { layer(TensorView<const T>(nullptr, {2, 8}), door.in({3, 8}), door.out({2, 8}), door.out({3, 8})); });
  Tensors<T> q({2, 8}), k({3, 8});
  norma::Saved<T> saved, never, of_l2;
  layer.forward(q.x.view(), k.x.view(), q.y.view(), k.y.view(), saved);
  other.forward(q.x.view(), k.x.view(), q.y.view(), k.y.view(), of_l2);
  const auto backward = [&](const norma::Extents& dq_hat, const norma::Extents& dk_hat, const norma::Extents& q_in,
                            const norma::Extents& k_in, norma::Saved<T>& s, const norma::Extents& dq, const norma::Extents& dk) {
    layer.backward(door.in(dq_hat), door.in(dk_hat), door.in(q_in), door.in(k_in), s, door.out(dq), door.out(dk));
  };
  door.refuses({"never filled"}, [&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, never, {2, 8}, {3, 8}); });
  door.refuses({"saved"}, [&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, of_l2, {2, 8}, {3, 8}); });
  door.refuses({"dq_hat", "(3, 8)", "(2, 8)"}, [&] { backward({3, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {3, 8}); });
  door.refuses({"dk_hat", "(2, 8)", "(3, 8)"}, [&] { backward({2, 8}, {2, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {3, 8}); });
  door.refuses({"dq", "(1, 8)", "(2, 8)"}, [&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {1, 8}, {3, 8}); });
  door.refuses({"dk", "(1, 8)", "(3, 8)"}, [&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {1, 8}); });
  door.refuses({"(4, 8)", "(2, 8)"}, [&] { backward({4, 8}, {3, 8}, {4, 8}, {3, 8}, saved, {4, 8}, {3, 8}); });
  door.refuses({"k", "(4, 8)", "(3, 8)"}, [&] { backward({2, 8}, {4, 8}, {2, 8}, {4, 8}, saved, {2, 8}, {4, 8}); });
  for (const T g : layer.q_weight_grad()) EXPECT_EQ(g, T(0));
}

}  // namespace
}  // namespace norma_test
