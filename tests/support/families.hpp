// Families of norms: over which shapes a norm is asked, and what it promises of the bits.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/setting.hpp"

namespace norma_test {

/// A shape with the axes to average over, or the groups of a norm of channels.
struct Shape {
  Extents extents;
  std::vector<std::ptrdiff_t> axes = {};
  std::ptrdiff_t groups = 1;
  bool given_statistics = false;

  std::string name() const {
    if (!axes.empty()) return to_string(extents) + "_over_" + to_string(axes, "_");
    return to_string(extents) + (groups > 1 ? "_in_" + std::to_string(groups) + "_groups" : "");
  }
  Setting setting() const {
    Setting s;
    s.extents = extents;
    s.axes = axes;
    s.groups = groups;
    s.given_statistics = given_statistics;
    return s;
  }
};

struct Family {
  std::vector<Shape> shapes, small_shapes, model_shapes;           // for the long lists of cases; for finite differences; of real models
  Setting (*sets_of)(std::ptrdiff_t sets, std::ptrdiff_t length);  // x with so many statistic sets of so many elements
  std::ptrdiff_t least_length = 0;                                 // of a set
  bool has_axes = false;          // .axes; the bits do not depend on the layout as long as the averaged axes keep their order
  bool per_sample = true;         // a sample of axis 0 has the same results alone
  bool given_statistics = false;  // mean and variance are inputs
  bool has_eps_outside_sqrt = false;
};

/// `rows` rows of one length, normalized along the row.
inline Setting rows_of(std::ptrdiff_t rows, std::ptrdiff_t length) {
  Setting s;
  s.extents = {rows, length};
  return s;
}

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
  Setting s;
  s.axes.clear();
  const auto [outer, inner] = split_length(length);
  s.extents = inner == 1 ? Extents{outer, sets} : Extents{outer, sets, inner};
  return s;
}

inline Setting given_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  Setting s = batch_sets_of(sets, length);
  s.given_statistics = true;
  return s;
}

/// As many samples as sets / 3, 2 or 1 groups, each with a few channels.
inline Setting group_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  Setting s;
  s.axes.clear();
  s.groups = sets % 3 == 0 ? 3 : sets % 2 == 0 ? 2 : 1;
  const auto [outer, inner] = split_length(length);
  s.extents = inner == 1 ? Extents{sets / s.groups, s.groups * outer} : Extents{sets / s.groups, s.groups * outer, inner};
  return s;
}

inline Setting instance_sets_of(std::ptrdiff_t sets, std::ptrdiff_t length) {
  Setting s;
  s.axes.clear();
  const std::ptrdiff_t channels = sets % 3 == 0 ? 3 : sets % 2 == 0 ? 2 : 1;
  const auto [outer, inner] = split_length(length);
  s.extents = outer == 1 ? Extents{sets / channels, channels, inner} : Extents{sets / channels, channels, outer, inner};
  return s;
}

/// Norms over .axes. Empty, tiny, prime and real shapes; trailing, leading, middle, all, and non-adjacent axes.
inline Family row_family(bool has_eps_outside_sqrt) {
  Family family;
  family.has_axes = true;
  family.has_eps_outside_sqrt = has_eps_outside_sqrt;
  family.sets_of = rows_of;
  family.shapes = {
      {{1, 768}, {-1}},       {{8, 64}, {-1}},          {{40, 1024}, {-1}},       {{5, 3, 7}, {-1}},
      {{5, 3, 7}, {1, 2}},    {{5, 3, 7}, {2, 1}},      {{5, 3, 7}, {0, 1, 2}},   {{5, 3, 7}, {0, 2}},
      {{5, 3, 7}, {1}},       {{5, 3, 7}, {0}},         {{5, 3, 7}, {0, 1}},      {{2, 96, 7, 9}, {1}},
      {{2, 96, 7, 9}, {-3}},  {{2, 5, 33, 17}, {2, 3}}, {{2, 5, 33, 17}, {1, 3}}, {{3, 64, 4, 4}, {1, 2, 3}},
      {{1, 1, 1}, {1}},       {{1, 1, 1}, {0, 1, 2}},   {{2, 1, 3}, {1}},         {{0, 5}, {1}},
      {{5, 0}, {1}},          {{5, 0, 3}, {2}},         {{0, 0}, {0, 1}},         {{67}, {0}},
      {{1031, 13}, {0}},      {{13, 1031}, {1}},        {{1031, 3}, {1}},         {{300, 2}, {-1}},
      {{2, 3, 4, 5}, {0, 2}}, {{2, 3, 4, 5}, {1, 2}},   {{2, 3, 4, 5}, {3, 0}},   {{2, 2, 3, 2, 2, 3, 2, 3}, {1, 4, 7}},
      {{2, 40, 37}, {1}},     {{4, 37, 40}, {0, 2}},    {{6, 1, 50}, {1, 2}},     {{17, 130}, {1}},
  };
  family.model_shapes = {{{512, 1024}, {-1}}, {{16, 12, 768}, {-1}}, {{2, 96, 28, 28}, {1}}, {{4, 320, 16, 16}, {1, 2, 3}}};
  family.small_shapes = {
      {{1, 1}, {1}}, {{3, 1}, {1}},    {{1, 2}, {1}},       {{2, 5}, {-1}},      {{1, 37}, {-1}},
      {{3, 4}, {0}}, {{2, 3, 4}, {1}}, {{2, 3, 4}, {0, 2}}, {{2, 3, 4}, {1, 2}}, {{2, 3, 4}, {0, 1, 2}},
  };
  return family;
}

