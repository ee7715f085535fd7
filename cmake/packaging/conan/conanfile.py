# Conan 2 recipe of norma, of the tree it lies in: conan create <norma>/cmake/packaging/conan
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load


class NormaConan(ConanFile):
    name = "norma"
    description = "Header-only C++20 library of normalization layers"
    license = "MIT"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_eigen": [True, False]}
    default_options = {"with_eigen": True}  # without: no Eigen tensors, no SpectralNorm
    no_copy_source = True

    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        config = load(self, os.path.join(self._root(), "include", "norma", "core", "config.hpp"))
        self.version = ".".join(re.search(rf"#define NORMA_VERSION_{part} (\d+)", config).group(1) for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        for pattern in ("LICENSE", "include/norma/*.hpp"):
            copy(self, pattern, src=self._root(), dst=self.export_sources_folder)

    def requirements(self):
        self.requires("xsimd/[>=8.1]", transitive_headers=True)
        if self.options.with_eigen:
            self.requires("eigen/[>=3.4]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", src=os.path.join(self.source_folder, "include"), dst=os.path.join(self.package_folder, "include"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "norma")
        self.cpp_info.set_property("cmake_target_name", "norma::norma")
        self.cpp_info.set_property("pkg_config_name", "norma")
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
