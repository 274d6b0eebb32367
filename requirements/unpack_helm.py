"""Copy ``helm`` and ``kubectl`` out of the package that carries them into a folder: ``unpack_helm.py DIR``."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "aws_cdk"
LAYER = "package/lib/layer.zip"
PROGRAMS = ("helm/helm", "kubectl/kubectl")


def main() -> None:
    """Copy them, with their run bits."""
    folder = Path(sys.argv[1])
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None, f"expected {PACKAGE}, got none"
    assert spec.submodule_search_locations
    (archive,) = Path(next(iter(spec.submodule_search_locations))).glob("lambda_layer_kubectl_*/_jsii/*.tgz")
    with tarfile.open(archive) as package:
        member = package.extractfile(LAYER)
        assert member is not None
        layer = io.BytesIO(member.read())
    with zipfile.ZipFile(layer) as programs:
        for name in PROGRAMS:
            path = folder / Path(name).name
            path.write_bytes(programs.read(name))
            path.chmod(0o755)


if __name__ == "__main__":
    main()
