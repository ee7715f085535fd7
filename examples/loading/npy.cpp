// NumPy's .npy files as tensors: read, seen in C and in Fortran order alike, and loaded into a layer.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <norma/norma.hpp>

namespace {

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "'<' in a header means little-endian");

/// A file: "\x93NUMPY", a version, the length of a header, which is a Python dictionary in text, and the elements.
class Npy {
 public:
  using Tensor = std::variant<norma::TensorView<const float>, norma::TensorView<const double>, norma::TensorView<const norma::float16>>;

  explicit Npy(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(stream), {});
    if (bytes_.size() < 12 || std::memcmp(bytes_.data(), "\x93NUMPY", 6) != 0) throw std::runtime_error(path.string() + ": no .npy file");
    const std::size_t begin = bytes_[6] == 1 ? 10 : 12;  // the length has 2 bytes in version 1, 4 later
    std::uint32_t length = 0;
    std::memcpy(&length, bytes_.data() + 8, begin - 8);
    if (length > bytes_.size() - begin) throw std::runtime_error(path.string() + ": the header is cut off");
    header_.assign(bytes_.data() + begin, length);
    first_ = begin + length;
  }

  /// Valid as long as this object is.
  Tensor tensor() const {
    const std::string type = value("'descr': '", "'");
    if (type == "<f4") return view<float>();
    if (type == "<f8") return view<double>();
    if (type == "<f2") return view<norma::float16>();
    throw std::runtime_error("elements of type " + type);
  }

 private:
  std::string value(const std::string& key, const std::string& end) const {
    const std::size_t begin = header_.find(key), last = begin == header_.npos ? begin : header_.find(end, begin + key.size());
    if (last == header_.npos) throw std::runtime_error("the header has no " + key);
    return header_.substr(begin + key.size(), last - begin - key.size());
  }

  template <class T>
  Tensor view() const {
    norma::Extents extents, reversed, back_to_front;
    const std::string shape = value("'shape': (", ")");
    for (std::size_t at = 0, used = 0; shape.find_first_of("0123456789", at) != shape.npos; at += used + 1) {
      extents.push_back(std::stoll(shape.substr(at), &used));
    }
    if (first_ % sizeof(T) != 0) throw std::runtime_error("the elements are not aligned");
    const std::span elements(reinterpret_cast<const T*>(bytes_.data() + first_), (bytes_.size() - first_) / sizeof(T));
    if (value("'fortran_order': ", ",") == "False") return norma::TensorView(elements, extents);  // checks that they are there
    for (int a = extents.size(); a-- > 0;) {
      reversed.push_back(extents[a]);
      back_to_front.push_back(a);
    }
    return norma::TensorView(elements, reversed).permute(back_to_front);
  }

  std::vector<char> bytes_;
  std::string header_;
  std::size_t first_ = 0;
};

/// As numpy.save writes it.
template <class T>
void write(const fs::path& path, std::string header, const std::vector<T>& values) {
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::ofstream stream(path, std::ios::binary);
  stream.write("\x93NUMPY\x01\x00", 8).write(reinterpret_cast<const char*>(&length), 2) << header;
  stream.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

}  // namespace

int main() {
  const fs::path folder = fs::temp_directory_path() / ("norma_npy_" + std::to_string(std::random_device{}()));
  fs::create_directories(folder);
  write<float>(folder / "weight.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", {1, 2, 3, 4, 5, 6});
  write<double>(folder / "bias.npy", "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", {1, 4, 2, 5, 3, 6});  // by columns

  const Npy weight(folder / "weight.npy"), bias(folder / "bias.npy");
  norma::LayerNorm<float> ln({2, 3});
  norma::load(ln, [&](std::string_view name) { return name == "weight" ? weight.tensor() : bias.tensor(); });
  fs::remove_all(folder);

  for (const float b : ln.bias()) std::printf("%g ", double{b});
  std::puts("is the bias, row by row");
  return std::ranges::equal(ln.weight(), ln.bias()) && ln.bias()[1] == 2 && ln.bias()[5] == 6 ? 0 : 1;
}
