"""The packages `catalogs` and `pipeline`, which are installed beside this one.

Their names are common, so a user may have a file ``pipeline.py`` or a folder ``catalogs`` that
Python finds first. It must never be run or imported in place of ours.
"""

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

_BESIDE = Path(__file__).absolute().parents[1]


class ShadowedPackageError(ImportError):
    """A file of the user's is imported already under the name of one of our packages."""


def import_own(name: str) -> ModuleType:
    """Import a module of ours, even if a file of the user has the name of its package.

    Parameters
    ----------
    name : str
        Full name of a module in `catalogs` or `pipeline`.

    Raises
    ------
    ShadowedPackageError
        If a module of the user's is imported already under the name of the package; the message
        names its file.
    """
    prefer_own(name.partition(".")[0])
    return import_module(name)


def prefer_own(package: str):
    """Make ``import PACKAGE`` give our package in this process, whatever Python finds first.

    Ours is loaded now if a file or folder of the same name would be found before it. A warning
    names a file that could have been meant to be imported.

    Parameters
    ----------
    package : str
        ``catalogs`` or ``pipeline``.

    Raises
    ------
    ShadowedPackageError
        As for `import_own`.
    """
    ours = _BESIDE / package / "__init__.py"
    loaded = sys.modules.get(package)
    if loaded is not None:
        _check_own(loaded, ours)
        return
    other = find_spec(package)
    if not ours.exists() or (other is not None and _is_file(other, ours)):
        return
    if other is not None and other.has_location and not _is_main(other) and not _is_child():
        warnings.warn(
            f"{other.origin}: has the name of the package {package!r} of lsbg_classifier, which "
            f"takes its place in this process; rename the file if you import it",
            stacklevel=3,
        )
    _load(package, ours)


def _check_own(loaded: ModuleType, ours: Path):
    """Refuse a package that is loaded and not ours."""
    spec = getattr(loaded, "__spec__", None)
    if ours.exists() and (spec is None or not _is_file(spec, ours)):
        place = getattr(loaded, "__file__", None) or next(iter(loaded.__path__))
        raise ShadowedPackageError(
            f"{place}: is imported under the name {loaded.__name__!r}, which is the name of a "
            "package of lsbg_classifier; rename it"
        )


def _is_file(spec: ModuleSpec, file: Path) -> bool:
    """Tell whether a module comes from a file."""
    try:
        return spec.has_location and Path(spec.origin or "").samefile(file)
    except OSError:
        return False


def _is_main(spec: ModuleSpec) -> bool:
    """Tell whether a module is the script that runs, which nobody imports."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and _is_file(spec, Path(main))


def _is_child() -> bool:
    """Tell whether this process was started by `multiprocessing`, whose parent warns already."""
    processes = sys.modules.get("multiprocessing.process")
    is_ready = processes is not None and processes.parent_process() is not None
    return is_ready or "__mp_main__" in sys.modules  # the script of the parent, run once more


def _load(package: str, file: Path):
    """Load a package from its file."""
    spec = spec_from_file_location(package, file, submodule_search_locations=[str(file.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{file}: cannot be loaded")
    module = module_from_spec(spec)
    sys.modules[package] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[package]
        raise
