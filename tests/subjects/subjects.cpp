// The list of subjects: what the entries say, and how they are made for each mix of types by the files beside this one.
#include "subjects/entries.hpp"

namespace norma_test {

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = [] {
    std::vector<Subject> list;
    for_each_entry([&]<class E>(std::type_identity<E>) { list.push_back(E::subject()); });
    for (const MakersOfTypes& made : {makers_f32(), makers_f64()}) {
      for (const auto& [types, makers] : made) {
        for (std::size_t i = 0; i < list.size(); ++i) {
          if (makers[i] != nullptr) list[i].makers.emplace_back(types, makers[i]);
        }
      }
    }
    return list;
  }();
  return all;
}

const Subject& subject_named(const std::string& name) {
  for (const Subject& s : subjects()) {
    if (s.name == name) return s;
  }
  throw std::logic_error("no subject is called " + name);
}

}  // namespace norma_test
