# A stack of infra/template.yaml on an emulator of AWS on this machine: source this file in bash from
# the root of the repository. The caller sets `script`, its own name, for what is said.
#
#   package SOURCES BINARIES INTO   the template as `sam build` leaves it, with stripped bootstraps
#   start_stack_emulator DIRECTORY  ministack and a mailbox, with AWS_* variables for both; a trap on
#                                   EXIT ends them
#   deploy PACKAGE                  `sam deploy` of a package: creates the stack or changes it
#   write_env FILE                  the stack's names and addresses as shell variables
#   tear_down                       deletes the stack and looks whether anything is left
#   skip WHY, step WHAT             says that nothing is tested and ends; tells a step with its time
#
# The emulator is ministack (see tests/README.md for what it does otherwise than AWS). It, sam and
# boto3 come from PyPI into target/emulators and .venv.

. infra/scripts/sam-tools.sh
. tests/conformance/emulators.sh

readonly STACK=callboard
stack_root=$PWD
target=${CARGO_TARGET_DIR:-$stack_root/target}
binaries=$target/debug

skip() {
    echo "$script: NOT TESTED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

step() { printf '%6.1f s  %s\n' "$(elapsed)" "$1"; }
elapsed() { python3 -c "import time; print(time.time() - $begun)"; }
begun=$(python3 -c 'import time; print(time.time())')

functions_of_the_template() { sed -n 's#^ *CodeUri: \.\./functions/\([a-z-]*\)/$#\1#p' infra/template.yaml; }

# `--package NAME` for each function.
function_packages() { functions_of_the_template | sed 's/^/--package /'; }

# The template as `sam build` leaves it: each CodeUri is a directory with a bootstrap. What is
# otherwise than on AWS is told under "Emulated deployment" in tests/README.md.
package() {
    local function sources=$1 binaries=$2 into=$3
    rm -rf "$into" && mkdir -p "$into"
    for function in $(functions_of_the_template); do
        mkdir "$into/$function"
        strip -o "$into/$function/bootstrap" "$binaries/$function"
    done
    sed -e 's#CodeUri: \.\./functions/#CodeUri: ./#' \
        -e 's#MaximumConcurrency: !Ref WorkerConcurrency#MaximumConcurrency: 10#' \
        "$sources/infra/template.yaml" | without_metric_math >"$into/template.yaml"
}

# Leaves out the alarms on several metrics, which the emulator refuses.
without_metric_math() {
    awk '
        function flush() { if (block !~ /\n      Metrics:/) printf "%s", block; block = "" }
        /^  [A-Za-z]/ || /^[A-Za-z]/ { flush() }
        { block = block $0 "\n" }
        END { flush() }'
}

start_mailbox() {
    local log=$1
    "$binaries/callboard" mailbox --ephemeral --port 0 --smtp-port 0 >"$log" &
    mailbox_pid=$!
    until grep -q '^Ready' "$log"; do
        kill -0 "$mailbox_pid" || return 1
        sleep 0.1
    done
    mailbox=$(sed -n 's/^Ready: mails at \(.*\), SMTP.*/\1/p' "$log")
    smtp=$(sed -n 's/^Ready: .*SMTP at //p' "$log")
}

start_stack_emulator() {
    local port
    trap finish EXIT
    port=$(free_port)
    export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
    export AWS_ACCESS_KEY_ID=callboard AWS_SECRET_ACCESS_KEY=callboard
    unset AWS_SESSION_TOKEN AWS_PROFILE
    start_ministack "$port" || skip 'ministack could not be started'
    start_mailbox "$1/mailbox.log"
    step "ministack is ready at $AWS_ENDPOINT_URL"
}

# The emulator resolves no dynamic reference to a secret, so the link keys come by parameter.
deploy() {
    link_key=${link_key:-$(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))')}
    "$venv/bin/sam" deploy --config-file "$stack_root/samconfig.toml" --template-file "$1/template.yaml" \
        --stack-name "$STACK" --no-progressbar --parameter-overrides Architecture=x86_64 \
        "MailTransport=smtp://$smtp" HoldGraceSeconds=1 "LinkKeys=k1:$link_key" >"$1/deploy.log" 2>&1 || {
        tail -n 40 "$1/deploy.log" >&2
        return 1
    }
}

write_env() {
    "$venv/bin/python" infra/scripts/stack-env.py "$STACK" >"$1"
    printf "export CALLBOARD_MAILBOX='%s'\n" "$mailbox" >>"$1"
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
        echo "$script: the end of the emulator's log:" >&2
        tail -n 40 "$emulators_home/ministack.log" >&2
    fi
    [ -z "${mailbox_pid:-}" ] || kill "$mailbox_pid" 2>/dev/null || true
    stop_emulators
    exit "$status"
}
