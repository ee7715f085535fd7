// libtorch as oracle: forward and backward of every norm it has or can compose, and running statistics over several steps.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test { namespace {

// --- Between values and torch's tensors -------------------------------------------------------------------------------------------------

at::ScalarType torch_type(Element e) { return e == Element::f32 ? at::kFloat : at::kDouble; }

std::vector<std::int64_t> sizes(const Extents& extents) { return {extents.begin(), extents.end()}; }

at::Tensor to_torch(Element e, const Extents& extents, const Values& values) {
  return at::from_blob(const_cast<double*>(values.data()), sizes(extents), at::kDouble).to(torch_type(e), false, /*copy=*/true);
}

Values from_torch(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

// --- torch's answers --------------------------------------------------------------------------------------------------------------------

/// Under the names of our rows.
using Answers = std::map<std::string, Values>;
using Tensors = std::map<std::string, at::Tensor>;

/// Whether torch has an operator for this norm that takes these parameters. Otherwise elementary operators and autograd do the rest.
bool is_torchs_own(const Subject& subject, const Setting& s) {
  const auto plain = [](Form form) { return form == Form::normalized || form == Form::absent; };
  const std::vector<bool> is_averaged = averaged(s.extents, s.axes);
  const bool trailing = std::is_sorted(is_averaged.begin(), is_averaged.end());
  return subject.owns_x || (plain(s.weight) && plain(s.bias) && !s.unit_offset && trailing && subject.reference != reference::rms_norm);
}

/// w = W / (u^T W v), u and v by power iteration and constants of backward.
at::Tensor over_largest_singular_value(const at::Tensor& weight, const Setting& s, at::Tensor& u, at::Tensor& v) {
  const at::Tensor matrix = weight.movedim(*s.dim, 0).reshape({weight.size(*s.dim), -1});
  for (int i = 0; i < s.iterations; ++i) {
    const at::NoGradGuard constants;
    v = matrix.t().mv(u);
    v = v / v.norm();
    u = matrix.mv(v);
    u = u / u.norm();
  }
  return weight / u.dot(matrix.mv(v));
}

/// x normalized. weight and bias are undefined where they are absent, or where the operator is not torch's own. Tensors are contiguous:
/// libtorch 1.13's GroupNorm backward reads channels-last memory wrongly.
at::Tensor normalized(const Subject& subject, const Setting& s, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      Tensors& buffers) {
  const auto formula = subject.reference;
  if (formula == reference::batch_norm)
    return at::batch_norm(x, weight, bias, buffers["running_mean"], buffers["running_var"], true, *s.momentum, s.eps, false);
  if (formula == reference::given_norm)
    return at::batch_norm(x, weight, bias, buffers["mean"], buffers["variance"], false, 0, s.eps, false);
  if (formula == reference::instance_norm) return at::instance_norm(x, weight, bias, {}, {}, true, 0, s.eps, false);
  if (formula == reference::group_norm) {
    // Its backward in libtorch 1.13 fails where the weight is absent.
    return at::group_norm(x, s.groups, weight.defined() ? weight : at::ones({s.extents[1]}, x.options()), bias, s.eps);
  }
  if (formula == reference::unit_norm) {
    const std::int64_t none = -1, rank = x.dim(), dim = *s.dim < 0 ? *s.dim + rank : *s.dim;
    return at::_weight_norm(x, weight, dim == rank ? none : dim);
  }
  if (formula == reference::spectral_norm)
    return over_largest_singular_value(x, s, buffers["parametrizations.weight.0._u"], buffers["parametrizations.weight.0._v"]);
  if (is_torchs_own(subject, s)) return at::layer_norm(x, sizes(parameter_extents(Form::normalized, s)), weight, bias, s.eps);
  const std::vector<std::int64_t> axes(s.axes.begin(), s.axes.end());
  const at::Tensor centred = subject.centred ? x - x.mean(axes, true) : x;
  const at::Tensor variance = centred.square().mean(axes, true);
  return s.eps_outside_sqrt ? centred / (variance.sqrt() + s.eps) : centred * at::rsqrt(variance + s.eps);
}

/// A training step.
Answers by_torch(const Subject& subject, const Types& t, const Setting& setting, const Data& data) {
  Answers rows;
  for (std::size_t stream = 0; stream < data.x.size(); ++stream) {
    Setting s = setting;
    s.extents = subject.extents_of(setting, stream);
    const bool own = is_torchs_own(subject, s);
    Tensors leaves, buffers;
    const auto leaf = [&](const std::string& row, const Extents& extents, const Values& values) {
      return leaves[row] = to_torch(t.x, extents, values).requires_grad_();
    };
    const auto parameter = [&](const std::vector<std::string>& names, Form form) {
      for (const auto& [name, values] : data.parameters) {
        if (is_one_of(name, names)) return leaf("d " + name, own ? parameter_extents(form, s) : spread_extents(form, s), values);
      }
      return at::Tensor();
    };
    const at::Tensor x = leaf(row_name(subject, "dx", stream), s.extents, data.x[stream]);
    const at::Tensor weight = parameter(weight_names(stream), s.weight), bias = parameter(bias_names(stream), s.bias), absent;
    for (const auto& [name, values] : data.buffers)
      buffers[name] = to_torch(t.parameter, {static_cast<std::ptrdiff_t>(values.size())}, values);
    at::Tensor y = normalized(subject, s, x, own ? weight : absent, own ? bias : absent, buffers);
    if (!own && weight.defined()) y = y * (s.unit_offset ? 1 + weight : weight);
    if (!own && bias.defined()) y = y + bias;
    y.backward(to_torch(t.y, s.extents, data.dy[stream]));
    if (!subject.infers_apart) rows[row_name(subject, "y", stream)] = from_torch(y);
    if (!subject.given_statistics) rows[row_name(subject, "y of training", stream)] = from_torch(y);
    for (const auto& [row, tensor] : leaves) rows[row] = from_torch(tensor.grad());
    for (const auto& [row, values] : data.buffers) rows[row] = from_torch(buffers[row]);
  }
  return rows;
}

/// |ours - theirs| <= our bound + their error, measured against the exact answer: their mistakes are not held against us.
void expect_close(const std::string& row, const Values& ours, const Values& theirs, const ExactRow& exact) {
  ASSERT_EQ(ours.size(), theirs.size()) << row;
  ASSERT_EQ(ours.size(), exact.numbers.size()) << row;
  real largest = 0;
  for (const Tracked& number : exact.numbers) largest = std::max(largest, std::abs(number.value));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const real bound = exact.promised.empty() ? bound_of(exact.numbers[i], exact.precision) : exact.promised[i];
    const real their_error = std::abs(static_cast<real>(theirs[i]) - exact.numbers[i].value);
    const real apart = std::abs(static_cast<real>(ours[i]) - static_cast<real>(theirs[i])), allowed = bound + their_error;
    // An oracle far from the reference would say nothing: it must itself be right but for its last three digits. Where x is close to a
    // given mean, those of its x * rstd - mean * rstd have the size of ordinary x.
    const real allowed_them = 1000 * bound + 4 * exact.precision.eps * largest;
    if (apart <= allowed && their_error <= allowed_them) continue;  // an assertion for each of millions would take most of the time
    ASSERT_LE(apart, allowed) << row << " at " << i;
    ASSERT_LE(their_error, allowed_them) << row << ": torch and the reference disagree at " << i;
  }
}

