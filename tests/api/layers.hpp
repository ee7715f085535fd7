// What the tests of single norms share: views of vectors, a layer's tensors and state, subjects by name, cases over shapes and layouts.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "subjects/engine.hpp"

#include "support/cases.hpp"
#include "support/compare.hpp"
#include "support/errors.hpp"

namespace norma_test {

template <class T>
norma::TensorView<const T> shaped(const std::vector<T>& values, const norma::Extents& extents) {
  return {values.data(), extents};
}
template <class T>
norma::TensorView<T> shaped(std::vector<T>& values, const norma::Extents& extents) {
  return {values.data(), extents};
}

/// Random x and dy, and what a training step makes of them.
template <class T>
struct Tensors {
  explicit Tensors(const Extents& extents)
      : x(extents, {}, random_values<T>(count(extents), 3)),
        y(extents, {}),
        dy(extents, {}, random_values<T>(count(extents), 4)),
        dx(extents, {}) {}

  template <class L>
  void step(L& layer) {
    layer.forward(x.view(), y.view(), saved);
    layer.backward(dy.view(), x.view(), saved, dx.view());
  }

  Tensor<T> x, y, dy, dx;
  norma::Saved<T> saved;
};

/// y of a training forward.
template <class L, class T>
std::vector<T> train(L& layer, const std::vector<T>& x, const norma::Extents& extents) {
  std::vector<T> y(x.size());
  norma::Saved<T> saved;
  layer.forward(shaped(x, extents), shaped(y, extents), saved);
  return y;
}

/// Parameters and buffers take the values that data has under their names.
template <class L>
void set_state(L& layer, const Data& data) {
  const auto set = [](auto to, const Values& values) { AnyView(norma::view(to)).set(values); };
  layer.for_each_parameter([&](std::string_view name, auto value, auto) { set(value, data.parameters.at(std::string(name))); });
  layer.for_each_buffer([&](std::string_view name, auto value) { set(value, data.buffers.at(std::string(name))); });
}

/// Every number of a layer that a call may change: parameters, gradients, buffers, the counter.
template <class L>
Values state_of(L& layer) {
  Values all;
  const auto add = [&](auto values) { all.insert(all.end(), values.begin(), values.end()); };
  layer.for_each_parameter([&](std::string_view, auto value, auto grad) {
    add(value);
    add(grad);
  });
  layer.for_each_buffer([&](std::string_view, auto value) { add(value); });
  if constexpr (requires { layer.num_batches_tracked(); }) all.push_back(static_cast<double>(layer.num_batches_tracked()));
  return all;
}

/// The names of a layer's parameters, then of its buffers, each with its size.
using Names = std::vector<std::pair<std::string, std::size_t>>;
template <class L>
Names names_of(L layer) {
  Names names, of_constant;
  layer.for_each_parameter([&](std::string_view name, auto value, auto) { names.emplace_back(name, value.size()); });
  layer.for_each_buffer([&](std::string_view name, auto value) { names.emplace_back(name, value.size()); });
  const L& constant = layer;
  const auto read_only = [&]<class T>(std::string_view name, std::span<const T> value) { of_constant.emplace_back(name, value.size()); };
  constant.for_each_parameter(
      [&]<class T>(std::string_view name, std::span<const T> value, std::span<const T>) { read_only(name, value); });
  constant.for_each_buffer(read_only);
  EXPECT_EQ(of_constant, names) << "a const layer shows the same";
  return names;
}

/// A shape with options, in these types and this layout.
struct Case {
  Setting setting;
  Types types;
  Layout layout;
};
inline std::string name_of(const Case& c) { return case_name(c.types, c.setting, c.layout); }
inline void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c); }

/// Every shape in every layout and both types, each with the next of the subject's options.
template <class Layouts>
std::vector<Case> cases_of(const Subject& subject, const Settings& shapes, const Layouts& layouts) {
  std::vector<Case> cases;
  std::size_t options = 0;
  for (const Setting& s : shapes) {
    for (const Layout layout : layouts) {
      for (const Types& t : {all_f32, all_f64}) cases.push_back({varied(s, subject.variation(options++)), t, layout});
      ++options;
    }
  }
  return cases;
}

/// f(zero of the type), which is one of parameters.
template <class F>
void with_parameter(Element e, F f) {
  if (e == Element::f32) {
    f(float());
  } else {
    f(double());
  }
}

/// For INSTANTIATE_TEST_SUITE_P.
struct CaseName {
  template <class C>
  std::string operator()(const testing::TestParamInfo<C>& info) const {
    return name_of(info.param);
  }
};

/// Weights of every rank, normalized along every axis; `with_none`, as a whole, too.
inline std::vector<Case> weight_cases(bool with_none) {
  Settings shapes = weight_family(with_none).shapes;
  std::erase_if(shapes, [](const Setting& s) { return count(s.extents) == 0; });
  return cases_of(subject_named("WeightNorm"), shapes,
                  std::array{Layout::contiguous, Layout::reversed, Layout::sliced, Layout::flipped_all});
}

}  // namespace norma_test
