// Property 6: the bits depend neither on the executor, nor on the batch around a sample, nor on alignment, nor on the slice a channel is
// done in.
#include <norma/interop/openmp.hpp>

#include "support/property.hpp"

namespace norma_test { namespace {

/// Every result with every executor, or the first of them, equals the one without.
void check_executors(const Subject& subject, const Types& t, const Setting& s, const Where& where, std::size_t of_pools = 4) {
  const Data data = random_data(subject, t, s, 41, 4);
  Plan plan = everywhere(where);
  const Rows expected = run(subject, t, s, data, plan);
  const ShuffledPool seven(7, 5);
  const PoolOf never(norma::openmp(2).with(norma::Streaming::never));
  const PoolOf always(norma::sequential.with(norma::Streaming::always));
  const ThreadPool threads(3);
  const Pool* const pools[] = {&seven, &never, &always, &threads};
  for (std::size_t i = 0; i < of_pools; ++i) {
    SCOPED_TRACE(case_name(t, s) + ", executor " + std::to_string(i));
    plan.pool = pools[i];
    expect_same(run(subject, t, s, data, plan), expected);
  }
}

NORMA_PROPERTY(Executors) {
  std::vector<std::ptrdiff_t> lengths = lengths_of(subject, all_lengths(), true);
  // An executor does not see a set's end.
  std::erase_if(lengths, [](std::ptrdiff_t length) { return length > 8 && length < 130 && length % 3 != 0; });
  add_lengths(cases, lengths, [&subject](const Types& t, std::ptrdiff_t length) {
    check_executors(subject, t, sets_of(subject, 1, length), {}, 2);
    check_executors(subject, t, sets_of(subject, length > 2000 ? 5 : subject.has_axes ? 150 : 90, length), {}, 3);
    if (subject.has_axes && length < 250) check_executors(subject, t, sets_of(subject, 64, length), {}, 3);  // dense rows and a plan
  });
  for_plain_types([&](const Types& t) {
    if (subject.family.few_shapes[0].axes.empty()) {  // channels of so few samples that threads share their elements out
      // Few samples; and so many channels, or samples, that a call is worth a team in more slices, or in fewer, than it has members.
      for (const Extents& extents :
           {Extents{1, 24, 60, 50}, Extents{2, 40, 33, 47}, Extents{1, 2052, 7, 7}, Extents{20, 2052, 1, 1}, Extents{8, 36, 15, 15}}) {
        Setting s = varied(shape(extents), subject.variation(0));
        s.dim = subject.family.few_shapes[0].dim;
        if (!subject.family.few_shapes[0].parts.empty()) s = dealt(s, 0, {extents[0], 0});
        cases.add(case_name(t, s) + "_shared", [=, &subject] {
          check_executors(subject, t, s, lying(lanes_layout(subject)));
          if (extents[0] == 8) check_executors(subject, t, s, lying(Layout::contiguous));
        });
      }
    }
  });
  add_shapes(cases, some_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    const std::size_t other = subject.function ? 6 : 1;  // weight and bias that repeat along different axes
    for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::sliced}) {
      check_executors(subject, t, varied(shape, subject.variation(0)), lying(layout));
      if (count(shape.extents) > 100000) return;
      check_executors(subject, t, varied(shape, subject.variation(other)), lying(layout));
    }
  });
}

/// Each of these samples of axis 0 alone has the bits it has in the batch.
void check_samples(const Subject& subject, const Types& t, const Setting& s, const Where& where, const std::vector<std::size_t>& which) {
  Setting one = s;
  one.extents[0] = 1;
  const auto samples = static_cast<std::size_t>(s.extents[0]);
  const Data data = random_data(subject, t, s, 42, 1);
  const Rows batch = run(subject, t, s, data, everywhere(where));
  for (const std::size_t r : which) {
    if (r >= samples) continue;
    const auto part = [&](const Values& values) {
      const auto n = static_cast<std::ptrdiff_t>(values.size() / samples), first = static_cast<std::ptrdiff_t>(r) * n;
      return Values(values.begin() + first, values.begin() + first + n);
    };
    Data alone = data;
    alone.x[0] = part(data.x[0]);
    alone.dy[0] = part(data.dy[0]);
    const Rows expected = run(subject, t, one, alone, everywhere(where));
    for (const char* row : {"y", "y of training", "dx", "frozen dx"}) {
      if (batch.has(row)) {
        EXPECT_TRUE(same(part(batch.at(row)), expected.at(row))) << row << " of sample " << r;
      }
    }
    if (subject.streams.size() > 1 || !batch.has("mean") || subject.given_statistics) continue;
    for (const char* row : {"mean", "rstd"}) {
      EXPECT_TRUE(same(part(batch.at(row)), expected.at(row))) << row << " of sample " << r;
    }
  }
}

