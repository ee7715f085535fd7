// Families of norms: over which shapes a norm is asked.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "support/setting.hpp"

namespace norma_test {

using Settings = std::vector<Setting>;

struct Family {
  Settings shapes, few_shapes, small_shapes, model_shapes;  // for the long lists; for costly properties; for differences; of real models
  Setting (*sets_of)(std::ptrdiff_t sets, std::ptrdiff_t length);  // x with so many statistic sets of so many elements
  std::ptrdiff_t least_length = 0;                                 // of a set
};

/// Over these axes, or, where there are none, of channels.
inline Setting shape(Extents extents, std::vector<std::ptrdiff_t> axes = {}) {
  Setting s;
  s.extents = std::move(extents);
  s.axes = std::move(axes);
  return s;
}
inline Settings shapes(const std::vector<Extents>& list) {
  Settings result;
  for (const Extents& extents : list) result.push_back(shape(extents));
  return result;
}
inline Setting grouped(Setting s, std::ptrdiff_t groups) {
  s.groups = groups;
  return s;
}

/// `rows` rows of one length, normalized along the row.
inline Setting rows_of(std::ptrdiff_t rows, std::ptrdiff_t length) { return shape({rows, length}, {-1}); }

/// length = outer * inner with a small outer factor, so that a set of channels or of a batch has several runs wherever it can. inner is
/// even if length is. A length without small factors is one run, or, every second of them, all outer.
inline std::pair<std::ptrdiff_t, std::ptrdiff_t> split_length(std::ptrdiff_t length) {
  for (const std::ptrdiff_t outer : {3, 5}) {
    if (length >= 2 * outer && length % outer == 0) return {outer, length / outer};
  }
  if (length >= 8 && length % 4 == 0) return {length % 8 == 0 ? 4 : 2, length / (length % 8 == 0 ? 4 : 2)};
  if (length % 4 == 3) return {length, 1};
  return {1, length};
}

/// (n, channels, spatial) with the statistics of each channel over the batch.
inline Setting batch_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  const auto [outer, inner] = split_length(length);
  return shape(inner == 1 ? Extents{outer, sets} : Extents{outer, sets, inner});
}

/// As many samples as sets / 3, 2 or 1 groups, each with a few channels.
inline Setting group_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  const std::ptrdiff_t groups = sets % 3 == 0 ? 3 : sets % 2 == 0 ? 2 : 1;
  const auto [outer, inner] = split_length(length);
  return grouped(shape(inner == 1 ? Extents{sets / groups, groups * outer} : Extents{sets / groups, groups * outer, inner}), groups);
}

inline Setting instance_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  const std::ptrdiff_t channels = sets % 3 == 0 ? 3 : sets % 2 == 0 ? 2 : 1;
  const auto [outer, inner] = split_length(length);
  return shape(outer == 1 ? Extents{sets / channels, channels, inner} : Extents{sets / channels, channels, outer, inner});
}

