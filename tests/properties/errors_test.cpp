// Property 9: every ShapeError of the free functions: its type, its message, and that nothing was written.
#include <functional>
#include <stdexcept>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

enum class Pass { infer, train, backward };

/// The shapes of one call, right until an error case changes them. Forward of a backward case always gets the right ones.
struct Call {
  Extents x = {2, 3, 4}, y = x, dy = x, dx = x, weight = {4}, bias = {4}, weight_grad = {4}, bias_grad = {4};
  std::vector<std::ptrdiff_t> axes = {-1};
  enum { filled, never_filled, of_another_shape, of_other_axes, of_another_layer } saved = filled;
};

struct Mistake {
  const char* name;
  std::vector<Pass> passes;
  std::function<void(Call&)> make;
  std::vector<const char*> words;  // the message has these
};

const std::vector<Mistake>& mistakes() {
  const std::vector<Pass> forward = {Pass::infer, Pass::train}, backward = {Pass::backward},
                          all = {Pass::infer, Pass::train, Pass::backward};
  static const std::vector<Mistake> list = {
      {"y_of_another_shape",
       forward,
       [](Call& c) {
         c.y = {2, 3, 5};
       },
       {"(2, 3, 4)", "(2, 3, 5)"}},
      {"y_of_another_rank",
       forward,
       [](Call& c) {
         c.y = {6, 4};
       },
       {"(2, 3, 4)", "(6, 4)"}},
      {"y_with_extents_swapped",
       forward,
       [](Call& c) {
         c.y = {3, 2, 4};
       },
       {"(2, 3, 4)", "(3, 2, 4)"}},
      {"weight_one_short", forward, [](Call& c) { c.weight = {3}; }, {"weight", "(3)", "4"}},
      {"weight_one_long", all, [](Call& c) { c.weight = {5}; }, {"weight", "(5)", "4"}},
      {"weight_of_length_0", all, [](Call& c) { c.weight = {0}; }, {"weight", "(0)", "4"}},
      {"weight_of_length_1", all, [](Call& c) { c.weight = {1}; }, {"weight", "(1)", "4"}},
      {"weight_of_rank_2",
       all,
       [](Call& c) {
         c.weight = {3, 4};
       },
       {"weight", "(3, 4)"}},
      {"weight_of_x_rank_but_wrong",
       all,
       [](Call& c) {
         c.weight = {2, 2, 4};
       },
       {"weight", "(2, 2, 4)"}},
      {"weight_of_rank_4",
       all,
       [](Call& c) {
         c.weight = {1, 1, 1, 4};
       },
       {"weight", "(1, 1, 1, 4)"}},
      {"bias_one_short", forward, [](Call& c) { c.bias = {3}; }, {"bias", "(3)", "4"}},
      {"bias_one_long", forward, [](Call& c) { c.bias = {5}; }, {"bias", "(5)", "4"}},
      {"bias_of_length_0", forward, [](Call& c) { c.bias = {0}; }, {"bias", "(0)", "4"}},
      {"bias_of_the_whole_sample",
       forward,
       [](Call& c) {
         c.bias = {3, 4};
       },
       {"bias", "(3, 4)"}},
      {"axis_too_large", forward, [](Call& c) { c.axes = {3}; }, {"axis", "3"}},
      {"axis_too_small", forward, [](Call& c) { c.axes = {-4}; }, {"axis", "-4"}},
      {"axis_far_out",
       forward,
       [](Call& c) {
         c.axes = {0, 100};
       },
       {"axis", "100"}},
      {"axis_repeated",
       forward,
       [](Call& c) {
         c.axes = {1, 1};
       },
       {"1"}},
      {"axis_repeated_from_the_back",
       forward,
       [](Call& c) {
         c.axes = {2, -1};
       },
       {"2"}},
      {"axes_empty", forward, [](Call& c) { c.axes = {}; }, {"axes"}},
      {"x_of_rank_0", forward, [](Call& c) { c.x = c.y = {}; }, {}},
      {"axes_without_their_weight",
       forward,
       [](Call& c) {
         c.axes = {1, 2};
       },
       {"weight", "(4)"}},
      {"dy_of_another_shape",
       backward,
       [](Call& c) {
         c.dy = {2, 4, 4};
       },
       {"dy", "(2, 4, 4)", "(2, 3, 4)"}},
      {"dy_of_another_rank", backward, [](Call& c) { c.dy = {24}; }, {"dy", "(24)", "(2, 3, 4)"}},
      {"dx_of_another_shape",
       backward,
       [](Call& c) {
         c.dx = {2, 3, 3};
       },
       {"dx", "(2, 3, 3)", "(2, 3, 4)"}},
      {"x_other_than_in_forward",
       backward,
       [](Call& c) {
         c.x = c.dy = c.dx = {3, 2, 4};
       },
       {"(3, 2, 4)", "(2, 3, 4)"}},
      {"x_of_fewer_rows",
       backward,
       [](Call& c) {
         c.x = c.dy = c.dx = {1, 3, 4};
       },
       {"(1, 3, 4)", "(2, 3, 4)"}},
      {"weight_grad_one_short", backward, [](Call& c) { c.weight_grad = {3}; }, {"weight_grad", "(3)"}},
      {"weight_grad_one_long", backward, [](Call& c) { c.weight_grad = {5}; }, {"weight_grad", "(5)"}},
      {"weight_grad_of_length_0", backward, [](Call& c) { c.weight_grad = {0}; }, {"weight_grad", "(0)"}},
      {"bias_grad_one_short", backward, [](Call& c) { c.bias_grad = {3}; }, {"bias_grad", "(3)"}},
      {"bias_grad_one_long", backward, [](Call& c) { c.bias_grad = {5}; }, {"bias_grad", "(5)"}},
      {"bias_grad_of_length_0", backward, [](Call& c) { c.bias_grad = {0}; }, {"bias_grad", "(0)"}},
      {"saved_never_filled", backward, [](Call& c) { c.saved = Call::never_filled; }, {"forward"}},
      {"saved_of_another_shape", backward, [](Call& c) { c.saved = Call::of_another_shape; }, {"(2, 3, 4)", "(5, 3, 4)"}},
      {"saved_of_other_axes", backward, [](Call& c) { c.saved = Call::of_other_axes; }, {"axes"}},
      {"saved_of_another_layer", backward, [](Call& c) { c.saved = Call::of_another_layer; }, {}},
      {"axes_other_than_in_forward",
       backward,
       [](Call& c) {
         c.axes = {1};
         c.weight = c.bias = c.weight_grad = c.bias_grad = {3};
       },
       {"axes"}},
      {"axis_out_of_range_in_backward", backward, [](Call& c) { c.axes = {3}; }, {"axis", "3"}},
  };
  return list;
}

