// The norms under test: an entry says what a norm is (its reference, its shapes, what it promises, which properties do not apply and why)
// and how it is made for T parameters, X in and Y out.
#pragma once

#include <optional>

#include "subjects/adaptors.hpp"
#include "subjects/over_ranks.hpp"

namespace norma_test {

// A set of overloads cannot be passed as an argument; an object that calls it can.
#define NORMA_TEST_FUNCTION(name_of_function, name_of_backward, name_of_layer, source_of_statistics) \
  struct name_of_function##_function {                                                               \
    static constexpr const char* layer = name_of_layer;                                              \
    static constexpr Source source = Source::source_of_statistics;                                   \
    template <class... A>                                                                            \
    static void forward(A&&... a) {                                                                  \
      norma::name_of_function(std::forward<A>(a)...);                                                \
    }                                                                                                \
    template <class... A>                                                                            \
    static void backward(A&&... a) {                                                                 \
      norma::name_of_backward(std::forward<A>(a)...);                                                \
    }                                                                                                \
  };
NORMA_TEST_FUNCTION(layer_norm, layer_norm_backward, "LayerNorm", of_x)
NORMA_TEST_FUNCTION(rms_norm, rms_norm_backward, "RMSNorm", of_x)
NORMA_TEST_FUNCTION(batch_norm, batch_norm_backward, "BatchNorm", of_the_batch)
NORMA_TEST_FUNCTION(group_norm, group_norm_backward, "GroupNorm", of_x)
NORMA_TEST_FUNCTION(instance_norm, instance_norm_backward, "InstanceNorm", of_x)
#undef NORMA_TEST_FUNCTION
struct batch_norm_inference_function : batch_norm_function {
  static constexpr Source source = Source::given;
  template <class... A>
  static void backward(A&&... a) {
    norma::batch_norm_backward_frozen(std::forward<A>(a)...);
  }
};

