// output_hash.cpp for platforms without exceptions and threads, as WebAssembly is for many: prints one line "layer pass layout hash" for
// each result of a few layers, made by the public calls alone.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <norma/norma.hpp>

namespace {

/// Numbers in [-1, 1) that are the same everywhere.
template <class T>
std::vector<T> numbers(std::size_t n, std::uint32_t seed) {
  std::vector<T> values(n);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<T>(seed >> 8) * T(0x1p-23) - T(1);
  }
  return values;
}

/// FNV-1a over the patterns of doubles.
template <class T>
std::uint64_t hash(const T* values, std::size_t n) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(values[i]));
    h = (h ^ bits ^ (bits >> 32)) * 0x100000001B3u;
    h ^= h >> 29;
  }
  return h;
}

template <class T>
void print(const char* layer, const char* result, const char* layout, norma::index_t size, const T* values, std::size_t n) {
  std::printf("%s f%d %s %s of %d: %016llx\n", layer, static_cast<int>(8 * sizeof(T)), result, layout, static_cast<int>(size),
              static_cast<unsigned long long>(hash(values, n)));
}

/// Training forward, backward and inference of a layer, on (2, channels, height, width) in memory as it comes or channels-last.
template <class T, class Layer>
void print_layer(const char* name, Layer layer, norma::index_t channels, norma::index_t width) {
  const norma::Extents extents = {2, channels, 3, width};
  const auto n = static_cast<std::size_t>(extents.product());
  for (const bool last : {false, true}) {
    const char* const layout = last ? "channels-last" : "contiguous";
    const std::vector<T> x = numbers<T>(n, 1), dy = numbers<T>(n, 2);
    std::vector<T> y(n), dx(n);
    const auto lying = [&](auto* memory) { return last ? norma::channels_last(memory, extents) : norma::TensorView(memory, extents); };
    layer.zero_grad();
    norma::Saved<T> saved;
    layer.forward(lying(x.data()), lying(y.data()), saved);
    print(name, "y", layout, width, y.data(), n);
    layer.backward(lying(dy.data()), lying(x.data()), saved, lying(dx.data()));
    print(name, "dx", layout, width, dx.data(), n);
    print(name, "d weight", layout, width, layer.weight_grad().data(), layer.weight_grad().size());
    layer(lying(x.data()), lying(y.data()));
    print(name, "y of inference", layout, width, y.data(), n);
  }
}

template <class T>
void print_layers() {
  for (const norma::index_t width : {1, 2, 7, 32, 100, 1500}) {
    print_layer<T>("LayerNorm", norma::LayerNorm<T>({width}), 6, width);
    print_layer<T>("RMSNorm", norma::RMSNorm<T>({3, width}), 6, width);
    print_layer<T>("BatchNorm", norma::BatchNorm<T>(6), 6, width);
    print_layer<T>("GroupNorm", norma::GroupNorm<T>(2, 6), 6, width);
  }
}

}  // namespace

int main() {
  print_layers<float>();
  print_layers<double>();
  return 0;
}
