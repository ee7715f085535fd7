#include "subjects/over_ranks.hpp"

#include <algorithm>
#include <numeric>

namespace norma_test {
namespace {

/// What of(rank) says, if all say the same.
template <class F>
auto agreed(const std::vector<std::unique_ptr<Norm>>& ranks, const char* what, F of) {
  const auto first = of(*ranks.front());
  for (const auto& rank : ranks) {
    const auto other = of(*rank);
    if constexpr (std::is_same_v<decltype(other), const Values>) {
      if (!std::equal(first.begin(), first.end(), other.begin(), other.end(), same_number)) throw std::logic_error(what);
    } else if (first != other) {
      throw std::logic_error(what);
    }
  }
  return first;
}

}  // namespace

OverRanks::OverRanks(std::vector<std::unique_ptr<Norm>> ranks, Element type, const Setting& s, Extents whole, int axis)
    : ranks_(std::move(ranks)), type_(type), setting_(s), whole_(std::move(whole)), axis_(axis) {
  // A rank that holds nothing has nothing to name.
  const auto fullest = static_cast<std::size_t>(std::max_element(s.parts.begin(), s.parts.end()) - s.parts.begin());
  const auto add = [&](const std::vector<State>& states) {
    for (const State& state : states) own_.push_back({state.name, {type_, whole_, {}}, {type_, whole_, {}}});
  };
  add(ranks_[fullest]->parameters());
  first_buffer_ = own_.size();
  add(ranks_[fullest]->buffers());
}

std::unique_ptr<Norm> OverRanks::copy() const {
  std::vector<std::unique_ptr<Norm>> ranks;
  for (const auto& rank : ranks_) ranks.push_back(rank->copy());
  return std::make_unique<OverRanks>(std::move(ranks), type_, setting_, whole_, axis_);
}

void OverRanks::infer(const Call& c) const {
  on_ranks(c, axis_ >= 0, [](const Norm& norm, const Call& mine) { norm.infer(mine); });
}
void OverRanks::train(const Call& c) {
  on_ranks(c, true, [](Norm& norm, const Call& mine) { norm.train(mine); });
}
void OverRanks::backward(const Call& c) {
  on_ranks(c, true, [](Norm& norm, const Call& mine) { norm.backward(mine); });
}
void OverRanks::backward_frozen(const Call& c) {
  on_ranks(c, false, [](Norm& norm, const Call& mine) { norm.backward_frozen(mine); });
}

void OverRanks::zero_grad() {
  for (Own& own : own_) own.grad.any().fill(0);
}
std::int64_t OverRanks::batches() const {
  return agreed(ranks_, "ranks counted differently", [](const Norm& norm) { return norm.batches(); });
}
void OverRanks::set_batches(std::int64_t n) {
  for (const auto& rank : ranks_) rank->set_batches(n);
}
Values OverRanks::saved_mean() const {
  return agreed(ranks_, "ranks saved different means", [](const Norm& norm) { return norm.saved_mean(); });
}
Values OverRanks::saved_rstd() const {
  return agreed(ranks_, "ranks saved different rstds", [](const Norm& norm) { return norm.saved_rstd(); });
}
void OverRanks::forget() {
  for (const auto& rank : ranks_) rank->forget();
}
void OverRanks::take_saved_of(Norm& other) {
  for (std::size_t r = 0; r < ranks_.size(); ++r) ranks_[r]->take_saved_of(*dynamic_cast<OverRanks&>(other).ranks_[r]);
}
void OverRanks::fill_by_another_layer(const Call& c) {
  ranks_.front()->fill_by_another_layer(c);
  for (const auto& rank : ranks_) rank->take_saved_of(*ranks_.front());
}

std::vector<State> OverRanks::states(std::size_t first, std::size_t last) const {
  std::vector<State> all;
  for (std::size_t i = first; i < last; ++i)
    all.push_back({own_[i].name, own_[i].value.any(), i < first_buffer_ ? own_[i].grad.any() : AnyView()});
  return all;
}

/// The part of a whole view that a rank holds; a view that does not have the whole's extent there is handed on as it is.
AnyView OverRanks::part_of(const AnyView& v, std::size_t rank, std::size_t axis) const {
  const int a = static_cast<int>(axis);
  const auto parts = setting_.parts.begin(), mine = parts + static_cast<std::ptrdiff_t>(rank);
  if (v.extents.size() <= a || v.extents[a] != std::accumulate(parts, setting_.parts.end(), std::ptrdiff_t{0})) return v;
  return v.through([&](auto view) { return view.slice(a, std::accumulate(parts, mine, std::ptrdiff_t{0}), *mine); });
}
AnyView OverRanks::parameter_part(const AnyView& v, std::size_t rank) const {
  return axis_ < 0 ? v : part_of(v, rank, static_cast<std::size_t>(axis_));
}

/// Each rank's layer gets its parameters, makes its call with its part of the tensors, and its gradients and buffers are brought back.
template <class F>
void OverRanks::on_ranks(const Call& c, bool shared, F f) const {
  hand_out();
  const std::size_t size = ranks_.size();
  std::vector<std::string> errors(size);
  ThreadRanks(static_cast<int>(size)).run([&](const ThreadRanks::Rank& rank) {
    const auto r = static_cast<std::size_t>(rank.rank());
    const Call& whole = c.right != nullptr && rank.rank() != c.bad_rank ? *c.right : c;
    Call mine;
    mine.pool = c.pool;
    mine.rank = &rank;
    for (auto [from, to] : {std::pair(&whole.x, &mine.x), {&whole.y, &mine.y}, {&whole.dy, &mine.dy}, {&whole.dx, &mine.dx}})
      for (const AnyView& v : *from) to->push_back(part_of(v, r, setting_.split_axis));
    try {
      f(*ranks_[r], mine);
    } catch (const norma::ShapeError& error) {
      errors[r] = error.what();
    }
  });
  std::string first;
  std::size_t refused = 0;
  for (const std::string& error : errors) {
    if (error.empty()) continue;
    ++refused;
    const bool of_itself = error.find("refused") == std::string::npos;
    if (first.empty() || of_itself) first = error;
  }
  if (shared && refused > 0 && refused < size) throw std::logic_error("only some ranks refused: " + first);
  if (refused > 0) throw norma::ShapeError(first);
  bring_back();
}

void OverRanks::hand_out() const {
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    auto own = own_.begin();
    for (const State& s : ranks_[r]->parameters()) {
      s.value.set(parameter_part(own->value.any(), r).values());
      s.grad.set(parameter_part(own->grad.any(), r).values());
      // Gradients that are summed go on from the first rank's.
      if (axis_ < 0 && r > 0) s.grad.fill(0);
      ++own;
    }
    for (const State& s : ranks_[r]->buffers()) s.value.set((own++)->value.any().values());
  }
}
void OverRanks::bring_back() const {
  std::vector<Values> sums(first_buffer_);  // rounded once
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    std::size_t i = 0;
    for (const State& s : ranks_[r]->parameters()) {
      const AnyView to = parameter_part(own_[i].grad.any(), r);
      Values grad = s.grad.values();
      if (axis_ < 0) {
        if (r > 0) std::transform(grad.begin(), grad.end(), sums[i].begin(), grad.begin(), std::plus());
        sums[i] = grad;
      }
      to.set(grad);
      ++i;
    }
  }
  for (std::size_t i = first_buffer_; i < own_.size(); ++i)
    own_[i].value.any().set(
        agreed(ranks_, "ranks differ in a buffer", [&](Norm& n) { return n.buffers()[i - first_buffer_].value.values(); }));
}

}  // namespace norma_test