struct Case {
  const Subject* subject;
  Types types;
  Setting setting;

  std::string name() const { return subject->name + "_" + case_name(types, setting); }
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name(); }
struct CaseName {
  std::string operator()(const testing::TestParamInfo<Case>& each) const { return each.param.name(); }
};

class TorchOracle : public testing::TestWithParam<Case> {};

/// With every form of the parameters and every option, in three layouts.
TEST_P(TorchOracle, ForwardAndBackward) {
  const Subject& subject = *GetParam().subject;
  const Types& t = GetParam().types;
  for (const Variation& v : subject.variations) {
    Setting s = varied(GetParam().setting, v);
    for (const bool outside : {false, true}) {
      if (outside && (subject.name != "rms_norm" || s.eps_outside_sqrt)) continue;
      s.eps_outside_sqrt = s.eps_outside_sqrt || outside;
      SCOPED_TRACE(name_of(s) + (outside ? "_with_eps_outside" : ""));
      const Data data = random_data(subject, t, s, 81, 0.5);
      const Exact exact(subject, t, s, data);
      const Answers theirs = by_torch(subject, t, s, data);
      for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::sliced}) {
        SCOPED_TRACE(name_of(layout));
        const Rows ours = run(subject, t, s, data, everywhere(lying(layout)));
        for (const auto& [row, values] : theirs) expect_close(row, ours.at(row), values, exact.rows.at(row));
      }
    }
  }
}

