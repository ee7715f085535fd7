// What the norms are, on numbers that know their own error bound: the question and the answer. The formulas are in reference.cpp.
#pragma once

#include <cstddef>
#include <vector>

#include "support/shape.hpp"
#include "support/tracked.hpp"

namespace norma_test::reference {

using Numbers = std::vector<Tracked>;
using Set = std::vector<std::size_t>;

/// A weight or bias over x: its numbers, and which of them belongs to an element. Several elements may share one. Absent: no numbers.
struct Parameter {
  Numbers numbers;
  std::vector<std::size_t> cell;  // of each element of x

  Tracked at(std::size_t i, real absent) const { return numbers.empty() ? Tracked(absent) : numbers[cell[i]]; }
};

/// A forward and a backward to be computed. Members that a norm does not know are not looked at.
struct Problem {
  Extents extents;
  std::vector<std::ptrdiff_t> axes;  // averaged
  std::ptrdiff_t groups = 1;         // of axis 1
  std::vector<real> x, dy;
  Parameter weight, bias;
  double eps = 0;
  bool unit_offset = false, eps_outside_sqrt = false;
  Numbers mean, variance;  // given or running, of each channel
  bool running = false;    // they stand for the batch's, as constants
  Numbers gate, mean_logits, var_logits;
  bool unbiased_instance = false;  // SwitchableNorm's authors
  real r_max = 1, d_max = 0;
  std::size_t dim = 0;  // a weight as a matrix: this axis first
  Numbers u, v;
  int iterations = 0;

  /// What multiplies x_hat at element i. An absent weight multiplies by 1, with unit_offset too.
  Tracked scale(std::size_t i) const { return unit_offset && !weight.numbers.empty() ? Tracked(1) + weight.at(i, 1) : weight.at(i, 1); }
  Tracked g(std::size_t i) const { return dy[i] * scale(i); }

  std::size_t batch() const { return static_cast<std::size_t>(extents[0]); }
  std::size_t channels() const { return static_cast<std::size_t>(extents[1]); }
  std::size_t plane() const { return count({extents.begin() + 2, extents.end()}); }
};

/// A mean and a variance with the loss' gradients with respect to them.
struct Statistic {
  Tracked mean, variance, dmean, dvariance;
};

/// The statistic of a set of its own elements.
struct Moments : Statistic {
  Set set;
};

struct Answer {
  std::vector<Moments> sets;  // in row-major order of the kept axes
  Numbers rstd;               // of each set
  Numbers x_hat, y, dx, dweight, dbias, dgate, dmean_logits, dvar_logits;
  Numbers learned_mean, learned_variance;  // of each channel: what running statistics learn of
  Numbers u, v;
};

Answer layer_norm(const Problem& p);            // Ba, Kiros, Hinton 2016.
Answer group_norm(const Problem& p);            // Wu, He 2018.
Answer given_norm(const Problem& p);            // With given statistics of each channel, which are constants.
Answer batch_norm(const Problem& p);            // Ioffe, Szegedy 2015.
Answer instance_norm(const Problem& p);         // Ulyanov, Vedaldi, Lempitsky 2016.
Answer rms_norm(const Problem& p);              // Zhang, Sennrich 2019.
Answer unit_norm(const Problem& p);             // To length 1: Salimans, Kingma 2016; Henry et al. 2020.
Answer batch_renorm(const Problem& p);          // Ioffe 2017.
Answer mean_only_batch_norm(const Problem& p);  // Salimans, Kingma 2016, section 4.
Answer batch_instance_norm(const Problem& p);   // Nam, Kim 2018.
Answer switchable_norm(const Problem& p);       // Luo et al. 2018.
Answer spectral_norm(const Problem& p);         // Miyato et al. 2018.

}  // namespace norma_test::reference
