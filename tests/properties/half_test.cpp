// 16-bit elements: their numbers are read as they are and results are rounded once, so that all bits follow from those of wider tensors.
#include "support/property.hpp"

namespace norma_test { namespace {

/// What is promised: tensors of two types are copied to rows, and so the gradients of parameters may be summed in another order.
Rows promised(Rows rows, const Types& t) {
  if (t.x != t.y) std::erase_if(rows, [](const auto& row) { return row.first.starts_with("d ") || row.first.starts_with("frozen d "); });
  return rows;
}

/// Results of tensors of 16 bits from those of tensors of the arithmetic's type with the same numbers.
Rows rounded(Rows rows, const Types& t) {
  for (auto& [name, values] : rows) {
    const bool of_x = name.find("dx") != std::string::npos, of_y = name.starts_with("y");
    if (!of_x && !of_y) continue;
    for (double& v : values) v = rounded_to(of_x ? t.x : t.y, v);
  }
  return rows;
}

NORMA_PROPERTY(HalfElements) {
  for (const auto& made : subject.makers) {
    const Types t = made.first, wide{t.arithmetic(), t.arithmetic(), t.parameter};
    if (!t.half() || !subject.made_for(wide)) continue;
    for (const Setting& shape : some_shapes(subject)) {
      cases.add(case_name(t, shape), [=, &subject] {
        for (const Variation& v : subject.variations) {
          const Setting s = varied(shape, v);
          const Data data = random_data(subject, t, s, 6, 0.5);
          for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::strided, Layout::flipped_all}) {
            const Plan plan = everywhere(lying(layout));
            SCOPED_TRACE(name_of(layout));
            expect_same(promised(run(subject, t, s, data, plan), t), promised(rounded(run(subject, wide, s, data, plan), t), t));
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace norma_test
