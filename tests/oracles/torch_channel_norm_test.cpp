// libtorch as oracle: BatchNorm, GroupNorm and InstanceNorm, forward and backward, and running statistics over several training steps.
#include <cmath>
#include <string>
#include <vector>

#include "oracles/torch_bridge.hpp"
#include "support/channel_layer.hpp"

namespace norma_test {
namespace {

/// Running statistics, or undefined tensors.
struct Running {
  torch::Tensor mean, variance;
};

/// torch's own kernel of this norm. Tensors are contiguous: libtorch 1.13's GroupNorm backward reads channels-last memory wrongly.
torch::Tensor normalize(const std::string& name, const Setting& s, const torch::Tensor& x, const torch::Tensor& weight,
                        const torch::Tensor& bias, const Running& running = {}) {
  if (name == "GroupNorm") {
    // Its backward in libtorch 1.13 fails where the weight is absent.
    return torch::group_norm(x, s.groups, weight.defined() ? weight : torch::ones({s.extents[1]}, x.options()), bias, s.eps);
  }
  if (name == "InstanceNorm") return torch::instance_norm(x, weight, bias, {}, {}, true, 0.1, s.eps, false);
  return torch::batch_norm(x, weight, bias, running.mean, running.variance, name == "BatchNorm", 0.1, s.eps, false);
}

/// Everything of one setting by torch in T. Parameters (C) go to torch's kernel; others are applied by autograd to its plain result.
template <class T>
TorchResults<T> by_torch(const std::string& name, const Setting& s, const Inputs<T, T, T>& in) {
  const bool plain = !s.unit_offset && (s.weight == Form::normalized || s.weight == Form::absent) &&
                     (s.bias == Form::normalized || s.bias == Form::absent);
  const auto parameter = [&](const std::vector<T>& values, Form form) {
    if (values.empty()) return torch::Tensor();
    return to_torch(values, plain ? parameter_extents(form, s) : spread_extents(form, s)).requires_grad_();
  };
  const torch::Tensor x = to_torch(in.x, s.extents).requires_grad_();
  const torch::Tensor weight = parameter(in.weight, s.weight), bias = parameter(in.bias, s.bias);
  Running running;
  if (s.given_statistics) {
    running = {to_torch(in.mean, {s.extents[1]}), to_torch(in.variance, {s.extents[1]})};
  }
  torch::Tensor y = normalize(name, s, x, plain ? weight : torch::Tensor(), plain ? bias : torch::Tensor(), running);
  if (!plain && weight.defined()) y = y * (s.unit_offset ? 1 + weight : weight);
  if (!plain && bias.defined()) y = y + bias;
  y.backward(to_torch(in.dy, s.extents));
  TorchResults<T> r;
  r.y = from_torch<T>(y);
  r.dx = from_torch<T>(x.grad());
  if (weight.defined()) r.dweight = from_torch<T>(weight.grad());
  if (bias.defined()) r.dbias = from_torch<T>(bias.grad());
  return r;
}

template <class T>
void compare(const Entry& entry, const Setting& s, const Where& where) {
  SCOPED_TRACE(entry.name() + ": " + describe(s) + ", " + name_of(where.layout));
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 83, 0.5);
  const auto ours = run(norm, s, inputs, everywhere(where));
  const auto theirs = by_torch<T>(norm.name, s, inputs);
  const reference::Problem p = problem(s, inputs);
  const reference::Answer exact = norm.reference(p);
  const Bounds bound = bounds(p, exact, precision_of<T>());
  expect_close("y", ours.y, theirs.y, exact.y, bound.y);
  expect_close("dx", ours.dx, theirs.dx, exact.dx, bound.dx);
  expect_close("dweight", ours.dweight, theirs.dweight, exact.dweight, bound.dweight);
  expect_close("dbias", ours.dbias, theirs.dbias, exact.dbias, bound.dbias);
}

class TorchChannelNorms : public testing::TestWithParam<ShapeCase> {};

TEST_P(TorchChannelNorms, ForwardAndBackward) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::sliced}) {
      Where where;
      where.layout = layout;
      for (const Parameters& parameters : parameters_of(entry)) {
        Setting s = shape.setting();
        set_parameters(s, parameters);
        compare<decltype(zero)>(entry, s, where);
      }
    }
  });
}

