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
# shellcheck source=tests/started.sh
. "$root/tests/started.sh"

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

scratch=$(mktemp -d)
trap stop_started EXIT
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || skip 'Node 20 or later is not installed'
chromium=$(find_chromium) || { install_chromium && chromium=$(find_chromium); } || skip 'Chromium is not installed'
install_node "$here" 'playwright-core, axe-core and ical.js' || skip 'npm could not install the packages'
# Endpoints of the caller would take the functions elsewhere.
unset AWS_ENDPOINT_URL_DYNAMODB AWS_ENDPOINT_URL_SNS AWS_ENDPOINT_URL_SQS
start_callboard system dev --ephemeral --quiet --port 0 --engine-port 0 --mailbox-port 0 --smtp-port 0 \
    --parameter ClinicTimeZone=Europe/Berlin --env-file "$scratch/env"

status=0
env --chdir="$here" CALLBOARD_API="$(sed -n 's/^HTTP API *\(http[^ ]*\).*/\1/p' "$scratch/system.out")" \
    CALLBOARD_MAILBOX="$(sed -n 's/^mailbox *\(http[^ ]*\).*/\1/p' "$scratch/system.out")" \
    CALLBOARD_CHROMIUM="$chromium" CALLBOARD_PICTURES="$root/target/pages" \
    timeout --kill-after=5 "$SECONDS_MAX" node pages.mjs | tee "$scratch/out" || status=$?
ok=$(grep -c '^ok ' "$scratch/out" || true)
bad=$(grep -c '^FAIL ' "$scratch/out" || true)
# A run that ended early, or checked nothing, is itself a failed check.
if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
    echo "FAIL pages.mjs: ended with $status after $ok checks"
    bad=1
fi
[ "$bad" = 0 ] || sed 's/^/system: /' "$scratch/system.log" >&2
echo "pages: $ok checks held, $bad failed"
[ "$bad" = 0 ]
