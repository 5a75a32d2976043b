#!/usr/bin/env bash
# `callboard dlq replay` for people without the binary: bash, the AWS CLI, and what POSIX has anyway
# (awk, sort, mktemp, base64). --help says how. The defaults, the attributes and the deduplication
# ids are those of infra/cli/src/dlq; infra/cli/tests/dlq/script.rs compares the two.
set -euo pipefail

usage() {
    cat <<'EOF'
Sends dead letters to the queue that they came from, and takes them off the dead-letter queue.

  replay-dlq.sh [--env-file FILE] [--queue NAME]... [FILTER]... [--execute]
  replay-dlq.sh --from DEAD-LETTER-QUEUE [--to QUEUE] [FILTER]... [--execute]

Only says what it would do, unless it is told to --execute. A letter leaves only after its copy is
accepted, so that Ctrl-C, `kill -9` or a lost connection lose nothing; a copy that is sent twice has
no second effect, for consumers know an event by its id. Run it again to go on. Letters of a FIFO
queue go in the order of their group. The copy bears how often it was replayed
(callboard-replays); with --max-replays of them it is left.

Which queues:
  --env-file FILE   the system that this file describes, of `callboard dev` or of
                    infra/scripts/stack-env.py [default: .callboard/env]
  --queue NAME      only this consumer's, for example email-sender; may be repeated [default: all]
  --from QUEUE      the dead-letter queue with this name or URL, without an env file
  --to QUEUE        where its letters go [default: the one queue that redrives to it]

Which letters (all that is named must fit):
  ID...             only these message ids; the beginning of one is enough
  --reason TEXT     the reason holds this text, in capitals or not
  --function NAME   the function that gave up
  --type TYPE       the event's type, or its beginning and `*`
  --correlation ID  the correlation id
  --since TIME      sent at this time or later: 2026-01-31T12:00:00Z (GNU date), or 90m, 2h, 3d ago
  --until TIME      sent before this time

How:
  --execute         do it
  --dry-run         only say what would be done, which is the default
  --max N           at most this many letters in all
  --rate N          at most this many letters per second
  --max-replays N   leave letters that were replayed this often [default: 3]
  --hidden N        for so many seconds what is looked at stays hidden from others if this ends by
                    `kill -9`; else it shows again at the end [default: by how many letters there
                    are, as is said at the start]
  --endpoint-url URL, --region REGION, --profile PROFILE
                    as of the AWS CLI; AWS_ENDPOINT_URL_SQS and AWS_ENDPOINT_URL are heeded by its
                    version 1 too

Examples:
  replay-dlq.sh                                      says what it would do
  replay-dlq.sh --queue email-sender --since 2h --execute --rate 50
  replay-dlq.sh --env-file stack.env --reason throttled --max 10 --execute
  replay-dlq.sh --from callboard-email-sender-dlq --region eu-west-1 --execute

Exit codes, as of callboard:
  0    done
  1    dead letters stay that were to leave
  2    the command line, or a file or queue that it names, was not understood
  4    no temporary file can be written
  7    the AWS CLI is missing, or a call failed
  130  stopped by Ctrl-C or SIGTERM; run it again to go on

Not here: letters that subscriptions gave up (they go to a topic) and those of the relay (they name
places in a stream); --where, edit, drop, export. `callboard dlq` does all of it, and faster: one
call of the AWS CLI takes half a second and more. For letters with binary attributes, an AWS CLI 1
must know shorthand values from files (`@=`).
EOF
}

# Entries, and bytes, of one call (SQS API reference; the least that SQS has ever taken).
readonly BATCH=10 CALL_BYTES=262144
# Letters named one by one.
readonly NAMED_MAX=10
# SQS hides no message for longer (SQS API reference).
readonly HIDDEN_SECONDS_MAX=43200
# Pages without a letter that is new: what is still there was all looked at, and shows again.
readonly STALE_PAGES=3
# Fields of a line between awk and bash: no letter holds it, for SQS refuses it.
readonly SEP=$'\037'
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "replay-dlq: $2" >&2
    exit "$1"
}

