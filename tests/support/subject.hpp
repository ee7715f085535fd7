// A subject: one norm under test behind a virtual interface, with all that properties want to know of it. The list is in tests/subjects.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/executors.hpp"
#include "support/families.hpp"
#include "support/ranks.hpp"
#include "support/reference.hpp"
#include "support/tensor.hpp"

namespace norma_test {

/// What a call is handed: a view for each stream. Most norms have one; QKNorm has queries and keys; a weight's norm is handed no x and no
/// dx. A null pool: no executor is named.
struct Call {
  const Pool* pool = nullptr;
  std::vector<AnyView> x, y, dy, dx;
  // For norms over ranks: this rank alone makes this call, the others the right one.
  int bad_rank = -1;
  const Call* right = nullptr;
  // For what one rank of them holds.
  const ThreadRanks::Rank* rank = nullptr;
};

/// Numbers that a norm owns or is lent, under their state names. Buffers have no gradient.
struct State {
  std::string name;
  AnyView value, grad;
};

/// What a free function is told beside its tensors; it may be changed between calls.
struct FunctionOptions {
  norma::Extents axes;
  std::ptrdiff_t groups = 1;
  AnyView weight, bias, mean, variance, weight_grad, bias_grad, running_mean, running_var;
  double eps = 0, momentum = 0;
  bool unit_offset = false, eps_outside_sqrt = false;
};

/// One norm as a user holds it: a layer, or a function with its options; and the Saved of its last training forward.
class Norm {
 public:
  virtual ~Norm() = default;
  virtual std::unique_ptr<Norm> copy() const = 0;

  virtual void infer(const Call& c) const = 0;
  virtual void train(const Call& c) = 0;
  virtual void backward(const Call& c) = 0;
  virtual void backward_frozen(const Call&) { throw std::logic_error("this norm has no frozen backward"); }

  /// In the order of for_each_parameter and for_each_buffer.
  virtual std::vector<State> parameters() = 0;
  virtual std::vector<State> buffers() { return {}; }
  virtual void zero_grad() = 0;
  /// num_batches_tracked, where there is one.
  virtual std::int64_t batches() const { return 0; }
  virtual void set_batches(std::int64_t) {}

  /// saved.mean() and saved.rstd(): streams one behind the other.
  virtual Values saved_mean() const = 0;
  virtual Values saved_rstd() const = 0;
  /// A Saved that no forward has filled.
  virtual void forget() = 0;
  /// The Saved of another norm of the same parameter type takes this one's place.
  virtual void take_saved_of(Norm&) { throw std::logic_error("this norm cannot be lent a Saved"); }
  /// A training forward that fills this norm's Saved by another layer.
  virtual void fill_by_another_layer(const Call&) { throw std::logic_error("this norm knows no other layer"); }
  virtual FunctionOptions* options() { return nullptr; }
  /// False if memory between or around its parameters was written.
  virtual bool surroundings_untouched() const { return true; }
};

/// Where a norm's parameters lie if it does not own them; w0 for norms of weights.
struct Lent {
  Where weight, bias;
  AnyView w0;
};

using Maker = std::unique_ptr<Norm> (*)(const Setting& s, const Lent& lent);

/// How running statistics take a batch in.
enum class Learning { none, of_batch, of_instances };

struct Subject {
  std::string name;
  std::string layer;                                          // as its messages begin
  reference::Answer (*reference)(const reference::Problem&);  // of one stream
  Family family;
  std::vector<Variation> variations;  // of the options; the first is the ordinary one
  std::vector<std::pair<Types, Maker>> makers = {};

  std::vector<std::string> streams = {"x"};
  bool function = false;          // parameters are views, which may repeat
  bool owns_x = false;            // x is a parameter: a weight
  bool centred = true;            // subtracts a mean
  bool has_axes = false;          // bits do not depend on the layout as long as the averaged axes keep their order
  bool keeps_statistics = true;   // saved holds one mean and rstd for each set of the reference
  bool promises_bound = true;     // README's bound for y
  bool infers_apart = false;      // inference is not the training forward: it uses running statistics, if the setting tracks
  bool given_statistics = false;  // mean and variance are inputs, there is no training
  Learning learning = Learning::none;
  bool over_ranks = false;
  bool inference_allocates_nothing = true;
  std::map<std::string, std::string> without = {};  // properties that do not apply, and why

  bool tracks(const Setting& s) const { return learning != Learning::none && s.tracks; }
  bool has_frozen(const Setting& s) const { return tracks(s) && !function; }
  /// Whether an x at `from` reaches the y at `to` in inference or training: elements of one set do.
  bool (*reaches)(const Setting& s, bool running, std::size_t from, std::size_t to) = nullptr;
  bool dx_knows_all = false;  // in training, statistics are shared across sets: an x anywhere reaches every dx

  std::unique_ptr<Norm> make(const Types& t, const Setting& s, const Lent& lent = {}) const {
    for (const auto& [types, maker] : makers) {
      if (types == t) return maker(s, lent);
    }
    throw std::logic_error(name + " is not made for " + name_of(t));
  }
  bool made_for(const Types& t) const {
    for (const auto& each : makers) {
      if (each.first == t) return true;
    }
    return false;
  }
  Extents extents_of(const Setting& s, std::size_t stream) const { return stream == 0 ? s.extents : s.keys; }
  const Variation& variation(std::size_t i) const { return variations[i % variations.size()]; }
};

/// THE list of norms under test.
const std::vector<Subject>& subjects();
/// The one of this name; std::logic_error if there is none.
const Subject& subject_named(const std::string& name);

}  // namespace norma_test
