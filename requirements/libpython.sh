#!/bin/sh
# Triton's Python backend links to libpython3.X.so.1.0, which Debian and Ubuntu package apart from Python itself.
# Where it is missing, fetch that package and unpack it into the virtual environment; this needs no root.
# What cannot be fetched here, the server asks for in one sentence when it starts.
set -eu
venv=$(realpath "$1")
"$venv/bin/python" -c 'from embedded.installation import find_installation; find_installation()' 2>/dev/null && exit 0
command -v apt-get >/dev/null || exit 0
package=libpython$("$venv/bin/python" -c 'import sys; print(f"3.{sys.version_info[1]}")')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo "fetching $package, which Triton's Python backend needs"
apt-get download --quiet --quiet "$package" || exit 0
dpkg-deb --extract "$package"_*.deb .
cp usr/lib/*/"$package".so.1.0 "$venv/lib/"
