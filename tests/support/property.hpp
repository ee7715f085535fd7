// Properties: each is asked of every subject, and registers its cases with GoogleTest as Property/Subject.case.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {

/// The cases of one property for one subject.
class Cases {
 public:
  explicit Cases(std::string suite) : suite_(std::move(suite)) {}
  void add(const std::string& name, std::function<void()> check);
  std::size_t size() const { return names_.size(); }
  std::set<std::string> names() const { return names_; }

 private:
  std::string suite_;
  std::set<std::string> names_;
};

/// check(types, length), or check(types, shape), as a case for each of these and plain types.
template <class F>
void add_lengths(Cases& cases, const std::vector<std::ptrdiff_t>& lengths, F check) {
  for_plain_types([&](const Types& t) {
    for (const std::ptrdiff_t length : lengths) cases.add(std::to_string(length) + "_" + name_of(t), [=] { check(t, length); });
  });
}
template <class F>
void add_shapes(Cases& cases, const Settings& shapes, F check) {
  for_plain_types([&](const Types& t) {
    for (const Setting& shape : shapes) cases.add(case_name(t, shape), [=] { check(t, shape); });
  });
}

/// Adds the cases of a subject; called once for each subject that does not say why the property does not apply.
using AddCases = void (*)(const Subject& subject, Cases& cases);

bool register_property(const char* name, AddCases add);

#define NORMA_PROPERTY(name)                                                                            \
  static void add_cases_of_##name(const Subject& subject, Cases& cases);                                \
  [[maybe_unused]] static const bool registered_##name = register_property(#name, add_cases_of_##name); \
  static void add_cases_of_##name(const Subject& subject, Cases& cases)

}  // namespace norma_test