# -- the command line

env_file='' from='' to='' execute='' max='' rate='' hide='' max_replays=3 queues=() options=()
export IDS='' REASON='' FUNCTION='' TYPE='' CORRELATION='' SINCE='' UNTIL=''

number() {
    if [[ ! $2 =~ ^[0-9]{1,9}$ ]] || ((10#$2 < $3)); then fail 2 "$1 wants a number of $3 or more, and not '$2'"; fi
}

# Milliseconds since 1970.
moment() {
    local ago seconds
    if [[ $2 =~ ^([0-9]{1,6})([smhd])$ ]]; then
        case ${BASH_REMATCH[2]} in s) ago=1 ;; m) ago=60 ;; h) ago=3600 ;; *) ago=86400 ;; esac
        seconds=$(($(date +%s) - 10#${BASH_REMATCH[1]} * ago))
    else
        if [[ ! $2 =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T ]] || ! seconds=$(date -u -d "$2" +%s 2>/dev/null); then
            fail 2 "$1 wants a time as 2026-01-31T12:00:00Z, or 90m, 2h, 3d ago, and not '$2'"
        fi
    fi
    echo "${seconds}000"
}

while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --execute) [ "$execute" != no ] || fail 2 "--execute and --dry-run exclude each other" && execute=yes ;;
        --dry-run) [ "$execute" != yes ] || fail 2 "--execute and --dry-run exclude each other" && execute=no ;;
        --execute=* | --dry-run=*) fail 2 "${1%%=*} takes no value" ;;
        --*=*) set -- '' "${1%%=*}" "${1#*=}" "${@:2}" ;;
        --*)
            (($# > 1)) || fail 2 "$1 is not known, or wants a value; see --help"
            case $1 in
                --env-file) env_file=$2 ;;
                --queue) queues+=("$2") ;;
                --from) from=$2 ;;
                --to) to=$2 ;;
                --reason) REASON=$2 ;;
                --function) FUNCTION=$2 ;;
                --type) TYPE=$2 ;;
                --correlation) CORRELATION=$2 ;;
                --since) SINCE=$(moment "$1" "$2") ;;
                --until) UNTIL=$(moment "$1" "$2") ;;
                --max) number "$1" "$2" 1 && max=$((10#$2)) ;;
                --rate) number "$1" "$2" 1 && rate=$((10#$2)) ;;
                --hidden) number "$1" "$2" 1 && hide=$((10#$2)) ;;
                --max-replays) number "$1" "$2" 0 && max_replays=$((10#$2)) ;;
                --endpoint-url | --region | --profile) options+=("$1" "$2") ;;
                *) fail 2 "$1 is not known; see --help" ;;
            esac
            shift
            ;;
        -*) fail 2 "$1 is not known; see --help" ;;
        *) IDS+=" $1" ;;
    esac
    shift
done
[ "$execute" = yes ] || execute=no
[ -z "$from" ] || [ -z "$env_file${queues[*]+x}" ] || fail 2 "--from stands for --env-file and --queue"
[ -z "$to" ] || [ -n "$from" ] || fail 2 "--to wants --from"

# -- the AWS CLI

# Its texts are UTF-8 whatever the locale: version 2 is told by the first, version 1 by the second.
export AWS_CLI_FILE_ENCODING=UTF-8 PYTHONUTF8=1 PYTHONIOENCODING=UTF-8 AWS_PAGER=''

# Ctrl-C is for this script: a call under way comes to its end, so that what it did is known.
sqs() {
    (
        trap '' INT TERM HUP
        # Relative names in arguments are of files there.
        cd "$work"
        exec aws sqs "$@" ${options[@]+"${options[@]}"} 2>aws.err
    )
}

# What the CLI said, in one line.
refusal() { awk 'NF { last = $0 } END { print last == "" ? "the AWS CLI failed" : last }' "$work/aws.err"; }

# Only where there are bytes, for this too takes half a second.
learn_version() {
    case $(aws --version 2>&1) in
        aws-cli/1.*) CLI=1 ;;
        *) CLI=2 options+=(--cli-binary-format base64) ;;
    esac
}

