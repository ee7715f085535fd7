// QKNorm in its three forms: against plain loops, finite differences and the layers it is made of; slices of packed buffers, in place,
// executors, state and errors.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <norma/norma.hpp>

#include "support/compare.hpp"
#include "support/counting_new.hpp"
#include "support/executors.hpp"
#include "support/finite_differences.hpp"

namespace norma_test {
namespace {

using norma::QKForm;

const char* name_of(QKForm form) { return form == QKForm::rms ? "rms" : form == QKForm::layer ? "layer" : "l2"; }

/// Queries and keys of these extents in one form.
struct HeadCase {
  Extents q, k;
  norma::QKNormOptions options;
  bool f64;
  Layout layout;

  norma::index_t head_dim() const { return q.back(); }
};

std::string name_of(const HeadCase& c) {
  return std::string(name_of(c.options.form)) + "_" + to_string(c.q) + "_" + to_string(c.k) + (c.options.affine ? "" : "_plain") +
         (c.options.bias ? "" : "_no_bias") + (c.options.unit_offset ? "_unit_offset" : "") + (c.f64 ? "_f64_" : "_f32_") +
         name_of(c.layout);
}

struct HeadShape {
  Extents q, k;
};

/// Decoding and training, grouped queries, every rank from 1 to 5, the head sizes of models and some that no model has.
const std::vector<HeadShape>& head_shapes() {
  static const std::vector<HeadShape> shapes = {
      {{1, 1, 8, 128}, {1, 9, 2, 128}},
      {{2, 7, 4, 64}, {2, 7, 4, 64}},
      {{1, 5, 6, 80}, {1, 11, 3, 80}},
      {{2, 3, 2, 96}, {2, 4, 1, 96}},
      {{1, 33, 2, 256}, {1, 1, 1, 256}},
      {{3, 5, 2, 17}, {3, 2, 2, 17}},
      {{2, 4, 3, 1}, {2, 4, 3, 1}},
      {{2, 4, 3, 2}, {2, 1, 1, 2}},
      {{19}, {19}},
      {{6, 33}, {4, 33}},
      {{2, 3, 31}, {5, 31}},
      {{2, 2, 3, 2, 24}, {2, 5, 24}},
      {{0, 4, 2, 16}, {1, 4, 2, 16}},
  };
  return shapes;
}

std::vector<norma::QKNormOptions> option_list() {
  std::vector<norma::QKNormOptions> list;
  for (const QKForm form : {QKForm::rms, QKForm::layer, QKForm::l2}) {
    list.push_back({.form = form});
    list.push_back({.form = form, .affine = false});
    if (form != QKForm::l2) list.push_back({.form = form, .unit_offset = true});
  }
  list.push_back({.form = QKForm::layer, .bias = false});
  return list;
}

std::vector<HeadCase> head_cases() {
  std::vector<HeadCase> cases;
  for (const HeadShape& shape : head_shapes()) {
    for (const norma::QKNormOptions& options : option_list()) {
      const bool plain = options.affine && options.bias && !options.unit_offset;
      for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::sliced, Layout::strided, Layout::flipped_all}) {
        if (!plain && layout != Layout::contiguous) continue;
        cases.push_back({shape.q, shape.k, options, false, layout});
        if (layout != Layout::sliced && layout != Layout::strided) cases.push_back({shape.q, shape.k, options, true, layout});
      }
    }
  }
  return cases;
}

/// What the reference is asked about one side: x of these extents, its weight and bias.
Setting setting_of(const Extents& extents, const norma::QKNormOptions& o, bool is_query) {
  Setting s;
  s.extents = extents;
  s.eps = o.eps;
  s.unit_offset = o.unit_offset && o.affine;
  s.weight = !o.affine ? Form::absent : o.form != QKForm::l2 ? Form::normalized : is_query ? Form::single : Form::absent;
  s.bias = o.affine && o.bias && o.form == QKForm::layer ? Form::normalized : Form::absent;
  return s;
}

