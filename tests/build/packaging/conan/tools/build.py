# Stands for Conan's checks of a profile.
def check_min_cppstd(recipe, standard):
    recipe.wanted_standard = standard
