// Checks the include rule of the library: which room may include which, and who may name xsimd and Eigen.
//   include_rule INCLUDE_DIR               prints every violation; exit 1 if there is one
//   include_rule INCLUDE_DIR --self-test   breaks the rule in memory and expects every breach to be found
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

/// What a room may include besides itself. "" is include/norma itself: norma.hpp, the whole library's table of contents.
const std::map<std::string, std::vector<std::string>> allowed_rooms = {
    {"core", {}},
    {"simd", {"core"}},
    {"stats", {"core", "simd"}},
    {"kernels", {"core", "simd", "stats"}},
    {"engine", {"core", "simd", "stats", "kernels"}},
    {"doors", {"core", "simd", "stats", "kernels", "engine"}},
    {"layers", {"core", "simd", "stats", "kernels", "engine", "doors"}},
    {"weights", {"core", "simd", "stats", "kernels", "engine", "doors"}},
    {"interop", {"core"}},
    {"", {"core", "simd", "stats", "kernels", "engine", "doors", "layers", "weights", "interop"}},
};

/// The one pair of layers that may know each other: (who, whom).
constexpr std::array<const char*, 2> composed_layers = {"layers/qk_norm.hpp", "layers/rms_norm.hpp"};
/// What norma.hpp leaves to those who use it.
constexpr std::array<const char*, 4> separate_interop = {"interop/openmp.hpp", "interop/tbb.hpp", "interop/mpi.hpp", "interop/dlpack.hpp"};
constexpr const char* xsimd_header = "simd/pack.hpp";
constexpr const char* eigen_header = "core/eigen.hpp";
/// Who may include it.
constexpr std::array<const char*, 2> eigen_users = {"interop/eigen.hpp", "weights/power_iteration.hpp"};

std::string room_of(const std::string& header) {
  const auto slash = header.find('/');
  return slash == std::string::npos ? "" : header.substr(0, slash);
}