namespace entries {

// --- Options under names --------------------------------------------------------------------------------------------------------------

/// The combinations of a function's parameters worth a test of their own.
inline std::vector<Variation> function_forms(bool of_channels) {
  std::vector<Variation> list = {
      {""},
      {"plain", {.weight = Form::absent, .bias = Form::absent}},
      {"weight", {.bias = Form::absent}},
      {"bias", {.weight = Form::absent}},
      {"offset", {.unit_offset = true}},
      {"film_offset", {.weight = Form::per_set, .bias = Form::per_set, .unit_offset = true}},
      {"film_weight", {.weight = Form::per_set}},
      {"full", {.weight = Form::full, .bias = Form::full}},
      {"even_odd", {.weight = Form::even_axes, .bias = Form::odd_axes}},
      {"odd_even_offset", {.weight = Form::odd_axes, .bias = Form::even_axes, .unit_offset = true}},
      {"single_full", {.weight = Form::single, .bias = Form::full}},
      {"weight_single", {.bias = Form::single}},
      {"full_weight", {.weight = Form::full, .bias = Form::absent}},
  };
  if (of_channels) {
    list.push_back({"map_film", {.weight = Form::spatial, .bias = Form::per_set}});
    list.push_back({"map_offset", {.weight = Form::absent, .bias = Form::spatial, .unit_offset = true}});
  }
  return list;
}
/// Those of a layer that owns weight and bias.
inline std::vector<Variation> layer_options() {
  return {{""}, {"plain", {.weight = Form::absent, .bias = Form::absent}}, {"no_bias", {.bias = Form::absent}}};
}
inline std::vector<Variation> with_offset(std::vector<Variation> list) {
  list.push_back({"offset", {.unit_offset = true}});
  return list;
}
inline std::vector<Variation> with_eps_outside(std::vector<Variation> list) {
  list.push_back({"eps_outside", {.eps_outside_sqrt = true}});
  list.push_back({"eps_outside_offset", {.eps = 0.25, .unit_offset = true, .eps_outside_sqrt = true}});
  return list;
}
/// Those of a layer that tracks, BatchNorm's conventions among them.
inline std::vector<Variation> tracking_options() {
  return {{"", {.eps = 1e-3}},
          {"keras_no_bias", {.bias = Form::absent, .eps = 0.25, .convention = Convention::keras}},
          {"plain_untracked", {.weight = Form::absent, .bias = Form::absent, .untracked = true}},
          {"onnx_cumulative", {.cumulative = true, .convention = Convention::onnx}}};
}
/// Those of the mixed norms; each takes what it knows.
inline std::vector<Variation> mixed_options() {
  return {{"", {.eps = 1e-3}},
          {"authors_clipped_hard", {.eps = 1e-3, .r_max = 1.01, .d_max = 0.01, .authors = true, .cumulative = true}},
          {"no_bias", {.bias = Form::absent, .eps = 0.25}},
          {"plain_unclipped", {.weight = Form::absent, .bias = Form::absent, .eps = 1e-3, .r_max = 1e6, .d_max = 1e6}},
          {"untracked", {.r_max = 1, .d_max = 0, .untracked = true}}};
}

inline norma::Extents trailing(const Setting& s, std::size_t rank_part = 0) {
  const std::vector<bool> is_averaged = averaged(s.extents, s.axes);
  norma::Extents result;
  for (std::size_t a = 0; a < s.extents.size(); ++a) {
    if (is_averaged[a]) result.push_back(!s.parts.empty() && a == s.split_axis ? s.parts[rank_part] : s.extents[a]);
  }
  return result;
}
inline bool has_weight(const Setting& s) { return s.weight != Form::absent; }
inline bool has_bias(const Setting& s) { return s.bias != Form::absent; }

// --- Which elements x reaches -------------------------------------------------------------------------------------------------------

inline std::size_t plane_of(const Setting& s, std::size_t i) { return i / count({s.extents.begin() + 2, s.extents.end()}); }
inline std::size_t channel_of(const Setting& s, std::size_t i) { return plane_of(s, i) % static_cast<std::size_t>(s.extents[1]); }
inline bool through_channel(const Setting& s, bool running, std::size_t from, std::size_t to) {
  return running ? from == to : channel_of(s, from) == channel_of(s, to);
}

inline void shares_batch(Subject& s) {
  s.without["Batch"] = s.without["SampleOfBatch"] = "the samples of a batch share its statistics";
  if (s.family.least_length > 1) s.without["OneElement"] = "one value a channel is an error in training";
}

// --- Free functions -------------------------------------------------------------------------------------------------------------------

/// What the entries of free functions share.
template <class F, bool of_channels = true>
struct FunctionEntry {
  static Subject function(const char* name, reference::Answer (*formula)(const reference::Problem&), Family family) {
    Subject s{name, F::layer, formula, std::move(family), function_forms(of_channels)};
    s.function = true;
    s.has_axes = !of_channels;
    if (F::source == Source::of_the_batch) shares_batch(s);
    s.without["Value"] = "a function is no value";
    s.without["FiftySteps"] = "a function has no parameters of its own to learn";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent& lent) {
    return std::make_unique<Function<F, X, Y>>(s, lent);
  }
  template <class T, class X, class Y>
  static constexpr bool made_for = std::is_same_v<T, norma::ParameterFor<X>>;
};

struct LayerNormFunction : FunctionEntry<layer_norm_function, false> {
  static Subject subject() { return function("layer_norm", reference::layer_norm, row_family()); }
};
struct RmsNormFunction : FunctionEntry<rms_norm_function, false> {
  static Subject subject() {
    Subject s = function("rms_norm", reference::rms_norm, row_family());
    s.variations = with_eps_outside(s.variations);
    s.centred = false;
    return s;
  }
};
struct BatchNormFunction : FunctionEntry<batch_norm_function> {
  static Subject subject() {
    Subject s = function("batch_norm", reference::batch_norm, batch_family());
    s.learning = Learning::of_batch;
    s.inference_allocates_nothing = false;  // it has none: a training forward stands for it
    return s;
  }
};
struct BatchNormInference : FunctionEntry<batch_norm_inference_function> {
  static Subject subject() {
    Subject s = function("batch_norm_inference", reference::given_norm, given_family());
    s.given_statistics = true;
    const char* const given = "statistics are given";
    s.without["ExactData"] = given;
    s.without["Identities"] = given;
    s.without["HardRows"] = given;
    s.without["OneElement"] = given;
    s.without["Saved"] = "nothing is saved";
    return s;
  }
};
struct GroupNormFunction : FunctionEntry<group_norm_function> {
  static Subject subject() { return function("group_norm", reference::group_norm, group_family()); }
};
struct InstanceNormFunction : FunctionEntry<instance_norm_function> {
  static Subject subject() { return function("instance_norm", reference::instance_norm, instance_family()); }
};

// --- Layers over rows -------------------------------------------------------------------------------------------------------------------

/// Made for every mix of element and parameter types.
struct LayerEntry {
  template <class T, class X, class Y>
  static constexpr bool made_for = true;
  static void learns_nothing(Subject& s) { s.without["FiftySteps"] = "it keeps no running statistics"; }
  /// A layer of one stream.
  template <class X, class Y, template <class> class L, class T>
  static std::unique_ptr<Norm> held(L<T> layer) {
    return std::make_unique<Layer<L<T>, T, X, Y>>(std::move(layer));
  }
};

/// Made for some mixes: each type once other than the parameters', and where double stands behind both.
struct SomeMixesEntry : LayerEntry {
  template <class T, class X, class Y>
  static constexpr bool made_for = (std::is_same_v<T, X> && std::is_same_v<T, Y>) || (std::is_same_v<T, float> && !std::is_same_v<X, Y>) ||
                                   (std::is_same_v<T, float> && sizeof(X) == 2) ||
                                   (std::is_same_v<T, double> && std::is_same_v<X, float> && std::is_same_v<Y, float>);
};
/// Made for plain types and for x and y of 16 bits: mixes are those of the layer in one process.
struct RanksEntry : LayerEntry {
  template <class T, class X, class Y>
  static constexpr bool made_for = std::is_same_v<X, Y> && (std::is_same_v<T, X> || sizeof(X) == 2);
  /// The batch dealt to ranks, each with a copy of the layer.
  template <class X, class Y, template <class> class L, class T>
  static std::unique_ptr<Norm> shared(const L<T>& layer, const Setting& s) {
    std::vector<std::unique_ptr<Norm>> ranks;
    for (std::size_t r = 0; r < s.parts.size(); ++r) ranks.push_back(std::make_unique<Layer<L<T>, T, X, Y, true>>(layer));
    return std::make_unique<OverRanks>(std::move(ranks), element_of<T>, s, Extents{s.extents[1]}, -1);
  }
};

struct LayerNormLayer : LayerEntry {
  static Subject subject() {
    Subject s{"LayerNorm", "LayerNorm", reference::layer_norm, trailing_family(), with_offset(layer_options())};
    learns_nothing(s);
    s.has_axes = true;
    return s;
  }
  template <class T>
  static norma::LayerNorm<T> layer(const Setting& s, std::size_t rank = 0) {
    return norma::LayerNorm<T>(trailing(s, rank),
                               {.eps = s.eps, .affine = has_weight(s), .bias = has_bias(s), .unit_offset = s.unit_offset});
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(layer<T>(s));
  }
};
struct RmsNormLayer : LayerEntry {
  static Subject subject() {
    Subject s{"RMSNorm", "RMSNorm", reference::rms_norm, trailing_family(), with_eps_outside(with_offset(layer_options()))};
    learns_nothing(s);
    s.has_axes = true;
    s.centred = false;
    return s;
  }
  template <class T>
  static norma::RMSNorm<T> layer(const Setting& s, std::size_t rank = 0) {
    return norma::RMSNorm<T>(
        trailing(s, rank),
        {.eps = s.eps, .affine = has_weight(s), .bias = has_bias(s), .unit_offset = s.unit_offset, .eps_outside_sqrt = s.eps_outside_sqrt});
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(layer<T>(s));
  }
};

// --- Layers of channels -----------------------------------------------------------------------------------------------------------------

inline norma::StatsConvention convention_of(const Setting& s) {
  return s.convention == Convention::torch   ? norma::StatsConvention::torch
         : s.convention == Convention::keras ? norma::StatsConvention::keras
                                             : norma::StatsConvention::onnx;
}

/// Layers with statistics of the batch.
inline Subject batch_layer(const char* name, reference::Answer (*formula)(const reference::Problem&), Family family,
                           std::vector<Variation> variations) {
  Subject s{name, name, formula, std::move(family), std::move(variations)};
  s.infers_apart = true;
  s.learning = Learning::of_batch;
  s.reaches = through_channel;
  shares_batch(s);
  return s;
}

struct BatchNormLayer : LayerEntry {
  static Subject subject() { return batch_layer("BatchNorm", reference::batch_norm, tracking_family(), tracking_options()); }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(norma::BatchNorm<T>(s.extents[1], {.eps = s.eps,
                                                         .momentum = s.momentum,
                                                         .affine = has_weight(s),
                                                         .bias = has_bias(s),
                                                         .track_running_stats = s.tracks,
                                                         .convention = convention_of(s)}));
  }
};
struct GroupNormLayer : LayerEntry {
  static Subject subject() {
    Subject s{"GroupNorm", "GroupNorm", reference::group_norm, group_family(), with_offset(layer_options())};
    learns_nothing(s);
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(norma::GroupNorm<T>(s.groups, s.extents[1],
                                          {.eps = s.eps, .affine = has_weight(s), .bias = has_bias(s), .unit_offset = s.unit_offset}));
  }
};
struct InstanceNormLayer : LayerEntry {
  static Subject subject() {
    Subject s = batch_layer("InstanceNorm", reference::instance_norm, instance_family(),
                            {{"untracked", {.untracked = true}},
                             {"tracked", {.bias = Form::absent}},
                             {"plain", {.weight = Form::absent, .bias = Form::absent}},
                             {"cumulative", {.cumulative = true}}});
    s.learning = Learning::of_instances;
    s.without.erase("Batch");
    s.without.erase("SampleOfBatch");
    s.reaches = [](const Setting& each, bool running, std::size_t from, std::size_t to) {
      return running ? from == to : plane_of(each, from) == plane_of(each, to);
    };
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(norma::InstanceNorm<T>(
        s.extents[1],
        {.eps = s.eps, .momentum = s.momentum, .affine = has_weight(s), .bias = has_bias(s), .track_running_stats = s.tracks}));
  }
};

