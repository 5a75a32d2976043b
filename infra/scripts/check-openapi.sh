#!/usr/bin/env bash
# Checks functions/openapi.json with a validator of OpenAPI 3.1 that is not ours, pinned, from PyPI in a
# virtual environment of this repository.
#
#   infra/scripts/check-openapi.sh [--self-test]
#
# --self-test breaks a copy of the document in several places and fails unless each is found.
#
# Where the validator cannot be installed, the check is skipped with a word on stderr;
# CALLBOARD_CI_STRICT=1 makes that an error. Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly DOCUMENT=functions/openapi.json
readonly VALIDATOR='openapi-spec-validator==0.9.*'
venv=$PWD/.venv/openapi

install_validator() {
    [[ $("$venv/bin/python" -m pip show openapi-spec-validator 2>/dev/null) == *"Version: "${VALIDATOR#*==}* ]] && return
    command -v python3 >/dev/null || { echo 'check-openapi: python3 is not installed' >&2; return 1; }
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" ||
        { echo 'check-openapi: python3 cannot make a virtual environment' >&2; return 1; }
    echo 'check-openapi: installing openapi-spec-validator into .venv/openapi (once)' >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$VALIDATOR" ||
        { echo 'check-openapi: pip could not install openapi-spec-validator' >&2; return 1; }
}

if ! install_validator; then
    echo 'check-openapi: NOT CHECKED' >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
fi

if [ "${1:-}" != --self-test ]; then
    "$venv/bin/openapi-spec-validator" "$DOCUMENT"
    exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$venv/bin/python" - "$DOCUMENT" "$scratch" <<'PYTHON'
import copy, json, sys
document = json.load(open(sys.argv[1]))
def broken(name, change):
    one = copy.deepcopy(document)
    change(one)
    json.dump(one, open(f"{sys.argv[2]}/{name}.json", "w"))
health = lambda one: one["paths"]["/v1/health"]["get"]
broken("no-version", lambda one: one.pop("openapi"))
broken("no-responses", lambda one: health(one).update(responses={"ok": {}}))
broken("no-description", lambda one: health(one)["responses"]["200"].pop("description"))
broken("no-such-component", lambda one: health(one).update(parameters=[{"$ref": "#/components/parameters/none"}]))
broken("no-path-parameter", lambda one: one["paths"]["/v1/slots/{slot}"]["get"].pop("parameters"))
broken("id-twice", lambda one: health(one).update(operationId="showSlot"))
broken("no-schema", lambda one: one["components"]["schemas"]["Problem"].update(type="objct"))
PYTHON
for broken in "$scratch"/*.json; do
    if "$venv/bin/openapi-spec-validator" "$broken" >/dev/null 2>&1; then
        echo "check-openapi: did not find $(basename "$broken" .json)" >&2
        exit 1
    fi
done
echo 'check-openapi: the validator finds what is wrong'