/// What torch takes: tensors with elements, sets of more than one value. Models' shapes too.
std::vector<ShapeCase> torch_shapes() {
  std::vector<ShapeCase> cases;
  for (const Entry& entry : entries_where([](const Family& family) { return !family.has_axes; })) {
    std::vector<Shape> shapes = entry.family().shapes;
    shapes.push_back(entry.family().model_shapes[1]);
    for (const Shape& shape : shapes) {
      const std::size_t size = count(shape.extents);
      if (size == 0) continue;
      if (entry.get<float>().name == "InstanceNorm" && size == count({shape.extents[0], shape.extents[1]})) continue;
      cases.push_back({entry, shape});
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, TorchChannelNorms, testing::ValuesIn(torch_shapes()), CaseName());

// --- Running statistics over several steps, then evaluation ---------------------------------------------------------------------------

/// |ours - theirs| where each may carry the roundings of `steps` updates of numbers of this size.
template <class T>
void expect_running(const char* what, std::span<const T> ours, const torch::Tensor& theirs, int steps) {
  const std::vector<T> expected = from_torch<T>(theirs);
  ASSERT_EQ(ours.size(), expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const real size = 1 + std::abs(static_cast<real>(expected[i]));
    EXPECT_LE(std::abs(static_cast<real>(ours[i]) - expected[i]), 8 * steps * static_cast<real>(std::numeric_limits<T>::epsilon()) * size)
        << what << " at " << i << " after step " << steps;
  }
}

template <class Layer, class Train, class Evaluate>
void check_steps(Layer& layer, Layout layout, Train train_torch, Evaluate evaluate_torch) {
  using T = typename decltype(layer.weight())::value_type;
  const torch::NoGradGuard no_grad;
  const auto channels = static_cast<std::ptrdiff_t>(layer.running_mean().size());
  torch::Tensor mean = torch::zeros({channels}, torch_type<T>), variance = torch::ones({channels}, torch_type<T>);
  const std::vector<Extents> batches = {{4, channels, 5, 3}, {2, channels, 7, 7}, {1, channels, 3, 3}, {9, channels, 2, 1}};
  Where where;
  where.layout = layout;
  int step = 0;
  for (const Extents& extents : batches) {
    ++step;
    const std::vector<T> values = random_values<T>(count(extents), static_cast<std::uint64_t>(step), step, 1 + step);
    Tensor<T> x(extents, where, values), y(extents, where);
    norma::Saved<T> saved;
    layer.forward(x.view(), y.view(), saved);
    train_torch(to_torch(values, extents), mean, variance);
    const norma::RunningStatistics<T>& running = layer;
    expect_running<T>("running_mean", running.running_mean(), mean, step);
    expect_running<T>("running_var", running.running_var(), variance, step);
  }
  const std::vector<T> values = random_values<T>(count(batches[0]), 99, 1, 2);
  Tensor<T> x(batches[0], where, values), y(batches[0], where);
  layer(x.view(), y.view());
  const std::vector<T> theirs = from_torch<T>(evaluate_torch(to_torch(values, batches[0]), mean, variance));
  const std::vector<T> ours = y.values();
  for (std::size_t i = 0; i < ours.size(); ++i) {
    // The statistics may differ by so many roundings each; y is of size 1.
    EXPECT_NEAR(ours[i], theirs[i], 64 * std::numeric_limits<T>::epsilon() * (1 + std::abs(theirs[i])));
  }
}

class TorchRunning : public testing::TestWithParam<Layout> {};

template <class T>
void check_batch_norm(Layout layout) {
  for (const double momentum : {0.1, 0.3, 1.0}) {
    norma::BatchNorm<T> layer(6, {.momentum = momentum});
    check_steps(
        layer, layout,
        [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
          torch::batch_norm(x, {}, {}, mean, variance, true, momentum, 1e-5, false);
        },
        [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
          return torch::batch_norm(x, {}, {}, mean, variance, false, momentum, 1e-5, false);
        });
  }
}

// torch.nn.BatchNorm with momentum None: factor 1 / num_batches_tracked.
template <class T>
void check_cumulative(Layout layout) {
  norma::BatchNorm<T> layer(6, {.momentum = std::nullopt});
  int batches = 0;
  check_steps(
      layer, layout,
      [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
        torch::batch_norm(x, {}, {}, mean, variance, true, 1.0 / ++batches, 1e-5, false);
      },
      [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
        return torch::batch_norm(x, {}, {}, mean, variance, false, 0, 1e-5, false);
      });
}

template <class T>
void check_instance_norm(Layout layout) {
  for (const double momentum : {0.1, 0.3, 1.0}) {
    norma::InstanceNorm<T> layer(6, {.momentum = momentum, .track_running_stats = true});
    check_steps(
        layer, layout,
        [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
          torch::instance_norm(x, {}, {}, mean, variance, true, momentum, 1e-5, false);
        },
        [&](const torch::Tensor& x, torch::Tensor& mean, torch::Tensor& variance) {
          return torch::instance_norm(x, {}, {}, mean, variance, false, momentum, 1e-5, false);
        });
  }
}

TEST_P(TorchRunning, BatchNorm) {
  check_batch_norm<float>(GetParam());
  check_batch_norm<double>(GetParam());
}
TEST_P(TorchRunning, BatchNormCumulative) {
  check_cumulative<float>(GetParam());
  check_cumulative<double>(GetParam());
}
TEST_P(TorchRunning, InstanceNorm) {
  check_instance_norm<float>(GetParam());
  check_instance_norm<double>(GetParam());
}
INSTANTIATE_TEST_SUITE_P(All, TorchRunning, testing::Values(Layout::contiguous, Layout::channels_last, Layout::flipped_all),
                         [](const auto& each) { return std::string(norma_test::name_of(each.param)); });

}  // namespace
}  // namespace norma_test
