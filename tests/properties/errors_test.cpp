// Property 9: every ShapeError: its type, its message, and that nothing was written; on one rank or on all; and that all goes on behind it.
#include <functional>
#include <stdexcept>

#include "support/errors.hpp"
#include "support/property.hpp"

namespace norma_test { namespace {

enum class Pass { infer, train, backward, frozen };
using Passes = std::vector<Pass>;
const Passes forward = {Pass::infer, Pass::train}, backward = {Pass::backward}, gradients = {Pass::backward, Pass::frozen},
             every_pass = {Pass::infer, Pass::train, Pass::backward};

const char* name_of(Pass pass) {
  static constexpr const char* names[] = {"infer", "train", "backward", "frozen"};
  return names[static_cast<std::size_t>(pass)];
}

/// A right call that something spoils: a view, an option, or what is saved.
struct Mistake {
  std::string name;
  Passes passes;
  std::function<void(Call& call, Norm& norm)> make;
  std::vector<std::string> words;  // the message has these
  bool of_one_rank = true;         // a rank alone can make it
  bool of_one_rank_only = false;   // none sees it in its own tensors
};

/// A view of the same memory, row-major with other extents.
void becomes(AnyView& v, const Extents& extents) {
  v = v.through([&](auto view) { return norma::TensorView(view.data(), norma::Extents(extents)); });
}
/// A mistake: x and y of these extents.
std::function<void(Call&, Norm&)> x_and_y(const Extents& extents) {
  return [=](Call& c, Norm&) {
    for (auto* const views : {&c.x, &c.y}) becomes(views->front(), extents);
  };
}
std::string listed(const Extents& extents) { return "(" + to_string(extents, ", ") + ")"; }

constexpr const char* right = "(4, 3, 5)";

/// What can be wrong with the tensors of any norm of x (4, 3, 5).
std::vector<Mistake> tensor_mistakes(const Subject& subject) {
  std::vector<Mistake> list;
  const auto wrong = [&](const char* name, const Passes& passes, std::vector<AnyView> Call::*views, std::size_t stream,
                         const Extents& extents) {
    list.push_back(
        {name, passes, [=](Call& c, Norm&) { becomes((c.*views)[stream], extents); }, {listed(extents), stream == 0 ? right : "(2, 5)"}});
  };
  const auto null = [&](const char* name, const Passes& passes, std::vector<AnyView> Call::*views) {
    list.push_back({name, passes, [=](Call& c, Norm&) { (c.*views)[0].data = nullptr; }, {"null"}});
  };
  wrong("y_of_another_shape", forward, &Call::y, 0, {4, 3, 4});
  wrong("y_of_another_rank", forward, &Call::y, 0, {12, 5});
  wrong("y_with_extents_swapped", forward, &Call::y, 0, {3, 4, 5});
  wrong("y_of_fewer_samples", forward, &Call::y, 0, {3, 3, 5});
  wrong("dy_of_another_shape", gradients, &Call::dy, 0, {4, 3, 4});
  wrong("dy_of_another_rank", gradients, &Call::dy, 0, {60});
  wrong("dy_of_fewer_samples", gradients, &Call::dy, 0, {3, 3, 5});
  null("y_null", forward, &Call::y);
  null("dy_null", gradients, &Call::dy);
  if (!subject.owns_x) {
    wrong("dx_of_another_shape", gradients, &Call::dx, 0, {4, 3, 4});
    wrong("dx_of_fewer_samples", gradients, &Call::dx, 0, {3, 3, 5});
    null("x_null", forward, &Call::x);
    if (!subject.given_statistics) {
      list.push_back({"x_of_fewer_samples",
                      backward,
                      [](Call& c, Norm&) {
                        for (auto* const views : {&c.x, &c.dy, &c.dx}) becomes(views->front(), {3, 3, 5});
                      },
                      {"(3, 3, 5)", right}});
    }
  }
  if (subject.streams.size() > 1) {
    wrong("k_hat_of_another_shape", forward, &Call::y, 1, {2, 4});
    wrong("dk_hat_of_another_shape", backward, &Call::dy, 1, {1, 5});
    wrong("dk_of_another_shape", backward, &Call::dx, 1, {1, 5});
    wrong("k_of_another_length", forward, &Call::x, 1, {2, 4});
    list.back().words = {"k", "(2, 4)"};
  }
  if (!subject.function && !subject.owns_x) {  // a function takes x as it is
    list.push_back({"x_of_another_length", forward, x_and_y({4, 2, 4}), {"(4, 2, 4)"}});
    list.push_back({"x_of_rank_1", forward, x_and_y({3}), {"(3)"}});
    list.push_back({"x_of_rank_0", forward, x_and_y({}), {}});
  }
  if (!subject.given_statistics) {
    list.push_back({"saved_never_filled", backward, [](Call&, Norm& norm) { norm.forget(); }, {"forward", "never filled"}, false});
    list.push_back({"saved_of_another_layer", backward, {}, {"written by"}, false});
    list.push_back({"saved_of_another_shape", backward, {}, {"(5, 3, 5)", right}, false});
  }
  if (subject.over_ranks && !subject.family.small_shapes[0].axes.empty()) {
    list.push_back({"fewer_rows_on_a_rank", forward, x_and_y({3, 3, 5}), {"ranks"}, true, true});
  }
  if (subject.learning == Learning::of_batch && subject.family.least_length > 1 && !subject.over_ranks) {
    for (const Extents& extents : std::vector<Extents>{{1, 3, 1}, {1, 3}, {1, 3, 1, 1}, {1, 3, 1, 1, 1}}) {
      list.push_back({"one_value_per_channel_of_rank_" + std::to_string(extents.size()),
                      {Pass::train},
                      x_and_y(extents),
                      {"more than one value per channel", listed(extents)}});
    }
  }
  return list;
}

/// What can be wrong with the options of a function.
std::vector<Mistake> option_mistakes(const Subject& subject) {
  std::vector<Mistake> list;
  const bool rows = subject.has_axes;
  const std::ptrdiff_t length = rows ? 5 : 3;
  using View = AnyView FunctionOptions::*;
  const auto wrong = [&](const std::string& parameter, const char* how, const Passes& passes, View view, const Extents& extents) {
    list.push_back({parameter + "_" + how,
                    passes,
                    [=](Call&, Norm& norm) {
                      AnyView& v = norm.options()->*view;
                      if (v.data == nullptr) throw std::logic_error("the right call has no " + parameter);
                      becomes(v, extents);
                    },
                    {parameter, listed(extents)}});
  };
  const std::pair<const char*, View> parameters[] = {{"weight", &FunctionOptions::weight}, {"bias", &FunctionOptions::bias}};
  for (const auto& [name, view] : parameters) {
    const Passes& passes = view == &FunctionOptions::weight ? every_pass : forward;
    wrong(name, "one_short", passes, view, {length - 1});
    wrong(name, "one_long", passes, view, {length + 1});
    wrong(name, "of_length_0", passes, view, {0});
    wrong(name, "of_length_1", passes, view, {1});
    wrong(name, "of_rank_2", passes, view, {3, 5});
    wrong(name, "of_x_rank_but_wrong", passes, view, {2, 2, 5});
    wrong(name, "of_rank_4", passes, view, {1, 1, 1, 4});
    wrong(name, "of_another_batch", passes, view, {5, rows ? 1 : 3, rows ? 5 : 1});
  }
  const std::pair<const char*, View> grads[] = {{"weight_grad", &FunctionOptions::weight_grad}, {"bias_grad", &FunctionOptions::bias_grad}};
  for (const auto& [name, view] : grads) {
    wrong(name, "one_short", backward, view, {length - 1});
    wrong(name, "one_long", backward, view, {length + 1});
    wrong(name, "of_length_0", backward, view, {0});
    wrong(name, "of_another_batch", backward, view, {5, rows ? 1 : 3, rows ? 5 : 1});
  }
  const auto option = [&](const char* name, const Passes& passes, auto change, std::vector<std::string> words) {
    list.push_back({name, passes, [=](Call&, Norm& norm) { change(*norm.options()); }, std::move(words)});
  };
  const Passes with_eps = subject.given_statistics ? Passes{Pass::infer, Pass::backward} : forward;  // elsewhere backward has saved's
  option("eps_negative", with_eps, [](FunctionOptions& o) { o.eps = -1e-5; }, {"eps is -1e-05"});
  option("eps_nan", with_eps, [](FunctionOptions& o) { o.eps = std::numeric_limits<double>::quiet_NaN(); }, {"eps is"});
  if (rows) {
    const auto axes = [&](const char* name, const Passes& passes, norma::Extents which, std::vector<std::string> words) {
      option(
          name, passes, [=](FunctionOptions& o) { o.axes = which; }, std::move(words));
    };
    axes("axis_too_large", every_pass, {3}, {"axis", "3"});
    axes("axis_too_small", every_pass, {-4}, {"axis", "-4"});
    axes("axis_far_out", forward, {0, 100}, {"axis", "100"});
    axes("axis_repeated", forward, {1, 1}, {"1"});
    axes("axis_repeated_from_the_back", forward, {2, -1}, {"2"});
    axes("axes_empty", forward, {}, {"axes"});
    axes("axes_without_their_weight", forward, {1, 2}, {"weight", "(5)"});
    option("axes_other_than_in_forward", backward,
           [](FunctionOptions& o) {
             o.axes = {1};
             for (AnyView* const v : {&o.weight, &o.bias, &o.weight_grad, &o.bias_grad}) becomes(*v, {3});
           },
           {"axes"});
  }
  if (subject.reference == reference::group_norm) {
    const auto groups = [&](const char* name, const Passes& passes, std::ptrdiff_t n, std::string words) {
      option(name, passes, [=](FunctionOptions& o) { o.groups = n; }, {std::move(words)});
    };
    groups("groups_other_than_in_forward", backward, 3, "groups");
    groups("groups_that_do_not_divide", every_pass, 2, "3 channels do not split into 2 groups");
    groups("more_groups_than_channels", every_pass, 8, "3 channels do not split into 8 groups");
    groups("no_groups", every_pass, 0, "3 channels do not split into 0 groups");
    groups("negative_groups", every_pass, -2, "3 channels do not split into -2 groups");
  }
  if (subject.reference == reference::instance_norm) {
    list.push_back({"x_without_positions", forward, x_and_y({4, 3}), {"(4, 3)", "(N, C, spatial...)"}});
  }
  if (subject.given_statistics) {
    const Passes both = {Pass::infer, Pass::backward};
    for (const auto& [name, view] :
         {std::pair<const char*, View>{"mean", &FunctionOptions::mean}, {"variance", &FunctionOptions::variance}}) {
      wrong(name, "one_short", both, view, {2});
      wrong(name, "one_long", both, view, {4});
      wrong(name, "of_rank_3", both, view, {1, 3, 1});
      wrong(name, "of_length_0", both, view, {0});
      option((std::string(name) + "_absent").c_str(), both, [view = view](FunctionOptions& o) { o.*view = {}; }, {"mean and variance"});
    }
  }
  return list;
}

void make_call(Norm& norm, Pass pass, const Call& c) {
  if (pass == Pass::infer) norm.infer(c);
  if (pass == Pass::train) norm.train(c);
  if (pass == Pass::backward) norm.backward(c);
  if (pass == Pass::frozen) norm.backward_frozen(c);
}

/// Behind a good training forward (or nothing, where there is none) a wrong call throws and changes nothing; then the right one works.
void check(const Subject& subject, const Types& t, const Setting& s, const Mistake& mistake, Pass pass, int bad_rank, const Pool* pool) {
  const Data data = random_data(subject, t, s, 1);
  const Rows expected = run(subject, t, s, data);
  Plan plan;
  plan.pool = pool;
  Rig rig(subject, t, s, data, plan);
  if (!subject.given_statistics) rig.train();
  if (mistake.name == "saved_of_another_layer") rig.norm().fill_by_another_layer(rig.call());
  if (mistake.name == "saved_of_another_shape") {
    Setting other = s;
    other.extents[0] = 5;
    if (!other.parts.empty() && other.split_axis == 0) other.parts[0] += 1;
    const Data of_other = random_data(subject, t, other, 1);
    Rig larger(subject, t, other, of_other);
    larger.train();
    rig.norm().take_saved_of(larger.norm());
  }
  rig.wipe();
  Call wrong = rig.call();
  const Call good = wrong;
  if (bad_rank >= 0) {
    wrong.bad_rank = bad_rank;
    wrong.right = &good;
  }
  FunctionOptions options;
  if (rig.norm().options() != nullptr) options = *rig.norm().options();
  if (mistake.make) mistake.make(wrong, rig.norm());
  const std::vector<Values> before = rig.everything();
  const auto* const shuffled = dynamic_cast<const ShuffledPool*>(pool);
  const norma::index_t tasks = shuffled == nullptr ? 0 : shuffled->tasks_run();
  const bool is_whole = !subject.over_ranks || mistake.of_one_rank_only;  // a rank sees extents of its own
  const std::vector<std::string> words = is_whole ? mistake.words : std::vector<std::string>();
  const std::string message = expect_shape_error(subject.layer, words, [&] { make_call(rig.norm(), pass, wrong); });
  EXPECT_TRUE(rig.outputs_untouched()) << "something was written before: " << message;
  EXPECT_EQ(rig.everything(), before) << "parameters, gradients, statistics or saved changed before: " << message;
  if (shuffled != nullptr) {
    EXPECT_EQ(shuffled->tasks_run(), tasks) << "work was started before: " << message;
  }

  if (rig.norm().options() != nullptr) *rig.norm().options() = options;
  if (mistake.name.rfind("saved_", 0) == 0) {
    rig.reset();
    rig.train();
  }
  rig.backward();
  Rows rows;
  rig.take_gradients(rows);
  for (const auto& [row, values] : rows) {
    EXPECT_TRUE(same(values, expected.at(row))) << row << " behind: " << message;
  }
}

NORMA_PROPERTY(Errors) {
  Setting s = taking(subject, {4, 3, 5});
  if (subject.over_ranks) s.parts = s.split_axis == 0 ? std::vector<std::ptrdiff_t>{1, 2, 1} : std::vector<std::ptrdiff_t>{2, 1, 2};
  std::vector<Mistake> mistakes = tensor_mistakes(subject);
  if (subject.function) {
    for (Mistake& m : option_mistakes(subject)) mistakes.push_back(std::move(m));
  }
  for_plain_types([&](const Types& t) {
    for (const Mistake& mistake : mistakes) {
      for (const Pass pass : mistake.passes) {
        if ((pass == Pass::frozen && !subject.has_frozen(s)) || (pass == Pass::train && subject.given_statistics)) continue;
        const std::string name = mistake.name + "_" + name_of(pass) + "_" + name_of(t.x);
        const auto add = [&](const std::string& suffix, int bad_rank) {
          cases.add(name + suffix, [=, &subject] {
            check(subject, t, s, mistake, pass, bad_rank, nullptr);
            const ShuffledPool seven(7);
            check(subject, t, s, mistake, pass, bad_rank, &seven);
          });
        };
        if (!mistake.of_one_rank_only) add("", -1);
        // What ranks do not share, the others finish: only their own part is refused.
        const bool shared = pass == Pass::train || pass == Pass::backward || (pass == Pass::infer && s.split_axis > 0);
        for (int rank = 0; subject.over_ranks && mistake.of_one_rank && shared && rank < 3; ++rank)
          add("_on_rank_" + std::to_string(rank), rank);
      }
    }
  });
}

/// Nothing to do is no error, whatever the pointers: nothing changes, the counter included; gradients of nothing are zero.
NORMA_PROPERTY(Empty) {
  for_plain_types([&](const Types& t) {
    for (const Setting& shape : subject.family.shapes) {
      if (count(shape.extents) > 0) continue;
      for (const Variation& v : subject.variations) {
        if (subject.function && v.name.size() > 6) continue;
        const Setting s = varied(shape, v);
        cases.add(case_name(t, s), [=, &subject] {
          const Data data = random_data(subject, t, s, 3);
          for (const bool null : {false, true}) {
            Plan plan;
            plan.grad_start = 0.5;
            Rig rig(subject, t, s, data, plan);
            for (auto* const views : {&rig.call().x, &rig.call().y, &rig.call().dy, &rig.call().dx}) {
              for (AnyView& view : *views) {
                if (null && view.size() == 0) view.data = nullptr;
              }
            }
            const std::vector<Values> before = state_of(rig.norm());
            EXPECT_NO_THROW(rig.infer());
            if (!subject.given_statistics) {
              EXPECT_NO_THROW(rig.train());
            }
            if (subject.streams.size() > 1) continue;  // the other stream is not empty
            EXPECT_NO_THROW(rig.backward());
            if (subject.has_frozen(s) && s.extents[1] > 0) {
              EXPECT_NO_THROW(rig.backward_frozen());
            }
            EXPECT_EQ(state_of(rig.norm()), before);
          }
        });
      }
    }
  });
}

}  // namespace
}  // namespace norma_test