struct ErrorCase {
  Entry entry;
  std::size_t mistake;
  Pass pass;
};

std::vector<ErrorCase> error_cases() {
  std::vector<ErrorCase> cases;
  for (const Entry& entry : all_entries()) {
    for (std::size_t m = 0; m < mistakes().size(); ++m) {
      for (const Pass pass : mistakes()[m].passes) cases.push_back({entry, m, pass});
    }
  }
  return cases;
}

/// The tensors of a call. Everything that can be written starts as Tensor's own NaN, and must still be that after an error.
template <class T>
struct Tensors {
  explicit Tensors(const Call& c)
      : x(c.x, {}, random_values<T>(count(c.x), 1)),
        dy(c.dy, {}, random_values<T>(count(c.dy), 2)),
        weight(at_least_one(c.weight), {}),
        bias(at_least_one(c.bias), {}),
        y(c.y, {}),
        dx(c.dx, {}),
        weight_grad(at_least_one(c.weight_grad), {}),
        bias_grad(at_least_one(c.bias_grad), {}) {
    options.axes = c.axes;
    options.eps = 1e-5;
    options.weight = {weight.view().data(), c.weight};
    options.bias = {bias.view().data(), c.bias};
    options.weight_grad = {weight_grad.view().data(), c.weight_grad};
    options.bias_grad = {bias_grad.view().data(), c.bias_grad};
  }
  /// A length of 0 with a pointer is a wrong length, not an absent parameter.
  static Extents at_least_one(const Extents& extents) { return count(extents) == 0 ? Extents{1} : extents; }

  bool outputs_untouched() const {
    for (const Tensor<T>* tensor : {&y, &dx, &weight_grad, &bias_grad}) {
      for (const T value : tensor->values()) {
        if (!same_bits(value, Tensor<T>::untouched())) return false;
      }
    }
    return true;
  }

  Tensor<T> x, dy, weight, bias, y, dx, weight_grad, bias_grad;
  Options<T> options;
};

/// A Saved as the case wants it for the backward.
template <class T>
typename Norm<T, T>::Saved saved_for(const Call& c, std::size_t norm) {
  typename Norm<T, T>::Saved saved;
  Call right;
  if (c.saved == Call::of_another_shape) right.x = right.y = {5, 3, 4};
  if (c.saved == Call::of_other_axes) {
    right.axes = {1};
    right.weight = right.bias = {3};
  }
  const std::size_t other = (norm + 1) % norm_names().size();
  Tensors<T> tensors(right);
  if (c.saved != Call::never_filled) {
    catalogue<T, T>()[c.saved == Call::of_another_layer ? other : norm].train(nullptr, tensors.x.view(), tensors.y.view(), saved,
                                                                              tensors.options);
  }
  return saved;
}

