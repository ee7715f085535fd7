// Reads what ONNX ships with its tests: protocol buffers as far as TensorProto and ModelProto need them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/element.hpp"
#include "support/shape.hpp"

namespace norma_test::onnx {

namespace fs = std::filesystem;

/// One field: its number and, by wire type, a number or bytes.
struct Field {
  std::uint64_t number = 0, value = 0;
  std::string_view bytes;
};

inline std::uint64_t read_varint(std::string_view& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !from.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw std::runtime_error("protobuf: bad varint");
}

inline std::string_view take(std::string_view& from, std::uint64_t size) {
  if (size > from.size()) throw std::runtime_error("protobuf: ends too early");
  const std::string_view result = from.substr(0, size);
  from.remove_prefix(size);
  return result;
}

/// f(field) for each field of a message.
template <class F>
void for_each_field(std::string_view message, F f) {
  while (!message.empty()) {
    const std::uint64_t key = read_varint(message), wire_type = key & 7;
    Field field{key >> 3, 0, {}};
    if (wire_type == 0) {
      field.value = read_varint(message);
    } else if (wire_type == 1 || wire_type == 2 || wire_type == 5) {
      field.bytes = take(message, wire_type == 1 ? 8 : wire_type == 5 ? 4 : read_varint(message));
    } else {
      throw std::runtime_error("protobuf: unknown wire type");
    }
    f(field);
  }
}

inline double as_float(std::string_view four_bytes) {
  float value = 0;
  std::memcpy(&value, four_bytes.data(), sizeof value);
  return value;
}

struct Stored {
  std::string name;
  Extents extents;
  Values values;
};

/// TensorProto: dims = 1, data_type = 2 (FLOAT = 1), float_data = 4, name = 8, raw_data = 9.
inline Stored parse_tensor(std::string_view message) {
  Stored tensor;
  for_each_field(message, [&](const Field& field) {
    if (field.number == 1 && field.bytes.empty()) tensor.extents.push_back(static_cast<std::ptrdiff_t>(field.value));
    if (field.number == 1) {
      for (std::string_view packed = field.bytes; !packed.empty();)
        tensor.extents.push_back(static_cast<std::ptrdiff_t>(read_varint(packed)));
    }
    if (field.number == 2 && field.value != 1) throw std::runtime_error("TensorProto: not float");
    if (field.number == 8) tensor.name = field.bytes;
    if (field.number == 4 || field.number == 9) {
      for (std::size_t at = 0; at + 4 <= field.bytes.size(); at += 4) tensor.values.push_back(as_float(field.bytes.substr(at, 4)));
    }
  });
  if (tensor.values.size() != count(tensor.extents)) throw std::runtime_error("TensorProto: wrong number of values");
  return tensor;
}

/// A model of one node: its attributes and the tensors it brings along.
struct Model {
  std::map<std::string, double> attributes;
  std::vector<Stored> initializers;

  double attribute(const std::string& name, double otherwise) const {
    const auto found = attributes.find(name);
    return found == attributes.end() ? otherwise : found->second;
  }
};

/// ModelProto.graph = 7; GraphProto.node = 1, .initializer = 5; NodeProto.attribute = 5; AttributeProto: name = 1, f = 2, i = 3.
inline Model parse_model(std::string_view message) {
  Model model;
  const auto attribute = [&](std::string_view of_attribute) {
    std::string name;
    double value = 0;
    for_each_field(of_attribute, [&](const Field& field) {
      if (field.number == 1) name = field.bytes;
      if (field.number == 2) value = as_float(field.bytes);
      if (field.number == 3) value = static_cast<double>(static_cast<std::int64_t>(field.value));
    });
    model.attributes[name] = value;
  };
  const auto each = [](std::string_view of, std::uint64_t wanted, auto f) {
    for_each_field(of, [&](const Field& field) {
      if (field.number == wanted) f(field.bytes);
    });
  };
  each(message, 7, [&](std::string_view graph) {
    each(graph, 1, [&](std::string_view node) { each(node, 5, attribute); });
    each(graph, 5, [&](std::string_view tensor) { model.initializers.push_back(parse_tensor(tensor)); });
  });
  return model;
}

inline std::string file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A test of one node: the model, and the tensors of its first data set.
struct Test {
  explicit Test(fs::path directory) : folder(std::move(directory)), model(parse_model(file(folder / "model.onnx"))) {}
  /// A model converted from PyTorch has all but the first inside, under their numbers.
  Stored input(int i) const {
    for (const Stored& inside : model.initializers) {
      if (inside.name == std::to_string(i)) return inside;
    }
    return tensor("input_", i);
  }
  Stored output(int i) const { return tensor("output_", i); }

  fs::path folder;
  Model model;

 private:
  Stored tensor(const char* which, int i) const {
    return parse_tensor(file(folder / "test_data_set_0" / (which + std::to_string(i) + ".pb")));
  }
};

/// Sorted names of the tests in a folder that begin so, without the *_expanded ones: the same data with the operator written out.
inline std::vector<std::string> tests_in(const fs::path& folder, std::string_view beginning) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(beginning) && name.find("_expanded") == std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace norma_test::onnx