NORMA_PROPERTY(Batch) {
  for_plain_types([&](const Types& t) {
    for (const std::ptrdiff_t length : lengths_of(subject, all_lengths())) {
      cases.add(std::to_string(length) + "_" + name_of(t), [=, &subject] {
        const Setting s = sets_of(subject, length > 2000 ? 11 : length > 200 ? 101 : 1000, length);
        const auto samples = static_cast<std::size_t>(s.extents[0]);
        check_samples(subject, t, s, {}, {0, 1, 2, 3, samples / 2, samples - 2, samples - 1});
      });
    }
    if (subject.has_axes) return;  // whose first axis may be averaged
    for (const Setting& shape : subject.family.shapes) {
      if (shape.extents[0] < 2 || (!shape.axes.empty() && averaged(shape.extents, shape.axes)[0])) continue;
      for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::sliced}) {
        const Setting s = varied(shape, subject.variation(0));
        const auto samples = static_cast<std::size_t>(s.extents[0]);
        cases.add(case_name(t, s, layout), [=, &subject] { check_samples(subject, t, s, lying(layout), {0, samples / 2, samples - 1}); });
      }
    }
  });
}

/// Each tensor alone and all together, `offset` elements behind a page boundary.
NORMA_PROPERTY(Misalignment) {
  for_plain_types([&](const Types& t) {
    for (std::ptrdiff_t offset = 0; offset < 32; offset += stands_for_others(subject) ? 1 : 5) {
      cases.add("by_" + std::to_string(offset) + "_" + name_of(t), [=, &subject] {
        for (const std::ptrdiff_t length : {1, 5, 16, 33, 64, 100, 131, 768, 1025, 8193}) {
          if (length < subject.family.least_length) continue;
          const Setting s = sets_of(subject, length > 2000 ? 2 : 6, length);
          const Data data = random_data(subject, t, s, 43, 1);
          const Rows expected = run(subject, t, s, data);
          Where where = lying(lanes_layout(subject));
          const Rows expected_in_lanes = run(subject, t, s, data, everywhere(where));
          where.misalignment = offset;
          expect_same(run(subject, t, s, data, everywhere(where)), expected_in_lanes);
          where.layout = Layout::contiguous;
          expect_same(run(subject, t, s, data, everywhere(where)), expected);
          for (Where Plan::*const tensor : {&Plan::x, &Plan::y, &Plan::dy, &Plan::dx, &Plan::weight, &Plan::bias}) {
            Plan plan;
            plan.*tensor = where;
            expect_same(run(subject, t, s, data, plan), expected);
          }
          // Streaming stores want aligned lines; without them the bits are the same.
          const PoolOf always(norma::sequential.with(norma::Streaming::always));
          Plan plan = everywhere(where);
          plan.pool = &always;
          expect_same(run(subject, t, s, data, plan), expected);
        }
      });
    }
  });
}

/// Work is really handed to the executor, so that the properties above compare something.
NORMA_PROPERTY(ExecutorUse) {
  cases.add("large_tensors_are_split_into_tasks", [&subject] {
    const Setting s = sets_of(subject, 512, 1024);
    const Data data = random_data(subject, all_f32, s, 44);
    const ShuffledPool seven(7);
    Plan plan;
    plan.pool = &seven;
    Rig rig(subject, all_f32, s, data, plan);
    const auto tasks = [&](auto call) {
      const norma::index_t before = seven.tasks_run();
      call();
      return seven.tasks_run() - before;
    };
    EXPECT_GE(tasks([&] { rig.infer(); }), 7);
    if (!subject.given_statistics) {
      EXPECT_GE(tasks([&] { rig.train(); }), 7);
    }
    EXPECT_GE(tasks([&] { rig.backward(); }), 7);
    EXPECT_GE(seven.most_tasks(), 7);
  });
}

/// Shapes that leave a channel, a row or a plane alone behind whole tiles and slices.
std::vector<Extents> slice_shapes() {
  return {{2, 33, 64, 64}, {1, 65, 64, 64}, {3, 17, 100, 40}, {2, 129, 32, 33}, {5, 4, 32, 32}, {3, 2, 7, 9},
          {7, 449, 5, 5},  {40, 33, 2, 2},  {300, 17, 3},     {257, 33},        {3000, 17},     {4, 1025, 4, 4}};
}

/// Large ones are for functions and for what has no function to stand for it, in every layout.
std::vector<Layout> slice_layouts(const Subject& subject, const Setting& s) {
  const bool is_large = count(s.extents) > 50000;
  if (!is_large || stands_for_others(subject) || subject.reference == reference::batch_instance_norm)
    return {six_layouts.begin(), six_layouts.end()};
  return {two_layouts.begin(), two_layouts.end()};
}

