// norma::load(layer, lookup): parameters and buffers of a layer from a checkpoint, by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <norma/core/view.hpp>
#include <norma/engine/scale.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The names that load asked for in vain, and those that nobody asked for.
struct LoadResult {
  std::vector<std::string> missing;     ///< the layer's
  std::vector<std::string> unexpected;  ///< not the layer's
};

/// lookup(name) of a function, or the value of a map as a pointer, null where there is none.
template <class Lookup>
inline decltype(auto) look_up(Lookup& lookup, std::string_view name) {
  if constexpr (std::is_invocable_v<Lookup&, std::string_view>) {
    return lookup(name);
  } else if constexpr (std::is_invocable_v<Lookup&, std::string>) {
    return lookup(std::string(name));
  } else {
    const auto entry = lookup.find(typename Lookup::key_type(name));
    return entry == lookup.end() ? nullptr : std::addressof(entry->second);
  }
}

/// f(name) for each name that a lookup knows, if it can tell: the keys of a map, names() of a function object.
template <class Lookup, class F>
inline void for_each_name(Lookup& lookup, F&& f) {
  if constexpr (requires { lookup.names(); }) {
    for (const auto& name : lookup.names()) f(std::string_view(name));
  } else if constexpr (requires { typename Lookup::mapped_type; }) {
    for (const auto& entry : lookup) f(std::string_view(entry.first));
  }
}

/// What a lookup gave, kept: a value, or the address of what a reference is bound to.
template <class R>
using Kept = std::conditional_t<std::is_lvalue_reference_v<R>, std::remove_reference_t<R>*, std::remove_cvref_t<R>>;

template <class R>
inline Kept<R> keep(R&& given) {
  if constexpr (std::is_lvalue_reference_v<R>) {
    return std::addressof(given);
  } else {
    return std::forward<R>(given);
  }
}

/// Calls f(view) if something was found, and says whether.
template <class T, class F>
inline bool with_found(T& found, F&& f) {
  if constexpr (Viewable<T>) {
    const auto view = norma::view(found);
    static_assert(are_numbers<typename decltype(view)::value_type>, "norma::load: 8 bits alone are no number, they want a scale");
    if (view.data() == nullptr && view.rank() == 0) return false;  // a default-constructed TensorView
    f(view);
    return true;
  } else if constexpr (requires { std::variant_size<std::remove_cv_t<T>>::value; }) {
    return std::visit([&](auto& alternative) { return with_found(alternative, f); }, found);
  } else if constexpr (std::is_same_v<std::remove_cv_t<T>, std::monostate>) {
    return false;
  } else if constexpr (requires {
                         static_cast<bool>(found);
                         *found;
                       }) {
    return static_cast<bool>(found) && with_found(*found, f);
  } else {
    return false;  // load() has refused it
  }
}

/// Whether there may be a tensor in a T for with_found.
template <class T>
consteval bool may_be_found() {
  if constexpr (Viewable<T> || std::is_same_v<std::remove_cv_t<T>, std::monostate>) {
    return true;
  } else if constexpr (requires { std::variant_size<std::remove_cv_t<T>>::value; }) {
    return []<class... Alternative>(std::type_identity<std::variant<Alternative...>>) {
      return (may_be_found<Alternative>() && ...);
    }(std::type_identity<std::remove_cv_t<T>>());
  } else if constexpr (requires(T & found) {
                         static_cast<bool>(found);
                         *found;
                       }) {
    return may_be_found<std::remove_reference_t<decltype(*std::declval<T&>())>>();
  } else {
    return false;
  }
}

/// f(name, value) for each parameter, then for each buffer.
template <class Layer, class F>
inline void for_each_tensor(Layer& layer, F&& f) {
  layer.for_each_parameter([&](std::string_view name, auto value, auto) { f(name, value); });
  layer.for_each_buffer(f);
}

/// ShapeError unless what was found has this many elements.
template <class T>
inline void check_found(std::string_view name, const TensorView<T>& view, index_t wanted) {
  if (view.size() != wanted) {
    raise_shape_error("load: ", name, " has ", wanted, wanted == 1 ? " element" : " elements", " in the layer; found were extents ",
                      view.extents());
  }
  if (view.data() == nullptr && wanted > 0) raise_shape_error("load: ", name, " was found as a null pointer");
}

