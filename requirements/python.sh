#!/bin/sh
# Print the Python to make environments with: 3.10 to 3.12, as Triton's Python backend needs NumPy 1, which has no
# build for later ones; with OLDEST=3.11 in the environment, 3.11 or 3.12. That is the one asked for (python.sh PYTHON),
# or this system's, or the one that was fetched before, or one that uv fetches now. What is fetched stays in build/;
# nothing goes anywhere else.
set -eu
oldest=${OLDEST:-3.10}
cd "$(dirname "$0")/.."

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

fits() { case $(version "$1") in "$oldest" | 3.11 | 3.12) ;; *) return 1 ;; esac; }

fetched() {
    for python in "$PWD"/build/python/cpython-3.12*/bin/python3.12; do fits "$python" && echo "$python" && return; done
}

fetch() {
    uv=$(command -v uv) || {
        uv=build/uv/bin/uv
        [ -x $uv ] || { python3 -m venv build/uv && build/uv/bin/pip install --quiet uv; } || return
    }
    UV_PYTHON_INSTALL_BIN=0 "$uv" python install --no-config --no-cache --install-dir build/python 3.12
}

if [ "${1:-}" ]; then
    fits "$1" && echo "$1" && exit
    echo "expected Python $oldest to 3.12, got $(version "$1" || echo "none that runs"): make PYTHON=python3.12" >&2
    exit 1
fi

for python in python3.12 python3.11 python3.10 python3; do fits $python && echo $python && exit; done
fetched && exit

echo "no Python $oldest to 3.12 here: uv fetches 3.12 into build/ (about 50 MB, once)" >&2
fetch >&2 && fetched && exit
cat >&2 <<EOF
expected Python $oldest to 3.12, got $(version python3 || echo none) and no way to fetch one: \
docker compose up serves the demo without it, and make PYTHON=/path/to/python3.12 takes one from elsewhere
EOF
exit 1
