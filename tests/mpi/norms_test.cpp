// Norms over MPI's processes: what the ranks hold together is the reference's answer to the whole, with the bits of ranks that are threads;
// and an error on one of them.
#include <norma/interop/mpi.hpp>
#include <norma/interop/openmp.hpp>

#include <array>
#include <string>
#include <vector>

#include "subjects/entries.hpp"
#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test { namespace {

const norma::MpiCommunicator& world() {
  static const norma::MpiCommunicator comm = norma::mpi(MPI_COMM_WORLD);
  return comm;
}

/// Each rank's numbers, however many, on all ranks.
std::vector<Values> exchanged(const Values& mine) {
  std::vector<Values> all;
  for (int r = 0; r < world().size(); ++r) {
    Values& of_rank = all.emplace_back(r == world().rank() ? mine : Values());
    int n = static_cast<int>(of_rank.size());
    MPI_Bcast(&n, 1, MPI_INT, r, MPI_COMM_WORLD);
    of_rank.resize(static_cast<std::size_t>(n));
    MPI_Bcast(of_rank.data(), n, MPI_DOUBLE, r, MPI_COMM_WORLD);
  }
  return all;
}

/// Between a whole tensor and the parts of an axis that ranks hold.
struct Dealt {
  Extents whole;
  std::size_t axis;
  std::vector<std::ptrdiff_t> parts;

  AnyView part(const AnyTensor& tensor, std::size_t rank) const {
    std::ptrdiff_t first = 0;
    for (std::size_t r = 0; r < rank; ++r) first += parts[r];
    return tensor.any().through([&](auto view) { return view.slice(static_cast<int>(axis), first, parts[rank]); });
  }
  Values mine(const Values& all) const {
    return part(AnyTensor(Element::f64, whole, {}, all), static_cast<std::size_t>(world().rank())).values();
  }
  Values joined(const std::vector<Values>& of_ranks) const {
    const AnyTensor all(Element::f64, whole, {});
    for (std::size_t r = 0; r < of_ranks.size(); ++r) part(all, r).set(of_ranks[r]);
    return all.values();
  }
};

/// A layer whose ranks are this world's; its tensors are this rank's part.
template <class L>
struct InWorld : L {
  explicit InWorld(L layer) : L(std::move(layer)) {}

  void operator()(const auto& x, const auto& y) const { (*this)(norma::sequential, x, y); }
  void operator()(const auto& executor, const auto& x, const auto& y) const {
    if constexpr (requires { L::operator()(executor, world(), x, y); }) {
      L::operator()(executor, world(), x, y);
    } else {
      L::operator()(executor, x, y);
    }
  }
  void forward(const auto& x, const auto& y, auto& saved) { forward(norma::sequential, x, y, saved); }
  void forward(const auto& executor, const auto& x, const auto& y, auto& saved) { L::forward(executor, world(), x, y, saved); }
  void backward(const auto& dy, const auto& x, auto& saved, const auto& dx) { backward(norma::sequential, dy, x, saved, dx); }
  void backward(const auto& executor, const auto& dy, const auto& x, auto& saved, const auto& dx) {
    L::backward(executor, world(), dy, x, saved, dx);
  }
};

template <class Entry, class T>
std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
  using L = InWorld<decltype(Entry::template layer<T>(s))>;
  return std::make_unique<Layer<L, T, T, T>>(L(Entry::template layer<T>(s)));
}
/// A subject over ranks that are threads, and the same of which this process is a rank.
struct Twins {
  Subject of_threads, of_processes;
};
template <class Entry>
Twins twins(const std::string& name) {
  const Subject& subject = subject_named(name);
  Twins both{subject, subject};
  both.of_processes.makers = {{all_f32, make<Entry, float>}, {all_f64, make<Entry, double>}};
  return both;
}

struct Case {
  const Twins* twins;
  Types types;
  Setting setting;

  std::string name() const { return twins->of_threads.name + "_" + case_name(types, setting); }
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name(); }

