// Prints one line "case.result hash" for every output over the catalogue, lengths, shapes and layouts, and for all that layers learn: equal
// on AVX2 and AVX-512, and whether or not the compiler may turn a product and a sum into one fused operation.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <norma/norma.hpp>

#include "support/cases.hpp"
#include "support/random.hpp"
#include "support/run.hpp"

namespace norma_test {
namespace {

/// FNV-1a over the bits; every NaN counts as the same.
template <class T>
std::uint64_t hash(const std::vector<T>& values) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const T value : values) {
    const BitsOf<T> bits = value != value ? BitsOf<T>(1) : std::bit_cast<BitsOf<T>>(value);
    for (std::size_t byte = 0; byte < sizeof(T); ++byte) h = (h ^ ((bits >> (8 * byte)) & 0xFF)) * 0x100000001B3u;
  }
  return h;
}

template <class X, class Y>
void print(const Norm<X, Y>& norm, const std::string& name, const Setting& s, Layout layout, double mean, double sigma) {
  const auto inputs = random_inputs<X, Y, norma::ParameterFor<X>>(s, 91, mean, sigma);
  Where where;
  where.layout = layout;
  const auto r = run(norm, s, inputs, everywhere(where));
  const auto line = [&](const char* result, std::uint64_t h) {
    std::printf("%s_%s.%s %016llx\n", name.c_str(), name_of(layout), result, static_cast<unsigned long long>(h));
  };
  line("y", hash(r.y));
  line("y_train", hash(r.y_train));
  line("mean", hash(r.mean));
  line("rstd", hash(r.rstd));
  line("dx", hash(r.dx));
  line("dweight", hash(r.dweight));
  line("dbias", hash(r.dbias));
}

template <class T>
void print_lengths(const Norm<T, T>& norm, const std::string& entry) {
  for (const std::ptrdiff_t length : all_lengths()) {
    if (length < norm.family.least_length) continue;
    for (const std::ptrdiff_t rows : {1, length > 2000 ? 3 : 70}) {
      const std::string name = entry + "_" + std::to_string(rows) + "x" + std::to_string(length);
      print(norm, name, norm.family.sets_of(rows, length), Layout::contiguous, 0.5, 1);
      print(norm, name, norm.family.sets_of(rows, length), norm.family.has_axes ? Layout::reversed : Layout::channels_last, 1e3, 1);
    }
    Setting s = norm.family.sets_of(3, length);
    s.unit_offset = true;
    s.eps_outside_sqrt = norm.family.has_eps_outside_sqrt;
    print(norm, entry + "_small_" + std::to_string(length), s, Layout::strided, 0, sizeof(T) == 4 ? 1e-30 : 1e-200);
    print(norm, entry + "_large_" + std::to_string(length), s, Layout::contiguous, 0, sizeof(T) == 4 ? 1e30 : 1e200);
  }
}

template <class X, class Y>
void print_shapes(const Norm<X, Y>& norm, const std::string& entry) {
  for (const Shape& shape : norm.family.shapes) {
    for (const Layout layout : all_layouts) {
      // Each layout gets its share of the parameter forms, all of them together all.
      for (std::size_t p = static_cast<std::size_t>(layout) % 3; p < all_parameters().size(); p += 3) {
        Setting s = shape.setting();
        set_parameters(s, all_parameters()[p]);
        print(norm, entry + "_" + shape.name() + "_parameters_" + std::to_string(p), s, layout, 1, 2);
      }
    }
  }
}

/// Norms of channels where a channel is left alone behind the last whole slice, whose size differs between instruction sets.
void print_slices(const Norm<float, float>& norm, const std::string& entry) {
  if (norm.family.has_axes) return;
  Setting s = norm.family.shapes.front().setting();
  s.extents = {2, 33, 64, 64};
  if (s.groups > 1) s.groups = 3;
  for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::reversed})
    print(norm, entry + "_2x33x64x64", s, layout, 1, 2);
}

/// Two training steps: outputs, gradients, running statistics and what inference makes of them.
template <class Layer>
void print_learning(Layer layer, const std::string& name) {
  using T = typename decltype(layer.bias())::value_type;
  std::uint64_t seed = 7;
  layer.for_each_parameter([&](std::string_view, std::span<T> value, std::span<T>) {
    const std::vector<T> values = random_values<T>(value.size(), ++seed, 0.5, 1);
    std::copy(values.begin(), values.end(), value.begin());
  });
  const auto line = [&](const char* layout, std::string_view result, const std::vector<T>& values) {
    std::printf("%s_%s.%s %016llx\n", name.c_str(), layout, std::string(result).c_str(), static_cast<unsigned long long>(hash(values)));
  };
  for (const Layout layout : {Layout::contiguous, Layout::channels_last}) {
    Where where;
    where.layout = layout;
    const Extents extents = {5, 33, 7, 3};
    Tensor<T> y(extents, where), dx(extents, where);
    norma::Saved<T> saved;
    for (int step = 0; step < 2; ++step) {
      Tensor<T> x(extents, where, random_values<T>(count(extents), ++seed, 2, 3));
      Tensor<T> dy(extents, where, random_values<T>(count(extents), ++seed));
      layer.forward(x.view(), y.view(), saved);
      layer.backward(dy.view(), x.view(), saved, dx.view());
      line(name_of(layout), "y_train", y.values());
      line(name_of(layout), "dx", dx.values());
      layer(x.view(), y.view());
      line(name_of(layout), "y", y.values());
    }
    layer.for_each_parameter([&](std::string_view parameter, std::span<T>, std::span<T> gradient) {
      line(name_of(layout), "d" + std::string(parameter), {gradient.begin(), gradient.end()});
    });
    layer.for_each_buffer([&](std::string_view buffer, std::span<T> value) {
      line(name_of(layout), buffer, {value.begin(), value.end()});
    });
  }
}

template <class T>
void print_learners(const std::string& type) {
  const std::optional<double> cumulative;
  print_learning(norma::BatchNorm<T>(33, {.momentum = 0.3}), "batch_norm_learning" + type);
  print_learning(norma::BatchNorm<T>(33, {.momentum = cumulative, .convention = norma::StatsConvention::onnx}),
                 "batch_norm_cumulative" + type);
  print_learning(norma::BatchRenorm<T>(33, {.momentum = 0.3, .schedule = norma::RenormSchedule::constant(1.2, 0.3)}),
                 "batch_renorm_learning" + type);
  print_learning(norma::SwitchableNorm<T>(33, {.momentum = 0.3}), "switchable_norm_learning" + type);
  print_learning(norma::BatchInstanceNorm<T>(33, {.momentum = 0.3}), "batch_instance_norm_learning" + type);
  print_learning(norma::MeanOnlyBatchNorm<T>(33, {.momentum = 0.3}), "mean_only_batch_norm_learning" + type);
}

void print_all() {
  print_learners<float>("_f32");
  print_learners<double>("_f64");
  for (std::size_t n = 0; n < norm_names().size(); ++n) {
    const std::string name = norm_names()[n];
    print_lengths(catalogue<float, float>()[n], name + "_f32");
    print_lengths(catalogue<double, double>()[n], name + "_f64");
    print_shapes(catalogue<float, float>()[n], name + "_f32");
    print_slices(catalogue<float, float>()[n], name + "_f32");
    print_shapes(catalogue<double, double>()[n], name + "_f64");
    print_shapes(catalogue<float, double>()[n], name + "_f32_to_f64");
    print_shapes(catalogue<double, float>()[n], name + "_f64_to_f32");
  }
}

}  // namespace
}  // namespace norma_test

int main() {
  norma_test::print_all();
  return 0;
}
