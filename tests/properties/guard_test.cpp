// Property 7: inaccessible pages right before and behind every tensor; a read or write outside ends the process.
#include <span>

#include "support/property.hpp"

namespace norma_test { namespace {

void check_guarded(const Subject& subject, const Types& t, const Setting& s, std::span<const Layout> layouts) {
  const Data data = random_data(subject, t, s, 31);
  for (const Layout layout : layouts) {
    Where where = lying(layout);
    const Rows expected = run(subject, t, s, data, everywhere(where));
    for (const Placement placement : {Placement::at_page_start, Placement::at_page_end}) {
      where.placement = placement;
      Plan plan = everywhere(where);
      expect_same(run(subject, t, s, data, plan), expected);
      if (subject.owns_x || placement == Placement::at_page_start) continue;
      plan.alias = Alias::y_is_x;
      expect_same(run(subject, t, s, data, plan), expected);
    }
  }
}

NORMA_PROPERTY(GuardPages) {
  add_lengths(cases, lengths_of(subject, all_lengths(), true), [&subject](const Types& t, std::ptrdiff_t length) {
    for (const std::ptrdiff_t sets : length > 2000 ? std::vector<std::ptrdiff_t>{1} : std::vector<std::ptrdiff_t>{1, 8})
      check_guarded(subject, t, sets_of(subject, sets, length), std::array{Layout::contiguous});
    // A set's elements as neighbours of other sets' elements: each lane is its own set.
    check_guarded(subject, t, sets_of(subject, 5, length), std::array{Layout::reversed});
    if (!subject.has_axes) check_guarded(subject, t, sets_of(subject, 6, length), std::array{Layout::channels_last});
  });
  add_shapes(cases, some_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    Setting s = varied(shape, subject.variation(0)), spread = s;
    spread.weight = Form::even_axes;
    spread.bias = Form::full;
    check_guarded(subject, t, s, all_layouts);
    if (subject.function) check_guarded(subject, t, spread, all_layouts);
  });
}

}  // namespace
}  // namespace norma_test
