// The list of subjects: what the entries say, and how they are made for each mix of types by the files beside this one.
#include "subjects/entries.hpp"

namespace norma_test {

extern template std::vector<Maker> makers_for<float, float, float>();
extern template std::vector<Maker> makers_for<double, double, double>();
#ifndef NORMA_TEST_PLAIN_TYPES
extern template std::vector<Maker> makers_for<float, norma::bfloat16, norma::bfloat16>();
extern template std::vector<Maker> makers_for<float, norma::float16, norma::float16>();
extern template std::vector<Maker> makers_for<float, float, norma::bfloat16>();
extern template std::vector<Maker> makers_for<float, norma::float16, double>();
extern template std::vector<Maker> makers_for<float, float, double>();
extern template std::vector<Maker> makers_for<float, double, float>();
extern template std::vector<Maker> makers_for<float, double, double>();
extern template std::vector<Maker> makers_for<double, float, float>();
extern template std::vector<Maker> makers_for<double, float, double>();
extern template std::vector<Maker> makers_for<double, double, float>();
#endif

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = [] {
    std::vector<Subject> list;
    for_each_entry([&]<class E>(std::type_identity<E>) { list.push_back(E::subject()); });
    const auto add = [&](Types types, const std::vector<Maker>& makers) {
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (makers[i] != nullptr) list[i].makers.emplace_back(types, makers[i]);
      }
    };
    add(all_f32, makers_for<float, float, float>());
    add(all_f64, makers_for<double, double, double>());
#ifndef NORMA_TEST_PLAIN_TYPES
    constexpr Element f32 = Element::f32, f64 = Element::f64;
    constexpr Element f16 = Element::f16, bf16 = Element::bf16;
    add({bf16, bf16, f32}, makers_for<float, norma::bfloat16, norma::bfloat16>());
    add({f16, f16, f32}, makers_for<float, norma::float16, norma::float16>());
    add({f32, bf16, f32}, makers_for<float, float, norma::bfloat16>());
    add({f16, f64, f32}, makers_for<float, norma::float16, double>());
    add({f32, f64, f32}, makers_for<float, float, double>());
    add({f64, f32, f32}, makers_for<float, double, float>());
    add({f64, f64, f32}, makers_for<float, double, double>());
    add({f32, f32, f64}, makers_for<double, float, float>());
    add({f32, f64, f64}, makers_for<double, float, double>());
    add({f64, f32, f64}, makers_for<double, double, float>());
#endif
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