struct BatchRenormLayer : SomeMixesEntry {
  static Subject subject() {
    Subject s = batch_layer("BatchRenorm", reference::batch_renorm, tracking_family(), mixed_options());
    s.variations.back() = {"no_room", {.r_max = 1, .d_max = 0}};  // it always tracks
    s.promises_bound = false;
    s.without["ExactData"] = "clipped statistics";
    s.without["Identities"] = "clipped statistics: BatchNorm's identity is tested with the layer";
    return s;
  }
  template <class T>
  static norma::BatchRenorm<T> layer(const Setting& s) {
    return norma::BatchRenorm<T>(s.extents[1], {.eps = s.eps,
                                                .momentum = s.momentum,
                                                .affine = has_weight(s),
                                                .bias = has_bias(s),
                                                .schedule = norma::RenormSchedule::constant(s.r_max, s.d_max)});
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(layer<T>(s));
  }
};

struct SwitchableNormLayer : SomeMixesEntry {
  static Subject subject() {
    Subject s = batch_layer("SwitchableNorm", reference::switchable_norm, tracking_family(), mixed_options());
    s.keeps_statistics = s.promises_bound = s.inference_allocates_nothing = false;
    // A plane's statistics go into those of its sample, and of its channel unless running ones stand for them.
    s.reaches = [](const Setting& each, bool running, std::size_t from, std::size_t to) {
      const auto channels = static_cast<std::size_t>(each.extents[1]);
      return plane_of(each, from) / channels == plane_of(each, to) / channels ||
             (!running && channel_of(each, from) == channel_of(each, to));
    };
    s.dx_knows_all = true;
    s.without["ExactData"] = "mixed statistics";
    s.without["Identities"] = "mixed statistics: the norms at one-hot logits are tested with the layer";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(norma::SwitchableNorm<T>(
        s.extents[1], {.eps = s.eps,
                       .momentum = s.momentum,
                       .affine = has_weight(s),
                       .bias = has_bias(s),
                       .track_running_stats = s.tracks,
                       .variance = s.authors ? norma::SwitchableVariance::authors : norma::SwitchableVariance::population}));
  }
};