prepare() {
    command -v aws >/dev/null || fail 7 'the AWS CLI (aws) is not installed'
    work=$(mktemp -d) || exit 4
    trap finish EXIT
    trap stop INT TERM HUP
    if [ -z "$from" ]; then
        env_file=${env_file:-.callboard/env}
        [ -r "$env_file" ] || fail 2 "$env_file cannot be read; name an --env-file, or a queue by --from"
        case $env_file in */*) ;; *) env_file=./$env_file ;; esac
        # shellcheck disable=SC1090
        . "$env_file" || fail 2 "$env_file is no file of shell variables"
    fi
    # Version 1 reads only the one name of the region, and no endpoint for SQS (aws/aws-cli#8737).
    [ -z "${AWS_REGION:-}" ] || export AWS_DEFAULT_REGION=$AWS_REGION
    local endpoint=${AWS_ENDPOINT_URL_SQS:-${AWS_ENDPOINT_URL:-}}
    case " ${options[*]-} " in
        *' --endpoint-url '*) ;;
        *) [ -z "$endpoint" ] || options+=(--endpoint-url "$endpoint") ;;
    esac
    : >"$work/sent" && : >"$work/left" && : >"$work/refused"
}

# -- what is looked at is shown again, whatever happens

stopped='' begun='' url=''

stop() {
    [ -z "$stopped" ] || { url='' && exit 130; }
    stopped=yes
}

finish() {
    local status=$?
    trap '' INT TERM HUP
    show_again || { [ "$status" != 0 ] || status=7; }
    # What was done is told even if a call failed later.
    [ -z "$begun" ] || tell
    rm -rf "$work"
    exit "$status"
}

show_again() {
    local entries='' count=0 receipt shown=0
    [ -n "$url" ] || return 0
    # The newest receipt of each letter that is not gone.
    awk -F "$SEP" 'FILENAME == "'"$work"'/gone" { gone[$1] = 1; next } { receipt[$1] = $2 }
        END { for (id in receipt) if (!(id in gone)) print receipt[id] }' "$work/gone" "$work/looked" >"$work/hidden"
    while IFS= read -r receipt; do
        entries+=${entries:+, }"{\"Id\": \"$count\", \"ReceiptHandle\": \"$receipt\", \"VisibilityTimeout\": 0}"
        count=$((count + 1))
        if ((count == BATCH)); then
            show_batch || shown=1
            entries='' count=0
        fi
    done <"$work/hidden"
    ((count == 0)) || show_batch || shown=1
    url=''
    return "$shown"
}

# An entry that fails is one whose time is over, and is shown already.
show_batch() {
    echo "{\"QueueUrl\": \"$url\", \"Entries\": [$entries]}" >"$work/request.json"
    sqs change-message-visibility-batch --cli-input-json file://request.json --output text --query 'length(Successful)' >/dev/null ||
        { echo "replay-dlq: letters stay hidden for a while: $(refusal)" >&2 && return 1; }
}

# -- one queue

export SEP FROM_NAME='' TO_URL='' TO_FIFO='' MAX_REPLAYS=$max_replays BUDGET=$max BEGUN='' CLI='' EXECUTE=$execute
sent=0 looked=0 broken=$'\n'

progress() { [ ! -t 2 ] || printf '\r%s of about %s looked at in %s, %s %s \033[K' "$looked" "$depth" "$1" "$sent" "$verb" >&2; }

# As fast as --rate allows: the clock has whole seconds, of which the one under way does not count.
wait_for_rate() {
    [ -n "$rate" ] && ((sent > 0)) || return 0
    while [ -z "$stopped" ] && (((SECONDS - first_at - 1) * rate < sent)); do sleep 0.2 || true; done
}

# Sends the letters of `unit` (lines of the page), deletes those that were taken, and empties it.
send_unit() {
    local n id type group binary outcome entries='' gone=''
    wait_for_rate
    [ -z "$stopped" ] || return 0
    first_at=${first_at:-$SECONDS}
    while IFS=$SEP read -r n _ _ _ _ _ _ _ binary; do
        { echo "${entries:+,}" && cat "$work/entry.$n"; } >>"$work/entries"
        entries+=x
    done <"$work/unit"
    if ! take_unit; then
        outcome=$(refusal)
        awk -F "$SEP" -v OFS="$SEP" '{ print $1, "" }' "$work/unit" >"$work/outcomes"
    fi
    rm "$work/entries"
    entries=''
    while IFS=$SEP read -r n id receipt _ _ type group _ _; do
        local taken
        taken=$(awk -F "$SEP" -v n="$n" '$1 == n { print $2 }' "$work/outcomes")
        if [ "$taken" = taken ]; then
            entries+=${entries:+, }"{\"Id\": \"$n\", \"ReceiptHandle\": \"$receipt\"}"
            gone+="$n$SEP$id$SEP$type"$'\n'
        else
            broken+=$group$'\n'
            echo "$id in $1: ${taken:-${outcome:-SQS did not say what became of it}}" >>"$work/refused"
        fi
    done <"$work/unit"
    [ -z "$entries" ] || delete_unit "$1" "$entries" "$gone"
    unit=0 unit_bytes=0
    : >"$work/unit"
}

take_unit() {
    local n binary
    IFS=$SEP read -r n _ _ _ _ _ _ _ binary <"$work/unit"
    if [ "$binary" = 1 ]; then
        take_in_files "$n" || return 1
        printf '%s%s%s\n' "$n" "$SEP" taken >"$work/outcomes"
        return
    fi
    { echo "{\"QueueUrl\": \"$TO_URL\", \"Entries\": [" && cat "$work/entries" && echo ']}'; } >"$work/request.json"
    sqs send-message-batch --cli-input-json file://request.json --output text \
        --query "[Successful[].{id: Id, outcome: 'taken'}, Failed[].{id: Id, outcome: Code}][]" >"$work/answer" || return 1
    tr '\t' "$SEP" <"$work/answer" >"$work/outcomes"
}

# One letter with bytes by AWS CLI 1: SendMessage has its attributes from files.
take_in_files() {
    local file
    for file in "$work/value.$1".*.base64; do base64 -d <"$file" >"${file%.base64}"; done
    sqs send-message --cli-input-json "file://entry.$1" --message-attributes "$(cat "$work/forms.$1")" >/dev/null
}

delete_unit() {
    local n id type failed
    echo "{\"QueueUrl\": \"$url\", \"Entries\": [$2]}" >"$work/request.json"
    sqs delete-message-batch --cli-input-json file://request.json --output text --query 'Failed[].Id' >"$work/answer" ||
        fail 7 "copies were accepted, but their letters could not be deleted: $(refusal)"
    failed=$(cat "$work/answer")
    while IFS=$SEP read -r n id type; do
        sent=$((sent + 1))
        echo "$type${SEP}from $1 to $to_name" >>"$work/sent"
        if [[ $'\t'$failed$'\t' == *$'\t'$n$'\t'* ]]; then
            echo "$id in $1: its copy was accepted, but it could not be deleted" >>"$work/refused"
        else
            echo "$id" >>"$work/gone"
        fi
    done <<<"${3%$'\n'}"
}

# Lines of a page: counts, and sends in units that are taken or not as one: the letters of a FIFO
# queue one by one, for none may overtake the one before it that was not taken.
work_page() {
    local line n id verdict bytes type group why binary unit=0 unit_bytes=0
    local unit_max=$((rate > 0 && rate < BATCH ? rate : BATCH))
    [ -z "$TO_FIFO" ] || unit_max=1
    : >"$work/unit"
    while IFS= read -r line; do
        IFS=$SEP read -r n id _ verdict bytes type group why binary <<<"$line"
        echo "$id" >>"$work/seen"
        looked=$((looked + 1))
        [ "$verdict" != left ] || echo "$id in $1: $why" >>"$work/left"
        [ "$verdict" = send ] || continue
        [ -z "$BUDGET" ] || BUDGET=$((BUDGET - 1))
        if [ "$execute" = no ]; then
            sent=$((sent + 1))
            echo "$type${SEP}from $1 to $to_name" >>"$work/sent"
            continue
        fi
        if ((unit > 0)) && ((unit == unit_max || unit_bytes + bytes > CALL_BYTES || binary == 1)); then
            send_unit "$1"
        fi
        [ -z "$stopped" ] || return 0
        if [ -n "$TO_FIFO" ] && [[ $broken == *$'\n'"$group"$'\n'* ]]; then
            echo "$id in $1: one before it in its group was not taken" >>"$work/refused"
            continue
        fi
        echo "$line" >>"$work/unit"
        unit=$((unit + 1)) unit_bytes=$((unit_bytes + bytes))
        [ "$binary" != 1 ] || send_unit "$1"
    done <"$work/page"
    ((unit == 0)) || send_unit "$1"
}

receive() {
    rm -f "$work"/entry.* "$work"/forms.* "$work"/value.* "$work/looked.page"
    sqs receive-message --queue-url "$url" --max-number-of-messages "$BATCH" --visibility-timeout "$hidden" \
        --wait-time-seconds 1 --message-attribute-names All --attribute-names All --output json >"$work/page.json" ||
        fail 7 "the letters of $1 cannot be received: $(refusal)"
    [ -n "$CLI" ] || ! grep -q '"BinaryValue"' "$work/page.json" || learn_version
    (cd "$work" && LC_ALL=C awk -f "$here/replay-dlq.awk" >page) || fail 7 "a page of $1 cannot be understood"
    [ -f "$work/looked.page" ] || return 1
    cat "$work/looked.page" >>"$work/looked"
}

# replay NAME URL TO-NAME TO-URL
replay() {
    local stale=0 depth
    FROM_NAME=$1 to_name=$3 TO_URL=$4 broken=$'\n' TO_FIFO=''
    [[ $4 != *.fifo ]] || TO_FIFO=yes
    depth=$(sqs get-queue-attributes --queue-url "$2" --attribute-names ApproximateNumberOfMessages --output text \
        --query Attributes.ApproximateNumberOfMessages) || fail 7 "$1 does not tell how many letters it has: $(refusal)"
    # Long enough to come to the end before the first shows again, with calls of some seconds on a
    # busy machine: what shows again cannot be deleted from a FIFO queue.
    hidden=${hide:-$((${#TO_FIFO} > 0 ? 300 : 60))}
    [ -n "$hide" ] || hidden=$((hidden + depth / 2 + (${rate:-0} > 0 ? depth / rate : 0)))
    ((hidden <= HIDDEN_SECONDS_MAX)) || hidden=$HIDDEN_SECONDS_MAX
    echo "replay-dlq: $1: about $depth letters; after a kill -9 they show again in ${hidden} s" >&2
    : >"$work/seen" && : >"$work/looked" && : >"$work/gone"
    looked=0 url=$2 begun=yes
    while [ -z "$stopped" ] && [ "$BUDGET" != 0 ] && ((stale < STALE_PAGES)) && receive "$1"; do
        stale=$((stale + 1))
        [ ! -s "$work/page" ] || stale=0
        work_page "$1"
        progress "$1"
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
    show_again || fail 7 "$1 may keep letters hidden for ${hidden} s"
}

# -- which queues

# The URL of a queue by its name or URL.
url_of() {
    case $1 in http://* | https://*) echo "$1" && return ;; esac
    sqs get-queue-url --queue-name "$1" --output text --query QueueUrl || fail 2 "there is no queue $1: $(refusal)"
}

replay_named() {
    local from_url to_urls
    from_url=$(url_of "$from") || exit
    if [ -n "$to" ]; then
        to_urls=$(url_of "$to") || exit
    else
        to_urls=$(sqs list-dead-letter-source-queues --queue-url "$from_url" --output text --query 'queueUrls[]') ||
            fail 7 "$from does not tell whose dead letters it has: $(refusal)"
        case $to_urls in
            '' | None) fail 2 "no queue redrives to $from; name one with --to" ;;
            *[[:space:]]*) fail 2 "several queues redrive to $from; name one with --to: ${to_urls//[[:space:]]/ }" ;;
        esac
    fi
    replay "${from_url##*/}" "$from_url" "${to_urls##*/}" "$to_urls"
}