/// (N, C), (N, C, L), (N, C, H, W), (N, C, D, H, W) and more: few and many channels, planes from 1x1 to 56x56, batches from 0 to 33. Every
/// set has more than one element.
inline std::vector<Shape> channel_shapes() {
  return {
      {{2, 3}},        {{5, 1}},          {{33, 65}},        {{1031, 4}},        {{3, 320}},       {{2, 3, 2}},
      {{1, 1, 2}},     {{5, 4, 31}},      {{1, 64, 49}},     {{2, 65, 7}},       {{33, 3, 13}},    {{2, 5, 1031}},
      {{1, 3, 2, 1}},  {{2, 4, 2, 2}},    {{2, 64, 3, 3}},   {{5, 130, 4, 4}},   {{2, 65, 5, 5}},  {{5, 3, 6, 6}},
      {{2, 64, 7, 7}}, {{1, 320, 3, 2}},  {{2, 16, 8, 8}},   {{1, 4, 14, 14}},   {{2, 3, 28, 28}}, {{1, 3, 56, 56}},
      {{33, 2, 3, 5}}, {{2, 3, 2, 3, 5}}, {{1, 4, 3, 1, 7}}, {{2, 17, 2, 2, 2}}, {{2, 64, 1, 33}}, {{0, 3, 4}},
      {{0, 4}},        {{2, 0, 3}},       {{2, 3, 0}},       {{2, 3, 0, 4}},     {{0, 0, 0}},      {{2, 3, 2, 1, 2, 2, 1, 3}},
  };
}

inline std::vector<Shape> small_channel_shapes() {
  return {{{2, 2, 2}}, {{1, 3, 2}}, {{2, 1, 5}}, {{2, 4, 3}}, {{1, 2, 2, 3}}, {{3, 2, 1, 2}}};
}

inline std::vector<Shape> model_channel_shapes() { return {{{2, 64, 56, 56}}, {{4, 256, 14, 14}}, {{8, 512, 7, 7}}, {{2, 320, 32, 32}}}; }

inline Family batch_family() {
  Family family;
  family.sets_of = batch_sets_of;
  family.shapes = channel_shapes();
  for (const Extents& extents : std::vector<Extents>{{5, 3, 1, 1}, {33, 64, 1}, {2, 130, 1, 1}}) family.shapes.push_back({extents});
  family.small_shapes = small_channel_shapes();
  family.model_shapes = model_channel_shapes();
  for (const Extents& extents : std::vector<Extents>{{2, 1}, {3, 2}, {5, 3}, {3, 2, 1}}) family.small_shapes.push_back({extents});
  family.least_length = 2;
  family.per_sample = false;
  return family;
}

/// BatchNorm at inference: one value per channel is legal.
inline Family given_family() {
  Family family = batch_family();
  for (const Extents& extents : std::vector<Extents>{{1, 3}, {1, 1, 1}, {1, 65, 1, 1}}) family.shapes.push_back({extents});
  family.small_shapes.push_back({{1, 4}});
  for (std::vector<Shape>* const shapes : {&family.shapes, &family.small_shapes, &family.model_shapes}) {
    for (Shape& shape : *shapes) shape.given_statistics = true;
  }
  family.sets_of = given_sets_of;
  family.least_length = 0;
  family.per_sample = true;
  family.given_statistics = true;
  return family;
}

inline Family instance_family() {
  Family family;
  family.sets_of = instance_sets_of;
  for (const Shape& shape : channel_shapes()) {
    if (shape.extents.size() > 2) family.shapes.push_back(shape);
  }
  for (const Extents& extents : std::vector<Extents>{{2, 3, 1}, {2, 65, 1, 1}, {1, 1, 1, 1}}) family.shapes.push_back({extents});
  family.small_shapes = small_channel_shapes();
  family.model_shapes = model_channel_shapes();
  family.small_shapes.push_back({{3, 2, 1}});
  return family;
}

/// One group, as many as channels, and what lies between.
inline Family group_family() {
  Family family;
  family.sets_of = group_sets_of;
  for (const Shape& shape : channel_shapes()) {
    const std::ptrdiff_t channels = shape.extents[1];
    std::vector<std::ptrdiff_t> groups = {channels % 32 == 0 && channels > 0 ? 32 : channels % 5 == 0 && channels > 0 ? 5 : 1};
    if (channels % 2 == 0 && channels < 5) groups.push_back(2);
    if (channels > 1 && channels < 66 && channels != groups[0] && shape.extents[0] < 3) groups.push_back(channels);
    for (const std::ptrdiff_t g : groups) family.shapes.push_back({shape.extents, {}, g});
  }
  for (const Shape& shape : std::vector<Shape>{{{2, 64}, {}, 1}, {{2, 130, 2, 2}, {}, 130}, {{1, 320, 2, 2}, {}, 320}, {{2, 6, 5}, {}, 3}})
    family.shapes.push_back(shape);
  for (const Shape& shape : small_channel_shapes()) {
    family.small_shapes.push_back(shape);
    if (shape.extents[1] > 1) family.small_shapes.push_back({shape.extents, {}, shape.extents[1] == 3 ? 3 : 2});
  }
  family.small_shapes.push_back({{2, 6}, {}, 3});
  for (const Shape& shape : model_channel_shapes()) family.model_shapes.push_back({shape.extents, {}, 32});
  return family;
}

}  // namespace norma_test