/// Every shape that has elements, and for torch.layer_norm more lengths, over one and over two axes.
std::vector<Case> torch_cases() {
  std::vector<Case> cases;
  for (const std::string name : {"layer_norm", "rms_norm", "batch_norm", "batch_norm_inference", "group_norm", "instance_norm",
                                 "QKNorm_layer", "QKNorm_rms", "WeightNorm", "SpectralNorm"}) {
    const Subject& subject = subject_named(name);
    Settings settings = subject.family.shapes;
    if (name == "layer_norm") {
      for (const std::ptrdiff_t length :
           {2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100, 127, 128, 131, 256, 257, 768, 1023, 1024, 1025, 4096, 8193})
        append(settings, {rows_of(length > 2000 ? 2 : 6, length), shape({length > 2000 ? 1 : 4, 3, length}, {1, 2})});
    }
    // torch normalizes no single element.
    std::erase_if(settings, [&](const Setting& s) {
      return count(s.extents) == 0 || (name == "instance_norm" && count({s.extents.begin() + 2, s.extents.end()}) == 1);
    });
    for_plain_types([&](const Types& t) {
      for (const Setting& s : settings) cases.push_back({&subject, t, s});
    });
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, TorchOracle, testing::ValuesIn(torch_cases()), CaseName());

// --- Running statistics over several steps, then evaluation -----------------------------------------------------------------------------

class TorchRunning : public testing::TestWithParam<Case> {};

/// In step k both sides may carry the roundings of k updates. Without a momentum torch.nn.BatchNorm takes 1 / num_batches_tracked.
TEST_P(TorchRunning, StepByStep) {
  const auto& [subject, t, s] = GetParam();
  const at::NoGradGuard no_grad;
  for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::flipped_all}) {
    SCOPED_TRACE(name_of(layout));
    const std::unique_ptr<Norm> norm = subject->make(t, s);
    const at::Tensor mean = at::zeros({6}, torch_type(t.parameter)), variance = at::ones({6}, torch_type(t.parameter));
    const auto expect_near = [&](const Values& ours, const at::Tensor& tensor, double roundings, const char* what) {
      const Values theirs = from_torch(tensor);
      ASSERT_EQ(ours.size(), theirs.size()) << what;
      for (std::size_t i = 0; i < ours.size(); ++i)
        EXPECT_NEAR(ours[i], theirs[i], roundings * epsilon_of(t.parameter) * (1 + std::abs(theirs[i]))) << what << " at " << i;
    };
    int step = 0;
    for (const Extents& extents : std::vector<Extents>{{4, 6, 5, 3}, {2, 6, 7, 7}, {1, 6, 3, 3}, {9, 6, 2, 1}, {4, 6, 5, 3}}) {
      SCOPED_TRACE(++step);
      const bool trains = step < 5;
      const double take = s.momentum.value_or(1.0 / step);
      const Values values = random_values(t.x, count(extents), static_cast<std::uint64_t>(step), step, 1 + step);
      const AnyTensor x(t.x, extents, lying(layout), values), y(t.y, extents, lying(layout));
      Call call;
      call.x = {x.any()};
      call.y = {y.any()};
      trains ? norm->train(call) : norm->infer(call);
      const auto of_torch = subject->learning == Learning::of_instances ? at::instance_norm : at::batch_norm;
      expect_near(y.values(), of_torch(to_torch(t.x, extents, values), {}, {}, mean, variance, trains, take, s.eps, false), 64, "y");
      expect_near(norm->buffers()[0].value.values(), mean, 8 * step, "running_mean");
      expect_near(norm->buffers()[1].value.values(), variance, 8 * step, "running_var");
    }
  }
}

std::vector<Case> running_cases() {
  std::vector<Case> cases;
  for (const char* const name : {"BatchNorm", "InstanceNorm"}) {
    for (const Variation& v : std::vector<Variation>{{"slow", {.momentum = 0.1}},
                                                     {"fast", {.momentum = 0.3}},
                                                     {"the_last_batch", {.momentum = 1}},
                                                     {"cumulative", {.cumulative = true}}})
      for_plain_types([&](const Types& t) { cases.push_back({&subject_named(name), t, varied(shape({4, 6, 5, 3}), v)}); });
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, TorchRunning, testing::ValuesIn(running_cases()), CaseName());

}  // namespace
}  // namespace norma_test