is_wanted() {
    local wanted
    ((${#queues[@]})) || return 0
    for wanted in "${queues[@]}"; do [ "${wanted%-dead-letter-queue}" != "$1" ] || return 0; done
    return 1
}

# As the env file names them: CALLBOARD_EMAIL_SENDER_DEAD_LETTER_QUEUE, CALLBOARD_EMAIL_SENDER_QUEUE.
replay_system() {
    local variable consumer letters source names='' found=()
    for variable in $(compgen -v CALLBOARD_ | sort); do
        [[ $variable == *_DEAD_LETTER_QUEUE ]] || continue
        consumer=$(tr 'A-Z_' 'a-z-' <<<"${variable:10:${#variable}-28}")
        source=${variable%_DEAD_LETTER_QUEUE}_QUEUE
        [ -n "${!source:-}" ] || continue
        names+=${names:+, }$consumer
        ! is_wanted "$consumer" || found+=("$consumer$SEP${!variable}$SEP${!source}")
    done
    for consumer in ${queues[@]+"${queues[@]}"}; do
        [[ ", $names, " == *", ${consumer%-dead-letter-queue}, "* ]] ||
            fail 2 "there is no dead-letter queue '$consumer' whose letters go to a queue; there are: $names"
    done
    ((${#found[@]})) || fail 2 "$env_file names no dead-letter queue"
    for variable in "${found[@]}"; do
        [ -z "$stopped" ] && [ "$BUDGET" != 0 ] || return 0
        IFS=$SEP read -r consumer letters source <<<"$variable"
        replay "$consumer" "$letters" "$consumer-queue" "$source"
    done
}

# -- the end

tell_named() {
    awk -v what="$1" -v most="$NAMED_MAX" 'NR <= most { print "  " what ": " $0 }
        END { if (NR > most) print "  " what ": " NR - most " more" }' "$work/$2"
}

tell() {
    sort "$work/sent" | uniq -c | awk -F "$SEP" '{ count = $1; sub(/^ */, "", count); type = count
        sub(/ .*/, "", count); sub(/^[0-9]+ /, "", type); printf "  %6d  %s  %s\n", count, type, $2 }'
    tell_named left left
    tell_named 'not taken' refused
    if [ "$execute" = yes ]; then
        echo "replayed $sent letters"
    else
        echo "would replay $sent letters; nothing was changed, --execute does it"
    fi
}

BEGUN=$(date +%s)000
[ "$execute" = yes ] && verb=replayed || verb='to replay'
prepare
if [ -n "$from" ]; then replay_named; else replay_system; fi
tell
begun=''
[ -z "$stopped" ] || exit 130
if [ -s "$work/refused" ]; then
    fail 1 "$(awk 'END { print NR }' "$work/refused") dead letters were not taken and stay where they are; see the list above"
fi
