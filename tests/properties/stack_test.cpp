// Every pass of every norm runs on a thread with 64 KB of stack; with eight times that under AddressSanitizer, whose frames are larger.
#include <pthread.h>

#include <functional>

#include "support/property.hpp"
#include "support/sanitizers.hpp"

namespace norma_test { namespace {

void* run_function(void* f) {
  (*static_cast<const std::function<void()>*>(f))();
  return nullptr;
}

constexpr std::size_t little_stack = std::size_t{under_address_sanitizer ? 512u : 64u} << 10;

void on_little_stack(const std::function<void()>& f) {
  pthread_attr_t attributes;
  pthread_t thread;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, little_stack), 0);
  ASSERT_EQ(pthread_create(&thread, &attributes, run_function, const_cast<std::function<void()>*>(&f)), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

NORMA_PROPERTY(Stack) {
  for_plain_types([&](const Types& t) {
    Settings shapes = subject.family.few_shapes;
    shapes.push_back(sets_of(subject, 2, 20000));  // a set alone is larger than the stack
    for (const Setting& shape : shapes) {
      for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::strided}) {
        const Setting s = varied(shape, subject.variation(0));
        cases.add(case_name(t, s, layout), [=, &subject] {
          const Data data = random_data(subject, t, s, 7);
          const Plan plan = everywhere(lying(layout));
          const Rows expected = run(subject, t, s, data, plan);
          Rig rig(subject, t, s, data, plan);
          on_little_stack([&] { rig.infer(); });
          Rows rows;
          rig.take_y(rows, "y");
          if (!subject.given_statistics) on_little_stack([&] { rig.train(); });
          on_little_stack([&] { rig.backward(); });
          rig.take_gradients(rows);
          if (subject.has_frozen(s)) on_little_stack([&] { rig.backward_frozen(); });
          for (const auto& [row, values] : rows) {
            EXPECT_TRUE(same(values, expected.at(row))) << row;
          }
        });
      }
    }
  });
}

}  // namespace
}  // namespace norma_test
