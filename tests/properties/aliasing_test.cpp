// Property 5: in place equals out of place, bit for bit; nothing else is written; gradients accumulate; what is absent is not needed.
#include "support/property.hpp"

namespace norma_test { namespace {

void check_in_place(const Subject& subject, const Types& t, const Setting& s, const Where& where) {
  const Data data = random_data(subject, t, s, 21, 3);
  Plan plan = everywhere(where);
  const Rows apart = run(subject, t, s, data, plan);
  for (const Alias alias : {Alias::y_is_x, Alias::dx_is_dy, Alias::dx_is_x}) {
    SCOPED_TRACE(case_name(t, s) + ", alias " + std::to_string(static_cast<int>(alias)));
    plan.alias = alias;
    expect_same(run(subject, t, s, data, plan), apart);
  }
}

NORMA_PROPERTY(InPlace) {
  add_lengths(cases, lengths_of(subject, all_lengths(), true), [&subject](const Types& t, std::ptrdiff_t length) {
    for (const std::ptrdiff_t sets : {1, 2, 9}) check_in_place(subject, t, sets_of(subject, sets, length), {});
  });
  add_shapes(cases, some_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    for (const Layout layout : all_layouts) {
      check_in_place(subject, t, varied(shape, subject.variation(0)), lying(layout));
      check_in_place(subject, t, varied(shape, subject.variation(subject.variations.size() - 1)), lying(layout));
    }
  });
}

/// Three backward passes onto gradients that start at `start` add up as three additions of the first one's gradient do.
void check_accumulation(const Subject& subject, const Types& t, const Setting& s) {
  const Data data = random_data(subject, t, s, 22);
  const Rows once = run(subject, t, s, data);
  const Exact exact(subject, t, s, data);
  Plan plan;
  plan.grad_start = 0.75;
  Rig rig(subject, t, s, data, plan);
  if (!subject.given_statistics) rig.train();
  for (int step = 0; step < 3; ++step) {
    rig.backward();
    if (!subject.owns_x) {
      EXPECT_TRUE(same(rig.dx().values(), once.at("dx"))) << "dx changed in step " << step;
    }
  }
  const double eps = epsilon_of(t.parameter);
  for (const State& p : rig.norm().parameters()) {
    const Values now = p.grad.values(), &step = once.at(is_x(p.name) ? "dx" : "d " + p.name);
    for (std::size_t i = 0; i < now.size(); ++i) {
      // Parts of a pass' sum may be added one by one: each pass is as far off as the arithmetic allows.
      const double expected = plan.grad_start + 3 * step[i];
      const ExactRow& row = exact.rows.at(is_x(p.name) ? "dx" : "d " + p.name);
      const auto allowed = static_cast<double>(6 * bound_of(row.numbers[i], row.precision));
      ASSERT_NEAR(now[i], expected, 4 * eps * (std::abs(expected) + 1) + allowed) << "d " << p.name << " at " << i;
    }
  }
  rig.check();
  rig.norm().zero_grad();
  for (const State& p : rig.norm().parameters()) {
    for (const double g : p.grad.values()) {
      ASSERT_EQ(g, 0) << p.name;
    }
  }
}

NORMA_PROPERTY(Accumulation) {
  add_lengths(cases, lengths_of(subject, all_lengths(), true),
              [&subject](const Types& t, std::ptrdiff_t length) { check_accumulation(subject, t, sets_of(subject, 3, length)); });
  add_shapes(cases, training_shapes(subject),
             [&subject](const Types& t, const Setting& shape) { check_accumulation(subject, t, varied(shape, subject.variation(0))); });
}

/// Leaving out dx or a gradient does not change the others.
NORMA_PROPERTY(Absent) {
  add_shapes(cases, training_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    const Setting s = varied(shape, subject.variation(0));
    const Data data = random_data(subject, t, s, 23);
    const Rows expected = run(subject, t, s, data);
    for (unsigned wanted = 0; wanted < (subject.function ? 8u : 2u); ++wanted) {
      Rig rig(subject, t, s, data);
      const auto leave_out = [](AnyView& view) { view.data = nullptr; };
      if (FunctionOptions* const options = rig.norm().options()) {
        if (!(wanted & 2)) leave_out(options->weight_grad);
        if (!(wanted & 4)) leave_out(options->bias_grad);
      }
      const AnyView dx = rig.call().dx[0];
      if (!(wanted & 1)) {
        for (AnyView& view : rig.call().dx) leave_out(view);
      }
      if (!subject.given_statistics) rig.train();
      rig.backward();
      if (wanted & 1) {
        EXPECT_TRUE(same(dx.values(), expected.at("dx"))) << "dx, wanted " << wanted;
      } else {
        EXPECT_TRUE(rig.dx().untouched()) << "dx was written";
      }
      for (const State& p : rig.norm().parameters()) {
        const bool left_out = subject.function && !(wanted & (p.name == "weight" ? 2u : 4u));
        const Values none(p.grad.size(), 0);
        EXPECT_TRUE(same(p.grad.values(), left_out ? none : expected.at("d " + p.name))) << p.name << ", wanted " << wanted;
      }
      if (!subject.has_frozen(s) || (wanted & 1)) continue;
      rig.reset();
      rig.backward_frozen();
      for (const State& p : rig.norm().parameters())
        EXPECT_TRUE(same(p.grad.values(), expected.at("frozen d " + p.name))) << "frozen " << p.name;
    }
  });
}

}  // namespace
}  // namespace norma_test
