// What every oneDNN peer needs: one engine and stream, borrowed memory, and a primitive as work that does nothing but execute.
#pragma once

#include "../support/problem.hpp"

#include <dnnl.hpp>

#include <unordered_map>
#include <vector>

namespace bench::onednn {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

inline const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

inline dnnl::stream& stream() {
  static dnnl::stream s(cpu());
  return s;
}

inline memory::desc vector(index_t length) { return {{length}, memory::data_type::f32, memory::format_tag::a}; }

inline memory borrow(const memory::desc& desc, float* data) { return memory(desc, cpu(), data); }

inline Work execute(const dnnl::primitive& primitive, const Arguments& arguments) {
  std::vector<dnnl_exec_arg_t> list;
  for (const auto& [index, argument] : arguments) list.push_back({index, argument.get()});
  // The C call takes the list as it is; the C++ one makes it anew each time, which costs as much as a short row.
  return {[primitive, arguments, list, to = stream()] {
            const dnnl_status_t status = dnnl_primitive_execute(primitive.get(), to.get(), static_cast<int>(list.size()), list.data());
            dnnl::error::wrap_c_api(status, "execute");
          },
          {}};
}

}  // namespace bench::onednn
