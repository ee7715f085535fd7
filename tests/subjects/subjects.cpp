// The list of subjects: what the entries say, and how they are made for each mix of types by the files beside this one.
#include "subjects/entries.hpp"

namespace norma_test {

FunctionState::FunctionState(const Setting& s, const Lent& lent, Element type, Source source) {
  options.axes = norma::Extents(s.axes);
  options.groups = s.groups;
  options.eps = s.eps;
  options.momentum = s.momentum.value_or(0.25);
  options.unit_offset = s.unit_offset;
  options.eps_outside_sqrt = s.eps_outside_sqrt;
  const auto add = [&](const char* name, const Extents& extents, const Where& where, AnyView& value, AnyView* grad = nullptr) {
    value = tensors.emplace_back(type, extents, where).any();
    states.push_back({name, value, {}});
    if (grad != nullptr) states.back().grad = *grad = tensors.emplace_back(type, extents, where).any();
  };
  if (s.weight != Form::absent) add("weight", parameter_extents(s.weight, s), lent.weight, options.weight, &options.weight_grad);
  if (s.bias != Form::absent) add("bias", parameter_extents(s.bias, s), lent.bias, options.bias, &options.bias_grad);
  parameters = static_cast<std::ptrdiff_t>(states.size());
  if (source == Source::given) {
    add("mean", {s.extents[1]}, lent.weight, options.mean);
    add("variance", {s.extents[1]}, lent.bias, options.variance);
  }
  if (source == Source::of_the_batch && s.tracks) {
    add("running_mean", {s.extents[1]}, lent.weight, options.running_mean);
    add("running_var", {s.extents[1]}, lent.bias, options.running_var);
  }
}

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