reference::Answer reference_of(QKForm form, const reference::Problem& p) {
  return form == QKForm::rms ? reference::rms_norm(p) : form == QKForm::layer ? reference::layer_norm(p) : reference::unit_norm(p);
}

template <class T>
std::vector<T> values_of(std::span<T> span) {
  return {span.begin(), span.end()};
}

/// Queries or keys with everything that belongs to them.
template <class T>
struct SideData {
  SideData(const HeadCase& c, bool is_query, const Where& where, std::uint64_t seed)
      : setting(setting_of(is_query ? c.q : c.k, c.options, is_query)),
        in(random_inputs<T, T, T>(setting, seed, 0.5)),
        x(setting.extents, where, in.x),
        y(setting.extents, where),
        dy(setting.extents, where, in.dy),
        dx(setting.extents, where) {}

  Setting setting;
  Inputs<T, T, T> in;
  Tensor<T> x, y, dy, dx;

  bool surroundings_untouched() const {
    return x.surroundings_untouched() && y.surroundings_untouched() && dy.surroundings_untouched() && dx.surroundings_untouched();
  }
};

template <class T>
struct Heads {
  Heads(const HeadCase& c, const Where& where) : q(c, true, where, 301), k(c, false, where, 311), layer(c.head_dim(), c.options) {
    std::copy(q.in.weight.begin(), q.in.weight.end(), c.options.form == QKForm::l2 ? layer.scale().begin() : layer.q_weight().begin());
    std::copy(q.in.bias.begin(), q.in.bias.end(), layer.q_bias().begin());
    std::copy(k.in.weight.begin(), k.in.weight.end(), layer.k_weight().begin());
    std::copy(k.in.bias.begin(), k.in.bias.end(), layer.k_bias().begin());
  }
  void forward() { layer.forward(q.x.view(), k.x.view(), q.y.view(), k.y.view(), saved); }
  void backward() { layer.backward(q.dy.view(), k.dy.view(), q.x.view(), k.x.view(), saved, q.dx.view(), k.dx.view()); }
  template <class E>
  void step(const E& executor) {
    layer.forward(executor, q.x.view(), k.x.view(), q.y.view(), k.y.view(), saved);
    layer.backward(executor, q.dy.view(), k.dy.view(), q.x.view(), k.x.view(), saved, q.dx.view(), k.dx.view());
  }
  /// Every parameter gradient, one behind the other.
  std::vector<T> gradients() {
    std::vector<T> all;
    layer.for_each_parameter([&](std::string_view, std::span<T>, std::span<T> grad) { all.insert(all.end(), grad.begin(), grad.end()); });
    return all;
  }

  SideData<T> q, k;
  norma::QKNorm<T> layer;
  norma::Saved<T> saved;
};

class QKNorms : public testing::TestWithParam<HeadCase> {
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
};

template <class T>
void expect_side(const char* what, QKForm form, const SideData<T>& side, const std::vector<T>& weight_grad,
                 const std::vector<T>& bias_grad) {
  SCOPED_TRACE(what);
  const reference::Problem p = problem(side.setting, side.in);
  const reference::Answer exact = reference_of(form, p);
  const Bounds bound = bounds(p, exact, precision_of<T>());
  EXPECT_TRUE(within(side.y.values(), exact.y, bound.y)) << "output";
  EXPECT_TRUE(within(side.dx.values(), exact.dx, bound.dx)) << "gradient";
  EXPECT_TRUE(within(weight_grad, exact.dweight, bound.dweight)) << "weight gradient";
  EXPECT_TRUE(within(bias_grad, exact.dbias, bound.dbias)) << "bias gradient";
  EXPECT_TRUE(same(side.x.values(), side.in.x) && same(side.dy.values(), side.in.dy)) << "an input was changed";
  EXPECT_TRUE(side.surroundings_untouched());
}