/// The order in which a plane is summed follows from how it lies, not from the slice it is done in or the output: the same bits wherever a
/// channel stands, and into any y.
NORMA_PROPERTY(Slices) {
  // Sums over several channels run in the order of channels: none can move.
  const bool moves = !subject.has_axes && !subject.owns_x && subject.family.small_shapes[0].axes.empty() &&
                     subject.reference != reference::switchable_norm;
  for (const Extents& extents : slice_shapes()) {
    if (subject.reference == reference::instance_norm && extents.size() < 3) continue;
    Setting s = taking(subject, extents);
    if (subject.reference == reference::group_norm) s.groups = extents[1];
    if (subject.function && subject.has_axes) s.axes = {1};
    for (const Layout layout : slice_layouts(subject, s)) {
      cases.add(case_name(all_f32, s, layout), [=, &subject] {
        const Data data = random_data(subject, all_f32, s, 21, 1);
        const Plan plan = everywhere(lying(layout));
        const Rows in_place = run(subject, all_f32, s, data, plan);
        for (const Layout other : {Layout::contiguous, Layout::channels_last, Layout::padded}) {
          if (other == layout) continue;
          Plan to_other = plan;
          to_other.y = lying(other);
          EXPECT_TRUE(same(run(subject, all_f32, s, data, to_other).at("y"), in_place.at("y"))) << "y in " << name_of(other);
        }
        if (!moves) return;
        const auto channels = static_cast<std::size_t>(s.extents[1]);
        const std::size_t by = layout == Layout::contiguous ? 1 : channels / 2 + 1;
        const auto rolled = [&](const Values& values) {
          const std::size_t plane = count(s.extents) / static_cast<std::size_t>(s.extents[0]) / channels;
          Values result(values.size());
          for (std::size_t i = 0; i < values.size(); ++i) {
            const std::size_t n = i / plane / channels, c = i / plane % channels;
            result[(n * channels + (c + by) % channels) * plane + i % plane] = values[i];
          }
          return result;
        };
        Data moved = data;
        moved.x[0] = rolled(data.x[0]);
        moved.dy[0] = rolled(data.dy[0]);
        for (auto* const owned : {&moved.parameters, &moved.buffers}) {
          for (auto& [name, values] : *owned) {
            for (std::size_t c = 0; c < values.size() && values.size() == channels; ++c)
              values[(c + by) % channels] = (owned == &moved.parameters ? data.parameters : data.buffers).at(name)[c];
          }
        }
        const Rows rows = run(subject, all_f32, s, moved, plan);
        for (const char* row : {"y", "y of training", "dx", "frozen dx"}) {
          if (rows.has(row)) {
            EXPECT_TRUE(same(rows.at(row), rolled(in_place.at(row)))) << row << " moved by " << by;
          }
        }
      });
    }
  }
}

/// A view of one sample of the batch's own memory has the sample's bits.
NORMA_PROPERTY(SampleOfBatch) {
  for (const Extents& extents : slice_shapes()) {
    if (subject.reference == reference::instance_norm && extents.size() < 3) continue;
    const Setting s = taking(subject, extents);
    for (const Layout layout : slice_layouts(subject, s)) {
      cases.add(case_name(all_f32, s, layout), [=, &subject] {
        const Data data = random_data(subject, all_f32, s, 25, 1);
        const Plan plan = everywhere(lying(layout));
        const Rows batch = run(subject, all_f32, s, data, plan);
        const std::size_t sample = count(s.extents) / static_cast<std::size_t>(s.extents[0]);
        for (std::ptrdiff_t n = 0; n<s.extents[0]; n += s.extents[0]> 8 ? s.extents[0] / 3 : 1) {
          Rig rig(subject, all_f32, s, data, plan);
          Call& call = rig.call();
          for (auto* const views : {&call.x, &call.y, &call.dy, &call.dx})
            views->front() = views->front().through([&](auto v) { return v.slice(0, n, 1); });
          const auto part = [&](const char* row) {
            const auto first = batch.at(row).begin() + n * static_cast<std::ptrdiff_t>(sample);
            return Values(first, first + static_cast<std::ptrdiff_t>(sample));
          };
          rig.infer();
          EXPECT_TRUE(same(call.y[0].values(), part("y"))) << "inference of sample " << n;
          if (!subject.given_statistics) {
            rig.train();
            EXPECT_TRUE(same(call.y[0].values(), part("y of training"))) << "training of sample " << n;
          }
          rig.backward();
          EXPECT_TRUE(same(call.dx[0].values(), part("dx"))) << "dx of sample " << n;
        }
      });
    }
  }
}

}  // namespace
}  // namespace norma_test