struct BatchInstanceNormLayer : SomeMixesEntry {
  static Subject subject() {
    Subject s = batch_layer("BatchInstanceNorm", reference::batch_instance_norm, tracking_family(), mixed_options());
    s.keeps_statistics = s.promises_bound = s.inference_allocates_nothing = false;
    s.reaches = [](const Setting& each, bool running, std::size_t from, std::size_t to) {
      return running ? plane_of(each, from) == plane_of(each, to) : channel_of(each, from) == channel_of(each, to);
    };
    s.without["ExactData"] = "two statistics an element";
    s.without["HardRows"] = "two centres become one, which a plane far from the running mean pays for: HardData has what is promised";
    s.without["Identities"] = "two statistics an element: the norms at both ends of the gate are tested with the layer";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(norma::BatchInstanceNorm<T>(
        s.extents[1],
        {.eps = s.eps, .momentum = s.momentum, .affine = has_weight(s), .bias = has_bias(s), .track_running_stats = s.tracks}));
  }
};

struct MeanOnlyBatchNormLayer : SomeMixesEntry {
  static Subject subject() {
    Subject s = batch_layer("MeanOnlyBatchNorm", reference::mean_only_batch_norm, given_family(), mixed_options());
    s.keeps_statistics = s.promises_bound = false;
    s.without["ExactData"] = "no variance: exact numbers are tested with the layer";
    s.without["Identities"] = "no variance, nothing is scaled";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return held<X, Y>(
        norma::MeanOnlyBatchNorm<T>(s.extents[1], {.momentum = s.momentum, .bias = has_bias(s), .track_running_stats = s.tracks}));
  }
};

