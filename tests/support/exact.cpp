#include "support/exact.hpp"

namespace norma_test {
namespace {

/// running * (1 - take) + batch * take.
reference::Numbers blended(const reference::Numbers& before, const reference::Numbers& batch, real take) {
  reference::Numbers after;
  for (std::size_t c = 0; c < before.size(); ++c) after.push_back(Tracked(1 - take) * before[c] + Tracked(take) * batch[c]);
  return after;
}

/// sqrt(1 + mean^2 / (variance + eps)): how much larger than its deviations an element of a set is.
real kappa(const Tracked& mean, const Tracked& rstd) { return std::hypot(real{1}, mean.value * rstd.value); }

}  // namespace

std::pair<reference::Numbers, reference::Numbers> learned(const Subject& subject, const Setting& s, const reference::Problem& p,
                                                          const reference::Answer& a, std::int64_t batches) {
  const bool torch = s.convention == Convention::torch;
  const real momentum = s.momentum ? static_cast<real>(*s.momentum) : 1 / static_cast<real>(batches + 1);
  const real take = torch || !s.momentum ? momentum : 1 - momentum;
  const real m = static_cast<real>(subject.learning == Learning::of_instances ? p.plane() : p.batch() * p.plane());
  const bool as_it_is = !torch || (s.authors && subject.reference == reference::switchable_norm);
  const real unbiased = as_it_is ? 1 : m > 1 ? m / (m - 1) : 0;
  reference::Numbers variance;
  for (const Tracked& v : a.learned_variance) variance.push_back(v * Tracked(unbiased));
  return {blended(p.mean, a.learned_mean, take), blended(p.variance, variance, take)};
}

std::vector<reference::Moments> moments_of(const Subject& subject, const Setting& s, const Data& data) {
  return subject.reference(problem_of(subject, s, data)).sets;
}
std::vector<std::size_t> set_of_each(const std::vector<reference::Moments>& sets, const Data& data) {
  std::vector<std::size_t> set_of(data.x[0].size());
  for (std::size_t s = 0; s < sets.size(); ++s) {
    for (const std::size_t i : sets[s].set) set_of[i] = s;
  }
  return set_of;
}

Exact::Exact(const Subject& subject, const Types& types, const Setting& setting, const Data& data)
    : subject_(subject), types_(types), setting_(setting), data_(data) {
  const bool trains = setting.trains && !subject.given_statistics;
  for (std::size_t s = 0; s < subject.streams.size(); ++s) {
    problems.push_back(problem_of(subject, setting, data, false, s));
    const bool apart = subject.infers_apart || !trains;
    if (trains || subject.given_statistics) answers.push_back(subject.reference(problems[s]));
    if (apart && !subject.given_statistics) {
      const reference::Problem p = problem_of(subject, setting, data, true, s);
      const reference::Answer inferred = subject.reference(p);
      add_y(row_name(subject, "y", s), p, inferred);
      if (subject.has_frozen(setting)) add_gradients("frozen ", s, inferred);
    } else {
      add_y(row_name(subject, "y", s), problems[s], answers[s]);
    }
    if (trains) add_y(row_name(subject, "y of training", s), problems[s], answers[s]);
    if (setting.trains) add_gradients("", s, answers[s]);
  }
  if (trains) add_statistics();
  if (subject.given_statistics) {
    for (const auto& [name, values] : data.buffers) rows[name] = {{values.begin(), values.end()}, of_parameters()};
    rows["batches"] = {{Tracked(0)}, of_parameters()};
  }
}

/// README: 4 eps (|y - bias| + |bias|) + 2 eps kappa |weight|. A vector brought to length 1 has errors relative to its elements alone.
void Exact::add_y(const std::string& name, const reference::Problem& p, const reference::Answer& a) {
  ExactRow row{a.y, coarser(precision_of(types_.arithmetic()), precision_of(types_.y)), {}};
  if (subject_.promises_bound) {
    row.promised.resize(a.y.size());
    for (std::size_t s = 0; s < a.sets.size(); ++s) {
      const Tracked& mean = p.running ? p.mean[s] : a.sets[s].mean;
      const real k = p.running || subject_.centred ? kappa(mean, a.rstd[s]) : subject_.owns_x ? 0 : 1;
      for (const std::size_t i : a.sets[s].set) {
        const real bias = p.bias.at(i, 0).value, y = a.y[i].value, eps = row.precision.eps;
        row.promised[i] =
            4 * eps * (std::abs(y - bias) + std::abs(bias)) + 2 * eps * k * std::abs(p.scale(i).value) + 2 * row.precision.tiny;
      }
    }
  }
  rows[name] = std::move(row);
}

/// A backward in wider arithmetic than the parameters' still reads its statistics from a Saved, which keeps each as the sum of two.
void Exact::add_gradients(const std::string& prefix, std::size_t stream, const reference::Answer& a) {
  Precision of_dx = coarser(precision_of(types_.arithmetic()), precision_of(types_.x));
  of_dx.eps = std::max(of_dx.eps, of_parameters().eps * of_parameters().eps);
  rows[row_name(subject_, prefix + "dx", stream)] = {a.dx, of_dx};
  const auto add = [&](const std::vector<std::string>& names, const reference::Numbers& numbers) {
    for (const std::string& name : names) {
      if (data_.parameters.count(name) > 0) rows[prefix + "d " + name] = {numbers, of_parameters()};
    }
  };
  add(weight_names(stream), a.dweight);
  add(bias_names(stream), a.dbias);
  if (stream > 0) return;
  add({"gate"}, a.dgate);
  add({"mean_weight"}, a.dmean_logits);
  add({"var_weight"}, a.dvar_logits);
}

void Exact::add_statistics() {
  if (subject_.keeps_statistics) {
    ExactRow mean{{}, of_parameters()}, rstd{{}, of_parameters()};
    for (const reference::Answer& a : answers) {
      for (const reference::Moments& m : a.sets) mean.numbers.push_back(m.mean);
      rstd.numbers.insert(rstd.numbers.end(), a.rstd.begin(), a.rstd.end());
    }
    if (!subject_.centred) mean.numbers.clear();
    rows["mean"] = mean;
    rows["rstd"] = rstd;
  }
  const reference::Problem& p = problems[0];
  const bool learns = subject_.tracks(setting_) && !p.x.empty();
  if (learns) {
    const auto [mean, variance] = learned(subject_, setting_, p, answers[0], data_.batches);
    rows["running_mean"] = {mean, of_parameters()};
    rows["running_var"] = {variance, of_parameters()};
  } else if (subject_.tracks(setting_)) {
    rows["running_mean"] = {p.mean, of_parameters()};
    rows["running_var"] = {p.variance, of_parameters()};
  }
  const bool counts = subject_.learning != Learning::none && !subject_.function;
  rows["batches"] = {{Tracked(static_cast<real>(counts ? data_.batches + (learns ? 1 : 0) : 0))}, of_parameters()};
  rows["parametrizations.weight.0._u"] = {answers[0].u, of_parameters()};
  rows["parametrizations.weight.0._v"] = {answers[0].v, of_parameters()};
}

}  // namespace norma_test
