# How the shell script reports: one line per check, and whether all held.

failed=0

# equal SENTENCE GOT WANT
equal() {
    if [ "$2" = "$3" ]; then
        echo "ok   $1"
    else
        failed=1
        echo "FAIL $1: got '$2', want '$3'" | tr '\n' ' '
        echo
    fi
}

# refused SENTENCE CODE COMMAND...: the command must fail, and name the error code as the CLI does.
refused() {
    local sentence=$1 code=$2 said
    shift 2
    if said=$("$@" 2>&1); then
        equal "$sentence" "no error" "$code"
    else
        equal "$sentence" "$(sed -n 's/.*An error occurred (\([^)]*\)).*/\1/p' <<<"$said")" "$code"
    fi
}
