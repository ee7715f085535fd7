# Stands for Conan 2, of which run_conanfile.py shows the recipe what it relies on.
class ConanFile:
    pass
