"""An interpreter for Triton's Python backend that finds the packages this process finds.

The backend's stub does not read PYTHONPATH: it finds packages through the first ``python3`` on PATH alone. Where they
lie in a folder of their own, as ``pip install --target`` puts them, it is given a virtual environment that names it.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

__all__ = ["lay_out_interpreter"]

VARIABLE = "PYTHONPATH"


def lay_out_interpreter(folder: Path) -> Path:
    """Return the folder of the ``python3`` to put first on PATH: this process's, or with PYTHONPATH one in ``folder``.

    Raises:
        OSError: If the disk refuses.
    """
    packages = os.environ.get(VARIABLE)
    if not packages:
        return Path(sys.executable).parent
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    programs, libraries = folder / "bin", folder / "lib" / version / "site-packages"
    programs.mkdir(parents=True)
    libraries.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\n", encoding="utf-8")
    for name in ("python3", version):
        (programs / name).symlink_to(base)
    lines = [str(Path(entry).resolve()) for entry in packages.split(os.pathsep)]
    # with addsitedir, what such a folder itself names is found as well, as editable installations are
    lines += [f"import site; site.addsitedir({entry!r})" for entry in _site_packages()]
    (libraries / "packages.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return programs


def _site_packages() -> list[str]:
    return [entry for entry in (*site.getsitepackages(), site.getusersitepackages()) if entry in sys.path]
