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
  std::ptrdiff_t groups = 1;
  Extents mean = {4}, variance = {4};
  enum { filled, never_filled, of_another_shape, of_other_axes, of_another_layer } saved = filled;
};

/// A right call of a norm of channels.
Call call_of_channels(const Norm<float, float>& norm) {
  Call c;
  c.x = c.y = c.dy = c.dx = {2, 4, 3};
  c.axes = {};
  c.groups = norm.layer() == "GroupNorm" ? 2 : 1;
  return c;
}
Call right_call(std::size_t norm) {
  const Norm<float, float>& n = catalogue<float, float>()[norm];
  return n.family.has_axes ? Call() : call_of_channels(n);
}

struct Mistake {
  const char* name;
  std::vector<Pass> passes;
  std::function<void(Call&)> make;
  std::vector<const char*> words;  // the message has these
};

const std::vector<Mistake>& row_mistakes() {
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

const std::vector<Mistake>& channel_mistakes() {
  const std::vector<Pass> forward = {Pass::infer, Pass::train}, backward = {Pass::backward},
                          all = {Pass::infer, Pass::train, Pass::backward};
  const auto x = [](Extents extents) { return [=](Call& c) { c.x = c.y = extents; }; };
  const auto all_of_backward = [](Extents extents) { return [=](Call& c) { c.x = c.dy = c.dx = extents; }; };
  const auto weight = [](Extents extents) { return [=](Call& c) { c.weight = extents; }; };
  const auto bias = [](Extents extents) { return [=](Call& c) { c.bias = extents; }; };
  static const std::vector<Mistake> list = {
      {"y_of_another_shape",
       forward,
       [](Call& c) {
         c.y = {2, 4, 5};
       },
       {"y", "(2, 4, 3)", "(2, 4, 5)"}},
      {"y_of_another_rank",
       forward,
       [](Call& c) {
         c.y = {8, 3};
       },
       {"y", "(2, 4, 3)", "(8, 3)"}},
      {"y_with_extents_swapped",
       forward,
       [](Call& c) {
         c.y = {4, 2, 3};
       },
       {"y", "(2, 4, 3)", "(4, 2, 3)"}},
      {"y_in_channels_last_extents",
       forward,
       [](Call& c) {
         c.y = {2, 3, 4};
       },
       {"y", "(2, 4, 3)", "(2, 3, 4)"}},
      {"x_of_rank_0", forward, x({}), {"(N, C"}},
      {"x_of_rank_1", forward, x({4}), {"(4)", "(N, C"}},
      {"x_of_more_channels", forward, x({2, 6, 3}), {"(4)", "6"}},
      {"x_of_fewer_channels", forward, x({2, 2, 3}), {"(4)", "2"}},
      {"weight_one_short", all, weight({3}), {"weight", "(3)", "4"}},
      {"weight_one_long", all, weight({5}), {"weight", "(5)", "4"}},
      {"weight_of_length_0", all, weight({0}), {"weight", "(0)", "4"}},
      {"weight_of_length_1", all, weight({1}), {"weight", "(1)", "4"}},
      {"weight_of_the_sample", all, weight({4, 3}), {"weight", "(4, 3)", "(2, 4, 3)"}},
      {"weight_of_x_rank_but_wrong", all, weight({2, 2, 1}), {"weight", "(2, 2, 1)", "(2, 4, 3)"}},
      {"weight_of_too_large_a_batch", all, weight({3, 4, 1}), {"weight", "(3, 4, 1)", "(2, 4, 3)"}},
      {"weight_of_rank_4", all, weight({1, 4, 1, 1}), {"weight", "(1, 4, 1, 1)"}},
      {"weight_of_samples_and_channels", all, weight({2, 4}), {"weight", "(2, 4)"}},
      {"bias_one_short", forward, bias({3}), {"bias", "(3)", "4"}},
      {"bias_one_long", forward, bias({5}), {"bias", "(5)", "4"}},
      {"bias_of_length_0", forward, bias({0}), {"bias", "(0)", "4"}},
      {"bias_of_x_rank_but_wrong", forward, bias({1, 4, 2}), {"bias", "(1, 4, 2)", "(2, 4, 3)"}},
      {"dy_of_another_shape",
       backward,
       [](Call& c) {
         c.dy = {2, 4, 4};
       },
       {"dy", "(2, 4, 4)", "(2, 4, 3)"}},
      {"dy_of_another_rank", backward, [](Call& c) { c.dy = {24}; }, {"dy", "(24)", "(2, 4, 3)"}},
      {"dy_of_fewer_samples",
       backward,
       [](Call& c) {
         c.dy = {1, 4, 3};
       },
       {"dy", "(1, 4, 3)", "(2, 4, 3)"}},
      {"dx_of_another_shape",
       backward,
       [](Call& c) {
         c.dx = {2, 4, 2};
       },
       {"dx", "(2, 4, 2)", "(2, 4, 3)"}},
      {"weight_grad_one_short", backward, [](Call& c) { c.weight_grad = {3}; }, {"weight_grad", "(3)"}},
      {"weight_grad_one_long", backward, [](Call& c) { c.weight_grad = {5}; }, {"weight_grad", "(5)"}},
      {"weight_grad_of_length_0", backward, [](Call& c) { c.weight_grad = {0}; }, {"weight_grad", "(0)"}},
      {"weight_grad_of_another_batch",
       backward,
       [](Call& c) {
         c.weight_grad = {5, 4, 1};
       },
       {"weight_grad", "(5, 4, 1)"}},
      {"bias_grad_one_short", backward, [](Call& c) { c.bias_grad = {3}; }, {"bias_grad", "(3)"}},
      {"bias_grad_one_long", backward, [](Call& c) { c.bias_grad = {5}; }, {"bias_grad", "(5)"}},
      {"bias_grad_of_length_0", backward, [](Call& c) { c.bias_grad = {0}; }, {"bias_grad", "(0)"}},
      // From here on: only some norms.
      {"x_other_than_in_forward", backward, all_of_backward({4, 4, 3}), {"(4, 4, 3)", "(2, 4, 3)"}},
      {"x_of_fewer_samples", backward, all_of_backward({1, 4, 3}), {"(1, 4, 3)", "(2, 4, 3)"}},
      {"saved_never_filled", backward, [](Call& c) { c.saved = Call::never_filled; }, {"forward"}},
      {"saved_of_another_shape", backward, [](Call& c) { c.saved = Call::of_another_shape; }, {"(2, 4, 3)", "(5, 4, 3)"}},
      {"saved_of_another_layer", backward, [](Call& c) { c.saved = Call::of_another_layer; }, {"written by"}},
      {"groups_other_than_in_forward", backward, [](Call& c) { c.groups = 4; }, {"groups"}},
      {"groups_that_do_not_divide", all, [](Call& c) { c.groups = 3; }, {"4 channels do not split into 3 groups"}},
      {"more_groups_than_channels", all, [](Call& c) { c.groups = 8; }, {"4 channels do not split into 8 groups"}},
      {"no_groups", all, [](Call& c) { c.groups = 0; }, {"4 channels do not split into 0 groups"}},
      {"negative_groups", all, [](Call& c) { c.groups = -2; }, {"4 channels do not split into -2 groups"}},
      {"one_value_per_channel", {Pass::train}, x({1, 4, 1}), {"more than one value per channel", "(1, 4, 1)"}},
      {"one_value_per_channel_without_positions", {Pass::train}, x({1, 4}), {"more than one value per channel", "(1, 4)"}},
      {"x_without_positions", {Pass::infer, Pass::train}, x({2, 4}), {"(2, 4)", "(N, C, spatial...)"}},
      {"mean_one_short", all, [](Call& c) { c.mean = {3}; }, {"mean", "(3)", "4"}},
      {"mean_of_rank_3",
       all,
       [](Call& c) {
         c.mean = {1, 4, 1};
       },
       {"mean", "(1, 4, 1)", "4"}},
      {"mean_of_length_0", all, [](Call& c) { c.mean = {0}; }, {"mean", "(0)", "4"}},
      {"variance_one_long", all, [](Call& c) { c.variance = {5}; }, {"variance", "(5)", "4"}},
      {"variance_of_length_1", all, [](Call& c) { c.variance = {1}; }, {"variance", "(1)", "4"}},
      {"mean_absent", all, [](Call& c) { c.mean = {-1}; }, {"mean and variance"}},
      {"variance_absent", all, [](Call& c) { c.variance = {-1}; }, {"mean and variance"}},
  };
  return list;
}

const std::vector<Mistake>& mistakes_of(std::size_t norm) {
  return catalogue<float, float>()[norm].family.has_axes ? row_mistakes() : channel_mistakes();
}

/// False for mistakes that a norm of channels cannot make.
bool can_make(const Norm<float, float>& norm, const Mistake& mistake) {
  const std::string name = mistake.name;
  const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
  if (norm.family.has_axes) return true;
  if (has("groups")) return norm.layer() == "GroupNorm";
  if (has("one_value")) return norm.name == "BatchNorm";
  if (has("without_positions")) return norm.name == "InstanceNorm";
  if (has("mean") || has("variance")) return norm.family.given_statistics;
  return !norm.family.given_statistics || (!has("saved") && !has("x_other") && !has("x_of_fewer_samples"));
}

struct ErrorCase {
  Entry entry;
  std::size_t mistake;
  Pass pass;
};

std::vector<ErrorCase> error_cases() {
  std::vector<ErrorCase> cases;
  for (const Entry& entry : all_entries()) {
    const std::vector<Mistake>& mistakes = mistakes_of(entry.norm);
    for (std::size_t m = 0; m < mistakes.size(); ++m) {
      if (!can_make(catalogue<float, float>()[entry.norm], mistakes[m])) continue;
      for (const Pass pass : mistakes[m].passes) cases.push_back({entry, m, pass});
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
        bias_grad(at_least_one(c.bias_grad), {}),
        mean(at_least_one(c.mean), {}, std::vector<T>(count(at_least_one(c.mean)), T(0.5))),
        variance(at_least_one(c.variance), {}, std::vector<T>(count(at_least_one(c.variance)), T(2))) {
    options.axes = c.axes;
    options.groups = c.groups;
    options.eps = 1e-5;
    // An extent of -1: absent.
    if (c.mean != Extents{-1}) options.mean = {mean.view().data(), c.mean};
    if (c.variance != Extents{-1}) options.variance = {variance.view().data(), c.variance};
    options.weight = {weight.view().data(), c.weight};
    options.bias = {bias.view().data(), c.bias};
    options.weight_grad = {weight_grad.view().data(), c.weight_grad};
    options.bias_grad = {bias_grad.view().data(), c.bias_grad};
  }
  /// A length of 0 with a pointer is a wrong length, not an absent parameter.
  static Extents at_least_one(const Extents& extents) { return extents == Extents{-1} || count(extents) == 0 ? Extents{1} : extents; }

  bool outputs_untouched() const {
    for (const Tensor<T>* tensor : {&y, &dx, &weight_grad, &bias_grad}) {
      for (const T value : tensor->values()) {
        if (!same_bits(value, Tensor<T>::untouched())) return false;
      }
    }
    return true;
  }

  Tensor<T> x, dy, weight, bias, y, dx, weight_grad, bias_grad, mean, variance;
  Options<T> options;
};

/// A Saved as the case wants it for the backward.
template <class T>
typename Norm<T, T>::Saved saved_for(const Call& c, std::size_t norm) {
  typename Norm<T, T>::Saved saved;
  Call right = right_call(norm);
  if (c.saved == Call::of_another_shape) right.x[0] = right.y[0] = 5;
  if (c.saved == Call::of_other_axes) {
    right.axes = {1};
    right.weight = right.bias = {3};
  }
  // Of the same family: the norm before it, or behind the first.
  const bool has_axes = catalogue<T, T>()[norm].family.has_axes;
  std::size_t other = 0;
  while (other == norm || catalogue<T, T>()[other].family.has_axes != has_axes || catalogue<T, T>()[other].family.given_statistics) ++other;
  Tensors<T> tensors(right);
  if (c.saved != Call::never_filled) {
    catalogue<T, T>()[c.saved == Call::of_another_layer ? other : norm].train(nullptr, tensors.x.view(), tensors.y.view(), saved,
                                                                              tensors.options);
  }
  return saved;
}

std::string name_of(const ErrorCase& c) {
  static constexpr const char* passes[] = {"infer", "train", "backward"};
  return c.entry.name() + "_" + mistakes_of(c.entry.norm)[c.mistake].name + "_" + passes[static_cast<std::size_t>(c.pass)];
}

class Errors : public testing::TestWithParam<ErrorCase> {};

TEST_P(Errors, ThrowBeforeAnythingIsWritten) {
  const ErrorCase& c = GetParam();
  const Mistake& mistake = mistakes_of(c.entry.norm)[c.mistake];
  with_element(c.entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = c.entry.get<T>();
    Call call = right_call(c.entry.norm);
    mistake.make(call);
    const ShuffledPool pool(7);
    for (const Pool* executor : {static_cast<const Pool*>(nullptr), static_cast<const Pool*>(&pool)}) {
      Tensors<T> t(call);
      typename Norm<T, T>::Saved saved = saved_for<T>(c.pass == Pass::backward ? call : right_call(c.entry.norm), c.entry.norm);
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
      EXPECT_NE(message.find(norm.layer() + ": "), std::string::npos) << "the layer is not named: " << message;
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
    Call wrong = right_call(GetParam().norm);
    wrong.bias = {7};
    Tensors<T> good{right_call(GetParam().norm)}, bad(wrong);
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
    std::vector<Shape> shapes = {{{0, 4}, {1}}, {{4, 0}, {1}}, {{0, 0}, {0}}, {{2, 0, 3}, {2}}, {{2, 3, 0}, {0, 1}}};
    if (!norm.family.has_axes) shapes = {{{0, 4, 2}}, {{4, 0, 3}}, {{0, 0, 0}}, {{2, 3, 0}}, {{2, 3, 0, 2}}};
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(shape.name());
      T nowhere = T(7);
      Setting setting = shape.setting();
      setting.given_statistics = norm.family.given_statistics;
      const auto none = random_inputs<T, T, T>(setting, 3);
      const Options<T> options = options_of(setting, none);
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
    Setting s = shapes.front().setting();
    s.given_statistics = norm.family.given_statistics;
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
