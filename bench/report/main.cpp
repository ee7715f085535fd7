// norma_bench_report FILE [--filter=REGEX] [--cpu]: the tables at the end of a benchmark run: every case, then every kind of case.
#include "results.hpp"
#include "summary.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bench;

constexpr const char* legend = R"(
norma     time on one thread: median over the repetitions, and half the distance between their quartiles
GB/s      x read and y written once; backward: x and dy read, dx written
of copy   GB/s in parts of those of a copy from x to y (dx): memcpy's, or of streaming stores where these are faster
fastest   the fastest library that was found, its time, and how many times as fast norma is
eigen     how many times as fast norma is as array expressions written by hand with Eigen
loop      how many times as fast norma is as plain loops for this one layout, in one inaccurate pass, compiled with -Ofast
)";

/// Everything beside norma that is neither a copy nor written by hand: libraries, and what some cases are compared with instead.
bool is_rival(const std::string& impl) { return !impl.starts_with("copy") && !is_by_hand(impl) && !impl.starts_with(own); }

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

/// "-" where there is nothing to compare with.
std::string ratio_or_none(double ratio) { return ratio == 0 ? "-" : ratio_text(ratio); }

double against(const std::string& impl, const CaseResults& c) {
  return fastest_ratio(c, [&](const std::string& other) { return other == impl; });
}

void print_row(const CaseResults& c) {
  const auto norma = c.impls.find(own);
  if (norma == c.impls.end()) return;
  const Measurement& m = norma->second;
  std::string peer = "-", peer_time = "-", ratio = "-";
  double fastest = 0;
  for (const auto& [impl, result] : c.impls)
    if (is_rival(impl) && (fastest == 0 || result.seconds < fastest)) {
      fastest = result.seconds;
      peer = impl;
    }
  if (fastest > 0) {
    peer_time = time_text(fastest);
    ratio = ratio_text(fastest / m.seconds);
  }
  std::printf("%-42s %9s %4s %6.1f %8s  %-7s %9s %6s %6s %6s\n", c.name.c_str(), time_text(m.seconds).c_str(),
              percent_text(m.spread).c_str(), m.bytes_per_second / 1e9, ratio_or_none(copy_share(c)).c_str(), peer.c_str(),
              peer_time.c_str(), ratio.c_str(), ratio_or_none(against("eigen", c)).c_str(), ratio_or_none(against("loop", c)).c_str());
}

/// norma's other ways of doing a case against the first, one thread on the case's own element type: "norma_2threads", "norma_bf16", ...
void print_variants(const CaseResults& c) {
  if (!c.impls.contains(own)) return;
  for (const auto& [impl, result] : c.impls) {
    if (!impl.starts_with("norma_")) continue;
    const std::string variant = impl.substr(6);
    std::printf("%-42s %9s: %s times as fast as %s\n", (c.name + "/" + variant).c_str(), time_text(result.seconds).c_str(),
                ratio_text(c.impls.at(own).seconds / result.seconds).c_str(),
                variant.ends_with("threads") ? "on one thread"
                : variant == "separate"      ? "the fused call"
                                             : "f32");
  }
}

constexpr const char* kinds_legend = R"(
Over all cases of a norm, pass, element type and layout: geometric mean and least of how many times as fast norma is
libraries  as the fastest library that was found
all        as the fastest of all: these, Eigen's expressions and the plain loop
of copy    geometric mean of the share above
)";

void print_kinds(const std::vector<Kind>& kinds) {
  std::printf("%s\n%-38s %5s %9s %6s %7s %6s %8s  %s\n", kinds_legend, "norm, pass, type, layout", "cases", "libraries", "least", "all",
              "least", "of copy", "least of all in");
  for (const Kind& k : kinds)
    std::printf("%-38s %5zu %9s %6s %7s %6s %8s  %s\n", k.name.c_str(), k.cases, ratio_or_none(k.libraries.mean()).c_str(),
                ratio_or_none(k.libraries.least).c_str(), ratio_or_none(k.all.mean()).c_str(), ratio_or_none(k.all.least).c_str(),
                ratio_or_none(k.of_copy.mean()).c_str(), k.all.least_in.c_str());
}

void print(const Results& results, const std::regex& filter) {
  std::vector<CaseResults> cases;
  for (const CaseResults& c : results.cases)
    if (std::regex_search(c.name, filter)) cases.push_back(c);
  for (const char* key : {"date", "norma_instruction_set", "onednn", "torch"})
    if (const auto found = results.context.find(key); found != results.context.end()) std::printf("%s: %s   ", key, found->second.c_str());
  std::printf("\n%s\n%-42s %9s %4s %6s %8s  %-7s %9s %6s %6s %6s\n", legend, "case", "norma", "+-", "GB/s", "of copy", "fastest",
              "its time", "ratio", "eigen", "loop");
  for (const CaseResults& c : cases) print_row(c);
  std::printf("\n");
  for (const CaseResults& c : cases) print_variants(c);
  print_kinds(kinds_of(cases));
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
