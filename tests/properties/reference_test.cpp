// Property 1: forward and backward against the reference: by length, shape, layout, options and element types.
#include "support/property.hpp"

namespace norma_test { namespace {

void check(const Subject& subject, const Types& t, const Setting& s, const std::vector<Plan>& plans, std::uint64_t seed) {
  SCOPED_TRACE(case_name(t, s));
  const Asked& a = asked({&subject, t, s, seed, 0.5});
  const bool is_one_function = !subject.infers_apart || (subject.learning != Learning::none && !subject.tracks(s));
  for (const Plan& plan : plans) {
    SCOPED_TRACE(name_of(plan.x.layout));
    const Rows rows = run(subject, t, s, a.data, plan);
    expect_correct(rows, a.exact);
    if (is_one_function && rows.has("y of training")) {
      EXPECT_TRUE(same(rows.at("y"), rows.at("y of training"))) << "inference and training forward differ";
    }
  }
}

/// Every length, alone and as one of seven sets, with options that change the arithmetic along a set.
NORMA_PROPERTY(Length) {
  add_lengths(cases, lengths_of(subject, all_lengths()), [&subject](const Types& t, std::ptrdiff_t length) {
    const bool is_long = length > 2000;
    const auto seed = static_cast<std::uint64_t>(length);
    for (const std::ptrdiff_t sets : {is_long ? 2 : 1, is_long ? 1 : 7}) check(subject, t, sets_of(subject, sets, length), {{}}, seed);
    const std::size_t options = subject.variations.size();
    for (std::size_t v = 1; v < std::min<std::size_t>(options, 3); ++v) check(subject, t, sets_of(subject, 7, length, v), {{}}, 16 + v);
    Setting s = sets_of(subject, 3, length, options - 1);
    set_eps(subject, s, 0.25);
    check(subject, t, s, {{}}, 19);
  });
}

/// Every shape in every layout. Each layout gets its share of the options, all of them together all.
NORMA_PROPERTY(Layout) {
  for_plain_types([&](const Types& t) {
    for (const Setting& shape : subject.family.shapes) {
      for (const Layout layout : all_layouts) {
        // Ranks come in many splits instead.
        if (subject.over_ranks && layout != Layout::contiguous && layout != Layout::channels_last && layout != Layout::sliced) continue;
        cases.add(case_name(t, shape, layout), [=, &subject] {
          const std::size_t share = subject.function ? 3 : subject.variations.size();
          for (std::size_t v = static_cast<std::size_t>(layout) % share; v < subject.variations.size(); v += share)
            check(subject, t, varied(shape, subject.variation(v)), {everywhere(lying(layout))}, v + 1);
        });
      }
    }
  });
}

/// Every shape with every option, each tensor in a layout and at an alignment of its own.
NORMA_PROPERTY(Options) {
  Settings shapes = subject.family.shapes;
  // Long rows of which one is folded while another is mapped, with parameters that run and such that do not.
  if (subject.function && subject.has_axes) append(shapes, {rows_of(33, 1500), rows_of(40, 3000)});
  add_shapes(cases, shapes, [&subject](const Types& t, const Setting& shape) {
    Random random(count(shape.extents));
    const auto any = [&]() -> Where {
      return {all_layouts[random.below(all_layouts.size())], Placement::heap, static_cast<std::ptrdiff_t>(random.below(8))};
    };
    for (const Variation& v : subject.variations) {
      Plan plan;
      for (Where Plan::*const tensor : {&Plan::x, &Plan::y, &Plan::dy, &Plan::dx, &Plan::weight, &Plan::bias}) plan.*tensor = any();
      check(subject, t, varied(shape, v), {plan}, random.bits());
    }
  });
}

/// Every mix of element and parameter types.
NORMA_PROPERTY(MixedTypes) {
  for (const auto& made : subject.makers) {
    const Types t = made.first;
    if (t.same()) continue;
    for (const Setting& shape : some_shapes(subject)) {
      cases.add(case_name(t, shape), [=, &subject] {
        std::vector<Plan> plans;
        for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::strided}) {
          plans.push_back(everywhere(lying(layout)));
          if (subject.function) plans.back().y = plans.back().dy = {};
        }
        for (const Variation& v : subject.variations) check(subject, t, varied(shape, v), plans, 5);
      });
    }
  }
}

/// Shapes of real models, several slices and tasks, sets longer than a chunk; in two layouts.
NORMA_PROPERTY(ModelShapes) {
  add_shapes(cases, subject.family.model_shapes, [&subject](const Types& t, const Setting& shape) {
    check(subject, t, varied(shape, subject.variation(0)), {{}, everywhere(lying(lanes_layout(subject)))}, 9);
  });
}

}  // namespace
}  // namespace norma_test
