// Pictures of the examples, where gnuplot is installed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace pictures {

inline std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) c == '\'' ? quoted += "'\\''" : quoted += c;
  quoted += '\'';
  return quoted;
}

/// gnuplot -c words..., which draws `picture`; says so where that is not installed (if it fails, it has said why itself).
inline void draw(const std::vector<std::string>& words, const std::string& picture) {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) {
    std::fputs("gnuplot is not installed, so there is no picture\n", stderr);
    return;
  }
  std::string command = "gnuplot -c";
  for (const std::string& word : words) command.append(" ").append(shell_quoted(word));
  if (std::system(command.c_str()) == 0) std::printf("wrote %s\n", picture.c_str());
}

}  // namespace pictures
