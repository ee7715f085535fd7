// Property 6: the bits depend neither on the executor, nor on the batch around a row, nor on alignment.
#include <norma/interop/openmp.hpp>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

/// Every result with every executor equals the one without.
template <class T>
void check_executors(const Entry& entry, const Setting& s, const Where& where) {
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 41, 4);
  Plan plan = everywhere(where);
  const auto expected = run(norm, s, inputs, plan);
  const ShuffledPool one(1), two(2), seven(7, 5), again(7, 6);
  const ThreadPool threads(2);
  const PoolOf sequential(norma::sequential);
  const PoolOf openmp(norma::openmp(2));
  const PoolOf always(norma::sequential.with(norma::Streaming::always));
  const PoolOf never(norma::openmp(2).with(norma::Streaming::never));
  const Pool* const pools[] = {&one, &two, &seven, &again, &threads, &sequential, &openmp, &always, &never};
  for (std::size_t i = 0; i < std::size(pools); ++i) {
    SCOPED_TRACE(describe(s) + ", executor " + std::to_string(i));
    plan.pool = pools[i];
    expect_same(run(norm, s, inputs, plan), expected);
  }
}

class ExecutorsByLength : public testing::TestWithParam<LengthCase> {};

TEST_P(ExecutorsByLength, GiveTheSameBits) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    check_executors<T>(entry, entry.sets_of(1, length), {});
    check_executors<T>(entry, entry.sets_of(length > 2000 ? 5 : entry.family().has_axes ? 150 : 90, length), {});
  });
}
INSTANTIATE_TEST_SUITE_P(All, ExecutorsByLength, testing::ValuesIn(thinned_length_cases()), CaseName());

class ExecutorsByShape : public testing::TestWithParam<ShapeCase> {};

TEST_P(ExecutorsByShape, GiveTheSameBits) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::channels_last, Layout::sliced}) {
      Where where;
      where.layout = layout;
      Setting s = shape.setting();
      check_executors<T>(entry, s, where);
      if (count(s.extents) > 100000) return;
      s.weight = Form::per_set;
      s.bias = Form::even_axes;
      check_executors<T>(entry, s, where);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, ExecutorsByShape, testing::ValuesIn(shape_cases()), CaseName());

/// Each of these samples of axis 0 alone has the bits it has in the batch.
template <class T>
void check_samples(const Norm<T, T>& norm, const Setting& s, const Where& where, const std::vector<std::size_t>& which) {
  Setting one = s;
  one.extents[0] = 1;
  const auto samples = static_cast<std::size_t>(s.extents[0]);
  const auto inputs = random_inputs<T, T, T>(s, 42, 1);
  const auto batch = run(norm, s, inputs, everywhere(where));
  for (const std::size_t r : which) {
    if (r >= samples) continue;
    // The part of sample r of values in the order of samples.
    const auto sample = [&](const auto& values) {
      const auto n = static_cast<std::ptrdiff_t>(values.size() / samples), first = static_cast<std::ptrdiff_t>(r) * n;
      return std::vector<T>(values.begin() + first, values.begin() + first + n);
    };
    Inputs<T, T, T> alone = inputs;
    alone.x = sample(inputs.x);
    alone.dy = sample(inputs.dy);
    const auto expected = run(norm, one, alone, everywhere(where));
    EXPECT_TRUE(same(sample(batch.y), expected.y)) << "y of sample " << r;
    EXPECT_TRUE(same(sample(batch.dx), expected.dx)) << "dx of sample " << r;
    EXPECT_TRUE(same(sample(batch.rstd), expected.rstd)) << "rstd of sample " << r;
    EXPECT_TRUE(same(sample(batch.mean), expected.mean)) << "mean of sample " << r;
  }
}

class Batch : public testing::TestWithParam<LengthCase> {};

std::vector<LengthCase> batch_cases() {
  return length_cases(entries_where([](const Family& family) { return family.per_sample; }), all_lengths());
}

// A sample alone (of norms over rows: a row), and the same sample anywhere in a batch of many.
TEST_P(Batch, SampleAloneEqualsSampleInBatch) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    const Setting s = entry.sets_of(length > 2000 ? 11 : length > 200 ? 101 : 1000, length);
    const auto samples = static_cast<std::size_t>(s.extents[0]);
    check_samples(entry.get<decltype(zero)>(), s, {}, {0, 1, 2, 3, samples / 2, samples - 2, samples - 1});
  });
}
INSTANTIATE_TEST_SUITE_P(All, Batch, testing::ValuesIn(batch_cases()), CaseName());

