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
  std::string_view network;
  std::vector<NormChoice> norms;
  std::vector<Eigen::Index> batches;
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

/// A list separated by commas, each entry through `parse`.
template <class Parse>
auto list(std::string_view text, Parse parse) {
  std::vector<decltype(parse(text))> entries;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    entries.push_back(parse(text.substr(0, comma)));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return entries;
}

inline std::vector<NormChoice> parse_norms(std::string_view names) {
  return list(names, [](std::string_view name) { return by_name(norm_choices, name); });
}

/// More than 1, which BatchNorm cannot train with, and in ascending order, which the pictures rely on.
inline std::vector<Eigen::Index> parse_batches(std::string_view numbers) {
  std::vector<Eigen::Index> batches = list(numbers, [](std::string_view n) { return number<Eigen::Index>(n, 2, 1024); });
  std::ranges::sort(batches);
  batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
  return batches;
}

/// GroupNorm's groups must divide it.
inline Eigen::Index parse_width(std::string_view text) {
  const auto width = number<Eigen::Index>(text, 0, 1024);
  if (width % groups != 0) throw std::invalid_argument("'" + std::string(text) + "' is not a multiple of " + std::to_string(groups));
  return width;
}

/// What --network knows, and what the other options are unless given.
struct NetworkChoice {
  std::string_view name;
  Recipe recipe;
  std::string_view norms, batches;
};

inline constexpr std::array network_choices = {
    NetworkChoice{
        "cnn", {.make = make_cnn, .epochs = 12, .rate = 0.05F, .rate_falls = true}, "none,batch,layer,group,instance", "2,4,8,16,32,64"},
    NetworkChoice{"mlp", {.make = make_mlp, .epochs = 40, .rate = 0.01F, .rate_falls = false}, "none,layer,rms", "32"},
};

inline Options defaults(const NetworkChoice& network) {
  Options options;
  options.recipe = network.recipe;
  options.network = network.name;
  options.norms = parse_norms(network.norms);
  options.batches = parse_batches(network.batches);
  return options;
}

struct Option {
  std::string_view name, value, meaning;  // an option without a value has none to name
  void (*apply)(Options&, std::string_view);
};

inline constexpr std::array option_table = {
    Option{"--network", "NAME", "cnn (convolutions) or mlp (linear layers only); cnn", nullptr},
    Option{"--norm", "LIST", "from none,batch,layer,group,instance,rms; cnn: all but rms, mlp: none,layer,rms",
           [](Options& o, std::string_view v) { o.norms = parse_norms(v); }},
    Option{"--batch", "LIST", "images per step; cnn: 2,4,8,16,32,64, mlp: 32",
           [](Options& o, std::string_view v) { o.batches = parse_batches(v); }},
    Option{"--epochs", "N", "passes over the training images; cnn: 12, mlp: 40",
           [](Options& o, std::string_view v) { o.recipe.epochs = number(v, 1, 10000); }},
    Option{"--seeds", "N", "networks trained with each norm and batch size; 3",
           [](Options& o, std::string_view v) { o.seeds = number(v, 1, 1000); }},
    Option{"--threads", "N", "networks trained at the same time; all cores",
           [](Options& o, std::string_view v) { o.threads = number(v, 1, 256); }},
    Option{"--rate", "X", "learning rate at batch 32, proportional to the batch; cnn: 0.05 falling to 0, mlp: 0.01",
           [](Options& o, std::string_view v) { o.recipe.rate = number(v, 0.0F, 10.0F); }},
    Option{"--hidden", "N", "cnn: width of the linear layer behind the convolutions, 0 for none; 64",
           [](Options& o, std::string_view v) { o.recipe.shape.hidden = parse_width(v); }},
    Option{"--depth", "N", "mlp: hidden layers; 6",
           [](Options& o, std::string_view v) { o.recipe.shape.depth = number<Eigen::Index>(v, 1, 100); }},
    Option{"--init", "NAME", "first weights: plain (as torch.nn.Linear) or he; plain",
           [](Options& o, std::string_view v) { o.recipe.shape.start = by_name(starts, v); }},
    Option{"--out", "DIR", "where the tables (.csv) and pictures (.png) go; .", [](Options& o, std::string_view v) { o.out = v; }},
    Option{"--quick", "", "2 epochs, 1 seed: does it run at all",
           [](Options& o, std::string_view) {
             o.recipe.epochs = 2;
             o.seeds = 1;
           }},
    Option{"--help", "", "this text", [](Options& o, std::string_view) { o.help = true; }},
};

inline void print_help() {
  std::puts(
      "Trains small networks on 1,347 handwritten digits with norms and batch sizes of your choice, and tests them on 450 others.\n\n"
      "usage: digits [options]          (behind each meaning: the default)");
  for (const Option& option : option_table) std::printf("  %-10s%-6s%s\n", option.name.data(), option.value.data(), option.meaning.data());
}

/// Calls f(option, value) for each option of the command line; its mistakes get the option's name in front.
template <class F>
void for_each_option(int argc, char** argv, F f) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto* option = std::find_if(option_table.begin(), option_table.end(), [&](const Option& o) { return o.name == word; });
    if (option == option_table.end()) throw std::invalid_argument("unknown option " + std::string(word));
    if (!option->value.empty() && i + 1 == argc) throw std::invalid_argument(std::string(word) + " wants a value");
    try {
      f(*option, option->value.empty() ? std::string_view() : argv[++i]);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(word) + ": " + error.what());
    }
  }
}

/// The network first, wherever it stands: it sets what the others are unless given.
inline Options parse_options(int argc, char** argv) {
  Options options = defaults(network_choices[0]);
  for_each_option(argc, argv, [&](const Option& option, std::string_view value) {
    if (option.apply == nullptr) options = defaults(by_name(network_choices, value));
  });
  for_each_option(argc, argv, [&](const Option& option, std::string_view value) {
    if (option.apply != nullptr) option.apply(options, value);
  });
  return options;
}

}  // namespace digits
