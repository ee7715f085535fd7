// Checks the links of README.md: files and headings exist, and a line that a row of the norms' table links to shows that row's norm.
//   readme_links PROJECT_DIR               prints every wrong link; exit 1 if there is one
//   readme_links PROJECT_DIR --self-test   spoils links in memory and expects each to be found
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// What a heading is called in a link.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const int code = static_cast<unsigned char>(c);
    if (std::isalnum(code) != 0 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(code));
    if (c == ' ') anchor += '-';
  }
  return anchor;
}

bool has_heading(const std::vector<std::string>& readme, const std::string& anchor) {
  static const std::regex heading(R"(^#+ (.*)$)");
  std::smatch match;
  for (const std::string& line : readme)
    if (std::regex_match(line, match, heading) && anchor_of(match[1]) == anchor) return true;
  return false;
}

/// What is wrong with a link in a line of the README; empty if nothing is.
std::string complaint(const fs::path& root, const std::vector<std::string>& readme, const std::string& line, const std::string& link) {
  static const std::regex line_link(R"(^(.+)#L(\d+)$)"), first_name(R"(^\| `(\w+)`)");
  if (link.starts_with("http")) return "";
  if (link.starts_with("#")) return has_heading(readme, link.substr(1)) ? "" : "no such heading";
  std::smatch match;
  if (!std::regex_match(link, match, line_link)) return fs::exists(root / link) ? "" : "no such file";
  const std::vector<std::string> file = lines_of(root / match[1].str());
  const std::size_t number = std::stoul(match[2]);
  if (number == 0 || number > file.size()) return "no such line";
  std::smatch name;
  if (!std::regex_search(line, name, first_name)) return "";
  // A function is called as its layer is, with underscores.
  std::string wanted = name[1], shown = file[number - 1], plain;
  for (const char c : shown)
    if (c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (char& c : wanted) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain.find(wanted) != std::string::npos ? "" : "the line does not show " + name[1].str() + ": " + shown;
}

struct Count {
  std::size_t links = 0, lines = 0, wrong = 0;
};

Count check(const fs::path& root, const std::vector<std::string>& readme, bool print) {
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  Count count;
  for (const std::string& line : readme) {
    for (std::sregex_iterator it(line.begin(), line.end(), link), end; it != end; ++it) {
      const std::string target = (*it)[1];
      const std::string sentence = complaint(root, readme, line, target);
      ++count.links;
      count.lines += target.find("#L") != std::string::npos ? 1 : 0;
      count.wrong += sentence.empty() ? 0 : 1;
      if (print && !sentence.empty()) std::printf("%s: %s\n", target.c_str(), sentence.c_str());
    }
  }
  return count;
}

/// The README with one more line has one more wrong link, or none.
bool notices(const fs::path& root, std::vector<std::string> readme, const std::string& line, bool wrong) {
  const std::size_t before = check(root, readme, false).wrong;
  readme.push_back(line);
  const bool right = (check(root, readme, false).wrong > before) == wrong;
  std::printf("%s: %s\n", right ? "ok" : wrong ? "NOT NOTICED" : "WRONGLY REFUSED", line.c_str());
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: readme_links PROJECT_DIR [--self-test]\n");
    return 2;
  }
  const fs::path root = argv[1];
  const std::vector<std::string> readme = lines_of(root / "README.md");
  if (argc > 2) {
    const bool all = notices(root, readme, "[x](examples/no_such_file.cpp)", true) &&
                     notices(root, readme, "[x](#no-such-heading)", true) &&
                     notices(root, readme, "[x](examples/every_norm.cpp#L100000)", true) &&
                     notices(root, readme, "| `QKNorm` | [x](examples/every_norm.cpp#L1) |", true) &&
                     notices(root, readme, "[x](examples/every_norm.cpp#L1)", false) && notices(root, readme, "[x](#promises)", false);
    return all ? 0 : 1;
  }
  const Count count = check(root, readme, true);
  std::printf("%zu links, %zu of them to lines, %zu wrong\n", count.links, count.lines, count.wrong);
  return count.wrong == 0 && count.lines > 0 ? 0 : 1;
}