TEST_P(QKNorms, AgreeWithTheReference) {
  typed([&](auto zero) {
    using T = decltype(zero);
    Heads<T> heads(GetParam(), where());
    heads.forward();
    heads.backward();
    const bool l2 = GetParam().options.form == QKForm::l2;
    expect_side("q", GetParam().options.form, heads.q, values_of(l2 ? heads.layer.scale_grad() : heads.layer.q_weight_grad()),
                values_of(heads.layer.q_bias_grad()));
    expect_side("k", GetParam().options.form, heads.k, values_of(heads.layer.k_weight_grad()), values_of(heads.layer.k_bias_grad()));
    const std::vector<T> q_hat = heads.q.y.values(), k_hat = heads.k.y.values();
    std::as_const(heads.layer)(heads.q.x.view(), heads.k.x.view(), heads.q.y.view(), heads.k.y.view());
    EXPECT_TRUE(same(heads.q.y.values(), q_hat) && same(heads.k.y.values(), k_hat)) << "inference and training differ";
    EXPECT_EQ(heads.saved.rstd().size(), (count(GetParam().q) + count(GetParam().k)) / static_cast<std::size_t>(GetParam().head_dim()));
  });
}

// Outputs exactly on inputs, gradients on upstream gradients or on inputs: the same bits. Executors: the same bits.
TEST_P(QKNorms, SameBitsInPlaceAndWithAnyExecutor) {
  typed([&](auto zero) {
    using T = decltype(zero);
    Heads<T> plain(GetParam(), where());
    plain.forward();
    plain.backward();
    const std::vector<T> q_hat = plain.q.y.values(), k_hat = plain.k.y.values(), dq = plain.q.dx.values(), dk = plain.k.dx.values(),
                         gradients = plain.gradients();
    const ShuffledPool shuffled(7);
    const ThreadPool threads(2);
    for (const Pool* pool : {static_cast<const Pool*>(&shuffled), static_cast<const Pool*>(&threads)}) {
      Heads<T> heads(GetParam(), where());
      heads.step(*pool);
      EXPECT_TRUE(same(heads.q.y.values(), q_hat) && same(heads.k.y.values(), k_hat));
      EXPECT_TRUE(same(heads.q.dx.values(), dq) && same(heads.k.dx.values(), dk));
      EXPECT_TRUE(same(heads.gradients(), gradients));
    }
    Heads<T> on_dy(GetParam(), where()), on_x(GetParam(), where());
    on_dy.forward();
    on_dy.layer.backward(on_dy.q.dy.view(), on_dy.k.dy.view(), on_dy.q.x.view(), on_dy.k.x.view(), on_dy.saved, on_dy.q.dy.view(),
                         on_dy.k.dy.view());
    EXPECT_TRUE(same(on_dy.q.dy.values(), dq) && same(on_dy.k.dy.values(), dk)) << "dq on dq_hat";
    on_x.forward();
    on_x.layer.backward(on_x.q.dy.view(), on_x.k.dy.view(), on_x.q.x.view(), on_x.k.x.view(), on_x.saved, on_x.q.x.view(), on_x.k.x.view());
    EXPECT_TRUE(same(on_x.q.x.values(), dq) && same(on_x.k.x.values(), dk)) << "dq on q";
    EXPECT_TRUE(same(on_x.gradients(), gradients) && same(on_dy.gradients(), gradients));
    Heads<T> in_place(GetParam(), where());
    in_place.layer(in_place.q.x.view(), in_place.k.x.view(), in_place.q.x.view(), in_place.k.x.view());
    EXPECT_TRUE(same(in_place.q.x.values(), q_hat) && same(in_place.k.x.values(), k_hat)) << "q_hat on q";
    EXPECT_TRUE(in_place.q.surroundings_untouched() && on_dy.q.surroundings_untouched() && on_x.k.surroundings_untouched());
  });
}
INSTANTIATE_TEST_SUITE_P(All, QKNorms, testing::ValuesIn(head_cases()), CaseName());

