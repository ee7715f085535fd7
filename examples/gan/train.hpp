// A ring of Gaussians, and a generator and a critic that play for it (Goodfellow et al. 2014, hinge loss as in Miyato et al. 2018).
#pragma once

#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gan {

inline constexpr int modes = 8;
inline constexpr float radius = 2.0F, deviation = 0.08F;
inline constexpr Eigen::Index noise = 8, width = 64, batch = 128;

struct Point {
  float x, y;
};

/// The centre of a mode.
inline Point centre(int mode) {
  const float angle = 6.2831853F * static_cast<float>(mode) / static_cast<float>(modes);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

inline Matrix real_samples(Eigen::Index n, Random& random) {
  Matrix x(n, 2);
  for (Eigen::Index i = 0; i < n; ++i) {
    const Point c = centre(random.below(modes));
    x(i, 0) = c.x + deviation * random.normal();
    x(i, 1) = c.y + deviation * random.normal();
  }
  return x;
}

inline Matrix noise_samples(Eigen::Index n, Random& random) {
  Matrix z(n, noise);
  for (float& e : numbers_of(z)) e = random.normal();
  return z;
}

/// How good samples are: modes hit by at least 2 % of them, and the share that lies within four deviations of a centre.
struct Quality {
  int modes_found = 0;
  double near = 0;
};

inline Quality quality_of(const Matrix& samples) {
  std::vector<int> hits(modes, 0);
  for (Eigen::Index i = 0; i < samples.rows(); ++i) {
    for (int m = 0; m < modes; ++m) {
      const Point c = centre(m);
      if (std::hypot(samples(i, 0) - c.x, samples(i, 1) - c.y) < 4 * deviation) ++hits[static_cast<std::size_t>(m)];
    }
  }
  Quality quality;
  for (const int h : hits) {
    quality.modes_found += 50 * h >= samples.rows() ? 1 : 0;
    quality.near += static_cast<double>(h) / static_cast<double>(samples.rows());
  }
  return quality;
}

/// One game; with `normalize` every weight of the critic is divided by its spectral norm.
struct Game {
  Random random;
  Network generator, critic;
  Adam generator_steps{5e-4F}, critic_steps{1e-3F};

  Game(bool normalize, std::uint64_t seed)
      : random(seed), generator({noise, width, width, 2}, false, random), critic({2, width, width, width, 1}, normalize, random) {}

  /// Hinge: the critic wants more than 1 for real samples and less than -1 for made ones.
  void teach_critic() {
    Matrix x(2 * batch, 2);
    x << real_samples(batch, random), generator.forward(noise_samples(batch, random));
    const Matrix& score = critic.forward(x);
    Matrix d(2 * batch, 1);
    const float share = 1.0F / static_cast<float>(batch);
    for (Eigen::Index i = 0; i < 2 * batch; ++i) d(i, 0) = i < batch ? (score(i, 0) < 1 ? -share : 0) : score(i, 0) > -1 ? share : 0;
    critic.backward(d);
    critic_steps.step(critic);
  }
  /// The generator wants high scores.
  void teach_generator() {
    const Matrix made = generator.forward(noise_samples(batch, random));
    critic.forward(made);
    const Matrix d = critic.backward(Matrix::Constant(batch, 1, -1.0F / static_cast<float>(batch)));
    critic.visit_parameters([](std::span<float>, std::span<float> grad) { std::fill(grad.begin(), grad.end(), 0.0F); });
    generator.backward(d);
    generator_steps.step(generator);
  }
  Matrix samples(Eigen::Index n) { return generator.forward(noise_samples(n, random)); }
};

}  // namespace gan
