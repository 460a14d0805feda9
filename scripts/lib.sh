# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it: the Debian packages that each purpose needs, how they get here, and how Banter is
# built. Nothing is asked of the network when everything is there already.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# redis-tools and not redis-server: its redis-check-rdb is the server under another name, and no service starts on port
# 6379 behind the user's back.
run_packages=(cmake ninja-build gcc libc6-dev pkgconf libmicrohttpd-dev libwslay-dev libhiredis-dev libjansson-dev
    uuid-dev libuv1-dev nettle-dev libinih-dev uthash-dev redis-tools)
test_packages=("${run_packages[@]}" python3 python3-pytest python3-redis python3-websockets python3-selenium
    python3-yaml chromium chromium-driver nodejs node-ws curl)

step() {
    printf '==> %s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the comment block at the top of the script that called: what --help shows.
usage() {
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
}

# Runs a command and shows what it said only if it failed.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [[ $status -eq 0 ]] || cat -- "$log" >&2
    rm -f -- "$log"
    return "$status"
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Installs those of the named packages that are missing.
install_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null ||
        die "this is no Debian; install what corresponds to: $*; then: cmake --preset release && cmake --build build"
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $(id -u) -eq 0 ]] || command -v sudo >/dev/null ||
        die "neither root nor sudo is here; as root, run: apt-get install ${missing[*]}"
    step "Installing ${missing[*]}"
    # Asked for here, where people can see the question; the commands below are quiet and have no terminal to read from.
    as_root true
    quietly as_root apt-get -o DPkg::Lock::Timeout=120 update &&
        quietly as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "${missing[@]}"
}

# Configures and builds with the preset `$1`; what follows are extra arguments to the configuration.
build() {
    local preset=$1
    shift
    step "Building ($preset)"
    (cd -- "$root" && quietly cmake --preset "$preset" "$@" && quietly cmake --build --preset "$preset" -- --quiet)
}
