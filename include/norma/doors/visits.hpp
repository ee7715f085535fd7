// How layers show their parameters and buffers: one door for layers that may be changed and for const ones.
#pragma once

#include <norma/core/config.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Layer has visit_parameters(self, f), which calls f(name, value, grad) for each parameter of self, a Layer or a const one.
template <class Layer>
class VisitedParameters {
 public:
  ///@{
  /// f(name, value, grad) for each parameter, with PyTorch's state_dict names; read-only spans of a const layer.
  template <class F>
  void for_each_parameter(F&& f) {
    Layer::visit_parameters(static_cast<Layer&>(*this), f);
  }
  template <class F>
  void for_each_parameter(F&& f) const {
    Layer::visit_parameters(static_cast<const Layer&>(*this), f);
  }
  ///@}
};

/// The same of buffers, which have no gradient: visit_buffers(self, f) calls f(name, value).
template <class Layer>
class VisitedBuffers {
 public:
  ///@{
  /// f(name, value) for each buffer, with PyTorch's state_dict names; read-only spans of a const layer.
  template <class F>
  void for_each_buffer(F&& f) {
    Layer::visit_buffers(static_cast<Layer&>(*this), f);
  }
  template <class F>
  void for_each_buffer(F&& f) const {
    Layer::visit_buffers(static_cast<const Layer&>(*this), f);
  }
  ///@}
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
