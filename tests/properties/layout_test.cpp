// Property 4: the same logical tensor in another memory layout gives the same bits where that is promised, and a right answer everywhere.
#include <algorithm>

#include "support/property.hpp"

namespace norma_test { namespace {

/// True if the averaged axes follow each other in memory as they do in row-major order, in either direction: then the sums run in the
/// same order of indices and the bits are promised.
bool same_summation_order(const Setting& s, Layout layout) {
  const std::vector<bool> is_averaged = averaged(s.extents, s.axes);
  std::vector<std::size_t> order;
  for (const std::size_t axis : memory_order(s.extents.size(), layout)) {
    if (is_averaged[axis] && s.extents[axis] != 1) order.push_back(axis);
  }
  return std::is_sorted(order.begin(), order.end());
}

void compare(const Asked& asked, const Rows& expected, const Plan& plan, const char* what) {
  SCOPED_TRACE(what);
  const Subject& subject = *asked.question.subject;
  const Setting& s = asked.question.setting;
  const Rows actual = run(subject, asked.question.types, s, asked.data, plan);
  // Weights are laid out anew by their layer. Norms of channels promise their bound in every layout, not the same bits.
  if (subject.owns_x) return expect_same(actual, expected);
  if (subject.has_axes && same_summation_order(s, plan.x.layout)) {
    for (const char* row : {"y", "y of training", "mean", "rstd"}) {
      EXPECT_TRUE(same(actual.at(row), expected.at(row))) << row;
    }
  }
  if (!same(actual.at("y"), expected.at("y")) || (actual.has("dx") && !same(actual.at("dx"), expected.at("dx"))))
    expect_correct(actual, asked.exact);
}

/// One tensor or all of them in each layout.
NORMA_PROPERTY(OneLayoutOrAll) {
  add_shapes(cases, some_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    const Setting s = varied(shape, subject.variation(0));
    const Asked asked({&subject, t, s, 11, 2});
    const Rows expected = run(subject, t, s, asked.data);
    for (const Layout layout : all_layouts) {
      SCOPED_TRACE(name_of(layout));
      const Where where = lying(layout);
      Plan all = everywhere(where), x, y, gradients, all_but_x = all;
      all_but_x.x = {};
      x.x = where;
      y.y = where;
      gradients.dy = gradients.dx = where;
      compare(asked, expected, all, "all");
      compare(asked, expected, all_but_x, "all but x");
      compare(asked, expected, x, "x");
      compare(asked, expected, y, "y");
      compare(asked, expected, gradients, "dy and dx");
    }
  });
}

/// x and dy with stride 0 along one axis equal the same values written out.
void check_broadcast(const Subject& subject, const Types& t, const Setting& s, std::size_t axis) {
  Extents narrow = s.extents;
  narrow[axis] = narrow[axis] == 0 ? 0 : 1;
  Data data = random_data(subject, t, s, axis, 1);
  const Values x_values = random_values(t.x, count(narrow), axis, 1), dy_values = random_values(t.y, count(narrow), axis + 10);
  std::size_t i = 0;
  for_each_index(s.extents, [&](const Extents& index) {
    data.x[0][i] = x_values[position(index, narrow)];
    data.dy[0][i++] = dy_values[position(index, narrow)];
  });
  const Rows expected = run(subject, t, s, data);
  const Exact exact(subject, t, s, data);
  AnyTensor x(t.x, narrow, {}, x_values), dy(t.y, narrow, {}, dy_values);
  const auto wide = [&](const AnyTensor& tensor) { return tensor.any().through([&](auto v) { return v.broadcast(s.extents); }); };
  Rig rig(subject, t, s, data);
  rig.call().x[0] = wide(x);
  rig.call().dy[0] = wide(dy);
  Rows rows;
  rig.infer();
  rig.take_y(rows, "y");
  if (s.trains && !subject.given_statistics) {
    rig.train();
    rig.take_y(rows, "y of training");
  }
  if (s.trains) {
    rig.backward();
    rig.take_gradients(rows);
  }
  if (subject.has_axes) {
    EXPECT_TRUE(same(rows.at("y"), expected.at("y")));
    expect_correct(rows, exact);
  } else {
    expect_correct(rows, exact, 4);  // long runs of a constant: four times the ordinary bound (README, Accuracy)
  }
  EXPECT_TRUE(same(x.values(), x_values) && same(dy.values(), dy_values)) << "an input changed";
}

NORMA_PROPERTY(Broadcast) {
  add_shapes(cases, some_shapes(subject), [&subject](const Types& t, const Setting& shape) {
    const Setting s = varied(shape, subject.variation(subject.variations.size() > 1 ? 1 : 0));
    for (std::size_t axis = 0; axis < s.extents.size(); ++axis) {
      if (!s.parts.empty() && axis == s.split_axis) continue;  // dealing a repeated axis to ranks is no view of a user's
      SCOPED_TRACE(axis);
      check_broadcast(subject, t, s, axis);
    }
  });
}

/// Norms over axes whose kept axes lie in memory in another order: rows keep their bits, whichever rows share a tile with them. Norms of
/// channels, whose order of summation may follow memory, keep their bound.
NORMA_PROPERTY(KeptAxesOrder) {
  for (const Extents& kept :
       std::vector<Extents>{{2, 4, 2}, {4, 2, 2}, {2, 2, 4}, {2, 2, 2}, {16, 2, 3}, {2, 16, 3}, {3, 5, 16}, {4, 8, 4}}) {
    for (const std::ptrdiff_t length : {1, 8, 33, 300, 800}) {
      if (!subject.has_axes && length > (subject.over_ranks ? 1 : 33)) continue;
      Extents order = {0, 1, 2};
      do {
        for_plain_types([&](const Types& t) {
          if (!subject.function && t == all_f64) return;
          const Setting s = taking(subject, {kept[0], kept[1], kept[2], length});
          cases.add(case_name(t, s) + "_order_" + to_string(order, ""), [=, &subject] {
            const auto& [question, data, exact] = asked({&subject, t, s, 11, 3});
            const Rows expected = run(subject, t, s, data);
            // Tensors whose kept axes lie in that order, seen through a permuted view.
            Extents memory, axes(4, 3);
            for (std::size_t i = 0; i < 3; ++i) {
              memory.push_back(kept[static_cast<std::size_t>(order[i])]);
              axes[static_cast<std::size_t>(order[i])] = static_cast<std::ptrdiff_t>(i);
            }
            memory.push_back(length);
            AnyTensor x(t.x, memory, {}), y(t.y, memory, {}), dy(t.y, memory, {}), dx(t.x, memory, {});
            const auto permuted = [&](AnyTensor& tensor) { return tensor.any().through([&](auto v) { return v.permute(axes); }); };
            permuted(x).set(data.x[0]);
            permuted(dy).set(data.dy[0]);
            Rig rig(subject, t, s, data);
            Call& call = rig.call();
            call.y[0] = permuted(y);
            call.dy[0] = permuted(dy);
            if (!subject.owns_x) {
              call.x[0] = permuted(x);
              call.dx[0] = permuted(dx);
            }
            Rows rows;
            if (subject.given_statistics) {
              rig.infer();
              rows.emplace_back("y", call.y[0].values());
            } else {
              rig.train();
              rows.emplace_back("y of training", call.y[0].values());
            }
            rig.backward();
            if (!subject.owns_x) rows.emplace_back("dx", call.dx[0].values());
            for (const auto& [row, values] : rows) {
              if (subject.has_axes || subject.owns_x) {
                EXPECT_TRUE(same(values, expected.at(row))) << row;
              }
            }
            // Gradients of parameters sum over rows in the order of memory.
            for (const State& p : rig.norm().parameters()) {
              if (!is_x(p.name)) rows.emplace_back("d " + p.name, p.grad.values());
            }
            expect_correct(rows, exact);
          });
        });
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

}  // namespace
}  // namespace norma_test
