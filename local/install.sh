#!/bin/sh
# Makes .venv from requirements.lock with the first suitable Python: $PYTHON, python3, python3.14 …
# Run by make from the root of the checkout. Uses pip because pip's configuration is what machines
# behind a mirror have.
set -eu

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        is_new_enough "$candidate" || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            python=$candidate
            return
        fi
        incomplete=$candidate
    done
    if [ -n "${incomplete:-}" ]; then
        fail "$incomplete cannot make environments: install its venv module" \
            "(Debian and Ubuntu: apt install python3-venv) and run make again."
    fi
    fail "Python 3.11 or newer was not found: install it, or say where it is:" \
        "make PYTHON=/path/to/python3"
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

fail() {
    echo "$*" >&2
    exit 1
}

pip_install() {
    # Twice quiet: a mirror that lacks a page is a warning that nobody can act on.
    .venv/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input install "$@"
}

if [ -n "${PYTHON:-}" ] && ! is_new_enough "$PYTHON"; then
    fail "PYTHON=$PYTHON is not Python 3.11 or newer."
fi
find_python
echo "Installing the pinned packages into .venv with $("$python" --version)." \
    "This takes about a minute, the first time only." >&2
"$python" -m venv --clear .venv
pip_install --require-hashes --requirement requirements.lock
pip_install --no-deps --no-build-isolation --editable .
pwd -P >.venv/installed
