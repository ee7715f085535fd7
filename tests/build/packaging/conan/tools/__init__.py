# Stands for Conan's tools.