/// Norms over .axes. Empty, tiny, prime and real shapes; trailing, leading, middle, all, and non-adjacent axes.
inline Family row_family() {
  Family family;
  family.sets_of = rows_of;
  family.shapes = {
      shape({1, 768}, {-1}),       shape({8, 64}, {-1}),          shape({40, 1024}, {-1}),       shape({5, 3, 7}, {-1}),
      shape({5, 3, 7}, {1, 2}),    shape({5, 3, 7}, {2, 1}),      shape({5, 3, 7}, {0, 1, 2}),   shape({5, 3, 7}, {0, 2}),
      shape({5, 3, 7}, {1}),       shape({5, 3, 7}, {0}),         shape({5, 3, 7}, {0, 1}),      shape({2, 96, 7, 9}, {1}),
      shape({2, 96, 7, 9}, {-3}),  shape({2, 5, 33, 17}, {2, 3}), shape({2, 5, 33, 17}, {1, 3}), shape({3, 64, 4, 4}, {1, 2, 3}),
      shape({1, 1, 1}, {1}),       shape({1, 1, 1}, {0, 1, 2}),   shape({2, 1, 3}, {1}),         shape({0, 5}, {1}),
      shape({5, 0}, {1}),          shape({5, 0, 3}, {2}),         shape({0, 0}, {0, 1}),         shape({67}, {0}),
      shape({1031, 13}, {0}),      shape({13, 1031}, {1}),        shape({1031, 3}, {1}),         shape({300, 2}, {-1}),
      shape({2, 3, 4, 5}, {0, 2}), shape({2, 3, 4, 5}, {1, 2}),   shape({2, 3, 4, 5}, {3, 0}),   shape({2, 2, 3, 2, 2, 3, 2, 3}, {1, 4, 7}),
      shape({2, 40, 37}, {1}),     shape({4, 37, 40}, {0, 2}),    shape({6, 1, 50}, {1, 2}),     shape({17, 130}, {1}),
  };
  family.few_shapes = {shape({1, 768}, {-1}),     shape({8, 64}, {-1}),          shape({5, 3, 7}, {1, 2}), shape({5, 3, 7}, {0}),
                       shape({2, 96, 7, 9}, {1}), shape({2, 5, 33, 17}, {1, 3}), shape({300, 2}, {-1}),    shape({2, 3, 4, 5}, {0, 2})};
  family.model_shapes = {shape({512, 1024}, {-1}), shape({16, 12, 768}, {-1}), shape({2, 96, 28, 28}, {1}),
                         shape({4, 320, 16, 16}, {1, 2, 3}), shape({2100, 33}, {-1})};
  family.small_shapes = {shape({1, 1}, {1}),       shape({3, 1}, {1}),         shape({1, 2}, {1}),    shape({2, 5}, {-1}),
                         shape({1, 37}, {-1}),     shape({3, 4}, {0}),         shape({2, 3, 4}, {1}), shape({2, 3, 4}, {0, 2}),
                         shape({2, 3, 4}, {1, 2}), shape({2, 3, 4}, {0, 1, 2})};
  return family;
}

/// Layers over trailing axes: the shapes of the functions whose axes trail.
inline Family trailing_family() {
  Family family = row_family();
  for (Settings* const list : {&family.shapes, &family.few_shapes, &family.small_shapes, &family.model_shapes}) {
    std::erase_if(*list, [](const Setting& s) {
      const std::vector<bool> is_averaged = averaged(s.extents, s.axes);
      return !is_averaged.back() || !std::is_sorted(is_averaged.begin(), is_averaged.end());
    });
  }
  family.few_shapes.push_back(shape({3, 4, 5, 6}, {2, 3}));
  for (Setting s : {shape({3, 4, 5, 6}, {2, 3}), shape({7, 100}, {1}), shape({130}, {0}), shape({3, 16}, {1}), shape({5, 2}, {1})})
    family.shapes.push_back(s);
  return family;
}

/// (N, C), (N, C, L), (N, C, H, W), (N, C, D, H, W) and more: few and many channels, planes from 1x1 to 56x56, batches from 0 to 33. Every
/// set has more than one element.
inline Settings channel_shapes() {
  return shapes({
      {2, 3},        {5, 1},          {33, 65},        {1031, 4},        {3, 320},       {2, 3, 2},
      {1, 1, 2},     {5, 4, 31},      {1, 64, 49},     {2, 65, 7},       {33, 3, 13},    {2, 5, 1031},
      {1, 3, 2, 1},  {2, 4, 2, 2},    {2, 64, 3, 3},   {5, 130, 4, 4},   {2, 65, 5, 5},  {5, 3, 6, 6},
      {2, 64, 7, 7}, {1, 320, 3, 2},  {2, 16, 8, 8},   {1, 4, 14, 14},   {2, 3, 28, 28}, {1, 3, 56, 56},
      {33, 2, 3, 5}, {2, 3, 2, 3, 5}, {1, 4, 3, 1, 7}, {2, 17, 2, 2, 2}, {2, 64, 1, 33}, {0, 3, 4},
      {0, 4},        {2, 0, 3},       {2, 3, 0},       {2, 3, 0, 4},     {0, 0, 0},      {2, 3, 2, 1, 2, 2, 1, 3},
  });
}
inline Settings few_channel_shapes() {
  return shapes({{5, 3}, {33, 65}, {2, 5, 7}, {1, 3, 4, 5}, {3, 65, 1, 1}, {2, 33, 5, 3}, {2, 3, 2, 3, 4}});
}
inline Settings small_channel_shapes() { return shapes({{2, 2, 2}, {1, 3, 2}, {2, 1, 5}, {2, 4, 3}, {1, 2, 2, 3}, {3, 2, 1, 2}}); }
inline Settings model_channel_shapes() { return shapes({{2, 64, 56, 56}, {4, 256, 14, 14}, {8, 512, 7, 7}, {2, 320, 32, 32}}); }

