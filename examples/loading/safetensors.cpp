// Layers from a safetensors file that is mapped into memory, its elements float32 and bfloat16: written here, then loaded by name.
#include "safetensors.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

namespace {

/// What a file for LayerNorm "ln" and BatchNorm "bn" looks like, as the safetensors library writes it.
void write_model(const std::filesystem::path& path) {
  const float weight[4] = {1, 2, 3, 4}, mean[2] = {0.5F, -0.5F};
  const norma::bfloat16 bias[4] = {norma::bfloat16(5), norma::bfloat16(6), norma::bfloat16(7), norma::bfloat16(8)};
  const norma::bfloat16 variance[2] = {norma::bfloat16(4), norma::bfloat16(9)};
  nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string elements;
  const auto add = [&](const char* name, const char* type, std::size_t size, const auto& values) {
    header[name] = {{"dtype", type}, {"shape", {size}}, {"data_offsets", {elements.size(), elements.size() + sizeof values}}};
    elements.append(reinterpret_cast<const char*>(values), sizeof values);
  };
  add("ln.weight", "F32", 4, weight);
  add("bn.running_mean", "F32", 2, mean);
  add("ln.bias", "BF16", 4, bias);
  add("bn.running_var", "BF16", 2, variance);
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the elements are aligned
  const std::uint64_t length = text.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), sizeof length) << text << elements;
}

/// The names of a file that begin with a prefix, without it: one layer's part of a model.
struct Part {
  const SafeTensors& file;
  std::string prefix;

  SafeTensors::Tensor operator()(std::string_view name) const { return file(prefix + std::string(name)); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const std::string& name : file.names()) {
      if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
    }
    return names;
  }
};

}  // namespace

int main() {
  const auto path = std::filesystem::temp_directory_path() / ("norma_" + std::to_string(std::random_device{}()) + ".safetensors");
  write_model(path);
  norma::LayerNorm<float> ln({4});
  norma::BatchNorm<float> bn(2);
  bool right = false, refused = false;
  {
    const SafeTensors model(path);
    const auto of_ln = norma::load(ln, Part{model, "ln."});
    const auto of_bn = norma::load(bn, Part{model, "bn."});
    for (const std::string& name : of_bn.missing) std::printf("bn: %s is not in the file\n", name.c_str());
    right = of_ln.missing.empty() && of_ln.unexpected.empty() && of_bn.missing == std::vector<std::string>{"weight", "bias"} &&
            ln.weight()[3] == 4 && ln.bias()[3] == 8 && bn.running_mean()[1] == -0.5F && bn.running_var()[1] == 9 && bn.weight()[1] == 1;
    try {
      norma::BatchNorm<float> of_other_width(3);
      norma::load(of_other_width, Part{model, "bn."});
    } catch (const norma::ShapeError& error) {
      std::puts(error.what());
      refused = true;
    }
  }
  std::filesystem::remove(path);
  std::printf("weight of ln: %g ... %g, bias: %g ... %g\n", double{ln.weight()[0]}, double{ln.weight()[3]}, double{ln.bias()[0]},
              double{ln.bias()[3]});
  return right && refused ? 0 : 1;
}
