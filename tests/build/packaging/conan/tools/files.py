# Stands for Conan's functions on files; as there, the pattern is one of whole paths below src, and `*` crosses folders.
import fnmatch
import pathlib
import shutil


def load(recipe, path):
    return pathlib.Path(path).read_text()


def copy(recipe, pattern, src, dst):
    for path in pathlib.Path(src).rglob("*"):
        below = path.relative_to(src)
        if path.is_file() and fnmatch.fnmatch(str(below), pattern):
            target = pathlib.Path(dst) / below
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
