// Inference allocates nothing for any layout and axes; training nothing from the second step on with the same Saved.
#include "support/cases.hpp"
#include "support/compare.hpp"
#include "support/counting_new.hpp"

namespace norma_test {

// Compilers may leave out a pair of new and delete whose memory nobody sees; so that another translation unit could see it:
void* volatile seen_memory = nullptr;

namespace {

template <class T>
T* see(T* p) {
  seen_memory = p;
  return p;
}

/// Allocations during f().
template <class F>
long allocations_of(F f) {
  const long before = allocations_so_far();
  f();
  return allocations_so_far() - before;
}

TEST(Allocation, IsCounted) {
  EXPECT_EQ(allocations_of([&] { delete see(new int(1)); }), 1);
  EXPECT_EQ(allocations_of([&] {
              std::vector<double> v(100);
              see(v.data());
            }),
            1);
  EXPECT_EQ(allocations_of([&] { ::operator delete(see(::operator new(100, std::align_val_t(64))), std::align_val_t(64)); }), 1);
  EXPECT_EQ(allocations_of([] {}), 0);
}

/// One norm on tensors in one layout; options hold views and extents, so a call itself builds nothing on the heap.
template <class T>
struct Step {
  Step(const Norm<T, T>& n, const Setting& s, Layout layout)
      : norm(n),
        given(random_inputs<T, T, T>(s, 4)),
        x(s.extents, where(layout), random_values<T>(count(s.extents), 1)),
        y(s.extents, where(layout)),
        dx(s.extents, where(layout)),
        weight(s, s.weight, {}, random_values<T>(count(parameter_extents(s.weight, s)), 2), 0),
        bias(s, s.bias, {}, random_values<T>(count(parameter_extents(s.bias, s)), 3), 0) {
    options = options_of(s, given);
    options.weight = weight.value();
    options.bias = bias.value();
    options.weight_grad = weight.grad();
    options.bias_grad = bias.grad();
    x_view = x.view();
    y_view = y.view();
    dx_view = dx.view();
  }
  static Where where(Layout layout) {
    Where w;
    w.layout = layout;
    return w;
  }
  void infer() const { norm.infer(nullptr, x_view, y_view, options); }
  void train() { norm.train(nullptr, x_view, y_view, saved, options); }
  void backward() { norm.backward(nullptr, x_view, x_view, saved, dx_view, options); }

  const Norm<T, T>& norm;
  Inputs<T, T, T> given;  // statistics, where the norm wants them
  Tensor<T> x, y, dx;
  ParameterTensor<T> weight, bias;
  norma::TensorView<T> x_view, y_view, dx_view;
  Options<T> options;
  typename Norm<T, T>::Saved saved;
};

class Allocations : public testing::TestWithParam<ShapeCase> {};

TEST_P(Allocations, NoneInInferenceNoneFromTheSecondStepOn) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    for (const Layout layout : all_layouts) {
      for (const Form form : {Form::normalized, Form::full}) {
        SCOPED_TRACE(norma_test::name_of(layout));
        Setting s = shape.setting();
        s.weight = s.bias = form;
        Step<T> step(entry.get<T>(), s, layout);
        // A norm that only trains has no inference to look at; its layer's is tested with the layer.
        if (entry.family().per_sample) {
          EXPECT_EQ(allocations_of([&] { step.infer(); }), 0) << "inference";
        }
        step.train();
        step.backward();
        EXPECT_EQ(allocations_of([&] { step.train(); }), 0) << "second training forward";
        if (!entry.family().given_statistics) {
          EXPECT_EQ(allocations_of([&] { step.backward(); }), 0) << "second backward";
        }
      }
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, Allocations, testing::ValuesIn(shape_cases()), CaseName());

}  // namespace
}  // namespace norma_test