class BatchByShape : public testing::TestWithParam<LayoutCase> {};

// The same for every shape and layout whose first axis is one of samples.
TEST_P(BatchByShape, SampleAloneEqualsSampleInBatch) {
  const Entry& entry = GetParam().entry;
  with_element(entry, [&](auto zero) {
    const Setting s = GetParam().shape.setting();
    const auto samples = static_cast<std::size_t>(s.extents[0]);
    Where where;
    where.layout = GetParam().layout;
    check_samples(entry.get<decltype(zero)>(), s, where, {0, samples / 2, samples - 1});
  });
}

std::vector<LayoutCase> sample_cases() {
  std::vector<LayoutCase> cases;
  for (const LayoutCase& c : layout_cases()) {
    const Family& family = c.entry.family();
    if (family.has_axes || !family.per_sample || c.shape.extents[0] < 2) continue;
    if (c.layout == Layout::contiguous || c.layout == Layout::channels_last || c.layout == Layout::sliced) cases.push_back(c);
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, BatchByShape, testing::ValuesIn(sample_cases()), CaseName());

struct MisalignmentCase {
  Entry entry;
  std::ptrdiff_t offset;
};

std::string name_of(const MisalignmentCase& c) { return c.entry.name() + "_by_" + std::to_string(c.offset); }

class Misalignment : public testing::TestWithParam<MisalignmentCase> {};

// Each tensor alone and all together, `offset` elements behind a page boundary.
TEST_P(Misalignment, GivesTheSameBits) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t offset = GetParam().offset;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = entry.get<T>();
    for (const std::ptrdiff_t length : {1, 5, 16, 33, 64, 100, 131, 768, 1025, 8193}) {
      if (length < entry.family().least_length) continue;
      const Setting s = entry.sets_of(length > 2000 ? 2 : 6, length);
      const auto inputs = random_inputs<T, T, T>(s, 43, 1);
      const auto expected = run(norm, s, inputs);
      Where where;
      where.layout = Layout::channels_last;
      const auto expected_in_channels_last = run(norm, s, inputs, everywhere(where));
      where.misalignment = offset;
      expect_same(run(norm, s, inputs, everywhere(where)), expected_in_channels_last);
      where.layout = Layout::contiguous;
      expect_same(run(norm, s, inputs, everywhere(where)), expected);
      for (Where Plan::*const tensor : {&Plan::x, &Plan::y, &Plan::dy, &Plan::dx, &Plan::weight, &Plan::bias}) {
        Plan plan;
        plan.*tensor = where;
        expect_same(run(norm, s, inputs, plan), expected);
      }
      // Streaming stores want aligned lines; without them the bits are the same.
      const PoolOf always(norma::sequential.with(norma::Streaming::always));
      Plan plan = everywhere(where);
      plan.pool = &always;
      expect_same(run(norm, s, inputs, plan), expected);
    }
  });
}

std::vector<MisalignmentCase> misalignments() {
  std::vector<MisalignmentCase> cases;
  for (const Entry& entry : all_entries()) {
    for (std::ptrdiff_t offset = 0; offset < 32; ++offset) cases.push_back({entry, offset});
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, Misalignment, testing::ValuesIn(misalignments()), CaseName());

// Work is really handed to the executor, so that the tests above compare something.
TEST(ExecutorUse, LargeTensorsAreSplitIntoTasks) {
  for (std::size_t n = 0; n < norm_names().size(); ++n) {
    const auto& norm = catalogue<float, float>()[n];
    const Setting s = norm.family.sets_of(512, 1024);
    const auto inputs = random_inputs<float, float, float>(s, 44);
    const ShuffledPool seven(7);
    Plan plan;
    plan.pool = &seven;
    Rig<float, float> rig(norm, s, inputs, plan);
    rig.infer();
    EXPECT_GE(seven.most_tasks(), 7) << norm.name;
    const norma::index_t before = seven.tasks_run();
    rig.train();
    EXPECT_GE(seven.tasks_run(), before + 7) << norm.name;
    const norma::index_t before_backward = seven.tasks_run();
    rig.backward();
    EXPECT_GE(seven.tasks_run(), before_backward + 7) << norm.name;
  }
}

}  // namespace
}  // namespace norma_test