inline void append(Settings& to, const Settings& more) { to.insert(to.end(), more.begin(), more.end()); }

inline Family batch_family() {
  Family family;
  family.sets_of = batch_sets_of;
  family.shapes = channel_shapes();
  append(family.shapes, shapes({{5, 3, 1, 1}, {33, 64, 1}, {2, 130, 1, 1}}));
  family.few_shapes = few_channel_shapes();
  family.small_shapes = small_channel_shapes();
  append(family.small_shapes, shapes({{2, 1}, {3, 2}, {5, 3}, {3, 2, 1}}));
  family.model_shapes = model_channel_shapes();
  family.least_length = 2;
  return family;
}

/// With statistics that are given, one value per channel is legal.
inline Family given_family() {
  Family family = batch_family();
  append(family.shapes, shapes({{1, 3}, {1, 1, 1}, {1, 65, 1, 1}}));
  append(family.small_shapes, shapes({{1, 4}}));
  family.least_length = 0;
  return family;
}

/// Layers that track: the same shapes serve inference alone.
inline Family tracking_family() {
  Family family = batch_family();
  for (const Extents& extents : std::vector<Extents>{{1, 3}, {1, 1, 1}, {1, 65, 1, 1}}) {
    family.shapes.push_back(shape(extents));
    family.shapes.back().trains = false;
  }
  return family;
}

inline Family instance_family() {
  Family family;
  family.sets_of = instance_sets_of;
  family.shapes = channel_shapes();
  family.few_shapes = few_channel_shapes();
  for (Settings* const list : {&family.shapes, &family.few_shapes})
    std::erase_if(*list, [](const Setting& s) { return s.extents.size() < 3; });
  append(family.shapes, shapes({{2, 3, 1}, {2, 65, 1, 1}, {1, 1, 1, 1}}));
  family.small_shapes = small_channel_shapes();
  append(family.small_shapes, shapes({{3, 2, 1}}));
  family.model_shapes = model_channel_shapes();
  return family;
}

/// One group, as many as channels, and what lies between.
inline Family group_family() {
  Family family;
  family.sets_of = group_sets_of;
  for (const Setting& s : channel_shapes()) {
    const std::ptrdiff_t channels = s.extents[1];
    const std::ptrdiff_t some = channels % 32 == 0 && channels > 0 ? 32 : channels % 5 == 0 && channels > 0 ? 5 : 1;
    family.shapes.push_back(grouped(s, some));
    if (channels % 2 == 0 && channels < 5) family.shapes.push_back(grouped(s, 2));
    if (channels > 1 && channels < 66 && channels != some && s.extents[0] < 3) family.shapes.push_back(grouped(s, channels));
  }
  append(family.shapes, {grouped(shape({2, 64}), 1), grouped(shape({2, 130, 2, 2}), 130), grouped(shape({1, 320, 2, 2}), 320),
                         grouped(shape({2, 6, 5}), 3)});
  family.few_shapes = {grouped(shape({5, 6}), 3),         grouped(shape({5, 6}), 6),       grouped(shape({33, 65}), 5),
                       grouped(shape({2, 4, 7}), 1),      grouped(shape({3, 6, 6, 7}), 2), grouped(shape({2, 64, 4, 4}), 32),
                       grouped(shape({2, 6, 2, 3, 4}), 3)};
  for (const Setting& s : small_channel_shapes()) {
    family.small_shapes.push_back(s);
    if (s.extents[1] > 1) family.small_shapes.push_back(grouped(s, s.extents[1] == 3 ? 3 : 2));
  }
  family.small_shapes.push_back(grouped(shape({2, 6}), 3));
  for (const Setting& s : model_channel_shapes()) family.model_shapes.push_back(grouped(s, 32));
  return family;
}

/// An axis dealt to ranks in these parts.
inline Setting dealt(Setting s, std::size_t axis, std::vector<std::ptrdiff_t> parts) {
  s.split_axis = axis;
  s.parts = std::move(parts);
  return s;
}

