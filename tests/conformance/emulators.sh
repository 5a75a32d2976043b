# Other emulators of AWS, to compare with: source this file in bash. Pinned, installed from PyPI into
# target/emulators/, bound to loopback, each with a directory of its own.
#
#   free_port                 prints a port of loopback that nothing listens on
#   start_ministack PORT      ministack: SQS, SNS, DynamoDB and much else
#   start_localstack PORT     localstack-core: SQS and SNS; its DynamoDB downloads a Java server
#   stop_emulators            ends all that was started and removes their directories; safe to call
#                             twice. Set a trap on EXIT for it
#
# A start installs what is missing, waits until the emulator answers and sets EMULATOR_PID. Where it
# fails it returns 1 and says why on stderr. Logs: target/emulators/NAME.log.

emulators_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
emulators_home=${CARGO_TARGET_DIR:-$emulators_root/target}/emulators
MINISTACK_VERSION=1.5.33
LOCALSTACK_VERSION=4.14.0
# localstack-core does not bound these, and newer ones break it.
LOCALSTACK_PINS='cbor2<6 cryptography<46 pyopenssl<25.2 service_identity'
# ministack answers within a second, LocalStack within four; a loaded machine takes its time.
EMULATOR_START_SECONDS_MAX=90
EMULATOR_STOP_SECONDS_MAX=10
emulator_pids=() emulator_dirs=()

emulators_say() { printf 'emulators: %s\n' "$*" >&2; }

# emulators_python MINOR: the newest Python here that is 3.MINOR or newer.
emulators_python() {
    local candidate
    for candidate in python3.14 python3.13 python3.12 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9].*/bin/python3; do
        if "$candidate" -c "import sys; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    emulators_say "there is no Python 3.$1 or newer on PATH or in pyenv"
    return 1
}

# emulators_install NAME MINOR REQUIREMENT...: a virtual environment of Python 3.MINOR or newer with
# exactly these, made once.
emulators_install() {
    local venv=$emulators_home/$1 minor=$2 python
    shift 2
    [ "$(cat "$venv/.installed" 2>/dev/null)" = "$*" ] && return
    python=$(emulators_python "$minor") || return 1
    emulators_say "installing $* (once)"
    mkdir -p "$emulators_home" &&
        "$python" -m venv --clear "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2 &&
        printf '%s' "$*" >"$venv/.installed" && return
    emulators_say "could not install $*"
    return 1
}

free_port() {
    "$(emulators_python 0)" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# emulators_run NAME HEALTH_URL COMMAND...: starts it in a directory of its own, waits for its health.
emulators_run() {
    local name=$1 health=$2 directory deadline
    shift 2
    directory=$(mktemp -d) && mkdir "$directory/tmp" || return 1
    emulator_dirs+=("$directory")
    (cd "$directory" && exec env TMPDIR="$directory/tmp" HOME="$directory" "$@") \
        >"$emulators_home/$name.log" 2>&1 &
    EMULATOR_PID=$!
    emulator_pids+=("$EMULATOR_PID")
    deadline=$((SECONDS + EMULATOR_START_SECONDS_MAX))
    until curl --silent --fail --max-time 2 --output /dev/null "$health"; do
        if ! kill -0 "$EMULATOR_PID" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            emulators_say "$name did not start:"
            tail -n 20 "$emulators_home/$name.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

start_ministack() {
    emulators_install ministack 12 "ministack[full]==$MINISTACK_VERSION" || return 1
    # Unless told, it binds all interfaces, and a port for MQTT besides.
    emulators_run ministack "http://127.0.0.1:$1/_ministack/health" \
        BIND_HOST=127.0.0.1 GATEWAY_PORT="$1" IOT_MTLS_ENABLED=0 LOG_LEVEL=WARNING \
        "$emulators_home/ministack/bin/ministack"
}

start_localstack() {
    # It imports warnings.deprecated, which came with Python 3.13.
    # shellcheck disable=SC2086 # the pins are several words
    emulators_install localstack 13 "localstack-core[runtime]==$LOCALSTACK_VERSION" $LOCALSTACK_PINS || return 1
    # The default server binds all interfaces whatever the address says.
    emulators_run localstack "http://127.0.0.1:$1/_localstack/health" \
        GATEWAY_SERVER=hypercorn GATEWAY_LISTEN="127.0.0.1:$1" LOCALSTACK_HOST="127.0.0.1:$1" \
        DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 \
        PATH="$emulators_home/localstack/bin:$PATH" \
        "$emulators_home/localstack/bin/python" -m localstack.runtime.main
}

stop_emulators() {
    local pid directory deadline
    for pid in ${emulator_pids[@]+"${emulator_pids[@]}"}; do
        kill "$pid" 2>/dev/null || continue
        deadline=$((SECONDS + EMULATOR_STOP_SECONDS_MAX))
        while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for directory in ${emulator_dirs[@]+"${emulator_dirs[@]}"}; do rm -rf "$directory"; done
    emulator_pids=() emulator_dirs=()
}
