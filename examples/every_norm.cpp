// Every norm once, a line each, training forward and backward. The README's table links to the lines.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <string_view>
#include <vector>

#include <norma/norma.hpp>

namespace {

using Memory = std::vector<float>;
using View = norma::TensorView<float>;

/// The smallest communicator: one process. norma::mpi(MPI_COMM_WORLD) is the one you want.
struct Alone {
  int rank() const { return 0; }
  int size() const { return 1; }
  void all_gather(std::span<const double> mine, std::span<double> all) const { std::ranges::copy(mine, all.begin()); }
};

Memory some_numbers(std::size_t n, float phase) {
  Memory numbers(n);
  for (std::size_t i = 0; i < n; ++i) numbers[i] = 2 + std::sin(phase + static_cast<float>(i));
  return numbers;
}

/// What went through a norm is finite, and neither nothing nor what it was.
bool transformed(const Memory& before, const Memory& after) {
  const bool finite = std::ranges::all_of(after, [](float v) { return std::isfinite(v); });
  return finite && before != after && std::ranges::any_of(after, [](float v) { return v != 0; });
}

bool report(const char* norm, bool right) {
  std::printf("%-20s %s\n", norm, right ? "ok" : "WRONG");
  return right;
}

}  // namespace

int main() {
  const norma::Extents nchw{8, 16, 4, 4};
  const Memory in = some_numbers(8 * 16 * 4 * 4, 0), gradient = some_numbers(in.size(), 1);
  Memory out(in.size()), back(in.size()), out_of_keys(in.size()), back_of_keys(in.size());
  const norma::TensorView<const float> x(in.data(), nchw), dy(gradient.data(), nchw);
  const View y(out.data(), nchw), dx(back.data(), nchw), y_of_keys(out_of_keys.data(), nchw), dx_of_keys(back_of_keys.data(), nchw);
  const Alone ranks;
  norma::Saved<float> saved;
  bool right = true;

  const auto check = [&](const char* norm) {
    right = report(norm, transformed(in, out) && transformed(gradient, back)) && right;
    for (Memory* result : {&out, &back}) std::ranges::fill(*result, 0.0F);
  };

  const auto train = [&](const char* norm, auto layer, const auto&... communicator) {
    layer.forward(communicator..., x, y, saved);
    layer.backward(communicator..., dy, x, saved, dx);
    check(norm);
  };
  train("LayerNorm", norma::LayerNorm<float>({16, 4, 4}));
  train("RMSNorm", norma::RMSNorm<float>({4, 4}));
  train("LayerNorm, split", norma::LayerNorm<float>({16, 4, 4}), ranks);  // the normalized axes are dealt to processes
  train("BatchNorm", norma::BatchNorm<float>(16));
  train("GroupNorm", norma::GroupNorm<float>(4, 16));
  train("InstanceNorm", norma::InstanceNorm<float>(16, {.affine = true}));
  train("BatchRenorm", norma::BatchRenorm<float>(16, {.schedule = norma::RenormSchedule::constant(3, 5)}));
  train("SwitchableNorm", norma::SwitchableNorm<float>(16));
  train("BatchInstanceNorm", norma::BatchInstanceNorm<float>(16));
  train("MeanOnlyBatchNorm", norma::MeanOnlyBatchNorm<float>(16));
  train("SyncBatchNorm", norma::SyncBatchNorm<float>(16), ranks);

  norma::layer_norm(x, y, saved, {.axes = {1}});
  norma::layer_norm_backward(dy, x, saved, dx, {.axes = {1}});
  check("layer_norm");
  norma::rms_norm(x, y, saved, {.axes = {1}});
  norma::rms_norm_backward(dy, x, saved, dx, {.axes = {1}});
  check("rms_norm");
  norma::batch_norm(x, y, saved, {});
  norma::batch_norm_backward(dy, x, saved, dx, {});
  check("batch_norm");
  norma::group_norm(x, y, saved, {.groups = 4});
  norma::group_norm_backward(dy, x, saved, dx, {.groups = 4});
  check("group_norm");
  norma::instance_norm(x, y, saved, {});
  norma::instance_norm_backward(dy, x, saved, dx, {});
  check("instance_norm");

  norma::QKNorm<float> qk(4);
  qk.forward(x, x, y, y_of_keys, saved);
  qk.backward(dy, dy, x, x, saved, dx, dx_of_keys);
  check("QKNorm");

  const auto reparameterise = [&](const char* norm, auto weight) {
    weight.forward(y, saved);
    weight.backward(dy, saved);
    weight.for_each_parameter([&](std::string_view, std::span<float>, std::span<float> grad) { back.assign(grad.begin(), grad.end()); });
    check(norm);
  };
  reparameterise("WeightNorm", norma::WeightNorm<float>(x));
  reparameterise("SpectralNorm", norma::SpectralNorm<float>(x));
  return right ? 0 : 1;
}