// --- Over ranks -------------------------------------------------------------------------------------------------------------------------

inline Subject over_ranks(Subject s, const char* name, Family family) {
  s.name = name;
  s.family = std::move(family);
  s.over_ranks = true;
  s.without["Allocation"] = "what travels is allocated anew";
  s.without["MixedTypes"] = "mixes of types are the one process' business";
  s.without["Stack"] = s.without["OutOfMemory"] = "ranks are threads of their own";
  s.without["Value"] = "its layers are copied by the ranks, each alone";
  return s;
}
inline Subject shared_batch(Subject s, const char* name, const char* layer) {
  s = over_ranks(std::move(s), name, shared_batch_family());
  s.layer = layer;
  // Without tracking, inference uses the statistics of each rank's own part.
  std::erase_if(s.variations, [](const Variation& v) { return v.name.find("untracked") != std::string::npos; });
  return s;
}

struct SyncBatchNormRanks : RanksEntry {
  static Subject subject() { return shared_batch(BatchNormLayer::subject(), "SyncBatchNorm", "SyncBatchNorm"); }
  template <class T>
  static norma::SyncBatchNorm<T> layer(const Setting& s) {
    return norma::SyncBatchNorm<T>(s.extents[1], {.eps = s.eps,
                                                  .momentum = s.momentum,
                                                  .affine = has_weight(s),
                                                  .bias = has_bias(s),
                                                  .track_running_stats = s.tracks,
                                                  .convention = convention_of(s)});
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return shared<X, Y>(layer<T>(s), s);
  }
};
struct BatchRenormRanks : RanksEntry {
  static Subject subject() { return shared_batch(BatchRenormLayer::subject(), "BatchRenorm_shared", "BatchRenorm"); }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    return shared<X, Y>(BatchRenormLayer::layer<T>(s), s);
  }
};

