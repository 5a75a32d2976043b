#!/usr/bin/env bash
# Deploys infra/template.yaml with `sam deploy` to an emulator of AWS on this machine, with real
# bootstrap binaries, plays the whole story of `callboard demo` on it through the HTTP API, SNS, SQS,
# event source mappings and the table's stream, and tears it down. No account, no Docker.
#
#   infra/scripts/emulated-deployment.sh [--keep]
#
# --keep leaves emulator and mailbox running until Ctrl-C, and says where they are.
#
# The emulator is ministack (see tests/README.md for what it does otherwise than AWS). It, sam and
# boto3 come from PyPI into target/emulators and .venv. Where they cannot be had, nothing is tested
# and a word on stderr says why; CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 done or skipped, 1 a step failed, 2 not tested.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
. infra/scripts/sam-tools.sh
. tests/conformance/emulators.sh

readonly STACK=callboard
built=${CARGO_TARGET_DIR:-$root/target}/emulated
binaries=${CARGO_TARGET_DIR:-$root/target}/debug

skip() {
    echo "emulated-deployment: NOT TESTED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

step() { printf '%6.1f s  %s\n' "$(elapsed)" "$1"; }
elapsed() { python3 -c "import time; print(time.time() - $begun)"; }
begun=$(python3 -c 'import time; print(time.time())')

functions_of_the_template() { sed -n 's#^ *CodeUri: \.\./functions/\([a-z-]*\)/$#\1#p' infra/template.yaml; }

# The template as `sam build` leaves it: each CodeUri is a directory with a bootstrap. Two lines are
# otherwise than on AWS: see "Emulated deployment" in tests/README.md.
build() {
    local function packages=()
    for function in $(functions_of_the_template); do packages+=(--package "$function"); done
    cargo build --quiet "${packages[@]}" --package callboard-cli
    rm -rf "$built" && mkdir -p "$built"
    for function in $(functions_of_the_template); do
        mkdir "$built/$function"
        strip -o "$built/$function/bootstrap" "$binaries/$function"
    done
    sed -e 's#CodeUri: \.\./functions/#CodeUri: ./#' \
        -e 's#MaximumConcurrency: !Ref WorkerConcurrency#MaximumConcurrency: 10#' \
        infra/template.yaml >"$built/template.yaml"
}

start_mailbox() {
    "$binaries/callboard" mailbox --ephemeral --port 0 --smtp-port 0 >"$built/mailbox.log" &
    mailbox_pid=$!
    until grep -q '^Ready' "$built/mailbox.log"; do
        kill -0 "$mailbox_pid" || return 1
        sleep 0.1
    done
    mailbox=$(sed -n 's/^Ready: mails at \(.*\), SMTP.*/\1/p' "$built/mailbox.log")
    smtp=$(sed -n 's/^Ready: .*SMTP at //p' "$built/mailbox.log")
}

# The emulator resolves no dynamic reference to a secret, so the link keys come by parameter.
deploy() {
    local link_key
    link_key=$(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))')
    "$venv/bin/sam" deploy --config-file "$root/samconfig.toml" --template-file "$built/template.yaml" \
        --stack-name "$STACK" --no-progressbar --parameter-overrides Architecture=x86_64 \
        "MailTransport=smtp://$smtp" HoldGraceSeconds=1 "LinkKeys=k1:$link_key" >"$built/deploy.log" 2>&1 || {
        tail -n 40 "$built/deploy.log" >&2
        return 1
    }
}

# What a deleted stack leaves are the tables, which the template retains.
tear_down() {
    "$venv/bin/python" - "$STACK" <<'PYTHON'
import sys, boto3
name = sys.argv[1]
cloudformation, dynamodb = boto3.client("cloudformation"), boto3.client("dynamodb")
cloudformation.delete_stack(StackName=name)
cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
left = {
    "queues": boto3.client("sqs").list_queues().get("QueueUrls", []),
    "topics": boto3.client("sns").list_topics()["Topics"],
    "functions": boto3.client("lambda").list_functions()["Functions"],
}
left = {what: found for what, found in left.items() if found}
if left:
    sys.exit(f"the deleted stack left behind: {left}")
for table in dynamodb.list_tables()["TableNames"]:
    dynamodb.delete_table(TableName=table)
PYTHON
}

finish() {
    local status=$?
    if [ "$status" != 0 ] && [ -f "$emulators_home/ministack.log" ]; then
        echo 'emulated-deployment: the end of the emulator'"'"'s log:' >&2
        tail -n 40 "$emulators_home/ministack.log" >&2
    fi
    [ -z "${mailbox_pid:-}" ] || kill "$mailbox_pid" 2>/dev/null || true
    stop_emulators
    exit "$status"
}

install_sam_tools || skip 'sam could not be installed'
step 'sam is here'
build
step 'bootstraps are built (dev profile)'
trap finish EXIT
port=$(free_port)
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=callboard AWS_SECRET_ACCESS_KEY=callboard
unset AWS_SESSION_TOKEN AWS_PROFILE
start_ministack "$port" || skip 'ministack could not be started'
start_mailbox
step "ministack is ready at $AWS_ENDPOINT_URL"
deploy
step 'deployed by change set'
{
    "$venv/bin/python" infra/scripts/stack-env.py "$STACK"
    printf "export CALLBOARD_MAILBOX='%s'\n" "$mailbox"
} >"$built/env"
"$binaries/callboard" demo --env-file "$built/env"
step 'the story was told'
PYTHON=$venv/bin/python infra/scripts/try-operations.sh "$built/env" "$binaries/callboard"
step 'dead letters, trace and lag were tried'
if [ "${1:-}" = --keep ]; then
    echo "Names and addresses:  . $built/env      (Ctrl-C ends it)"
    wait "$EMULATOR_PID"
fi
tear_down
step 'torn down: nothing left but the retained tables'
