// Your own tensor type in norma: specialise norma::ViewOf once, and every call takes it without a copy.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <norma/norma.hpp>

namespace {

/// An interleaved RGB image as a graphics program keeps it: every line is padded to `pitch` floats.
struct Image {
  std::ptrdiff_t height, width, pitch;
  std::vector<float> memory;

  Image(std::ptrdiff_t h, std::ptrdiff_t w, std::ptrdiff_t p) : height(h), width(w), pitch(p), memory(static_cast<std::size_t>(h * p)) {}
  float& at(std::ptrdiff_t line, std::ptrdiff_t column, int channel) {
    return memory[static_cast<std::size_t>(line * pitch + column * 3 + channel)];
  }
};

}  // namespace

/// Logical (channel, line, column); how that lies in memory is a matter of strides alone.
template <>
struct norma::ViewOf<Image> {
  static TensorView<float> view(Image& image) { return {image.memory.data(), {3, image.height, image.width}, {1, image.pitch, 3}}; }
  static TensorView<const float> view(const Image& image) {
    return {image.memory.data(), {3, image.height, image.width}, {1, image.pitch, 3}};
  }
};

int main() {
  constexpr float padding = -1.0F;
  Image image(5, 7, 24);
  for (float& value : image.memory) value = padding;
  for (int line = 0; line < 5; ++line)
    for (int column = 0; column < 7; ++column)
      for (int c = 0; c < 3; ++c) image.at(line, column, c) = static_cast<float>((line * 7 + column) * (c + 1));

  norma::layer_norm(image, image, {.axes = {1, 2}});  // each colour by itself, in place

  double sum[3] = {};
  for (int line = 0; line < 5; ++line)
    for (int column = 0; column < 7; ++column)
      for (int c = 0; c < 3; ++c) sum[c] += static_cast<double>(image.at(line, column, c));
  const bool padding_untouched = image.memory[21] == padding && image.memory[23] == padding;
  std::printf("mean of red, green, blue: %.1g %.1g %.1g; padding %s\n", sum[0] / 35, sum[1] / 35, sum[2] / 35,
              padding_untouched ? "untouched" : "overwritten");
  const auto small = [](double s) { return s / 35 > -1e-6 && s / 35 < 1e-6; };
  return padding_untouched && small(sum[0]) && small(sum[1]) && small(sum[2]) ? 0 : 1;
}
