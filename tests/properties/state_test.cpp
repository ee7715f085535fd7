// What a norm keeps: running statistics over many steps, its value (copies, moves), its Saved, its names and what they begin with, memory.
#include <algorithm>

#include "support/counting_new.hpp"
#include "support/property.hpp"

namespace norma_test { namespace {

// --- Running statistics and training ----------------------------------------------------------------------------------------------------

/// Fifty training steps over batches of changing size, layout and distribution, one empty batch among them: y, dx and statistics of every
/// step, and all parameters, against a second trainer that shares nothing with the layer but the data.
void check_fifty_steps(const Subject& subject, const Types& t, const Setting& course, double rate) {
  const std::ptrdiff_t channels = 5;
  Setting s = course;
  s.extents = {6, channels, 2, 2};
  if (subject.over_ranks) s = dealt(s, 0, {1, 5});
  Data trainer = random_data(subject, t, s, 5, 2);
  trainer.batches = 0;
  std::unique_ptr<Norm> norm = subject.make(t, s);
  for (const State& p : norm->parameters()) p.value.set(trainer.parameters[p.name]);
  for (const State& b : norm->buffers()) b.value.set(trainer.buffers[b.name]);
  std::map<std::string, reference::Numbers> exact_parameters, exact_buffers;
  for (const auto& [name, values] : trainer.parameters) exact_parameters[name] = {values.begin(), values.end()};
  for (const auto& [name, values] : trainer.buffers) exact_buffers[name] = {values.begin(), values.end()};
  std::int64_t batches = 0;
  for (std::size_t step = 0; step < 50; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    const auto n = static_cast<std::ptrdiff_t>(subject.over_ranks ? 6 : step % 7 == 3 ? 33 : 2 + step % 4);
    const auto plane = static_cast<std::ptrdiff_t>(1 + step % 3);
    const bool without_positions = step % 5 == 0 && subject.learning == Learning::of_batch;
    s.extents = step == 20 ? Extents{n, channels, 0} : without_positions ? Extents{n, channels} : Extents{n, channels, 2, plane};
    const Where where = lying(six_layouts[step % six_layouts.size()]);
    const std::size_t size = count(s.extents);
    const double spread = static_cast<double>(step);
    const Values x = random_values(t.x, size, 100 + step, 1 + 0.05 * spread, 1 + 0.02 * spread), dy = random_values(t.y, size, 200 + step);
    AnyTensor tx(t.x, s.extents, where, x), ty(t.y, s.extents, where), tdy(t.y, s.extents, where, dy), tdx(t.x, s.extents, where);
    Call call;
    call.x = {tx.any()};
    call.y = {ty.any()};
    call.dy = {tdy.any()};
    call.dx = {tdx.any()};
    norm->train(call);
    norm->zero_grad();
    norm->backward(call);
    if (size == 0) {
      EXPECT_EQ(norm->batches(), batches);
      continue;
    }
    Data data;
    data.x = {x};
    data.dy = {dy};
    data.parameters = trainer.parameters;
    data.buffers = trainer.buffers;
    reference::Problem p = problem_of(subject, s, data);
    const auto exactly = [&](const std::string& name) {
      return exact_parameters.count(name) ? exact_parameters[name] : reference::Numbers();
    };
    p.weight.numbers = exactly("weight");
    p.bias.numbers = exactly("bias");
    p.gate = exactly("gate");
    p.mean_logits = exactly("mean_weight");
    p.var_logits = exactly("var_weight");
    p.mean = exact_buffers["running_mean"];
    p.variance = exact_buffers["running_var"];
    const reference::Answer a = subject.reference(p);
    const Precision precision = precision_of(t.x);
    ASSERT_TRUE(within(ty.values(), ExactRow{a.y, precision})) << "y";
    ASSERT_TRUE(within(tdx.values(), ExactRow{a.dx, precision})) << "dx";
    if (subject.tracks(s)) {
      const auto [mean, variance] = learned(subject, s, p, a, batches);
      exact_buffers["running_mean"] = mean;
      exact_buffers["running_var"] = variance;
      ++batches;
    }
    for (const State& b : norm->buffers()) {
      ASSERT_TRUE(within(b.value.values(), ExactRow{exact_buffers[b.name], precision})) << b.name;
    }
    ASSERT_EQ(norm->batches(), batches);
    const std::map<std::string, const reference::Numbers*> steps = {
        {"weight", &a.dweight}, {"bias", &a.dbias}, {"gate", &a.dgate}, {"mean_weight", &a.dmean_logits}, {"var_weight", &a.dvar_logits}};
    for (const State& parameter : norm->parameters()) {
      Values value = parameter.value.values();
      const Values grad = parameter.grad.values();
      for (std::size_t i = 0; i < value.size(); ++i) value[i] = rounded_to(t.parameter, value[i] - rounded_to(t.parameter, rate) * grad[i]);
      parameter.value.set(value);
      reference::Numbers& exact = exact_parameters[parameter.name];
      const double exact_rate = rounded_to(t.parameter, rate);
      for (std::size_t i = 0; i < exact.size(); ++i) exact[i] = exact[i] - Tracked(exact_rate) * (*steps.at(parameter.name))[i];
    }
  }
  // What all this allows for in the end is still nothing but rounding, in double at least.
  for (const Tracked& m : exact_buffers["running_mean"]) {
    EXPECT_LT(m.error * 0x1p-52L, 1e-6L);
  }
}

NORMA_PROPERTY(FiftySteps) {
  const std::pair<const char*, std::optional<double>> momenta[] = {{"momentum_0", 0.0},   {"momentum_1", 0.01},
                                                                   {"momentum_10", 0.1},  {"momentum_75", 0.75},
                                                                   {"momentum_100", 1.0}, {"cumulative", std::nullopt}};
  for_plain_types([&](const Types& t) {
    for (const auto& [name, momentum] : momenta) {
      for (const Variation& v : subject.variations) {
        for (const double rate : {0.0, 0.01}) {
          Setting s = varied(Setting(), v);
          if (!subject.tracks(s)) continue;
          s.momentum = momentum;
          cases.add(std::string(name) + "_" + v.name + (rate > 0 ? "_learning_" : "_") + name_of(t),
                    [=, &subject] { check_fifty_steps(subject, t, s, rate); });
        }
      }
    }
  });
}

// --- Values -----------------------------------------------------------------------------------------------------------------------------

/// Copies are norms of their own.
NORMA_PROPERTY(Value) {
  for_plain_types([&](const Types& t) {
    cases.add(std::string("copies_") + name_of(t), [=, &subject] {
      const Setting s = taking(subject, {4, 3, 5});
      const Data data = random_data(subject, t, s, 1);
      Rig rig(subject, t, s, data);
      const std::unique_ptr<Norm> copy = rig.norm().copy();
      if (!subject.over_ranks) {
        EXPECT_EQ(state_of(*copy), state_of(rig.norm()));
      }
      for (const State& p : copy->parameters()) p.value.fill(0.25);
      rig.check();
      const std::vector<Values> of_copy = state_of(*copy);
      rig.train();
      rig.backward();
      EXPECT_EQ(state_of(*copy), of_copy) << "the copy went along";
      EXPECT_NE(state_of(rig.norm()), of_copy);
    });
  });
}

/// State names, and the values a norm begins with: weights 1 (0 where they enter as 1 + weight), biases 0, PyTorch's statistics.
NORMA_PROPERTY(Names) {
  for (const Variation& v : subject.variations) {
    cases.add("names_" + v.name, [=, &subject] {
      const Setting s = varied(taking(subject, {4, 3, 5}), v);
      AnyTensor w0(Element::f32, s.extents, {}, random_values(Element::f32, count(s.extents), 1));
      const std::unique_ptr<Norm> norm = subject.make(all_f32, s, {{}, {}, w0.any()});
      EXPECT_EQ(norm->batches(), 0);
      std::vector<std::string> names;
      for (const State& p : norm->parameters()) {
        names.push_back(p.name);
        ASSERT_EQ(p.value.size(), p.grad.size()) << p.name;
        if (subject.function || subject.over_ranks) continue;  // the tests' own tensors
        for (const double g : p.grad.values()) {
          EXPECT_EQ(g, 0) << p.name;
        }
        const bool is_bias = p.name.find("bias") != std::string::npos, is_weight = !subject.owns_x && p.name != "scale";
        for (const double value : p.value.values()) {
          if (is_weight || is_bias) {
            EXPECT_EQ(value, is_bias || s.unit_offset ? 0 : 1) << p.name;
          }
        }
      }
      const bool is_authors = s.authors && subject.reference == reference::switchable_norm;
      for (const State& b : norm->buffers()) {
        names.push_back(b.name);
        if (subject.function || subject.over_ranks || subject.owns_x) continue;
        for (const double value : b.value.values()) {
          EXPECT_EQ(value, b.name == "running_mean" || is_authors ? 0 : 1) << b.name;
        }
      }
      // Each name once, and a value for each parameter form that the options ask for.
      std::vector<std::string> sorted = names;
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end());
      const auto count_of = [&](auto wanted) { return std::count_if(names.begin(), names.end(), wanted); };
      const auto streams = static_cast<std::ptrdiff_t>(s.weight == Form::single ? 1 : subject.streams.size());
      const bool mean_only = subject.reference == reference::mean_only_batch_norm;
      if (!subject.owns_x) {
        EXPECT_EQ(count_of([](const std::string& n) { return is_one_of(n, weight_names(0)) || is_one_of(n, weight_names(1)); }),
                  s.weight == Form::absent || mean_only ? 0 : streams);
        EXPECT_EQ(count_of([](const std::string& n) { return is_one_of(n, bias_names(0)) || is_one_of(n, bias_names(1)); }),
                  s.bias == Form::absent || (subject.streams.size() > 1 && !subject.centred)
                      ? 0
                      : static_cast<std::ptrdiff_t>(subject.streams.size()));
        EXPECT_EQ(count_of([](const std::string& n) { return n.rfind("running_", 0) == 0; }), !subject.tracks(s) ? 0 : mean_only ? 1 : 2);
      } else {
        EXPECT_EQ(count_of(is_x), 1);
      }
    });
  }
}

/// A Saved serves one shape after another, and several backward passes.
NORMA_PROPERTY(Saved) {
  for_plain_types([&](const Types& t) {
    for (const Layout layout : two_layouts) {
      cases.add(std::string(name_of(layout)) + "_" + name_of(t), [=, &subject] {
        const Setting s = taking(subject, {5, 7, 6});
        const Data data = random_data(subject, t, s, 3);
        const Rows expected = run(subject, t, s, data, everywhere(lying(layout)));
        Rig rig(subject, t, s, data, everywhere(lying(layout)));
        for (const Extents& extents : std::vector<Extents>{{9, 7, 6}, {2, 7, 6}}) {
          if (subject.over_ranks) continue;  // whose parts are the setting's
          const Setting other = taking(subject, extents);
          const Data of_other = random_data(subject, t, other, 4);
          Rig before(subject, t, other, of_other);
          before.train();
          rig.norm().take_saved_of(before.norm());
          rig.train();
          before.norm().take_saved_of(rig.norm());
          rig.reset();
        }
        rig.train();
        for (int pass = 0; pass < 2; ++pass) {
          rig.reset();
          rig.backward();
          Rows rows;
          rig.take_gradients(rows);
          for (const auto& [row, values] : rows) {
            EXPECT_TRUE(same(values, expected.at(row))) << row << " of pass " << pass;
          }
        }
      });
    }
  });
}

// --- Memory -----------------------------------------------------------------------------------------------------------------------------

long allocations_of(const std::function<void()>& f) {
  const long before = allocations_so_far();
  f();
  return allocations_so_far() - before;
}

/// Inference allocates nothing for any layout and axes; training nothing from the second step on with the same Saved.
NORMA_PROPERTY(Allocation) {
  add_shapes(cases, subject.family.shapes, [&subject](const Types& t, const Setting& shape) {
    for (const Layout layout : all_layouts) {
      for (const std::size_t v : {std::size_t{0}, subject.variations.size() - 1}) {
        SCOPED_TRACE(name_of(layout));
        const Setting s = varied(shape, subject.variation(v));
        const Data data = random_data(subject, t, s, 4);
        Rig rig(subject, t, s, data, everywhere(lying(layout)));
        if (subject.inference_allocates_nothing) {
          EXPECT_EQ(allocations_of([&] { rig.infer(); }), 0) << "inference";
        }
        if (subject.given_statistics || !s.trains) continue;
        rig.train();
        rig.backward();
        EXPECT_EQ(allocations_of([&] { rig.train(); }), 0) << "second training forward";
        EXPECT_EQ(allocations_of([&] { rig.backward(); }), 0) << "second backward";
      }
    }
  });
}

/// A Saved that a larger forward could not fill, wherever its memory ran out: the backward it served gives what it gave, or refuses.
void check_saved_that_cannot_grow(const Subject& subject, const Types& t, const Setting& smaller, const Setting& larger) {
  const Data data = random_data(subject, t, smaller, 5), more = random_data(subject, t, larger, 6);
  Rows expected;
  {
    Rig rig(subject, t, smaller, data);
    rig.train();
    rig.backward();
    rig.take_gradients(expected);
  }
  for (long allowed = 0; allowed < 1000; ++allowed) {
    SCOPED_TRACE("allocation " + std::to_string(allowed));
    Rig before(subject, t, smaller, data), rig(subject, t, larger, more);
    before.train();
    rig.norm().take_saved_of(before.norm());
    if (!runs_out_of_memory(allowed, [&] { rig.train(); })) return;
    before.norm().take_saved_of(rig.norm());
    try {
      before.backward();
    } catch (const norma::ShapeError&) {
      continue;
    }
    Rows rows;
    before.take_gradients(rows);
    for (const auto& [row, values] : rows) EXPECT_TRUE(same(values, expected.at(row))) << row;
  }
  FAIL() << "it never succeeds";
}

/// Memory that runs out, at every allocation of a first step: bad_alloc, what the norm owns has not changed, and with a Saved that no
/// failed forward has touched the next try succeeds with the same bits.
NORMA_PROPERTY(OutOfMemory) {
  for_plain_types([&](const Types& t) {
    for (const Layout layout : two_layouts) {
      cases.add(std::string(name_of(layout)) + "_" + name_of(t), [=, &subject] {
        const Setting s = taking(subject, {6, 40, 33});
        const Data data = random_data(subject, t, s, 5);
        const Plan plan = everywhere(lying(layout));
        const Rows expected = run(subject, t, s, data, plan);
        Rig rig(subject, t, s, data, plan);
        const auto owned = [&] {
          rig.norm().forget();
          return rig.everything();
        };
        const auto fails_everywhere = [&](bool trains_before, const std::function<void()>& call) {
          for (long allowed = 0; allowed < 1000; ++allowed) {
            const std::vector<Values> before = owned();
            if (trains_before && !subject.given_statistics) {
              rig.train();
              rig.reset();
            }
            if (!runs_out_of_memory(allowed, call)) return;
            ASSERT_EQ(owned(), before) << "changed where allocation " << allowed << " failed";
          }
          FAIL() << "it never succeeds";
        };
        Rows rows;
        fails_everywhere(false, [&] { rig.infer(); });
        rig.take_y(rows, "y");
        if (!subject.given_statistics) {
          fails_everywhere(false, [&] { rig.train(); });
          rig.take_y(rows, "y of training");
          rig.reset();
        }
        fails_everywhere(true, [&] { rig.backward(); });
        rig.take_gradients(rows);
        for (const auto& [row, values] : rows) EXPECT_TRUE(same(values, expected.at(row))) << row;
      });
    }
    if (subject.given_statistics || subject.streams.size() > 1) return;
    cases.add(std::string("saved_that_cannot_grow_") + name_of(t), [=, &subject] {
      check_saved_that_cannot_grow(subject, t, taking(subject, {2, 7, 6}), taking(subject, {9, 40, 6}));
    });
  });
}

}  // namespace
}  // namespace norma_test
