// The command line: one table serves both parsing and --help.
#pragma once

#include "train.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace digits {

struct Options {
  Recipe recipe;
  std::vector<NormChoice> norms{norm_choices.begin(), norm_choices.end()};
  int seeds = 3;
  int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::string out = ".";
  bool help = false;
};

template <class T>
T number(std::string_view text, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most))
    throw std::invalid_argument((std::ostringstream() << '\'' << text << "' is not a number from " << least << " to " << most).str());
  return value;
}

/// The entry of `choices` with this name; the error lists what there is.
template <class Choices>
auto by_name(const Choices& choices, std::string_view name) {
  std::string known;
  for (const auto& choice : choices) {
    if (choice.name == name) return choice;
    known.append(known.empty() ? "" : ", ").append(choice.name);
  }
  throw std::invalid_argument("'" + std::string(name) + "' is none of " + known);
}

inline std::vector<NormChoice> parse_norms(std::string_view names) {
  std::vector<NormChoice> norms;
  for (bool more = true; more;) {
    const std::size_t comma = names.find(',');
    norms.push_back(by_name(norm_choices, names.substr(0, comma)));
    more = comma != std::string_view::npos;
    if (more) names.remove_prefix(comma + 1);
  }
  return norms;
}

struct Option {
  std::string_view name, value, meaning;  // an option without a value has none to name
  void (*apply)(Options&, std::string_view);
};

inline constexpr std::array option_table = {
    Option{"--norm", "LIST", "norms to train with, from none,layer,rms; all",
           [](Options& o, std::string_view v) { o.norms = parse_norms(v); }},
    Option{"--epochs", "N", "passes over the training images; 40",
           [](Options& o, std::string_view v) { o.recipe.epochs = number(v, 1, 10000); }},
    Option{"--seeds", "N", "networks trained with each norm; 3", [](Options& o, std::string_view v) { o.seeds = number(v, 1, 1000); }},
    Option{"--threads", "N", "networks trained at the same time; all cores",
           [](Options& o, std::string_view v) { o.threads = number(v, 1, 256); }},
    Option{"--rate", "X", "learning rate; 0.01", [](Options& o, std::string_view v) { o.recipe.rate = number(v, 0.0F, 10.0F); }},
    Option{"--batch", "N", "images per step; 32",
           [](Options& o, std::string_view v) { o.recipe.batch = number<Eigen::Index>(v, 1, 1024); }},
    Option{"--depth", "N", "hidden layers; 6",
           [](Options& o, std::string_view v) { o.recipe.shape.depth = number<Eigen::Index>(v, 1, 100); }},
    Option{"--init", "NAME", "first weights: plain (as torch.nn.Linear) or he; plain",
           [](Options& o, std::string_view v) { o.recipe.shape.start = by_name(starts, v); }},
    Option{"--out", "DIR", "where learning_curves.csv and .png go; .", [](Options& o, std::string_view v) { o.out = v; }},
    Option{"--quick", "", "5 epochs, 1 seed: does it run at all",
           [](Options& o, std::string_view) {
             o.recipe.epochs = 5;
             o.seeds = 1;
           }},
    Option{"--help", "", "this text", [](Options& o, std::string_view) { o.help = true; }},
};

inline void print_help() {
  std::puts(
      "Trains small networks on 1,347 handwritten digits and tests them on 450 others.\n\n"
      "usage: digits [options]          (behind each meaning: the default)");
  for (const Option& option : option_table) std::printf("  %-10s%-6s%s\n", option.name.data(), option.value.data(), option.meaning.data());
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto* option = std::find_if(option_table.begin(), option_table.end(), [&](const Option& o) { return o.name == word; });
    if (option == option_table.end()) throw std::invalid_argument("unknown option " + std::string(word));
    if (!option->value.empty() && i + 1 == argc) throw std::invalid_argument(std::string(word) + " wants a value");
    try {
      option->apply(options, option->value.empty() ? std::string_view() : argv[++i]);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(word) + ": " + error.what());
    }
  }
  return options;
}

}  // namespace digits
