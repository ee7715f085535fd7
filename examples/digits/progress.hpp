// One line that moves while networks train; nothing at all where the output is not a terminal.
#pragma once

#include "train.hpp"

#include <unistd.h>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

namespace digits {

class Progress {
 public:
  explicit Progress(int total) : total_(total), visible_(isatty(STDOUT_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (visible_) std::fputs("\r\033[K", stdout);
  }

  /// Some network finished an epoch. Called from any thread.
  void epoch(const NormChoice& norm, Eigen::Index batch, std::uint64_t seed, const Score& test) {
    const std::lock_guard lock(mutex_);
    ++done_;
    if (!visible_) return;
    const int filled = done_ * width_ / total_;
    const std::string bar =
        std::string(static_cast<std::size_t>(filled), '#') + std::string(static_cast<std::size_t>(width_ - filled), '.');
    std::printf("\r\033[K[%s] %3d %%  %s, batch %d, seed %d: %.1f %% right", bar.c_str(), 100 * done_ / total_, norm.title.data(),
                static_cast<int>(batch), static_cast<int>(seed), 100 * test.accuracy);
    std::fflush(stdout);
  }

 private:
  static constexpr int width_ = 24;
  std::mutex mutex_;
  int total_, done_ = 0;
  bool visible_;
};

}  // namespace digits