/// to = from, converted; the elements of `from` in row-major order.
template <class T, class X>
inline void copy_found(const TensorView<X>& from, T* to) {
  scale(ExecutorRef(sequential), from, T(1), TensorView<T>(to, from.extents()));
}

/// The whole number that was found as num_batches_tracked, if one was.
template <class T>
inline std::optional<std::int64_t> found_count(T& found) {
  double count = 0;
  const bool is_there = with_found(found, [&](const auto& view) {
    check_found("num_batches_tracked", view, 1);
    copy_found(view, &count);
    if (!(count >= 0 && count < 0x1p63 && std::trunc(count) == count)) {
      raise_shape_error("load: num_batches_tracked is ", count, "; a whole number from 0 on is wanted");
    }
  });
  return is_there ? std::optional(static_cast<std::int64_t>(count)) : std::nullopt;
}

/// load() from a lookup that gives what there may be a tensor in.
template <class Given, class Layer, class Lookup>
inline LoadResult load_found(Layer& layer, Lookup& lookup) {
  LoadResult result;
  std::vector<std::string> asked;
  std::vector<Given> all;
  const auto ask = [&](std::string_view name) -> Given& {
    asked.emplace_back(name);
    return all.emplace_back(keep(look_up(lookup, name)));
  };
  for_each_tensor(layer, [&](std::string_view name, auto value) {
    const auto check = [&](const auto& view) { check_found(name, view, static_cast<index_t>(value.size())); };
    if (!with_found(ask(name), check)) result.missing.emplace_back(name);
  });
  std::optional<std::int64_t> batches;
  if constexpr (requires { layer.set_num_batches_tracked(0); }) {
    bool tracks = false;  // a layer that does not has the counter, but no statistics
    layer.for_each_buffer([&](std::string_view, auto) { tracks = true; });
    if (tracks) batches = found_count(ask("num_batches_tracked"));
  }
  for_each_name(lookup, [&](std::string_view name) {
    if (std::find(asked.begin(), asked.end(), name) == asked.end()) result.unexpected.emplace_back(name);
  });
  auto next = all.begin();
  for_each_tensor(layer, [&](std::string_view name, auto value) {
    with_found(*next++, [&](const auto& view) {
      check_found(name, view, static_cast<index_t>(value.size()));  // again, lest a buffer that has changed be written past an end
      copy_found(view, value.data());
    });
  });
  if constexpr (requires { layer.set_num_batches_tracked(0); }) {
    if (batches) layer.set_num_batches_tracked(*batches);
  }
  return result;
}

/// Writes what `lookup` knows into the layer's parameters and buffers, under PyTorch's state_dict names (those of for_each_parameter and
/// for_each_buffer).
///
/// lookup: a function object with lookup(name), name a std::string_view or std::string; or a map from such names. It gives anything
/// norma::view takes, a pointer to it, a std::optional of it, or a std::variant of tensors of several types, where files mix them; a null
/// pointer, an empty optional, std::monostate or a default-constructed TensorView mean that there is nothing. It is asked once for each
/// name, for all of them before the first is copied: what pointers, references and views lead to must not change in between, as one buffer
/// for all names would; give such a container itself. What is found has the parameter's number of elements, in any shape, layout and
/// element type, 16 bits included: elements are taken in row-major order, and rounded once where the layer's type is narrower. A
/// ShapeError, or what lookup throws, comes before anything is written.
///
/// missing: the layer's names of which nothing was found; they keep their values. unexpected: a map's keys that the layer has not; those of
/// lookup.names() if a function object has such a range; of other lookups nothing is known, and unexpected is empty. num_batches_tracked
/// is taken where there is one, of any element type (float holds whole numbers to 2^24), and is never missing: many checkpoints have none.
/// Gradients stay as they are. Not while another thread uses the layer.
template <class Layer, class Lookup>
  requires(!std::is_const_v<Layer>)
inline LoadResult load(Layer& layer, Lookup&& lookup) {
  using Given = Kept<decltype(look_up(lookup, std::string_view()))>;
  static_assert(
      may_be_found<Given>(),
      "norma::load: what the lookup gives must be a tensor (whatever norma::view takes), a pointer to one, a std::optional of one, "
      "or a std::variant of several types of them");
  if constexpr (may_be_found<Given>()) return load_found<Given>(layer, lookup);
  return LoadResult();  // an assertion has failed
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
