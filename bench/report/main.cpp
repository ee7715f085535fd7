// norma_bench_report FILE [--filter=REGEX] [--cpu]: the table at the end of a benchmark run.
#include "results.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <regex>
#include <string_view>

namespace {

using namespace bench;

constexpr const char* own = "norma";

constexpr const char* legend = R"(
norma     time on one thread: median over the repetitions, and half the distance between their quartiles
GB/s      x read and y written once; backward: x and dy read, dx written
of copy   GB/s in parts of memcpy's, from x to y (dx)
fastest   the fastest library that was found, its time, and how many times as fast norma is
eigen     how many times as fast norma is as array expressions written by hand with Eigen
)";

bool is_library(const std::string& impl) { return impl != "copy" && impl != "eigen" && !impl.starts_with(own); }

std::string time_text(double seconds) {
  char text[32];
  if (seconds < 1e-3)
    std::snprintf(text, sizeof text, "%.3g us", seconds * 1e6);
  else
    std::snprintf(text, sizeof text, "%.3g ms", seconds * 1e3);
  return text;
}

std::string ratio_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", ratio);
  return text;
}

std::string percent_text(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f%%", part * 100);
  return text;
}

std::string copy_share(const CaseResults& c, const Measurement& norma) {
  const auto copy = c.impls.find("copy");
  return copy == c.impls.end() ? "-" : ratio_text(norma.bytes_per_second / copy->second.bytes_per_second);
}

std::string against_eigen(const CaseResults& c, const Measurement& norma) {
  const auto eigen = c.impls.find("eigen");
  return eigen == c.impls.end() ? "-" : ratio_text(eigen->second.seconds / norma.seconds);
}

void print_row(const CaseResults& c) {
  const auto norma = c.impls.find(own);
  if (norma == c.impls.end()) return;
  const Measurement& m = norma->second;
  std::string peer = "-", peer_time = "-", ratio = "-";
  double fastest = 0;
  for (const auto& [impl, result] : c.impls)
    if (is_library(impl) && (fastest == 0 || result.seconds < fastest)) {
      fastest = result.seconds;
      peer = impl;
    }
  if (fastest > 0) {
    peer_time = time_text(fastest);
    ratio = ratio_text(fastest / m.seconds);
  }
  std::printf("%-42s %9s %4s %6.1f %8s  %-7s %9s %6s %6s\n", c.name.c_str(), time_text(m.seconds).c_str(), percent_text(m.spread).c_str(),
              m.bytes_per_second / 1e9, copy_share(c, m).c_str(), peer.c_str(), peer_time.c_str(), ratio.c_str(),
              against_eigen(c, m).c_str());
}

/// norma with an executor of several threads against norma with one: "norma_2threads", ...
void print_threads(const CaseResults& c) {
  for (const auto& [impl, result] : c.impls)
    if (impl.starts_with("norma_") && c.impls.contains(own))
      std::printf("%-42s %9s: %s times as fast as on one thread\n", (c.name + "/" + impl.substr(6)).c_str(),
                  time_text(result.seconds).c_str(), ratio_text(c.impls.at(own).seconds / result.seconds).c_str());
}

void print(const Results& results, const std::regex& filter) {
  for (const char* key : {"date", "norma_instruction_set", "onednn", "torch"})
    if (const auto found = results.context.find(key); found != results.context.end()) std::printf("%s: %s   ", key, found->second.c_str());
  std::printf("\n%s\n%-42s %9s %4s %6s %8s  %-7s %9s %6s %6s\n", legend, "case", "norma", "+-", "GB/s", "of copy", "fastest", "its time",
              "ratio", "eigen");
  for (const CaseResults& c : results.cases)
    if (std::regex_search(c.name, filter)) print_row(c);
  std::printf("\n");
  for (const CaseResults& c : results.cases)
    if (std::regex_search(c.name, filter)) print_threads(c);
}

}  // namespace

int main(int argc, char** argv) {
  std::string file, filter;
  Clock clock = Clock::wall;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--cpu")
      clock = Clock::cpu;
    else if (argument.starts_with("--filter="))
      filter = argument.substr(9);
    else
      file = argument;
  }
  if (file.empty()) {
    std::cerr << "usage: norma_bench_report FILE [--filter=REGEX] [--cpu]\n";
    return 1;
  }
  try {
    print(read_results(file, clock), std::regex(filter));
  } catch (const std::exception& error) {
    std::cerr << "norma_bench_report: " << error.what() << '\n';
    return 1;
  }
}
