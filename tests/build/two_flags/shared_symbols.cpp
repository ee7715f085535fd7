// shared_symbols NM OBJECT OBJECT: lists what both objects define, of which the linker keeps one; fails if that is code of norma's that
// may hold vector instructions.
#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>

namespace {

struct Symbol {
  std::string name;  // demangled
  char type;         // nm's letter
  bool operator<(const Symbol& other) const { return name < other.name; }
};

/// All that an object defines for the linker; local symbols (lower case in nm, but for weak and unique ones) are its own.
std::set<Symbol> defined_symbols(const std::string& nm, const std::string& object) {
  const std::string command = "'" + nm + "' -C --defined-only '" + object + "'";
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4096> part;
  for (std::size_t n; (n = fread(part.data(), 1, part.size(), pipe)) > 0;) text.append(part.data(), n);
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);

  std::set<Symbol> symbols;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);  // "0000000000000000 W name"
    at = end + 1;
    if (line.size() < 20) continue;
    const char type = line[17];
    const bool linker_sees_it = (type >= 'A' && type <= 'Z') || type == 'u' || type == 'v' || type == 'w';
    if (linker_sees_it) symbols.insert({line.substr(19), type});
  }
  return symbols;
}

bool is_own(const Symbol& symbol) { return symbol.name.find("norma::") != std::string::npos; }

/// Of norma's, two objects may share variables, which hold no instructions, and ShapeError, which must be one type in the whole program.
bool may_be_shared(const Symbol& symbol) {
  const bool code = symbol.type == 'T' || symbol.type == 'W';
  return !is_own(symbol) || !code || symbol.name.find("norma::ShapeError") != std::string::npos;
}

int compare(const std::string& nm, const std::string& left, const std::string& right) {
  const std::set<Symbol> a = defined_symbols(nm, left), b = defined_symbols(nm, right);
  std::set<Symbol> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  const auto norma_symbols = std::count_if(a.begin(), a.end(), is_own);
  int forbidden = 0;
  for (const Symbol& symbol : both) {
    const bool allowed = may_be_shared(symbol);
    std::printf("%s %c %s\n", allowed ? "shared:   " : "FORBIDDEN:", symbol.type, symbol.name.c_str());
    forbidden += allowed ? 0 : 1;
  }
  std::printf("%zu and %zu symbols, %zu in both, %d forbidden; norma's in the first: %d\n", a.size(), b.size(), both.size(), forbidden,
              static_cast<int>(norma_symbols));
  return forbidden == 0 && norma_symbols > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: shared_symbols NM OBJECT OBJECT\n");
    return 2;
  }
  try {
    return compare(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
