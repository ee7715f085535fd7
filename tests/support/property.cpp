// The program of all properties: registers what the filter asks for, and prints what failed as a table with the command that runs it alone.
#include "support/property.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdio>
#include <map>
#include <vector>

namespace norma_test {
namespace {

struct Property {
  const char* name;
  AddCases add;
};
std::vector<Property>& properties() {
  static std::vector<Property> all;
  return all;
}

class CaseTest : public testing::Test {
 public:
  explicit CaseTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

bool counting = false;

/// Failures as a table behind everything else.
class FailureTable : public testing::EmptyTestEventListener {
 public:
  explicit FailureTable(std::string program) : program_(std::move(program)) {}
  void OnTestEnd(const testing::TestInfo& test) override {
    ++run_[test.test_suite_name()];
    if (test.result()->Failed()) failed_[test.test_suite_name()].push_back(test.name());
  }
  void OnTestProgramEnd(const testing::UnitTest&) override {
    for (const auto& [suite, names] : failed_) {
      std::printf("\n%s: %zu of %zu cases failed\n", suite.c_str(), names.size(), run_[suite]);
      for (const std::string& name : names) std::printf("  %s\n", name.c_str());
      std::printf("one alone: %s --gtest_filter='%s.%s'\n", program_.c_str(), suite.c_str(), names.front().c_str());
    }
  }

 private:
  std::string program_;
  std::map<std::string, std::size_t> run_;
  std::map<std::string, std::vector<std::string>> failed_;
};

/// The suites that a filter of one suite's name allows: registering others would only take time.
bool is_wanted(const std::string& suite) {
  const std::string filter = GTEST_FLAG_GET(filter);
  const std::size_t dot = filter.find('.');
  if (dot == std::string::npos || filter.substr(0, dot).find_first_of("*?:-") != std::string::npos || filter.find(':') != std::string::npos)
    return true;
  return filter.substr(0, dot) == suite;
}

/// Every property of every subject; false if one that should apply has no cases, or one that should not exists no more.
bool register_all(bool print) {
  bool complete = true;
  std::size_t sum = 0;
  std::map<std::string, bool> known;
  for (const Property& property : properties()) {
    known[property.name] = true;
    for (const Subject& subject : subjects()) {
      const std::string suite = std::string(property.name) + "/" + subject.name;
      const auto why = subject.without.find(property.name);
      if (why != subject.without.end()) {
        if (print) std::printf("%-18s %-24s       - %s\n", property.name, subject.name.c_str(), why->second.c_str());
        continue;
      }
      if (!is_wanted(suite)) continue;
      Cases cases(suite);
      property.add(subject, cases);
      if (print) std::printf("%-18s %-24s %7zu\n", property.name, subject.name.c_str(), cases.size());
      sum += cases.size();
      if (cases.size() > 0) continue;
      std::printf("%s has no cases, and its entry does not say why\n", suite.c_str());
      complete = false;
    }
  }
  for (const Subject& subject : subjects()) {
    for (const auto& [property, why] : subject.without) {
      if (known[property]) continue;
      std::printf("%s speaks of a property that is not there: %s\n", subject.name.c_str(), property.c_str());
      complete = false;
    }
  }
  if (print) std::printf("%zu cases\n", sum);
  return complete;
}

}  // namespace

void Cases::add(const std::string& name, std::function<void()> check) {
  if (!names_.insert(name).second) throw std::logic_error(suite_ + " has two cases called " + name);
  if (counting) return;
  testing::RegisterTest(suite_.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [check = std::move(check)]() -> CaseTest* { return new CaseTest(check); });
}

bool register_property(const char* name, AddCases add) {
  properties().push_back({name, add});
  return true;
}

}  // namespace norma_test

/// --table: how many cases each property has for each subject, and why it has none.
int main(int argc, char** argv) {
#ifdef __GLIBC__
  // The next case asks for the memory that a case gives back: the system would only take it and clear it.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  testing::InitGoogleTest(&argc, argv);
  norma_test::counting = argc > 1 && std::string(argv[1]) == "--table";
  if (!norma_test::register_all(norma_test::counting)) return 1;
  if (norma_test::counting) return 0;
  testing::UnitTest::GetInstance()->listeners().Append(new norma_test::FailureTable(argv[0]));
  return RUN_ALL_TESTS();
}