struct PackedCase {
  QKForm form;
  std::ptrdiff_t batch, length, heads, kv_heads, head_dim;
  bool in_place;
};
std::string name_of(const PackedCase& c) {
  return std::string(name_of(c.form)) + "_" + to_string({c.batch, c.length, c.heads, c.kv_heads, c.head_dim}) +
         (c.in_place ? "_in_place" : "");
}
std::vector<PackedCase> packed_cases() {
  std::vector<PackedCase> cases;
  for (const QKForm form : {QKForm::rms, QKForm::layer, QKForm::l2}) {
    for (const std::ptrdiff_t head_dim : {64, 80, 96, 128, 256}) {
      for (const std::ptrdiff_t length : {1, 13}) {
        for (const bool in_place : {false, true}) {
          cases.push_back({form, 2, length, 4, 4, head_dim, in_place});
          cases.push_back({form, 1, length, 6, 2, head_dim, in_place});
        }
      }
    }
  }
  return cases;
}

class PackedQKV : public testing::TestWithParam<PackedCase> {
 protected:
  using T = float;
  std::ptrdiff_t width() const { return (GetParam().heads + 2 * GetParam().kv_heads) * GetParam().head_dim; }
  std::size_t size() const { return static_cast<std::size_t>(GetParam().batch * GetParam().length * width()); }
  /// (B, T, heads, D) out of a (B, T, width) buffer, from an element of the row on.
  norma::TensorView<T> part(std::vector<T>& buffer, std::ptrdiff_t first, std::ptrdiff_t heads) const {
    const PackedCase& c = GetParam();
    return norma::TensorView<T>(buffer.data(), {c.batch, c.length, width()}).slice(2, first, heads * c.head_dim).split_axis(2, heads);
  }
  norma::TensorView<T> q(std::vector<T>& buffer) const { return part(buffer, 0, GetParam().heads); }
  norma::TensorView<T> k(std::vector<T>& buffer) const { return part(buffer, GetParam().heads * GetParam().head_dim, GetParam().kv_heads); }
  norma::TensorView<T> v(std::vector<T>& buffer) const {
    return part(buffer, (GetParam().heads + GetParam().kv_heads) * GetParam().head_dim, GetParam().kv_heads);
  }
  static std::vector<T> copy(const norma::TensorView<T>& t) {
    std::vector<T> values;
    for_each_index(Extents(t.extents().begin(), t.extents().end()), [&](const Extents& i) { values.push_back(t(i[0], i[1], i[2], i[3])); });
    return values;
  }
};

