// Checks the links of READMEs: files and headings exist, and a line that a row of the norms' table links to shows that row's norm.
//   readme_links PROJECT_DIR README...     prints every wrong link; exit 1 if there is one
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

bool has_heading(const std::vector<std::string>& page, const std::string& anchor) {
  static const std::regex heading(R"(^#+ (.*)$)");
  std::smatch match;
  for (const std::string& line : page)
    if (std::regex_match(line, match, heading) && anchor_of(match[1]) == anchor) return true;
  return false;
}

/// A README: where its links start, and its lines.
struct Page {
  fs::path folder;
  std::vector<std::string> lines;
};

/// What is wrong with a link in a line of a page; empty if nothing is.
std::string complaint(const Page& page, const std::string& line, const std::string& link) {
  static const std::regex line_number(R"(^L(\d+)$)"), first_name(R"(^\| `(\w+)`)");
  if (link.starts_with("http")) return "";
  const std::size_t hash = link.find('#');
  const std::string path = link.substr(0, hash), fragment = hash == std::string::npos ? "" : link.substr(hash + 1);
  if (!fs::exists(page.folder / path)) return "no such file";
  if (hash == std::string::npos) return "";
  const std::vector<std::string> file = path.empty() ? page.lines : lines_of(page.folder / path);
  std::smatch match;
  if (!std::regex_match(fragment, match, line_number)) return has_heading(file, fragment) ? "" : "no such heading";
  const std::size_t number = std::stoul(match[1]);
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

Count check(const Page& page, bool print) {
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  Count count;
  bool is_code = false;
  for (const std::string& line : page.lines) {
    if (line.starts_with("```")) is_code = !is_code;
    if (is_code) continue;
    for (std::sregex_iterator it(line.begin(), line.end(), link), end; it != end; ++it) {
      const std::string target = (*it)[1];
      const std::string sentence = complaint(page, line, target);
      ++count.links;
      count.lines += target.find("#L") != std::string::npos ? 1 : 0;
      count.wrong += sentence.empty() ? 0 : 1;
      if (print && !sentence.empty()) std::printf("%s: %s\n", target.c_str(), sentence.c_str());
    }
  }
  return count;
}

/// A page with one more line has one more wrong link, or none.
bool notices(Page page, const std::string& line, bool wrong) {
  const std::size_t before = check(page, false).wrong;
  page.lines.push_back(line);
  const bool right = (check(page, false).wrong > before) == wrong;
  std::printf("%s: %s\n", right ? "ok" : wrong ? "NOT NOTICED" : "WRONGLY REFUSED", line.c_str());
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: readme_links PROJECT_DIR README... | --self-test\n");
    return 2;
  }
  const fs::path root = argv[1];
  const auto page_of = [&](const fs::path& readme) { return Page{(root / readme).parent_path(), lines_of(root / readme)}; };
  if (std::string(argv[2]) == "--self-test") {
    const Page top = page_of("README.md"), examples = page_of("examples/README.md");
    const bool all = notices(top, "[x](examples/no_such_file.cpp)", true) && notices(top, "[x](#no-such-heading)", true) &&
                     notices(top, "[x](examples/README.md#no-such-heading)", true) && notices(examples, "[x](README.md#promises)", true) &&
                     notices(top, "[x](examples/every_norm.cpp#L100000)", true) &&
                     notices(examples, "| `QKNorm` | [x](every_norm.cpp#L1) |", true) &&
                     notices(top, "[x](examples/every_norm.cpp#L1)", false) && notices(top, "[x](#promises)", false) &&
                     notices(examples, "[x](../README.md#promises)", false);
    return all ? 0 : 1;
  }
  Count sum;
  for (int i = 2; i < argc; ++i) {
    const Count count = check(page_of(argv[i]), true);
    std::printf("%s: %zu links, %zu of them to lines, %zu wrong\n", argv[i], count.links, count.lines, count.wrong);
    sum.lines += count.lines;
    sum.wrong += count.wrong;
  }
  return sum.wrong == 0 && sum.lines > 0 ? 0 : 1;
}