/// Normalized axes split over ranks.
template <class Entry>
struct SplitRanks : RanksEntry {
  static Subject split(const char* name) {
    Subject s = over_ranks(Entry::subject(), name, split_rows_family());
    s.has_axes = false;  // where a shard ends, so does a sum
    s.without["SampleOfBatch"] = "a shard whose rows lie as columns is summed as its cells lie, and one row alone lies otherwise";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    using L = decltype(Entry::template layer<T>(s));
    std::vector<std::unique_ptr<Norm>> ranks;
    for (std::size_t r = 0; r < s.parts.size(); ++r)
      ranks.push_back(std::make_unique<Layer<L, T, X, Y, true>>(Entry::template layer<T>(s, r)));
    Setting whole = s;
    whole.parts.clear();
    const norma::Extents shape = trailing(whole);
    const int axis = static_cast<int>(s.split_axis) - static_cast<int>(s.extents.size()) + shape.size();
    return std::make_unique<OverRanks>(std::move(ranks), element_of<T>, s, Extents(shape.begin(), shape.end()), axis);
  }
};
struct LayerNormRanks : SplitRanks<LayerNormLayer> {
  static Subject subject() { return split("LayerNorm_split"); }
};
struct RmsNormRanks : SplitRanks<RmsNormLayer> {
  static Subject subject() { return split("RMSNorm_split"); }
};

// --- Queries and keys -------------------------------------------------------------------------------------------------------------------

template <norma::QKForm form>
struct QKNormLayer : SomeMixesEntry {
  static Subject queries_and_keys(const char* name, reference::Answer (*formula)(const reference::Problem&)) {
    Subject s{name, "QKNorm", formula, head_family(), layer_options()};
    s.streams = {"q", "k"};
    learns_nothing(s);
    s.has_axes = true;
    s.centred = form == norma::QKForm::layer;
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent&) {
    using L = norma::QKNorm<T>;
    L layer(s.extents.back(), {.form = form, .eps = s.eps, .affine = has_weight(s), .bias = has_bias(s), .unit_offset = s.unit_offset});
    return std::make_unique<TwoStreams<L, T, X, Y>>(std::move(layer));
  }
};
struct QKNormRms : QKNormLayer<norma::QKForm::rms> {
  static Subject subject() {
    Subject s = queries_and_keys("QKNorm_rms", reference::rms_norm);
    s.variations = with_offset({{"", {.bias = Form::absent}}, {"plain", {.weight = Form::absent, .bias = Form::absent}}});
    return s;
  }
};
struct QKNormCentred : QKNormLayer<norma::QKForm::layer> {
  static Subject subject() {
    Subject s = queries_and_keys("QKNorm_layer", reference::layer_norm);
    s.variations = with_offset(s.variations);
    return s;
  }
};
struct QKNormUnit : QKNormLayer<norma::QKForm::l2> {
  static Subject subject() {
    Subject s = queries_and_keys("QKNorm_l2", reference::unit_norm);
    s.variations = {{"", {.weight = Form::single, .bias = Form::absent}}, {"plain", {.weight = Form::absent, .bias = Form::absent}}};
    s.without["ExactData"] = "a length is a root: nothing comes out even";
    return s;
  }
};

// --- Weights ----------------------------------------------------------------------------------------------------------------------------