/// n elements on one rank, on several, unevenly, and with ranks that hold nothing. n >= 5.
inline std::vector<std::vector<std::ptrdiff_t>> all_splits(std::ptrdiff_t n) {
  return {
      {n},         {n / 2, n - n / 2}, {1, n - 1}, {0, n}, {n, 0}, {n / 3, n / 3, n - 2 * (n / 3)}, {n / 2, 0, n - n / 2}, {1, n - 4, 1, 2},
      {0, 0, n, 0}};
}
/// Halves; all on one where there are too few.
inline std::vector<std::ptrdiff_t> halves(std::ptrdiff_t n) { return {n / 2, n - n / 2}; }

/// A batch dealt to ranks.
inline Family shared_batch_family() {
  Family family;
  family.sets_of = [](std::ptrdiff_t sets, std::ptrdiff_t length) {
    const Setting s = batch_sets_of(sets, length);
    return dealt(s, 0, halves(s.extents[0]));
  };
  for (const Extents& extents : std::vector<Extents>{{8, 3},
                                                     {5, 40},
                                                     {7, 1, 9},
                                                     {6, 4, 7},
                                                     {5, 70, 3},
                                                     {5, 8, 3, 3},
                                                     {9, 16, 4, 5},
                                                     {6, 64, 7, 7},
                                                     {5, 3, 2, 3, 2},
                                                     {6, 33, 2, 2, 2}}) {
    for (const auto& parts : all_splits(extents[0])) family.shapes.push_back(dealt(shape(extents), 0, parts));
  }
  family.few_shapes = {dealt(shape({8, 3}), 0, {3, 5}), dealt(shape({5, 8, 3, 3}), 0, {1, 1, 3}), dealt(shape({6, 33, 2, 2}), 0, {6, 0})};
  family.small_shapes = {dealt(shape({3, 2}), 0, {1, 2}), dealt(shape({3, 2, 2}), 0, {2, 1}), dealt(shape({4, 1, 2, 1}), 0, {0, 4})};
  append(family.shapes, {dealt(shape({3, 4, 2}), 0, {1, 1, 1}), dealt(shape({0, 3, 4}), 0, {0}), dealt(shape({0, 3, 4}), 0, {0, 0, 0}),
                         dealt(shape({5, 0, 2}), 0, {2, 3}), dealt(shape({5, 3, 0}), 0, {2, 3})});
  family.model_shapes = {dealt(shape({8, 64, 14, 14}), 0, {3, 5})};
  family.least_length = 2;
  return family;
}

/// Normalized axes of which one is dealt to ranks.
inline Family split_rows_family() {
  Family family;
  family.sets_of = [](std::ptrdiff_t sets, std::ptrdiff_t length) { return dealt(rows_of(sets, length), 1, halves(length)); };
  const auto add = [&](Extents whole, std::vector<std::ptrdiff_t> axes, std::size_t axis) {
    for (const auto& parts : all_splits(whole[axis])) family.shapes.push_back(dealt(shape(whole, axes), axis, parts));
  };
  add({4, 12}, {1}, 1);
  add({3, 100}, {1}, 1);
  add({40, 7}, {1}, 1);
  add({2, 5, 64}, {2}, 2);
  add({3, 6, 5}, {1, 2}, 1);
  add({3, 6, 5}, {1, 2}, 2);
  add({5, 8, 3}, {0, 1, 2}, 0);
  add({1, 1031}, {1}, 1);
  add({33, 40}, {1}, 1);
  add({2, 8, 4, 6}, {1, 2, 3}, 1);
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{1}, {0, 1}, {1, 0}})
    family.shapes.push_back(dealt(shape({5, 1}, {1}), 1, parts));
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{6}, {2, 4}, {6, 0}})
    family.shapes.push_back(dealt(shape({0, 6}, {1}), 1, parts));
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{0}, {0, 0}})
    family.shapes.push_back(dealt(shape({3, 0}, {1}), 1, parts));
  family.few_shapes = {dealt(shape({4, 12}, {1}), 1, {5, 7}), dealt(shape({3, 6, 5}, {1, 2}), 2, {1, 1, 3}),
                       dealt(shape({33, 40}, {1}), 1, {40, 0})};
  family.small_shapes = {dealt(shape({3, 4}, {1}), 1, {1, 3}), dealt(shape({2, 2, 3}, {1, 2}), 1, {1, 1})};
  family.model_shapes = {dealt(shape({64, 768}, {1}), 1, {256, 512})};
  return family;
}