// Slices of one buffer give the bits of contiguous tensors, and the values between them are never touched.
TEST_P(PackedQKV, LikeContiguousTensors) {
  const PackedCase& c = GetParam();
  std::vector<T> packed = random_values<T>(size(), 321), gradient = random_values<T>(size(), 322), out(size(), T(77)),
                 out_gradient(size(), T(77));
  std::vector<T> q_values = copy(q(packed)), k_values = copy(k(packed)), dq_values = copy(q(gradient)), dk_values = copy(k(gradient));
  const std::vector<T> v_values = copy(v(packed)), dv_values = copy(v(gradient));
  norma::QKNorm<T> expected(c.head_dim, {.form = c.form}), layer(c.head_dim, {.form = c.form});
  for (norma::QKNorm<T>* l : {&expected, &layer}) {
    std::uint64_t seed = 330;
    l->for_each_parameter([&](std::string_view, std::span<T> value, std::span<T>) {
      const std::vector<T> random = random_values<T>(value.size(), seed++, 1);
      std::copy(random.begin(), random.end(), value.begin());
    });
  }
  const norma::Extents q_extents{c.batch, c.length, c.heads, c.head_dim}, k_extents{c.batch, c.length, c.kv_heads, c.head_dim};
  const norma::TensorView<T> plain_q(q_values.data(), q_extents), plain_k(k_values.data(), k_extents),
      plain_dq(dq_values.data(), q_extents), plain_dk(dk_values.data(), k_extents);
  std::vector<T> q_hat(q_values.size()), k_hat(k_values.size()), dq(q_values.size()), dk(k_values.size());
  norma::Saved<T> saved;
  expected.forward(plain_q, plain_k, norma::TensorView<T>(q_hat.data(), q_extents), norma::TensorView<T>(k_hat.data(), k_extents), saved);
  expected.backward(plain_dq, plain_dk, plain_q, plain_k, saved, norma::TensorView<T>(dq.data(), q_extents),
                    norma::TensorView<T>(dk.data(), k_extents));

  std::vector<T> inputs = packed;  // backward wants the inputs of the forward, which in place are gone
  std::vector<T>& to = c.in_place ? packed : out;
  std::vector<T>& gradient_to = c.in_place ? gradient : out_gradient;
  layer.forward(q(packed), k(packed), q(to), k(to), saved);
  EXPECT_TRUE(same(copy(q(to)), q_hat)) << "q_hat";
  EXPECT_TRUE(same(copy(k(to)), k_hat)) << "k_hat";
  layer.backward(q(gradient), k(gradient), q(inputs), k(inputs), saved, q(gradient_to), k(gradient_to));
  EXPECT_TRUE(same(copy(q(gradient_to)), dq)) << "dq";
  EXPECT_TRUE(same(copy(k(gradient_to)), dk)) << "dk";
  std::vector<std::vector<T>> gradients, wanted;
  layer.for_each_parameter([&](std::string_view, std::span<T>, std::span<T> grad) { gradients.push_back(values_of(grad)); });
  expected.for_each_parameter([&](std::string_view, std::span<T>, std::span<T> grad) { wanted.push_back(values_of(grad)); });
  EXPECT_EQ(gradients, wanted);
  EXPECT_EQ(copy(v(to)), c.in_place ? v_values : std::vector<T>(v_values.size(), T(77))) << "the values were touched";
  EXPECT_EQ(copy(v(gradient_to)), c.in_place ? dv_values : std::vector<T>(v_values.size(), T(77)));
}
INSTANTIATE_TEST_SUITE_P(All, PackedQKV, testing::ValuesIn(packed_cases()), CaseName());

class QKNormGradients : public testing::TestWithParam<HeadCase> {};

std::vector<HeadCase> gradient_cases() {
  std::vector<HeadCase> cases;
  for (const HeadShape& shape : std::vector<HeadShape>{{{2, 3, 2, 5}, {2, 2, 1, 5}}, {{7}, {7}}, {{3, 2}, {2, 2}}, {{4, 1}, {2, 1}}}) {
    for (const norma::QKNormOptions& options : option_list()) cases.push_back({shape.q, shape.k, options, true, Layout::contiguous});
  }
  return cases;
}

