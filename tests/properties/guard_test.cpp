// Property 7: inaccessible pages right before and behind every tensor; a read or write outside ends the process.
#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

template <class T>
void check_guarded(const Entry& entry, const Setting& s, Layout layout) {
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 31);
  Where where;
  where.layout = layout;
  const auto expected = run(norm, s, inputs, everywhere(where));
  for (const Placement placement : {Placement::at_page_start, Placement::at_page_end}) {
    where.placement = placement;
    Plan plan = everywhere(where);
    expect_same(run(norm, s, inputs, plan), expected);
    plan.alias = Alias::y_is_x;
    expect_same(run(norm, s, inputs, plan), expected);
  }
}

class GuardsByLength : public testing::TestWithParam<LengthCase> {};

TEST_P(GuardsByLength, NothingOutsideIsTouched) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    for (const std::ptrdiff_t rows : length > 2000 ? std::vector<std::ptrdiff_t>{1} : std::vector<std::ptrdiff_t>{1, 3, 8})
      check_guarded<T>(entry, entry.sets_of(rows, length), Layout::contiguous);
    // A set's elements as neighbours of other sets' elements: each lane is its own set.
    check_guarded<T>(entry, entry.sets_of(5, length), Layout::reversed);
    if (!entry.family().has_axes) check_guarded<T>(entry, entry.sets_of(6, length), Layout::channels_last);
  });
}
INSTANTIATE_TEST_SUITE_P(All, GuardsByLength, testing::ValuesIn(thinned_length_cases()), CaseName());

class GuardsByShape : public testing::TestWithParam<ShapeCase> {};

TEST_P(GuardsByShape, NothingOutsideIsTouched) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    Setting s = shape.setting();
    for (const Layout layout : all_layouts) {
      s.weight = s.bias = Form::normalized;
      check_guarded<T>(entry, s, layout);
      s.weight = Form::even_axes;
      s.bias = Form::full;
      check_guarded<T>(entry, s, layout);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, GuardsByShape, testing::ValuesIn(shape_cases()), CaseName());

}  // namespace
}  // namespace norma_test
