# What the scripts of this repository share: finding what is missing, and saying what to do about it.
# Sourced, never run.

# The libraries Weir is built against, and the tools with which it puts its rules in force.
build_packages="libssl-dev libnghttp2-dev libpcre2-dev zlib1g-dev libbrotli-dev libzstd-dev pkg-config"
run_packages="nftables iproute2 ca-certificates"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# missing_packages PACKAGE… prints those that are not installed.
missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
    done
}

# install_packages PACKAGE… installs what is missing, or says who must.
install_packages() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "Missing: $missing(their Debian names). Install them and run this again."
    [ "$(id -u)" = 0 ] || die "Missing packages. Install them and run this again:
    sudo apt-get install -y $missing"
    say "Installing $missing"
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -q >/dev/null &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null
    } || die "Could not install $missing"
}

# need_swift looks for a toolchain that can build the package.
need_swift() {
    local version
    if command -v swift >/dev/null; then
        version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
        # shellcheck disable=SC2086
        set -- $version
        if [ "${1:-0}" -gt 6 ] || { [ "${1:-0}" -eq 6 ] && [ "${2:-0}" -ge 3 ]; }; then return 0; fi
        say "The Swift toolchain here is ${1:-?}.${2:-?}; Weir needs 6.3 or newer."
    else
        say "There is no Swift toolchain here; Weir needs 6.3 or newer."
    fi
    die "Get one from https://www.swift.org/install/linux/ : either swiftly, its installer, or the archive for this
system unpacked to a directory whose usr/bin is then put first in PATH. Then run this again."
}

# can_admin_net tells whether this process may make namespaces and packet rules.
can_admin_net() {
    local bits
    bits=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    [ $((0x${bits:-0} >> 12 & 1)) = 1 ]
}

# build_release builds the binary that is shipped, and prints its path.
build_release() {
    swift build -c release --static-swift-stdlib --product weir >&2 || die "The build failed."
    printf '%s/weir\n' "$(swift build -c release --static-swift-stdlib --show-bin-path)"
}