TEST_P(QKNormGradients, AgreeWithFiniteDifferences) {
  HeadCase c = GetParam();
  c.options.eps = 0.25;  // keeps the fifth derivative of the smallest row within what the error of the differences allows for
  Heads<double> heads(c, {});
  heads.forward();
  heads.backward();
  const auto loss = [&] {
    heads.q.x.set(heads.q.in.x);
    heads.k.x.set(heads.k.in.x);
    heads.layer(heads.q.x.view(), heads.k.x.view(), heads.q.y.view(), heads.k.y.view());
    double sum = 0;
    for (const SideData<double>* side : {&heads.q, &heads.k}) {
      const std::vector<double> y = side->y.values();
      for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * side->in.dy[i];
    }
    return sum;
  };
  double size = 1;
  for (const SideData<double>* side : {&heads.q, &heads.k}) {
    const std::vector<double> y = side->y.values();
    for (std::size_t i = 0; i < y.size(); ++i) size += std::abs(y[i] * side->in.dy[i]);
  }
  const double allowed = difference_error(size, 1 / std::sqrt(c.options.eps));
  const auto expect_near = [&](const char* what, const std::vector<double>& actual, const std::vector<double>& exact) {
    ASSERT_EQ(actual.size(), exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(actual[i], exact[i], allowed) << what << " at " << i;
  };
  expect_near("dq", heads.q.dx.values(), finite_differences(heads.q.in.x, loss));
  expect_near("dk", heads.k.dx.values(), finite_differences(heads.k.in.x, loss));
  heads.layer.for_each_parameter([&](std::string_view name, std::span<double> value, std::span<double> grad) {
    std::vector<double> values = values_of(value);
    const std::vector<double> exact = finite_differences(values, [&] {
      std::copy(values.begin(), values.end(), value.begin());
      return loss();
    });
    std::copy(values.begin(), values.end(), value.begin());
    expect_near(name.data(), values_of(grad), exact);
  });
}
INSTANTIATE_TEST_SUITE_P(All, QKNormGradients, testing::ValuesIn(gradient_cases()), CaseName());

template <class T>
class QKNormOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(QKNormOf, Types);

/// rms and layer forms are RMSNorm and LayerNorm over heads, l2 is RMSNorm(eps / d) / sqrt(d).
TYPED_TEST(QKNormOf, IsTheLayersOverHeads) {
  using T = TypeParam;
  const norma::Extents extents{3, 4, 2, 64};
  const std::vector<T> x = random_values<T>(3 * 4 * 2 * 64, 401);
  const norma::TensorView<const T> view(x.data(), extents);
  const auto run = [&](auto&& layer) {
    std::vector<T> q(x.size()), k(x.size());
    layer(view, view, norma::TensorView<T>(q.data(), extents), norma::TensorView<T>(k.data(), extents));
    return std::make_pair(q, k);
  };
  std::vector<T> expected(x.size());
  const norma::TensorView<T> to(expected.data(), extents);
  norma::RMSNorm<T>(64, {.eps = 1e-3})(view, to);
  const auto rms = run(norma::QKNorm<T>(64, {.eps = 1e-3}));
  EXPECT_TRUE(same(rms.first, expected) && same(rms.second, expected));
  norma::LayerNorm<T>(64, {.eps = 1e-3})(view, to);
  const auto centred = run(norma::QKNorm<T>(64, {.form = QKForm::layer, .eps = 1e-3}));
  EXPECT_TRUE(same(centred.first, expected) && same(centred.second, expected));
  norma::RMSNorm<T>(64, {.eps = 0x1p-6})(view, to);
  for (T& e : expected) e /= 8;
  const auto l2 = run(norma::QKNorm<T>(64, {.form = QKForm::l2, .eps = 1.0, .affine = false}));  // eps / d = 2^-6
  EXPECT_TRUE(same(l2.first, expected) && same(l2.second, expected)) << "all factors are powers of two";
}

TYPED_TEST(QKNormOf, ScaleStartsAsInThePaper) {
  using T = TypeParam;
  for (const norma::index_t length : {2, 40, 1024, 1 << 20}) {
    norma::QKNorm<T> layer(16, {.form = QKForm::l2, .sequence_length = length});
    const real l = static_cast<real>(length), exact = std::log2(l * l - l);
    ASSERT_EQ(layer.scale().size(), 1u);
    EXPECT_LE(std::abs(layer.scale()[0] - exact), exact * std::numeric_limits<T>::epsilon());
  }
}

// Zero rows stay zero in the l2 and rms forms, with finite gradients; a layer-form row of one value gives the bias.
TYPED_TEST(QKNormOf, ZeroRows) {
  using T = TypeParam;
  const norma::Extents extents{3, 24};
  for (const QKForm form : {QKForm::rms, QKForm::layer, QKForm::l2}) {
    for (const double eps : {1e-6, 0.0}) {
      std::vector<T> q = random_values<T>(3 * 24, 411), q_hat(q.size()), dq = random_values<T>(q.size(), 412), k = q, k_hat = q, dk = dq;
      std::fill_n(q.begin() + 24, 24, T(0));
      norma::QKNorm<T> layer(24, {.form = form, .eps = eps});
      norma::Saved<T> saved;
      const auto view = [&](std::vector<T>& values) { return norma::TensorView<T>(values.data(), extents); };
      layer.forward(view(q), view(k), view(q_hat), view(k_hat), saved);
      layer.backward(view(dq), view(dk), view(q), view(k), saved, view(dq), view(dk));
      for (std::size_t i = 0; i < q.size(); ++i) {
        if (i / 24 == 1) {
          EXPECT_EQ(q_hat[i], T(0));
        }
        EXPECT_TRUE(std::isfinite(dq[i]) && std::isfinite(dk[i]) && std::isfinite(k_hat[i]));
      }
    }
  }
}

TYPED_TEST(QKNormOf, AllocatesNothingInInferenceNorFromTheSecondStepOn) {
  using T = TypeParam;
  std::vector<T> q = random_values<T>(2 * 65 * 4 * 32, 421), k = random_values<T>(2 * 70 * 2 * 32, 422);
  const norma::TensorView<T> queries(q.data(), {2, 65, 4, 32}), keys(k.data(), {2, 70, 2, 32});
  for (const QKForm form : {QKForm::rms, QKForm::layer, QKForm::l2}) {
    norma::QKNorm<T> layer(32, {.form = form});
    norma::Saved<T> saved;
    const auto step = [&] {
      layer.forward(queries, keys, queries, keys, saved);
      layer.backward(queries, keys, queries, keys, saved, queries, keys);
    };
    step();
    const long before = allocations_so_far();
    layer(queries, keys, queries, keys);
    step();
    EXPECT_EQ(allocations_so_far(), before);
  }
}

// What a form has: names, sizes, and empty spans for the rest.
TYPED_TEST(QKNormOf, State) {
  using T = TypeParam;
  using Names = std::map<std::string, std::size_t>;
  const auto names_of = [](norma::QKNorm<T>& layer) {
    Names names;
    layer.for_each_parameter([&](std::string_view name, std::span<T> value, std::span<T> grad) {
      EXPECT_EQ(value.size(), grad.size());
      names[std::string(name)] = value.size();
      std::fill(grad.begin(), grad.end(), T(3));
    });
    layer.for_each_buffer([](std::string_view name, std::span<T>) { ADD_FAILURE() << name; });
    layer.zero_grad();
    layer.for_each_parameter([&](std::string_view name, std::span<T>, std::span<T> grad) {
      for (const T g : grad) EXPECT_EQ(g, T(0)) << name;
    });
    return names;
  };
  norma::QKNorm<T> rms(8), unit(8, {.unit_offset = true}), layer(8, {.form = QKForm::layer}), l2(8, {.form = QKForm::l2}),
      plain(8, {.form = QKForm::layer, .affine = false}), no_bias(8, {.form = QKForm::layer, .bias = false});
  EXPECT_EQ(names_of(rms), (Names{{"q_norm.weight", 8}, {"k_norm.weight", 8}}));
  EXPECT_EQ(names_of(layer), (Names{{"q_norm.weight", 8}, {"q_norm.bias", 8}, {"k_norm.weight", 8}, {"k_norm.bias", 8}}));
  EXPECT_EQ(names_of(no_bias), (Names{{"q_norm.weight", 8}, {"k_norm.weight", 8}}));
  EXPECT_EQ(names_of(l2), (Names{{"scale", 1}}));
  EXPECT_EQ(names_of(plain), Names());
  EXPECT_EQ(rms.q_weight()[3], T(1));
  EXPECT_EQ(unit.k_weight()[3], T(0));
  EXPECT_EQ(layer.k_bias()[7], T(0));
  EXPECT_TRUE(rms.q_bias().empty() && rms.scale().empty() && rms.scale_grad().empty() && l2.q_weight().empty() && l2.k_bias_grad().empty());
}

void expect_error(const std::function<void()>& f, const std::vector<std::string>& words) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const norma::ShapeError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("QKNorm: ", 0), 0u) << message;
    for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

