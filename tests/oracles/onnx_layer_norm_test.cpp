// The LayerNormalization node tests that ONNX ships: Y, Mean and InvStdDev, each as stored, as a permuted view and in place, at our
// tolerance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/compare.hpp"

namespace norma_test {
namespace {

namespace fs = std::filesystem;

// --- Protocol buffers, as far as TensorProto and ModelProto need them -------------------------------------------------------------

/// One field: its number and, by wire type, a number or bytes.
struct Field {
  std::uint64_t number = 0, value = 0;
  std::string_view bytes;
};

std::uint64_t read_varint(std::string_view& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !from.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw std::runtime_error("protobuf: bad varint");
}

std::string_view take(std::string_view& from, std::uint64_t size) {
  if (size > from.size()) throw std::runtime_error("protobuf: ends too early");
  const std::string_view result = from.substr(0, size);
  from.remove_prefix(size);
  return result;
}

/// f(field) for each field of a message.
template <class F>
void for_each_field(std::string_view message, F f) {
  while (!message.empty()) {
    const std::uint64_t key = read_varint(message);
    Field field;
    field.number = key >> 3;
    switch (key & 7) {
      case 0:
        field.value = read_varint(message);
        break;
      case 1:
        field.bytes = take(message, 8);
        break;
      case 2:
        field.bytes = take(message, read_varint(message));
        break;
      case 5:
        field.bytes = take(message, 4);
        break;
      default:
        throw std::runtime_error("protobuf: unknown wire type");
    }
    f(field);
  }
}

float as_float(std::string_view four_bytes) {
  float value = 0;
  std::memcpy(&value, four_bytes.data(), sizeof value);
  return value;
}

struct Stored {
  Extents extents;
  std::vector<float> values;
};

/// TensorProto: dims = 1, data_type = 2 (FLOAT = 1), float_data = 4, raw_data = 9.
Stored parse_tensor(std::string_view message) {
  Stored tensor;
  for_each_field(message, [&](const Field& field) {
    if (field.number == 1 && field.bytes.empty()) tensor.extents.push_back(static_cast<std::ptrdiff_t>(field.value));
    if (field.number == 1) {
      for (std::string_view packed = field.bytes; !packed.empty();)
        tensor.extents.push_back(static_cast<std::ptrdiff_t>(read_varint(packed)));
    }
    if (field.number == 2 && field.value != 1) throw std::runtime_error("TensorProto: not float");
    if (field.number == 4 || field.number == 9) {
      for (std::size_t at = 0; at + 4 <= field.bytes.size(); at += 4) tensor.values.push_back(as_float(field.bytes.substr(at, 4)));
    }
  });
  if (tensor.values.size() != count(tensor.extents)) throw std::runtime_error("TensorProto: wrong number of values");
  return tensor;
}

struct Attributes {
  std::ptrdiff_t axis = -1;
  float epsilon = 1e-5f;
};

/// ModelProto.graph = 7, GraphProto.node = 1, NodeProto.attribute = 5; AttributeProto: name = 1, f = 2, i = 3.
Attributes parse_attributes(std::string_view model) {
  Attributes result;
  const auto attribute = [&](std::string_view message) {
    std::string_view name;
    Field number, real;
    for_each_field(message, [&](const Field& field) {
      if (field.number == 1) name = field.bytes;
      if (field.number == 2) real = field;
      if (field.number == 3) number = field;
    });
    if (name == "axis") result.axis = static_cast<std::ptrdiff_t>(number.value);
    if (name == "epsilon") result.epsilon = as_float(real.bytes);
  };
  const auto within = [](std::uint64_t wanted, auto f) {
    return [wanted, f](std::string_view message) {
      for_each_field(message, [&](const Field& field) {
        if (field.number == wanted) f(field.bytes);
      });
    };
  };
  within(7, within(1, within(5, attribute)))(model);
  return result;
}

std::string file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

// --- The cases ----------------------------------------------------------------------------------------------------------------------

/// test_layer_normalization_* without the *_expanded ones, which are the same data with the operator written out.
std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(NORMA_ONNX_NODE_TESTS)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("test_layer_normalization_") && name.find("_expanded") == std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Case {
  explicit Case(const std::string& name) {
    const fs::path folder = fs::path(NORMA_ONNX_NODE_TESTS) / name, data = folder / "test_data_set_0";
    const Attributes attributes = parse_attributes(file(folder / "model.onnx"));
    const auto tensor = [&](const char* which) { return parse_tensor(file(data / which)); };
    x = tensor("input_0.pb");
    weight = tensor("input_1.pb");
    bias = tensor("input_2.pb");
    y = tensor("output_0.pb");
    mean = tensor("output_1.pb");
    inv_std_dev = tensor("output_2.pb");
    setting.extents = x.extents;
    setting.eps = static_cast<double>(attributes.epsilon);
    setting.axes.clear();
    const auto rank = static_cast<std::ptrdiff_t>(x.extents.size());
    for (std::ptrdiff_t a = attributes.axis < 0 ? attributes.axis + rank : attributes.axis; a < rank; ++a) setting.axes.push_back(a);
  }

  Stored x, weight, bias, y, mean, inv_std_dev;
  Setting setting;
};

/// The stored value was itself computed in float: it may be as far from the truth as ours.
std::vector<real> doubled(std::vector<real> bound) {
  for (real& b : bound) b *= 2;
  return bound;
}

std::vector<real> exact(const std::vector<float>& values) { return {values.begin(), values.end()}; }

class OnnxLayerNorm : public testing::TestWithParam<std::string> {};

TEST_P(OnnxLayerNorm, MatchesAsStoredPermutedAndInPlace) {
  const Case c(GetParam());
  const auto& norm = catalogue<float, float>().front();
  ASSERT_EQ(norm.name, "LayerNorm");
  ASSERT_EQ(parameter_extents(Form::normalized, c.setting), c.weight.extents);
  Inputs<float, float, float> inputs;
  inputs.x = c.x.values;
  inputs.dy.assign(c.x.values.size(), 0);
  inputs.weight = c.weight.values;
  inputs.bias = c.bias.values;
  const reference::Problem p = problem(c.setting, inputs);
  const Bounds bound = bounds(p, norm.reference(p), precision_of<float>());
  for (const Layout layout : all_layouts) {
    for (const Alias alias : {Alias::none, Alias::y_is_x}) {
      SCOPED_TRACE(std::string(name_of(layout)) + (alias == Alias::none ? "" : ", in place"));
      Where where;
      where.layout = layout;
      Plan plan = everywhere(where);
      plan.alias = alias;
      const auto r = run(norm, c.setting, inputs, plan);
      EXPECT_TRUE(within(r.y, exact(c.y.values), doubled(bound.y))) << "Y";
      EXPECT_TRUE(within(r.mean, exact(c.mean.values), doubled(bound.mean))) << "Mean";
      EXPECT_TRUE(within(r.rstd, exact(c.inv_std_dev.values), doubled(bound.rstd))) << "InvStdDev";
      expect_correct(norm, c.setting, inputs, r);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, OnnxLayerNorm, testing::ValuesIn(case_names()), [](const auto& each) { return each.param; });

TEST(OnnxLayerNorm, ThereAreNineteenCases) { EXPECT_EQ(case_names().size(), 19u); }

}  // namespace
}  // namespace norma_test
