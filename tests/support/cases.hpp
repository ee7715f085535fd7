// The lists of cases that properties share: lengths, element types, layouts, and their readable names.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "support/subject.hpp"

namespace norma_test {

/// Every length up to four times the 32 lanes of a reduction and a bit, and around the sizes where algorithms change.
inline std::vector<std::ptrdiff_t> all_lengths() {
  std::vector<std::ptrdiff_t> lengths;
  for (std::ptrdiff_t n = 0; n <= 4 * 32 + 3; ++n) lengths.push_back(n);
  for (const std::ptrdiff_t n : {255, 256, 257, 383, 384, 509, 768, 1023, 1024, 1025, 4096, 8191, 8192, 8193, 16389, 70000})
    lengths.push_back(n);
  return lengths;
}

/// The functions stand for their layers in lists of every length: a layer calls what its function calls.
inline bool stands_for_others(const Subject& subject) { return subject.function; }

/// Of these lengths those that the subject's sets can have; fewer of a layer's, and of norms of channels, whose runs are those of rows.
inline std::vector<std::ptrdiff_t> lengths_of(const Subject& subject, const std::vector<std::ptrdiff_t>& from, bool thinned = false) {
  std::vector<std::ptrdiff_t> lengths;
  for (const std::ptrdiff_t n : from) {
    const bool is_few = n <= 3 || (n <= 132 ? n % 8 < 2 && n % 3 == 0 : n == 257 || n == 768 || n == 1025 || n == 8193);
    const bool is_some = n <= 35 || n > 132 || n % 8 < 2;
    const bool wanted = !stands_for_others(subject) ? is_few : !thinned || subject.has_axes || is_some;
    if (wanted && n >= subject.family.least_length) lengths.push_back(n);
  }
  return lengths;
}

/// Shapes for properties that look at each many times: all of a function's, few of the others.
inline const Settings& some_shapes(const Subject& subject) {
  return stands_for_others(subject) ? subject.family.shapes : subject.family.few_shapes;
}

/// Those that serve training, too.
inline Settings training_shapes(const Subject& subject) {
  Settings shapes = subject.family.shapes;
  std::erase_if(shapes, [](const Setting& s) { return !s.trains; });
  return shapes;
}

/// sets_of with the options of a variation.
inline Setting sets_of(const Subject& subject, std::ptrdiff_t sets, std::ptrdiff_t length, std::size_t variation = 0) {
  return varied(subject.family.sets_of(sets, length), subject.variation(variation));
}

/// With this eps; the norms of weights have none.
inline void set_eps(const Subject& subject, Setting& s, double eps) {
  if (!subject.owns_x) s.eps = eps;
}

/// x of these extents as the subject takes it: over the last axis, of channels, or a weight; an axis dealt to two ranks.
inline Setting taking(const Subject& subject, const Extents& extents) {
  if (subject.owns_x) return varied(weight_shape(extents, 0), subject.variation(0));
  const bool over_axes = !subject.family.small_shapes[0].axes.empty();
  Setting s = over_axes ? shape(extents, {-1}) : shape(extents);
  if (subject.streams.size() > 1) s.keys = {2, extents.back()};
  const std::size_t axis = over_axes ? extents.size() - 1 : 0;
  if (subject.over_ranks) s = dealt(s, axis, halves(extents[axis]));
  return varied(s, subject.variation(0));
}

/// f(types) for all of x, y and parameters in float, and in double.
template <class F>
void for_plain_types(F f) {
  f(all_f32);
  f(all_f64);
}

/// Layouts that differ for most shapes.
inline constexpr std::array six_layouts = {Layout::contiguous, Layout::channels_last, Layout::rotated,
                                           Layout::sliced,     Layout::padded,        Layout::flipped_all};
inline constexpr std::array two_layouts = {Layout::contiguous, Layout::channels_last};

/// The layout that puts a set's elements side by side with other sets'.
inline Layout lanes_layout(const Subject& subject) { return subject.has_axes || subject.owns_x ? Layout::reversed : Layout::channels_last; }

inline std::string case_name(const Types& t, const Setting& s) { return name_of(s) + "_" + name_of(t); }
inline std::string case_name(const Types& t, const Setting& s, Layout layout) { return case_name(t, s) + "_" + name_of(layout); }

}  // namespace norma_test
