// What build.docs/finds_undocumented hands to Doxygen: of three names two have no docstring.
#pragma once

/// A documented namespace: names of others are not looked at.
namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Documented, with a member that is not.
struct Documented {
  double undocumented_option = 1e-5;
};

void undocumented_function();

}}  // namespace norma::NORMA_ISA_NAMESPACE
