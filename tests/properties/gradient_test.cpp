// Property 3: every backward, and every reference, agrees with finite differences of its forward in double, for x and every parameter.
#include <algorithm>
#include <cmath>

#include "support/property.hpp"

namespace norma_test { namespace {

/// The step of the four-point formula; a power of two, so that x + h - x is h for x of ordinary size.
constexpr double difference_step = 0x1p-11;

/// d loss / d values[i] for every i, by (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12h. `values` is changed in between and restored.
template <class Loss>
std::vector<double> finite_differences(std::vector<double>& values, Loss loss) {
  std::vector<double> gradient;
  for (double& value : values) {
    const double center = value;
    const auto at = [&](double offset) {
      value = center + offset * difference_step;
      return loss();
    };
    const double near = at(1) - at(-1);
    const double far = at(2) - at(-2);
    value = center;
    gradient.push_back((8 * near - far) / (12 * difference_step));
  }
  return gradient;
}

/// Its error: the truncation h^4 / 30 * |fifth derivative|, which for a norm of standard deviation 1 / rstd is at most about
/// 120 rstd^5 times the loss' size, and the rounding of the losses divided by h.
double difference_error(double loss_size, double rstd) {
  const double h = difference_step;
  return loss_size * (h * h * h * h / 30 * 120 * (1 + std::pow(rstd, 5)) + 64 * 0x1p-52 / h);
}

/// Steep sets would want a step of their own: eps bounds them all. r and d of BatchRenorm, constants of backward, are made so by running
/// statistics far beyond the limits.
Setting smooth(Setting s, const Subject& subject) {
  set_eps(subject, s, s.eps < 0.1 ? 0.1 : s.eps);
  if (subject.reference == reference::batch_renorm) {
    s.r_max = 1.25;
    s.d_max = 0.5;
  }
  return s;
}
Data data_for(const Subject& subject, const Setting& s, bool frozen) {
  Data data = random_data(subject, all_f64, s, 3, 0.5);
  if (subject.reference == reference::batch_renorm && !frozen) {
    for (std::size_t c = 0; c < data.buffers["running_mean"].size(); ++c) {
      data.buffers["running_mean"][c] = c % 2 == 0 ? 5e4 : -5e4;
      data.buffers["running_var"][c] = c % 3 == 0 ? 1e4 : 0;
    }
  }
  return data;
}

/// The upstream gradient's loss of a forward that is run anew on changed numbers.
class Differences {
 public:
  Differences(const Subject& subject, const Setting& s, Data& data, bool frozen) : subject_(subject), s_(s), data_(data), frozen_(frozen) {}

  double of_library() const {
    Rig rig(subject_, all_f64, s_, data_);
    if (frozen_ || subject_.given_statistics) {
      rig.infer();
    } else {
      rig.train();
    }
    double loss = 0;
    for (std::size_t s = 0; s < data_.x.size(); ++s) loss += weighed(rig.y(s).values(), s);
    return loss;
  }
  double of_reference() const {
    double loss = 0;
    for (std::size_t s = 0; s < data_.x.size(); ++s)
      loss += weighed(values_of(subject_.reference(problem_of(subject_, s_, data_, frozen_, s)).y), s);
    return loss;
  }

  /// u and v, and what SpectralNorm makes of them, are constants of its backward: the loss has those behind the forward.
  void hold_buffers() {
    Rig rig(subject_, all_f64, s_, data_);
    rig.train();
    for (const State& b : rig.norm().buffers()) data_.buffers[b.name] = b.value.values();
    frozen_ = true;
  }

 private:
  double weighed(const Values& y, std::size_t stream) const {
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += data_.dy[stream][i] * y[i];
    return sum;
  }
  const Subject& subject_;
  const Setting& s_;
  Data& data_;
  bool frozen_;
};

void check(const Subject& subject, const Setting& s, bool frozen) {
  Data data = data_for(subject, s, frozen);
  const Exact exact(subject, all_f64, s, data);
  const Rows rows = run(subject, all_f64, s, data);
  Differences differences(subject, s, data, frozen);
  if (subject.reference == reference::spectral_norm) differences.hold_buffers();
  double size = 1, rstd = 0;
  for (const Values& dy : data.dy) {
    for (const double each : dy) size += 4 * std::abs(each);  // |y| is a few
  }
  for (const reference::Answer& a : exact.answers) {
    for (const Tracked& r : a.rstd) rstd = std::max(rstd, static_cast<double>(r.value));
  }
  if (subject.reference == reference::spectral_norm) {  // the steepest is 1 / sigma
    const Values w = rows.at("y of training");
    for (std::size_t i = 0; i < w.size(); ++i) rstd = std::max(rstd, std::abs(w[i] / data.x[0][i]));
    size *= 1 + rstd;
  }
  if (!subject.owns_x) rstd = std::max(rstd, 1 / std::sqrt(s.eps));
  const std::string prefix = frozen ? "frozen " : "";
  const auto compare = [&](const std::string& row, Values& moved) {
    const double allowed = difference_error(size, rstd);
    const auto near = [&](const char* whose, const Values& gradient, const Values& expected) {
      ASSERT_EQ(gradient.size(), expected.size()) << row;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(gradient[i], expected[i], allowed) << whose << row << " at " << i;
      }
    };
    near("", rows.at(prefix + row), finite_differences(moved, [&] { return differences.of_library(); }));
    near("the reference's ", values_of(exact.rows.at(prefix + row).numbers),
         finite_differences(moved, [&] { return differences.of_reference(); }));
  };
  for (std::size_t stream = 0; stream < data.x.size(); ++stream) compare(row_name(subject, "dx", stream), data.x[stream]);
  for (auto& [name, values] : data.parameters) compare("d " + name, values);
}

NORMA_PROPERTY(Gradient) {
  std::vector<Variation> variations = subject.variations;
  if (subject.function) {  // every combination of forms
    variations.clear();
    for (const Form weight : {Form::absent, Form::normalized, Form::per_set, Form::full}) {
      for (const Form bias : {Form::absent, Form::normalized, Form::per_set, Form::full}) {
        for (const bool offset : {false, true}) {
          if (offset && (weight == Form::absent || weight != bias)) continue;
          for (const bool outside : {false, true}) {
            if (outside && (subject.reference != reference::rms_norm || weight != bias || offset)) continue;
            for (Setting s : subject.family.small_shapes) {
              s.weight = weight;
              s.bias = bias;
              s.unit_offset = offset;
              s.eps_outside_sqrt = outside;
              s.variation = std::string("weight_") + name_of(weight) + "_bias_" + name_of(bias) + (offset ? "_offset" : "") +
                            (outside ? "_eps_outside" : "");
              s = smooth(s, subject);
              cases.add(name_of(s), [=, &subject] { check(subject, s, false); });
            }
          }
        }
      }
    }
    return;
  }
  for (const Setting& shape : subject.family.small_shapes) {
    for (const Variation& v : variations) {
      const Setting s = smooth(varied(shape, v), subject);
      cases.add(name_of(s), [=, &subject] { check(subject, s, false); });
      if (subject.has_frozen(s)) cases.add(name_of(s) + "_frozen", [=, &subject] { check(subject, s, true); });
    }
  }
}

}  // namespace
}  // namespace norma_test
