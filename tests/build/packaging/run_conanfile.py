# run_conanfile.py RECIPE SCRATCH VERSION: takes norma's Conan recipe through export, package and package_info as Conan would, and looks at
# what comes out. `conan`, beside this file, stands for Conan.
import importlib.util
import pathlib
import shutil
import sys
import types

recipe_file, scratch, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("recipe", recipe_file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
shutil.rmtree(scratch, ignore_errors=True)

recipe = module.NormaConan()
recipe.recipe_folder = str(recipe_file.parent)
recipe.export_sources_folder = recipe.source_folder = str(scratch / "sources")
recipe.package_folder = str(scratch / "package")
required, properties = [], {}
recipe.requires = lambda reference, **traits: required.append(reference)
recipe.options = types.SimpleNamespace(**recipe.default_options)
recipe.info = types.SimpleNamespace(clear=lambda: None)
recipe.cpp_info = types.SimpleNamespace(set_property=properties.__setitem__)
for step in ("set_version", "export_sources", "requirements", "validate", "package", "package_id", "package_info"):
    getattr(recipe, step)()

assert recipe.version == version, recipe.version
assert [reference.split("/")[0] for reference in required] == ["xsimd", "eigen"], required
assert recipe.wanted_standard == 20
assert properties["cmake_target_name"] == "norma::norma", properties
headers = pathlib.Path(recipe_file).parents[3] / "include"
packed = scratch / "package"
wanted = {path.relative_to(headers) for path in headers.rglob("*.hpp")}
assert wanted == {path.relative_to(packed / "include") for path in packed.rglob("*.hpp")}
assert (packed / "licenses" / "LICENSE").is_file()
