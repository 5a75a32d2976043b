#!/usr/bin/env bash
# The public pages of an offer in a real browser: starts a system in memory, makes offers through the
# API, takes the links out of the mails, and goes through the pages in headless Chromium by mouse and by
# keyboard, with axe-core looking at each. Prints a line per check and one at the end.
#
#   tests/pages/run.sh
#
#   CALLBOARD_BIN=PATH       the callboard to run; else it is built
#   CALLBOARD_CHROMIUM=PATH  the browser; else Debian's, which is installed by root if it is missing
#   CALLBOARD_CI_STRICT=1    a browser or package that cannot be had is an error, not a skip
#
# Screenshots: target/pages/*.png.
# Exit codes: 0 all checks held or skipped, 1 some did not, 2 not tested (strict) or no system.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/pages
readonly SECONDS_MAX=300

skip() {
    echo "pages: NOT TESTED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

find_chromium() {
    if [ -n "${CALLBOARD_CHROMIUM:-}" ]; then
        echo "$CALLBOARD_CHROMIUM"
    else
        command -v chromium
    fi
}

install_chromium() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return
    echo 'pages: installing chromium from Debian (once)' >&2
    {
        apt-get update --quiet=2 &&
            DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium fonts-dejavu-core
    } >&2
}

install_node() {
    local stamp=$here/node_modules/.installed-lock.json
    cmp --silent "$here/package-lock.json" "$stamp" && return
    echo 'pages: installing playwright-core, axe-core and ical.js into tests/pages/node_modules (once)' >&2
    (cd "$here" && npm ci --loglevel error >&2) && cp "$here/package-lock.json" "$stamp"
}

start_system() {
    local binary=${CALLBOARD_BIN:-}
    if [ -z "$binary" ]; then
        cargo build --quiet --manifest-path "$root/Cargo.toml" --package callboard-cli
        binary=${CARGO_TARGET_DIR:-$root/target}/debug/callboard
    fi
    : >"$scratch/dev.out"
    "$binary" dev --ephemeral --quiet --port 0 --engine-port 0 --mailbox-port 0 --smtp-port 0 \
        --parameter ClinicTimeZone=Europe/Berlin --env-file "$scratch/env" >"$scratch/dev.out" 2>"$scratch/dev.log" &
    system=$!
    for _ in $(seq 300); do
        if grep -q '^Ready' "$scratch/dev.out"; then
            return
        fi
        kill -0 "$system" 2>/dev/null || break
        sleep 0.1
    done
    echo 'pages: the system did not start' >&2
    cat "$scratch/dev.log" >&2
    exit 2
}

stop() {
    if [ -n "${system:-}" ]; then
        kill "$system" 2>/dev/null && wait "$system" || true
    fi
    rm -rf "$scratch"
}

scratch=$(mktemp -d)
trap stop EXIT
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || skip 'Node 20 or later is not installed'
chromium=$(find_chromium) || { install_chromium && chromium=$(find_chromium); } || skip 'Chromium is not installed'
install_node || skip 'npm could not install the packages'
# Endpoints of the caller would take the functions elsewhere.
unset AWS_ENDPOINT_URL_DYNAMODB AWS_ENDPOINT_URL_SNS AWS_ENDPOINT_URL_SQS
start_system

status=0
env --chdir="$here" CALLBOARD_API="$(sed -n 's/^HTTP API *\(http[^ ]*\).*/\1/p' "$scratch/dev.out")" \
    CALLBOARD_MAILBOX="$(sed -n 's/^mailbox *\(http[^ ]*\).*/\1/p' "$scratch/dev.out")" \
    CALLBOARD_CHROMIUM="$chromium" CALLBOARD_PICTURES="$root/target/pages" \
    timeout --kill-after=5 "$SECONDS_MAX" node pages.mjs | tee "$scratch/out" || status=$?
ok=$(grep -c '^ok ' "$scratch/out" || true)
bad=$(grep -c '^FAIL ' "$scratch/out" || true)
# A run that ended early, or checked nothing, is itself a failed check.
if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
    echo "FAIL pages.mjs: ended with $status after $ok checks"
    bad=1
fi
[ "$bad" = 0 ] || sed 's/^/system: /' "$scratch/dev.log" >&2
echo "pages: $ok checks held, $bad failed"
[ "$bad" = 0 ]