TYPED_TEST(QKNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  using Layer = norma::QKNorm<T>;
  expect_error([] { Layer layer(-1); }, {"head_dim", "-1"});
  expect_error([] { Layer layer(8, {.form = QKForm::l2, .sequence_length = 1}); }, {"sequence_length", "1"});
  const std::vector<T> x(48, T(1));
  std::vector<T> y(48, T(5));
  const auto in = [&](const norma::Extents& e) { return norma::TensorView<const T>(x.data(), e); };
  const auto out = [&](const norma::Extents& e) { return norma::TensorView<T>(y.data(), e); };
  Layer layer(8), other(8, {.form = QKForm::l2});
  expect_error([&] { layer(in({2, 4}), in({2, 8}), out({2, 4}), out({2, 8})); }, {"q has extents (2, 4)", "head_dim is 8"});
  expect_error([&] { layer(in({2, 8}), in({8, 2}), out({2, 8}), out({8, 2})); }, {"k has extents (8, 2)", "head_dim is 8"});
  expect_error([&] { layer(in({}), in({8}), out({}), out({8})); }, {"q", "head_dim"});
  expect_error([&] { layer(in({2, 8}), in({3, 8}), out({3, 8}), out({3, 8})); }, {"q_hat", "(3, 8)", "(2, 8)"});
  expect_error([&] { layer(in({2, 8}), in({3, 8}), out({2, 8}), out({2, 8})); }, {"k_hat", "(2, 8)", "(3, 8)"});
  expect_error([&] { layer(norma::TensorView<T>(nullptr, {2, 8}), in({3, 8}), out({2, 8}), out({3, 8})); }, {"q", "null"});
  norma::Saved<T> saved, never, of_l2;
  std::vector<T> good(48);
  const auto good_out = [&](const norma::Extents& e) { return norma::TensorView<T>(good.data(), e); };
  layer.forward(in({2, 8}), in({3, 8}), good_out({2, 8}), good_out({3, 8}), saved);
  other.forward(in({2, 8}), in({3, 8}), good_out({2, 8}), good_out({3, 8}), of_l2);
  const auto backward = [&](const norma::Extents& dq_hat, const norma::Extents& dk_hat, const norma::Extents& q, const norma::Extents& k,
                            norma::Saved<T>& s, const norma::Extents& dq,
                            const norma::Extents& dk) { layer.backward(in(dq_hat), in(dk_hat), in(q), in(k), s, out(dq), out(dk)); };
  expect_error([&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, never, {2, 8}, {3, 8}); }, {"never filled"});
  expect_error([&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, of_l2, {2, 8}, {3, 8}); }, {"saved"});
  expect_error([&] { backward({3, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {3, 8}); }, {"dq_hat", "(3, 8)", "(2, 8)"});
  expect_error([&] { backward({2, 8}, {2, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {3, 8}); }, {"dk_hat", "(2, 8)", "(3, 8)"});
  expect_error([&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {1, 8}, {3, 8}); }, {"dq", "(1, 8)", "(2, 8)"});
  expect_error([&] { backward({2, 8}, {3, 8}, {2, 8}, {3, 8}, saved, {2, 8}, {1, 8}); }, {"dk", "(1, 8)", "(3, 8)"});
  expect_error([&] { backward({4, 8}, {3, 8}, {4, 8}, {3, 8}, saved, {4, 8}, {3, 8}); }, {"(4, 8)", "(2, 8)"});
  expect_error([&] { backward({2, 8}, {4, 8}, {2, 8}, {4, 8}, saved, {2, 8}, {4, 8}); }, {"k", "(4, 8)", "(3, 8)"});
  EXPECT_EQ(y, std::vector<T>(48, T(5))) << "nothing may be written";
  for (const T g : layer.q_weight_grad()) EXPECT_EQ(g, T(0));
  // An absent dq is not computed; everything else is.
  layer.backward(in({2, 8}), in({3, 8}), in({2, 8}), in({3, 8}), saved, norma::TensorView<T>(), out({3, 8}));
  EXPECT_NE(layer.q_weight_grad()[0], T(0));
  EXPECT_NE(y[0], T(5));
}

}  // namespace
}  // namespace norma_test
