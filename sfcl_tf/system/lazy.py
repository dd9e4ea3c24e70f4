"""Public names of a package that resolve when they are first used."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, public: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns a package's `__getattr__`.

    Args:
        package: Its name.
        public: By public name, the module below the package that has it.
    """

    def resolve(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{public[name]}"), name)

    return resolve
