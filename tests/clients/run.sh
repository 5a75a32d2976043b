#!/usr/bin/env bash
# Clients that nobody here wrote, unchanged, against the embedded engine: installs them as pinned in
# requirements.txt and package-lock.json, starts the engine on a free port of its own, runs each
# script, and prints a line per check and one at the end.
#
#   tests/clients/run.sh [SCRIPT...]       e.g. tests/clients/run.sh boto3_sqs.py
#   tests/clients/run.sh --install-python  only the Python clients, and nothing is run
#
#   CALLBOARD_BIN=PATH       the callboard to run; else it is built
#   CALLBOARD_CI_STRICT=1    a client that cannot be installed is an error, not a skip
#
# Exit codes: 0 all checks held, 1 some did not, 2 a client could not be tried (strict) or no engine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/clients
venv=$root/.venv/clients
# A script that hangs must not take the rest with it. The slowest one takes some 25 s.
readonly SCRIPT_SECONDS_MAX=180
readonly ALL='aws_cli.sh boto3_sqs.py boto3_sns.py boto3_dynamodb.py sdk_js.mjs sqs_consumer.mjs kombu_queues.py celery_worker.py'

# shellcheck source=tests/started.sh
. "$root/tests/started.sh"

passed=0 failed=0 skipped=0

install_python() {
    local stamp=$venv/requirements.txt
    cmp --silent "$here/requirements.txt" "$stamp" && return
    echo 'clients: installing the Python clients into .venv/clients (once)' >&2
    python3 -m venv --clear "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2 &&
        cp "$here/requirements.txt" "$stamp"
}

# Nothing of this machine's own AWS settings may reach a client, nor a client reach AWS.
client_environment() {
    local name
    for name in $(compgen -e AWS_ || true); do
        [ "$name" = AWS_CA_BUNDLE ] || unset "$name"
    done
    export AWS_ENDPOINT_URL AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    export AWS_ACCESS_KEY_ID=callboard AWS_SECRET_ACCESS_KEY=callboard AWS_EC2_METADATA_DISABLED=true
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
    export PYTHONDONTWRITEBYTECODE=1 NODE_NO_WARNINGS=1 PATH="$venv/bin:$PATH"
}

skip() {
    echo "SKIP $1: $2"
    skipped=$((skipped + 1))
}

run() {
    local script=$1 output=$scratch/$1.out status=0 ok bad
    local -a command
    case $script in
        *.py) command=("$venv/bin/python" "$here/$script") ;;
        *.mjs) command=(node "$here/$script") ;;
        *) command=(bash "$here/$script") ;;
    esac
    echo "-- $script"
    timeout --kill-after=5 "$SCRIPT_SECONDS_MAX" "${command[@]}" 2>"$scratch/$script.err" | tee "$output" || status=$?
    ok=$(grep -c '^ok ' "$output" || true)
    bad=$(grep -c '^FAIL ' "$output" || true)
    # A script that ended early, or checked nothing, is itself a failed check.
    if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
        echo "FAIL $script: ended with $status after $ok checks"
        bad=1
    fi
    [ "$bad" = 0 ] || tail -60 "$scratch/$script.err" >&2
    passed=$((passed + ok)) failed=$((failed + bad))
}

if [ "${1:-}" = --install-python ]; then
    install_python
    exit
fi
scratch=$(mktemp -d)
trap stop_started EXIT
have_python=yes have_node=yes
install_python || have_python=no
install_node "$here" 'the JavaScript clients' || have_node=no
start_callboard engine engine --port 0 --ephemeral
AWS_ENDPOINT_URL=$(grep -o 'http://[0-9.:]*' "$scratch/engine.out" | head -1)
client_environment

for script in ${*:-$ALL}; do
    case $script in
        *.mjs) [ "$have_node" = yes ] || { skip "$script" 'its packages could not be installed from npm'; continue; } ;;
        *) [ "$have_python" = yes ] || { skip "$script" 'its packages could not be installed from PyPI'; continue; } ;;
    esac
    run "$script"
done

if [ "$failed" != 0 ]; then
    sed 's/^/engine: /' "$scratch/engine.log" >&2
fi
echo "clients: $passed passed, $failed failed, $skipped scripts skipped"
[ "$failed" = 0 ] || exit 1
if [ "$skipped" != 0 ] && [ "${CALLBOARD_CI_STRICT:-0}" = 1 ]; then
    echo 'clients: a client is missing, and CALLBOARD_CI_STRICT=1' >&2
    exit 2
fi