/// Every split that is for so many ranks, with any of its subject's options.
std::vector<Case> all_cases() {
  static const std::vector<Twins> all = {twins<entries::SyncBatchNormRanks>("SyncBatchNorm"),
                                         twins<entries::BatchRenormLayer>("BatchRenorm_shared"),
                                         twins<entries::LayerNormLayer>("LayerNorm_split"), twins<entries::RmsNormLayer>("RMSNorm_split")};
  std::vector<Case> cases;
  Random random(1);
  for (const Twins& each : all) {
    for_plain_types([&](const Types& t) {
      for (const Setting& s : each.of_threads.family.shapes) {
        if (static_cast<int>(s.parts.size()) == world().size())
          cases.push_back({&each, t, varied(s, each.of_threads.variation(random.below(60)))});
      }
    });
  }
  return cases;
}

bool is_gradient(const std::string& row) { return row.find("d weight") != std::string::npos || row.find("d bias") != std::string::npos; }

/// The question to all ranks, and this rank's part of it.
struct Question {
  explicit Question(const Case& c) : subject(c.twins->of_threads), on_this_rank(c.twins->of_processes), types(c.types), whole(c.setting) {
    mine.extents[mine.split_axis] = mine.parts[static_cast<std::size_t>(world().rank())];
    mine.parts.clear();
    part.x[0] = x.mine(all.x[0]);
    part.dy[0] = x.mine(all.dy[0]);
    for (auto& [name, values] : part.parameters) {
      if (!shares_batch) values = parameters.mine(values);
    }
  }

  Rows run_here(const Plan& plan = {}) const { return run(on_this_rank, types, mine, part, plan); }

  /// The rows of all ranks: parts joined, a batch's gradients summed; the rest must be the same everywhere. A layer without elements has no
  /// parameters.
  Rows together(const Rows& here) const {
    Rows rows;
    for (const auto& [name, values_of_threads] : of_threads) {
      const Values values = here.has(name) ? here.at(name) : Values();
      const std::vector<Values> of_ranks = exchanged(values);
      if (name.starts_with("y") || name.ends_with("dx")) {
        rows.emplace_back(name, x.joined(of_ranks));
      } else if (is_gradient(name) && !shares_batch) {
        rows.emplace_back(name, parameters.joined(of_ranks));
      } else if (is_gradient(name)) {
        Values sum(values.size(), 0);
        for (std::size_t i = 0; i < sum.size(); ++i) {
          for (const Values& each : of_ranks) sum[i] += each[i];
          sum[i] = rounded_to(types.parameter, sum[i]);
        }
        rows.emplace_back(name, sum);
      } else {
        for (const Values& each : of_ranks) EXPECT_TRUE(same(each, values)) << name << " differs from rank to rank";
        rows.emplace_back(name, values);
      }
    }
    return rows;
  }

  const Subject &subject, &on_this_rank;
  const Types types;
  const Setting whole;
  const bool shares_batch = whole.axes.empty();
  const Data all = random_data(subject, types, whole, 31, 2);
  const Rows of_threads = run(subject, types, whole, all);
  const Dealt x{whole.extents, whole.split_axis, whole.parts}, parameters = of_parameters(whole);
  Setting mine = whole;
  Data part = all;

 private:
  static Dealt of_parameters(const Setting& s) {
    const Extents shape = parameter_extents(Form::normalized, s);
    return {shape, s.split_axis + shape.size() - s.extents.size(), s.parts};
  }
};

class MpiNorm : public testing::TestWithParam<Case> {
 protected:
  const Question q{GetParam()};
  const std::size_t rank = static_cast<std::size_t>(world().rank());
};

TEST_P(MpiNorm, IsRightAndHasTheBitsOfThreads) {
  const Rows rows = q.together(q.run_here());
  expect_correct(rows, Exact(q.subject, q.types, q.whole, q.all));
  expect_same(rows, q.of_threads);
}

