"""Which source files a step really imports."""

import os
from functools import cache
from pathlib import Path

import grimp

PACKAGE = Path(__file__).parents[1]
NAME = PACKAGE.name


@cache
def import_graph() -> grimp.ImportGraph:
    """Read the imports of all modules of this package, without importing them."""
    return grimp.build_graph(NAME, cache_dir=None)


def source_files(*modules: str) -> list[str]:
    """Paths of the modules (`commands.train`), of all they import here, and of their packages."""
    closure = set()
    for module in (f"{NAME}.{module}" for module in modules):
        closure |= {module, *import_graph().find_upstream_modules(module)}
    packages = {
        ".".join(parts[:length])
        for parts in (m.split(".") for m in closure)
        for length in range(1, len(parts))
    }
    return sorted(path(module) for module in closure | packages)


def path(module: str) -> str:
    """Path of a module's or a package's source file, from the working directory."""
    relative = Path(*module.split(".")[1:])
    package = PACKAGE / relative / "__init__.py"
    file = package if package.exists() else PACKAGE / relative.with_suffix(".py")
    return os.path.relpath(file)
