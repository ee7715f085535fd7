// What is left at the end: a table, the learning curves as numbers, and their picture.
#pragma once

#include "train.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace digits {

/// All trainings with one norm, one History per seed.
struct Trained {
  NormChoice norm;
  std::vector<History> runs;
};

struct Spread {
  double mean = 0, least = 0, most = 0;
};

/// `value(run)` over the seeds. A training that left the numbers behind (NaN) makes the mean NaN, and so it should.
template <class Value>
Spread over_seeds(const Trained& trained, Value value) {
  Spread spread{0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const History& run : trained.runs) {
    const double v = value(run);
    spread.mean += v / static_cast<double>(trained.runs.size());
    spread.least = std::min(spread.least, v);
    spread.most = std::max(spread.most, v);
  }
  return spread;
}

/// The first epoch with 90 % of the test images right; infinite where none was.
inline double epochs_to_90(const History& run) {
  const auto good = std::find_if(run.epochs.begin(), run.epochs.end(), [](const Epoch& e) { return e.test.accuracy >= 0.9; });
  return good == run.epochs.end() ? std::numeric_limits<double>::infinity() : static_cast<double>(good - run.epochs.begin());
}

inline void print_table(const std::vector<Trained>& all) {
  std::puts("norm         test accuracy (least - most)   test loss   train loss   epochs to 90 %   seconds");
  for (const Trained& trained : all) {
    const Spread accuracy = over_seeds(trained, [](const History& h) { return 100 * h.epochs.back().test.accuracy; });
    const double test_loss = over_seeds(trained, [](const History& h) { return h.epochs.back().test.loss; }).mean;
    const double train_loss = over_seeds(trained, [](const History& h) { return h.epochs.back().train_loss; }).mean;
    const double to_90 = over_seeds(trained, epochs_to_90).mean;
    const double seconds = over_seeds(trained, [](const History& h) { return h.seconds; }).mean;
    char epochs[16];
    std::snprintf(epochs, sizeof epochs, std::isfinite(to_90) ? "%.1f" : "not in all", to_90);
    std::printf("%-12s %6.1f %%     (%4.1f - %4.1f)   %11.3f  %11.4f  %15s   %7.2f\n", trained.norm.title.data(), accuracy.mean,
                accuracy.least, accuracy.most, test_loss, train_loss, epochs, seconds);
  }
}

/// One line per norm and epoch: means over the seeds, and for what is drawn also the extremes.
inline void write_curves(const std::vector<Trained>& all, const std::string& path) {
  std::ofstream file(path);
  file << "norm,epoch,train_loss,train_loss_least,train_loss_most,test_accuracy,test_accuracy_least,test_accuracy_most\n";
  for (const Trained& trained : all)
    for (std::size_t e = 0; e < trained.runs.front().epochs.size(); ++e) {
      const Spread loss = over_seeds(trained, [e](const History& h) { return h.epochs[e].train_loss; });
      const Spread accuracy = over_seeds(trained, [e](const History& h) { return 100 * h.epochs[e].test.accuracy; });
      file << trained.norm.title << ',' << e;
      for (const double v : {loss.mean, loss.least, loss.most, accuracy.mean, accuracy.least, accuracy.most})
        std::isfinite(v) ? file << ',' << v : file << ",NaN";
      file << '\n';
    }
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

inline std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) c == '\'' ? quoted += "'\\''" : quoted += c;
  quoted += '\'';
  return quoted;
}

/// Draws with gnuplot; false where that is not installed or fails (it then has said why).
inline bool draw_curves(const std::vector<Trained>& all, const std::string& script, const std::string& curves, const std::string& picture) {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) {
    std::fputs("gnuplot is not installed, so there is no picture\n", stderr);
    return false;
  }
  std::vector<std::string> words = {script, curves, picture};
  for (const Trained& trained : all) words.emplace_back(trained.norm.title);
  std::string command = "gnuplot -c";
  for (const std::string& word : words) command.append(" ").append(shell_quoted(word));
  return std::system(command.c_str()) == 0;
}

}  // namespace digits