std::string name_of(const ErrorCase& c) {
  static constexpr const char* passes[] = {"infer", "train", "backward"};
  return c.entry.name() + "_" + mistakes()[c.mistake].name + "_" + passes[static_cast<std::size_t>(c.pass)];
}

class Errors : public testing::TestWithParam<ErrorCase> {};

TEST_P(Errors, ThrowBeforeAnythingIsWritten) {
  const ErrorCase& c = GetParam();
  const Mistake& mistake = mistakes()[c.mistake];
  with_element(c.entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = c.entry.get<T>();
    Call call;
    mistake.make(call);
    const ShuffledPool pool(7);
    for (const Pool* executor : {static_cast<const Pool*>(nullptr), static_cast<const Pool*>(&pool)}) {
      Tensors<T> t(call);
      typename Norm<T, T>::Saved saved = saved_for<T>(c.pass == Pass::backward ? call : Call(), c.entry.norm);
      const std::vector<T> rstd(saved.rstd().begin(), saved.rstd().end());
      std::string message;
      try {
        if (c.pass == Pass::infer) norm.infer(executor, t.x.view(), t.y.view(), t.options);
        if (c.pass == Pass::train) norm.train(executor, t.x.view(), t.y.view(), saved, t.options);
        if (c.pass == Pass::backward) norm.backward(executor, t.dy.view(), t.x.view(), saved, t.dx.view(), t.options);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const norma::ShapeError& error) {
        const std::invalid_argument& as_standard = error;
        message = as_standard.what();
      }
      EXPECT_NE(message.find(norm.name), std::string::npos) << "the layer is not named: " << message;
      for (const char* word : mistake.words) {
        EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
      }
      EXPECT_TRUE(t.outputs_untouched()) << "something was written before: " << message;
      EXPECT_TRUE(same(std::vector<T>(saved.rstd().begin(), saved.rstd().end()), rstd)) << "saved was changed before: " << message;
      EXPECT_EQ(pool.tasks_run(), 0) << "work was started before: " << message;
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, Errors, testing::ValuesIn(error_cases()), CaseName());

class AfterAnError : public testing::TestWithParam<Entry> {};

// A failed training forward leaves Saved as it was: the backward of the forward before it still works.
TEST_P(AfterAnError, SavedStillServesTheForwardBefore) {
  with_element(GetParam(), [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = GetParam().get<T>();
    Call wrong;
    wrong.bias = {7};
    Tensors<T> good{Call()}, bad(wrong);
    typename Norm<T, T>::Saved saved;
    norm.train(nullptr, good.x.view(), good.y.view(), saved, good.options);
    EXPECT_THROW(norm.train(nullptr, bad.x.view(), bad.y.view(), saved, bad.options), norma::ShapeError);
    good.options.weight = {};
    norm.backward(nullptr, good.dy.view(), good.x.view(), saved, good.dx.view(), good.options);
    for (const T dx : good.dx.values()) EXPECT_FALSE(std::isnan(dx));
  });
}

// Nothing to do is no error, whatever the pointers; gradients of nothing are zero.
TEST_P(AfterAnError, EmptyTensorsAreLegal) {
  with_element(GetParam(), [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = GetParam().get<T>();
    for (const Shape& shape : std::vector<Shape>{{{0, 4}, {1}}, {{4, 0}, {1}}, {{0, 0}, {0}}, {{2, 0, 3}, {2}}, {{2, 3, 0}, {0, 1}}}) {
      SCOPED_TRACE(shape.name());
      T nowhere = T(7);
      Options<T> options;
      options.axes = shape.axes;
      options.eps = 1e-5;
      for (T* pointer : {static_cast<T*>(nullptr), &nowhere}) {
        typename Norm<T, T>::Saved saved;
        const norma::TensorView<T> empty(pointer, shape.extents);
        EXPECT_NO_THROW(norm.infer(nullptr, empty, empty, options));
        EXPECT_NO_THROW(norm.train(nullptr, empty, empty, saved, options));
        EXPECT_NO_THROW(norm.backward(nullptr, empty, empty, saved, empty, options));
        EXPECT_EQ(nowhere, T(7));
      }
    }
    // Parameters with elements whose sets are empty or absent receive no gradient.
    Setting s;
    s.extents = {0, 4};
    const auto inputs = random_inputs<T, T, T>(s, 3);
    Rig<T, T> rig(norm, s, inputs, {}, T(0.5));
    rig.all();
    EXPECT_EQ(rig.weight_grads(), std::vector<T>(4, T(0.5)));
    EXPECT_EQ(rig.bias_grads(), std::vector<T>(4, T(0.5)));
  });
}
INSTANTIATE_TEST_SUITE_P(All, AfterAnError, testing::ValuesIn(all_entries()), CaseName());

}  // namespace
}  // namespace norma_test