/// Queries and keys: decoding and training, grouped queries, every rank from 1 to 5, the head sizes of models and some no model has.
inline Family head_family() {
  Family family;
  const auto heads = [](Extents q, Extents k) {
    Setting s = shape(std::move(q), {-1});
    s.keys = std::move(k);
    s.eps = 1e-6;
    return s;
  };
  family.sets_of = [](std::ptrdiff_t sets, std::ptrdiff_t length) {
    Setting s = rows_of(sets, length);
    s.keys = {2, length};
    return s;
  };
  family.shapes = {heads({1, 1, 8, 128}, {1, 9, 2, 128}),
                   heads({2, 7, 4, 64}, {2, 7, 4, 64}),
                   heads({1, 5, 6, 80}, {1, 11, 3, 80}),
                   heads({2, 3, 2, 96}, {2, 4, 1, 96}),
                   heads({1, 33, 2, 256}, {1, 1, 1, 256}),
                   heads({3, 5, 2, 17}, {3, 2, 2, 17}),
                   heads({2, 4, 3, 1}, {2, 4, 3, 1}),
                   heads({2, 4, 3, 2}, {2, 1, 1, 2}),
                   heads({19}, {19}),
                   heads({6, 33}, {4, 33}),
                   heads({2, 3, 31}, {5, 31}),
                   heads({2, 2, 3, 2, 24}, {2, 5, 24}),
                   heads({0, 4, 2, 16}, {1, 4, 2, 16})};
  family.few_shapes = {family.shapes[1], family.shapes[5], family.shapes[8], family.shapes[11]};
  family.small_shapes = {heads({2, 3, 2, 5}, {2, 2, 1, 5}), heads({7}, {7}), heads({3, 2}, {2, 2}), heads({4, 1}, {2, 1})};
  family.model_shapes = {heads({1, 128, 32, 128}, {1, 128, 8, 128})};
  return family;
}

/// A weight whose axis `dim` keeps its extent; none: one norm for the whole tensor.
inline Setting weight_shape(Extents extents, std::optional<std::ptrdiff_t> dim) {
  Setting s = shape(std::move(extents));
  const auto rank = static_cast<std::ptrdiff_t>(s.extents.size());
  for (std::ptrdiff_t a = 0; a < rank; ++a) {
    if (!dim || (*dim < 0 ? *dim + rank : *dim) != a) s.axes.push_back(a);
  }
  s.dim = dim ? dim : std::optional<std::ptrdiff_t>(rank);  // one behind the last: none
  s.weight = Form::per_set;
  s.bias = Form::absent;
  s.eps = 0;
  return s;
}

/// Vectors, rows, columns, linear and convolution weights, lengths around the lanes of a reduction; every axis, from both ends.
inline Family weight_family(bool with_none) {
  Family family;
  family.sets_of = [](std::ptrdiff_t sets, std::ptrdiff_t length) { return weight_shape({sets, length}, 0); };
  for (const Extents& extents : std::vector<Extents>{
           {1}, {7}, {1, 1}, {1, 33}, {33, 1}, {5, 31}, {16, 130}, {4, 1030}, {3, 4, 5}, {6, 3, 3, 3}, {2, 1, 3, 1}, {4, 3, 2, 2, 3}}) {
    for (std::ptrdiff_t dim = -1; dim < static_cast<std::ptrdiff_t>(extents.size()); ++dim) {
      family.shapes.push_back(weight_shape(extents, dim));
      if (count(extents) <= 40) family.small_shapes.push_back(weight_shape(extents, dim));
    }
    if (with_none) family.shapes.push_back(weight_shape(extents, std::nullopt));
  }
  append(family.shapes, {weight_shape({0, 3}, 0), weight_shape({3, 0}, 0), weight_shape({0}, 0), weight_shape({2, 0, 3}, 1)});
  family.few_shapes = {weight_shape({7}, 0), weight_shape({5, 31}, 0), weight_shape({3, 4, 5}, 1), weight_shape({6, 3, 3, 3}, -1)};
  family.model_shapes = {weight_shape({64, 32, 3, 3}, 0), weight_shape({512, 300}, 1)};
  return family;
}

}  // namespace norma_test
