// The exact answer to a subject's question, row by row as runs give theirs, each number with the bound of its arithmetic.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "support/run.hpp"

namespace norma_test {

struct ExactRow {
  reference::Numbers numbers;
  Precision precision;
  std::vector<real> promised = {};  // README's bound, where it promises one
};

/// What running statistics become in a step: momentum weighs the new value in PyTorch's convention, the old one in Keras' and ONNX';
/// PyTorch learns the unbiased variance. A single value has none: 0 where it is legal.
std::pair<reference::Numbers, reference::Numbers> learned(const Subject& subject, const Setting& s, const reference::Problem& p,
                                                          const reference::Answer& a, std::int64_t batches);

/// The sets of elements of the first stream that share a statistic, and which of them each element belongs to.
std::vector<reference::Moments> moments_of(const Subject& subject, const Setting& s, const Data& data);
std::vector<std::size_t> set_of_each(const std::vector<reference::Moments>& sets, const Data& data);

class Exact {
 public:
  Exact(const Subject& subject, const Types& types, const Setting& setting, const Data& data);

  std::vector<reference::Problem> problems;  // of training, a stream each
  std::vector<reference::Answer> answers;
  std::map<std::string, ExactRow> rows;

 private:
  Precision of_parameters() const { return precision_of(types_.parameter); }
  void add_y(const std::string& name, const reference::Problem& p, const reference::Answer& a);
  void add_gradients(const std::string& prefix, std::size_t stream, const reference::Answer& a);
  void add_statistics();

  const Subject& subject_;
  Types types_;
  const Setting& setting_;
  const Data& data_;
};

/// What random_data is told.
struct Question {
  const Subject* subject;
  Types types;
  Setting setting;
  std::uint64_t seed = 0;
  double mean = 0, sigma = 1;

  friend bool operator==(const Question&, const Question&) = default;
};

/// A question, its data and its answer.
struct Asked {
  explicit Asked(const Question& q)
      : question(q),
        data(random_data(*q.subject, q.types, question.setting, q.seed, q.mean, q.sigma)),
        exact(*q.subject, q.types, question.setting, data) {}

  Question question;
  Data data;
  Exact exact;
};

/// Cases that follow each other ask the same of each layout, and references take longer than what they are compared with: the last answers
/// are kept.
inline const Asked& asked(const Question& question) {
  static std::deque<Asked> last;
  const auto found = std::find_if(last.begin(), last.end(), [&](const Asked& a) { return a.question == question; });
  if (found != last.end()) return *found;
  constexpr std::size_t most_questions = 24, most_elements = 300'000;
  std::size_t elements = 0;
  for (const Asked& a : last) elements += a.data.x[0].size();
  for (; !last.empty() && (last.size() >= most_questions || elements > most_elements); last.pop_front())
    elements -= last.front().data.x[0].size();
  return last.emplace_back(question);
}

}  // namespace norma_test
