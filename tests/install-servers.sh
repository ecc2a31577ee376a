#!/bin/sh
# Makes RabbitMQ, PostgreSQL and Chromium available to the tests, and Flink to an environment of its
# own in DIRECTORY; starts none of them.
#   tests/install-servers.sh [DIRECTORY]      (default: .venv of this checkout)
# As root: Debian's packages. Otherwise: the same packages unpacked into DIRECTORY/rabbitmq,
# DIRECTORY/postgresql and DIRECTORY/chromium, where tests/brokers.py, tests/databases.py and
# tests/browser.py look. Quick when done.
set -eu

directory=${1:-$(dirname "$0")/../.venv}

has_rabbitmq() {
    [ -e "$directory/rabbitmq/complete" ] || ls /usr/lib/rabbitmq/bin/rabbitmq-server >/dev/null 2>&1
}

has_postgresql() {
    [ -e "$directory/postgresql/complete" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

has_chromium() {
    [ -e "$directory/chromium/complete" ] || [ -x /usr/bin/chromium ]
}

# The output of a command, only if it fails.
quietly() {
    "$@" >"$log" 2>&1 || { status=$?; cat "$log" >&2; exit "$status"; }
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confold "$@"
}

# --- as root ---------------------------------------------------------------------------------

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf

forbid_starting() {
    [ ! -e "$policy" ] || cp -p "$policy" "$scratch/policy-rc.d"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

put_back() {
    rm -f "$policy"
    [ ! -e "$scratch/policy-rc.d" ] || cp -p "$scratch/policy-rc.d" "$policy"
    [ ! -e "$scratch/createcluster.conf" ] || cp -p "$scratch/createcluster.conf" "$clusters"
    rm -rf "$scratch"
}

install_packages() {
    trap put_back EXIT
    forbid_starting
    quietly apt update
    if ! has_rabbitmq; then quietly apt install -y --no-install-recommends rabbitmq-server; fi
    if ! has_postgresql; then install_postgresql; fi
    if ! has_chromium; then quietly apt install -y --no-install-recommends chromium; fi
}

install_postgresql() {
    quietly apt install -y --no-install-recommends postgresql-common
    cp -p "$clusters" "$scratch/createcluster.conf"
    echo 'create_main_cluster = false' >>"$clusters"
    quietly apt install -y --no-install-recommends postgresql-15
}

# --- as anyone else --------------------------------------------------------------------------

# apt with lists and cache of its own, so that neither root nor an earlier update is needed.
own_apt() {
    apt -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache" \
        -o Debug::NoLocking=1 "$@"
}

# Unpack the packages named after the target, and the libraries they lack on this machine.
unpack() {
    target=$1
    wanted=$2
    shift 2
    libraries=$(own_apt -s install --no-install-recommends "$wanted" |
        sed -n 's/^Inst \(lib[^ ]*\) .*/\1/p' | grep -v '^libllvm' || true)
    mkdir -p "$scratch/packages" "$target"
    # The list is words on purpose.
    # shellcheck disable=SC2086
    (cd "$scratch/packages" && quietly own_apt download "$@" $libraries)
    for package in "$scratch"/packages/*.deb; do
        dpkg -x "$package" "$target"
    done
    rm -rf "$scratch/packages"
}

unpack_rabbitmq() {
    root=$directory/rabbitmq
    unpack "$root" rabbitmq-server rabbitmq-server \
        erlang-asn1 erlang-base erlang-crypto erlang-eldap erlang-ftp erlang-inets erlang-mnesia \
        erlang-os-mon erlang-parsetools erlang-public-key erlang-runtime-tools erlang-snmp \
        erlang-ssl erlang-syntax-tools erlang-tftp erlang-tools erlang-xmerl
    # Debian writes the place of installation into the launchers.
    sed -i "s,ROOTDIR=/usr/lib/erlang,ROOTDIR=$root/usr/lib/erlang," \
        "$root"/usr/lib/erlang/bin/erl "$root"/usr/lib/erlang/erts-*/bin/erl
    touch "$root/complete"
}

unpack_postgresql() {
    root=$directory/postgresql
    unpack "$root" postgresql-15 postgresql-15 postgresql-client-15
    mkdir -p "$root/bin"
    libraries=$(printf '%s:' "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu)
    for program in initdb pg_ctl postgres; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
            "${libraries%:}" "$root/usr/lib/postgresql/15/bin/$program" >"$root/bin/$program"
        chmod 755 "$root/bin/$program"
    done
    touch "$root/complete"
}

unpack_chromium() {
    root=$directory/chromium
    unpack "$root" chromium chromium chromium-common fontconfig-config fonts-dejavu-core
    mkdir -p "$root/bin" "$root/fonts-cache"
    cat >"$root/fonts.conf" <<END
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$root/usr/share/fonts</dir><cachedir>$root/fonts-cache</cachedir></fontconfig>
END
    libraries=$(printf '%s:' "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu)
    cat >"$root/bin/chromium" <<END
#!/bin/sh
LD_LIBRARY_PATH=${libraries%:} FONTCONFIG_FILE=$root/fonts.conf \\
    exec $root/usr/lib/chromium/chromium "\$@"
END
    chmod 755 "$root/bin/chromium"
    touch "$root/complete"
}

unpack_packages() {
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$directory" "$scratch/lists/partial" "$scratch/cache/archives/partial"
    directory=$(cd "$directory" && pwd)
    quietly own_apt update
    if ! has_rabbitmq; then unpack_rabbitmq; fi
    if ! has_postgresql; then unpack_postgresql; fi
    if ! has_chromium; then unpack_chromium; fi
}

# From its Python packages, by tests/flink.py.
install_flink() {
    [ -x "$directory/bin/python" ] || return 0
    python=$(cd "$directory" && pwd)/bin/python
    (cd "$(dirname "$0")/.." && "$python" -m tests.flink)
}

install_flink
if has_rabbitmq && has_postgresql && has_chromium; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "The tests need RabbitMQ, PostgreSQL and Chromium; this script installs them on Debian only." >&2
    exit 1
fi
scratch=$(mktemp -d)
trap 'exit 130' INT TERM
log=$scratch/log
echo "Fetching RabbitMQ, PostgreSQL and Chromium for the tests ..."
if [ "$(id -u)" = 0 ]; then install_packages; else unpack_packages; fi