/// v and g, or W, are of the parameter type; w and dw have their own.
struct WeightEntry {
  template <class T, class X, class Y>
  static constexpr bool made_for = std::is_same_v<T, X>;
  static Subject weight(const char* name, reference::Answer (*formula)(const reference::Problem&), bool with_none) {
    Subject s{name, name, formula, weight_family(with_none), {{""}}};
    s.streams = {"w"};
    s.owns_x = true;
    s.centred = false;
    s.keeps_statistics = false;
    s.without["FiftySteps"] = "it keeps no running statistics";
    s.without["Batch"] = s.without["SampleOfBatch"] = "a weight has no samples";
    s.without["InPlace"] = "w has no x to be written over";
    s.without["Absent"] = "dx is the gradient of a parameter";
    s.without["Broadcast"] = "x is a parameter of the layer's own";
    return s;
  }
};
struct WeightNormLayer : WeightEntry {
  static Subject subject() {
    Subject s = weight("WeightNorm", reference::unit_norm, true);
    s.without["ExactData"] = "a length is a root: nothing comes out even";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent& lent) {
    using L = norma::WeightNorm<T>;
    const auto rank = static_cast<std::ptrdiff_t>(s.extents.size());
    L layer(in<T>(lent.w0), {.dim = *s.dim == rank ? std::nullopt : std::optional<norma::index_t>(*s.dim)});
    return std::make_unique<Weight<L, T, Y>>(std::move(layer));
  }
};
struct SpectralNormLayer : WeightEntry {
  static Subject subject() {
    Subject s = weight("SpectralNorm", reference::spectral_norm, false);
    s.variations.push_back({"three_iterations", {.iterations = 3}});
    s.infers_apart = true;
    s.promises_bound = false;
    s.reaches = [](const Setting&, bool, std::size_t, std::size_t) { return true; };
    s.without["OneElement"] = "one set, the whole matrix";
    s.without["Subnormals"] = "1 / sigma of a matrix of subnormals is beyond T";
    s.without["FarMean"] = "nothing is subtracted, and its sums are a matrix library's: HardRows has their bound";
    s.without["ExactData"] = "a length is a root: nothing comes out even";
    s.without["OutOfMemory"] = "u and v have moved by then, and are unit vectors still";
    s.without["Identities"] = "one set, the whole matrix: it is judged by its singular values with the layer";
    return s;
  }
  template <class T, class X, class Y>
  static std::unique_ptr<Norm> make(const Setting& s, const Lent& lent) {
    using L = norma::SpectralNorm<T>;
    return std::make_unique<Weight<L, T, Y>>(L(in<T>(lent.w0), {.dim = *s.dim, .n_power_iterations = s.iterations, .seed = 5}));
  }
};

}  // namespace entries

/// THE list: an entry a norm.
template <class F>
void for_each_entry(F f) {
  using namespace entries;
  const auto all = [&]<class... E>(std::type_identity<E>... entry) { (f(entry), ...); };
  all(std::type_identity<LayerNormFunction>(), std::type_identity<RmsNormFunction>(), std::type_identity<BatchNormFunction>(),
      std::type_identity<BatchNormInference>(), std::type_identity<GroupNormFunction>(), std::type_identity<InstanceNormFunction>(),
      std::type_identity<LayerNormLayer>(), std::type_identity<RmsNormLayer>(), std::type_identity<BatchNormLayer>(),
      std::type_identity<GroupNormLayer>(), std::type_identity<InstanceNormLayer>(), std::type_identity<BatchRenormLayer>(),
      std::type_identity<SwitchableNormLayer>(), std::type_identity<BatchInstanceNormLayer>(), std::type_identity<MeanOnlyBatchNormLayer>(),
      std::type_identity<SyncBatchNormRanks>(), std::type_identity<BatchRenormRanks>(), std::type_identity<LayerNormRanks>(),
      std::type_identity<RmsNormRanks>(), std::type_identity<QKNormRms>(), std::type_identity<QKNormCentred>(),
      std::type_identity<QKNormUnit>(), std::type_identity<WeightNormLayer>(), std::type_identity<SpectralNormLayer>());
}

/// How each entry is made, in the order of the list, for each mix of types; null where it is not.
using MakersOfTypes = std::vector<std::pair<Types, std::vector<Maker>>>;
MakersOfTypes makers_f32();
MakersOfTypes makers_f64();

template <class T, class X, class Y>
MakersOfTypes::value_type makers_for() {
  std::vector<Maker> makers;
  for_each_entry([&]<class E>(std::type_identity<E>) {
    if constexpr (E::template made_for<T, X, Y>) {
      makers.push_back([](const Setting& s, const Lent& lent) { return E::template make<T, X, Y>(s, lent); });
    } else {
      makers.push_back(nullptr);
    }
  });
  return {{element_of<X>, element_of<Y>, element_of<T>}, std::move(makers)};
}

}  // namespace norma_test
