// The 1,797 handwritten digits: reading the file, scaling, and the one fixed split into training and test images.
#pragma once

#include <zlib.h>
#include <Eigen/Core>
#include <charconv>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace digits {

/// One image (or one image's activations) per row, and a row is contiguous.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr Eigen::Index pixels = 64;
inline constexpr Eigen::Index classes = 10;
inline constexpr Eigen::Index test_images = 450;

struct Images {
  Matrix pixel;            // (images, 64), each 0 to 1
  std::vector<int> label;  // 0 to 9
  Eigen::Index count() const { return pixel.rows(); }
};

struct Digits {
  Images train, test;
};

/// 64 pixels and a digit, separated by commas; anything else is an error that names the line.
inline std::vector<int> parse_line(std::string_view line, std::size_t number) {
  std::vector<int> fields;
  const char* at = line.data();
  const char* const end = at + line.size();
  while (at != end) {
    int value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (next != end && *next != ','))
      throw std::runtime_error("line " + std::to_string(number) + " is not a list of integers");
    fields.push_back(value);
    at = next == end ? end : next + 1;
  }
  if (fields.size() != pixels + 1 || fields.back() < 0 || fields.back() >= classes)
    throw std::runtime_error("line " + std::to_string(number) + " is not 64 pixels and a digit");
  return fields;
}

inline std::vector<std::vector<int>> read_lines(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<std::vector<int>> lines;
  char text[512];
  while (gzgets(file.get(), text, sizeof text) != nullptr) {
    std::string_view line(text);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(parse_line(line, lines.size() + 1));
  }
  if (gzeof(file.get()) == 0 || static_cast<Eigen::Index>(lines.size()) <= test_images)
    throw std::runtime_error(path + " is damaged or too short");
  return lines;
}

inline Images take(const std::vector<std::vector<int>>& lines, Eigen::Index first, Eigen::Index count) {
  Images images{Matrix(count, pixels), {}};
  for (Eigen::Index i = 0; i < count; ++i) {
    const std::vector<int>& line = lines[static_cast<std::size_t>(first + i)];
    for (Eigen::Index p = 0; p < pixels; ++p) images.pixel(i, p) = static_cast<float>(line[static_cast<std::size_t>(p)]) / 16.0F;
    images.label.push_back(line.back());
  }
  return images;
}

/// The last 450 lines of the file are the test images, whatever the seed: no network trains on them and none is picked by them.
inline Digits load_digits(const std::string& path) {
  const std::vector<std::vector<int>> lines = read_lines(path);
  const Eigen::Index train = static_cast<Eigen::Index>(lines.size()) - test_images;
  return {take(lines, 0, train), take(lines, train, test_images)};
}

}  // namespace digits
