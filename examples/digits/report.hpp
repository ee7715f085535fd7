// What is left at the end: a table, the learning curves as numbers, and their picture.
#pragma once

#include "../fingerprint.hpp"
#include "../gnuplot.hpp"
#include "train.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace digits {

/// All trainings with one norm and one batch size, one History per seed.
struct Trained {
  NormChoice norm;
  Eigen::Index batch;
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

inline Spread final_accuracy(const Trained& trained) {
  return over_seeds(trained, [](const History& h) { return 100 * h.epochs.back().test.accuracy; });
}

/// The first epoch with 90 % of the test images right; infinite where none was.
inline double epochs_to_90(const History& run) {
  const auto good = std::find_if(run.epochs.begin(), run.epochs.end(), [](const Epoch& e) { return e.test.accuracy >= 0.9; });
  return good == run.epochs.end() ? std::numeric_limits<double>::infinity() : static_cast<double>(good - run.epochs.begin());
}

/// One batch size, in detail.
inline void print_details(const std::vector<Trained>& all) {
  std::puts("norm         test accuracy (least - most)   test loss   train loss   epochs to 90 %   seconds");
  for (const Trained& trained : all) {
    const Spread accuracy = final_accuracy(trained);
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

/// Several batch sizes: a line for each norm, a column for each batch size. `all` has the sizes of a norm side by side.
inline void print_grid(const std::vector<Trained>& all, const std::vector<Eigen::Index>& batches) {
  std::printf("test accuracy in %%, mean over the seeds\nbatch size  ");
  for (const Eigen::Index batch : batches) std::printf("%8d", static_cast<int>(batch));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % batches.size() == 0) std::printf("\n%-12s", all[i].norm.title.data());
    std::printf("%8.1f", final_accuracy(all[i]).mean);
  }
  std::puts("");
}

/// Of every loss of every training.
inline Fingerprint fingerprint(const std::vector<Trained>& all) {
  Fingerprint losses;
  for (const Trained& trained : all) {
    for (const History& run : trained.runs) {
      for (const Epoch& epoch : run.epochs) {
        losses.add(epoch.train_loss);
        losses.add(epoch.test.loss);
      }
    }
  }
  return losses;
}

inline std::ostream& operator<<(std::ostream& out, const Spread& spread) {
  const char* separator = "";
  for (const double v : {spread.mean, spread.least, spread.most}) {
    out << separator;
    std::isfinite(v) ? out << v : out << "NaN";
    separator = ",";
  }
  return out;
}

inline void save(std::ofstream& file, const std::string& path) {
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
  std::printf("wrote %s\n", path.c_str());
}

/// One line per norm, batch size and epoch.
inline void write_curves(const std::vector<Trained>& all, const std::string& path) {
  std::ofstream file(path);
  file << "norm,batch,epoch,train_loss,train_loss_least,train_loss_most,test_accuracy,test_accuracy_least,test_accuracy_most\n";
  for (const Trained& trained : all)
    for (std::size_t e = 0; e < trained.runs.front().epochs.size(); ++e)
      file << trained.norm.title << ',' << trained.batch << ',' << e << ','
           << over_seeds(trained, [e](const History& h) { return h.epochs[e].train_loss; }) << ','
           << over_seeds(trained, [e](const History& h) { return 100 * h.epochs[e].test.accuracy; }) << '\n';
  save(file, path);
}

/// One line per norm and batch size.
inline void write_grid(const std::vector<Trained>& all, const std::string& path) {
  std::ofstream file(path);
  file << "norm,batch,test_accuracy,test_accuracy_least,test_accuracy_most\n";
  for (const Trained& trained : all) file << trained.norm.title << ',' << trained.batch << ',' << final_accuracy(trained) << '\n';
  save(file, path);
}

/// Everything about `all` into the directory `out`; `scripts` has the gnuplot files.
inline void write_report(const std::vector<Trained>& all, const std::vector<Eigen::Index>& batches, const std::string& out,
                         const std::string& scripts) {
  const bool several = batches.size() > 1;
  const std::string curves = out + "/learning_curves.csv";
  const std::string grid = out + "/batch_sizes.csv";
  const std::string picture = out + (several ? "/batch_sizes.png" : "/learning_curves.png");
  write_curves(all, curves);
  std::vector<std::string> words = {scripts + "/curves.gnuplot", curves, picture};
  if (several) {
    write_grid(all, grid);
    // Beside the grid, the curves of two sizes: the least and, as a size of everyday, the largest up to 32.
    const auto above = std::upper_bound(batches.begin() + 1, batches.end(), Eigen::Index{32});
    const Eigen::Index usual = above == batches.begin() + 1 ? batches.back() : *(above - 1);
    words = {scripts + "/batch_sizes.gnuplot", grid, curves, picture, std::to_string(batches.front()), std::to_string(usual)};
  }
  std::string& norms = words.emplace_back();
  for (std::size_t i = 0; i < all.size(); i += batches.size()) norms.append("\"").append(all[i].norm.title).append("\" ");
  pictures::draw(words, picture);
}

}  // namespace digits
