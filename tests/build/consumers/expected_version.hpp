// Whether the version in the headers is the one that the build of norma knows.
#pragma once

#include <cstdio>
#include <string>

#include <norma/core/config.hpp>

inline bool version_is_expected() {
  const std::string version =
      std::to_string(NORMA_VERSION_MAJOR) + "." + std::to_string(NORMA_VERSION_MINOR) + "." + std::to_string(NORMA_VERSION_PATCH);
  if (version != EXPECTED_VERSION) std::printf("config.hpp says version %s, the project %s\n", version.c_str(), EXPECTED_VERSION);
  return version == EXPECTED_VERSION;
}