/// Each rank's tensors lie in another way; threads inside a rank and outputs over inputs change no bit.
TEST_P(MpiNorm, InAnyLayoutOnThreadsAndInPlace) {
  static constexpr std::array layouts = {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::reversed};
  Plan plan;
  plan.x = plan.y = lying(layouts[rank % layouts.size()]);
  plan.dy = plan.dx = lying(layouts[(rank + 2) % layouts.size()]);
  const Rows rows = q.run_here(plan);
  expect_correct(q.together(rows), Exact(q.subject, q.types, q.whole, q.all));
  const PoolOf two_threads(norma::openmp(2));
  plan.pool = &two_threads;
  for (const Alias alias : {Alias::none, Alias::y_is_x, Alias::dx_is_dy}) {
    plan.alias = alias;
    expect_same(q.run_here(plan), rows);
  }
}

/// Gradients add up, beside ranks without a dx too. Of a batch's gradients a rank has the share of its samples: what all would have
/// together if there were no upstream gradient elsewhere.
TEST_P(MpiNorm, EachRanksGradients) {
  Rig rig(q.on_this_rank, q.types, q.mine, q.part);
  const Rows once = rig.all();
  if (rank % 2 == 1) rig.call().dx[0] = {};
  rig.backward();
  Rows twice;
  rig.take_gradients(twice);
  std::vector<Values> dy = exchanged(q.part.dy[0]);
  for (std::size_t r = 0; r < dy.size(); ++r) {
    if (r != rank) dy[r].assign(dy[r].size(), 0);
  }
  Data alone = q.all;
  alone.dy[0] = q.x.joined(dy);
  const Exact share(q.subject, q.types, q.whole, alone);
  for (const auto& [name, values] : twice) {
    if (!is_gradient(name)) continue;
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 2 * once.at(name)[i]) << name << " at " << i;
    if (q.shares_batch) {
      EXPECT_TRUE(within(once.at(name), share.rows.at(name))) << name << " of this rank";
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, MpiNorm, testing::ValuesIn(all_cases()), [](const auto& each) { return each.param.name(); });

// --- What ranks refuse ------------------------------------------------------------------------------------------------------------------

template <class F>
void expect_error(int bad, F f) {
  try {
    f();
    ADD_FAILURE() << "rank " << world().rank() << ": nothing was thrown";
  } catch (const norma::ShapeError& error) {
    const bool of_others = std::string(error.what()).find("rank " + std::to_string(bad) + " refused") != std::string::npos;
    EXPECT_EQ(of_others, world().rank() != bad) << error.what();
  }
}

/// Each rank in turn makes a mistake, forward and backward; all throw, nothing is written, and the next step is a good one.
TEST(MpiBatchNorm, AnErrorOnOneRankReachesAll) {
  const Extents extents = {4, 5, 3};
  norma::SyncBatchNorm<float> layer(5);
  for (int bad = 0; bad < world().size(); ++bad) {
    const bool mine = world().rank() == bad;
    Tensor<float> x(extents, {}, random_values<float>(count(extents), static_cast<std::uint64_t>(world().rank()))), y(extents, {});
    Tensor<float> dx(extents, {});
    norma::Saved<float> saved;
    const auto wrong = x.view().slice(1, 0, 4);
    expect_error(bad, [&] { layer.forward(world(), mine ? wrong : x.view(), y.view(), saved); });
    EXPECT_TRUE(y.untouched());
    EXPECT_EQ(layer.num_batches_tracked(), bad);

    layer.forward(world(), x.view(), y.view(), saved);
    expect_error(bad, [&] { layer.backward(world(), mine ? wrong : y.view(), x.view(), saved, dx.view()); });
    EXPECT_TRUE(dx.untouched());
    for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0F);
    layer.backward(world(), y.view(), x.view(), saved, dx.view());
    layer.zero_grad();
  }
}

}  // namespace
}  // namespace norma_test