bool contains(const auto& list, const std::string& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

/// Empty if `header` may include `included`, both relative to include/norma; else the broken rule.
std::string own_include_violation(const std::string& header, const std::string& included) {
  const std::string from = room_of(header), to = room_of(included);
  if (!allowed_rooms.contains(from)) return "stands in a room that the rule does not know";
  if (to.empty()) return "includes norma.hpp, which is for users only";
  if (from.empty() && contains(separate_interop, included)) return "includes an interop header that brings a dependency along";
  if (from == "layers" && to == "layers" && header != included) {
    const bool composed = header == composed_layers[0] && included == composed_layers[1];
    return composed ? "" : "is a layer that includes another layer";
  }
  if (from == to || contains(allowed_rooms.at(from), to)) return "";
  return "stands in " + from + "/, which must not know " + to + "/";
}

/// Every violation of one header, as sentences; it may have one more line.
std::vector<std::string> violations_of(const fs::path& root, const std::string& header, const char* one_more = nullptr) {
  static const std::regex include_line(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<std::string> lines, violations;
  std::ifstream file(root / "norma" / header);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (one_more != nullptr) lines.push_back(one_more);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto complain = [&](const std::string& sentence) {
      violations.push_back(header + ":" + std::to_string(i + 1) + " " + sentence + ": " + lines[i]);
    };
    if (lines[i].find("xsimd") != std::string::npos && header != xsimd_header) complain("says xsimd; only simd/pack.hpp may");
    std::smatch match;
    if (!std::regex_search(lines[i], match, include_line)) continue;
    std::string included = match[2];
    // A quoted name is looked up beside the including header first.
    const fs::path beside = (fs::path("norma") / header).parent_path() / included;
    if (match[1] == "\"" && !included.starts_with("norma/")) included = beside.lexically_normal().generic_string();
    if (included.starts_with("norma/")) {
      if (!fs::exists(root / included)) complain("includes what does not exist");
      if (included.substr(6) == eigen_header && !contains(eigen_users, header))
        complain("includes Eigen; it is no business of this header");
      const std::string rule = own_include_violation(header, included.substr(6));
      if (!rule.empty()) complain(rule);
    } else if (included.find("Eigen/") != std::string::npos && header != eigen_header) {
      complain("includes Eigen; only core/eigen.hpp may");
    }
  }
  return violations;
}

struct Breach {
  const char* header;
  const char* line;
  bool rule_is_broken;  // false: an include that must stay legal
};

constexpr std::array breaches = {
    Breach{"core/config.hpp", "#include <norma/simd/pack.hpp>", true},
    Breach{"core/config.hpp", "#include \"../simd/pack.hpp\"", true},
    Breach{"core/config.hpp", "  #  include <norma/norma.hpp>", true},
    Breach{"core/view.hpp", "#include <Eigen/Core>", true},
    Breach{"core/view.hpp", "#include <norma/core/no_such_header.hpp>", true},
    Breach{"core/buffer.hpp", "#include <xsimd/xsimd.hpp>", true},
    Breach{"core/buffer.hpp", "// as xsimd does", true},
    Breach{"simd/pack.hpp", "#include <norma/stats/moments.hpp>", true},
    Breach{"layers/layer_norm.hpp", "#include <norma/layers/rms_norm.hpp>", true},
    Breach{"layers/rms_norm.hpp", "#include \"layer_norm.hpp\"", true},
    Breach{"layers/layer_norm.hpp", "#include <norma/interop/eigen.hpp>", true},
    Breach{"interop/eigen.hpp", "#include <norma/layers/layer_norm.hpp>", true},
    Breach{"norma.hpp", "#include <norma/interop/openmp.hpp>", true},
    Breach{"norma.hpp", "#include <norma/interop/dlpack.hpp>", true},
    Breach{"layers/layer_norm.hpp", "#include <norma/core/view.hpp>", false},
    Breach{"layers/qk_norm.hpp", "#include <norma/layers/rms_norm.hpp>", false},
    Breach{"layers/rms_norm.hpp", "#include <norma/layers/qk_norm.hpp>", true},
    Breach{"weights/weight_norm.hpp", "#include <norma/layers/rms_norm.hpp>", true},
    Breach{"weights/weight_norm.hpp", "#include <Eigen/Core>", true},
    Breach{"weights/spectral_norm.hpp", "#include <Eigen/Core>", true},
    Breach{"weights/power_iteration.hpp", "#include <Eigen/Core>", true},
    Breach{"weights/power_iteration.hpp", "#include <norma/core/eigen.hpp>", false},
    Breach{"weights/spectral_norm.hpp", "#include <norma/core/eigen.hpp>", true},
    Breach{"core/view.hpp", "#include <norma/core/eigen.hpp>", true},
    Breach{"engine/fold.hpp", "#include \"../core/view.hpp\"", false},
    Breach{"engine/fold.hpp", "#include <norma/doors/saved.hpp>", true},
    Breach{"doors/saved.hpp", "#include <norma/layers/layer_norm.hpp>", true},
};

int self_test(const fs::path& root) {
  int wrong = 0;
  for (const auto& [header, line, rule_is_broken] : breaches) {
    const bool found = violations_of(root, header, line).size() > violations_of(root, header).size();
    std::printf("%s: %s in %s\n", found == rule_is_broken ? "ok" : found ? "WRONGLY REFUSED" : "NOT NOTICED", line, header);
    wrong += found == rule_is_broken ? 0 : 1;
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: include_rule INCLUDE_DIR [--self-test]\n");
    return 2;
  }
  const fs::path root = argv[1];
  if (argc > 2) return self_test(root);
  int headers = 0, violations = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root / "norma")) {
    if (!entry.is_regular_file()) continue;
    ++headers;
    for (const std::string& sentence : violations_of(root, fs::relative(entry.path(), root / "norma").generic_string())) {
      ++violations;
      std::printf("%s\n", sentence.c_str());
    }
  }
  std::printf("%d headers, %d violations\n", headers, violations);
  return violations == 0 && headers > 0 ? 0 : 1;
}
