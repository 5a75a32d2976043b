# What replay-dlq.sh does with one page of letters, as ReceiveMessage answers it in page.json: judges
# each letter that is not in the file `seen`, and writes a file `entry.N`, an entry of
# SendMessageBatch, for each that is to be sent. On standard output a line for each, its fields
# between $SEP: number, id, receipt, verdict (send, left, beyond the budget, other), bytes, type,
# group, why it is left, whether its attributes are to be given by files.
#
# Any POSIX awk, with LC_ALL=C. JSON texts stay escaped as they came, and go out so: all that is done
# to them is to find where strings begin and end. Meanwhile \001 stands for an escaped backslash and
# \002 for an escaped quotation mark; in a body, whose JSON is escaped once more, \003 and \004.

function blank() { split("", key); split("", at); split("", kind); split("", is_key); depth = 0 }

# Finds the strings of a JSON text between delimiters that are in no string.
function walk(text, delimiter, of,    part, n, i, c, outside, token) {
    blank()
    n = split(text, part, delimiter)
    for (i = 1; i <= n; i++) {
        if (i % 2 == 0) {
            if (kind[depth] == "{" && is_key[depth]) key[depth] = part[i]
            else if (of == "page") of_page(part[i])
            else of_body(part[i])
            continue
        }
        outside = part[i]
        for (c = 1; c <= length(outside); c++) {
            token = substr(outside, c, 1)
            if (token == "{" || token == "[") { depth++; kind[depth] = token; at[depth] = 0; is_key[depth] = 1 }
            else if (token == "}" || token == "]") depth--
            else if (token == ":") is_key[depth] = 0
            else if (token == ",") { at[depth]++; is_key[depth] = 1 }
        }
    }
}

function of_page(text,    m) {
    m = at[2]
    if (m + 1 > letters) letters = m + 1
    if (depth == 3) told[m, key[3]] = text
    else if (depth == 4 && key[3] == "Attributes") told[m, key[4]] = text
    else if (depth == 5) {
        if (!((m, key[4]) in known)) { known[m, key[4]] = 1; name[m, names[m]++] = key[4] }
        attribute[m, key[4], key[5]] = text
        if (key[5] == "BinaryValue") is_binary[m, key[4]] = 1
    }
}

function of_body(text) {
    if (depth == 1) said[key[1]] = text
    else if (depth == 2 && key[1] == "requestContext") said[key[1] "." key[2]] = text
}

# What a person reads; tabs and ends of lines become spaces.
function plain(text) {
    gsub(/[\002\004]/, "\"", text); gsub(/\\[nrt]/, " ", text)
    return joined(text, "[\001\003]", "\\")
}

function joined(text, by, glue,    part, n, i, all) {
    n = split(text, part, by); all = part[1]
    for (i = 2; i <= n; i++) all = all glue part[i]
    return all
}

function first(a, b, c, d) { return a != "" ? a : b != "" ? b : c != "" ? c : d }

function value(m, name) { return plain(attribute[m, name, "StringValue"]) }

# Parts are written one by one: a long text is not put together again and again.
function write(file, text,    part, n, i, k, piece, m) {
    n = split(text, part, "\001")
    for (i = 1; i <= n; i++) {
        if (i > 1) print "\\\\" > file
        m = split(part[i], piece, "\002")
        for (k = 1; k <= m; k++) { if (k > 1) print "\\\"" > file; print piece[k] > file }
    }
}

function is_added(name) {
    return name ~ /^callboard-(reason|error-class|function|attempt|replays|edited)$/ || name ~ /^(RequestID|ErrorCode|ErrorMessage)$/
}

function look_into(body,    text) {
    split("", said)
    text = body
    gsub(/\001\001/, "\003", text); gsub(/\001\002/, "\004", text)
    if (text !~ /^(\\[nrt]| )*[{]/) return
    walk(text, "\002", "body")
    if (depth != 0) split("", said)
}

function fits(m, why, type, correlation,    i, n, id, wanted, found) {
    n = split(ENVIRON["IDS"], id, " ")
    for (i = 1; i <= n; i++) if (index(told[m, "MessageId"], id[i]) == 1) found = 1
    if (n > 0 && !found) return 0
    if (index(tolower(why), tolower(ENVIRON["REASON"])) == 0 && ENVIRON["REASON"] != "") return 0
    if (ENVIRON["FUNCTION"] != "" && first(value(m, "callboard-function"), ENVIRON["FROM_NAME"]) != ENVIRON["FUNCTION"]) return 0
    if (ENVIRON["CORRELATION"] != "" && correlation != ENVIRON["CORRELATION"]) return 0
    wanted = ENVIRON["TYPE"]
    if (wanted ~ /\*$/) { if (index(type, substr(wanted, 1, length(wanted) - 1)) != 1) return 0 }
    else if (wanted != "" && type != wanted) return 0
    if (ENVIRON["SINCE"] != "" && told[m, "SentTimestamp"] + 0 < ENVIRON["SINCE"] + 0) return 0
    return ENVIRON["UNTIL"] == "" || told[m, "SentTimestamp"] + 0 < ENVIRON["UNTIL"] + 0
}

function left_because(m, replays, kept) {
    if ((m, "callboard-edited") in known && ENVIRON["IDS"] == "") return "an edited copy of it was sent; name its id to replay the original"
    if (replays >= ENVIRON["MAX_REPLAYS"] + 0) return "replayed " replays " times and here again; see --max-replays"
    if (replays > 0 && told[m, "SentTimestamp"] + 0 >= ENVIRON["BEGUN"] + 0) return "came back during this run"
    if (kept + 1 > 10) return "its ten attributes leave no room for the count of replays"
    return ""
}

# For AWS CLI 1, which takes bytes from files alone.
function write_forms(m, count,    i, k, form, file, text) {
    form = "forms." m
    print "callboard-replays={DataType=String,StringValue=" count "}" > form
    for (i = 0; i < names[m]; i++) {
        k = name[m, i]
        if (is_added(k)) continue
        file = "value." m "." i
        print "," k "={DataType=" attribute[m, k, "DataType"] "," > form
        if ((m, k) in is_binary) {
            print "BinaryValue@=fileb://" file > form
            print attribute[m, k, "BinaryValue"] > (file ".base64")
            close(file ".base64")
        } else {
            text = attribute[m, k, "StringValue"]
            if (text ~ /\\[ru]/) { close(form); return "it has bytes and a line that AWS CLI 1 cannot pass on unchanged; callboard dlq replay can" }
            gsub(/\\n/, "\n", text); gsub(/\\t/, "\t", text); gsub(/\002/, "\"", text)
            print "StringValue@=file://" file > form
            print joined(text, "\001", "\\") > file
            close(file)
        }
        print "}" > form
    }
    close(form)
    return ""
}

function write_entry(m, count, alone,    i, k, file) {
    file = "entry." m
    print alone ? "{\"QueueUrl\": \"" ENVIRON["TO_URL"] "\"" : "{\"Id\": \"" m "\"" > file
    print ", \"MessageBody\": \"" > file
    write(file, told[m, "Body"])
    print "\", \"MessageAttributes\": {\"callboard-replays\": {\"DataType\": \"String\", \"StringValue\": \"" count "\"}" > file
    for (i = 0; i < names[m]; i++) {
        k = name[m, i]
        if (is_added(k)) continue
        print ", \"" k "\": {\"DataType\": \"" attribute[m, k, "DataType"] "\", " > file
        if ((m, k) in is_binary) print "\"BinaryValue\": \"" attribute[m, k, "BinaryValue"] > file
        else { print "\"StringValue\": \"" > file; write(file, attribute[m, k, "StringValue"]) }
        print "\"}" > file
    }
    print "}" > file
    if ((m, "MessageGroupId") in told) { print ", \"MessageGroupId\": \"" > file; write(file, told[m, "MessageGroupId"]); print "\"" > file }
    if (ENVIRON["TO_FIFO"] != "") print ", \"MessageDeduplicationId\": \"replay-" told[m, "MessageId"] "-" count "\"" > file
    print "}" > file
    close(file)
}

function judge(m,    why, type, correlation, replays, i, kept, bytes, binary, verdict, reason) {
    look_into(told[m, "Body"])
    reason = first(value(m, "callboard-reason"), value(m, "ErrorMessage"), plain(said["requestContext.condition"]), "received too often (maxReceiveCount); no reason was given")
    type = first(value(m, "type"), plain(said["type"]), "?")
    correlation = first(value(m, "correlationid"), plain(said["correlationid"]))
    replays = value(m, "callboard-replays") ~ /^[+]?[0-9]+$/ ? value(m, "callboard-replays") + 0 : 0
    bytes = length(told[m, "Body"])
    for (i = 0; i < names[m]; i++) if (!is_added(name[m, i])) {
        kept++
        bytes += length(name[m, i] attribute[m, name[m, i], "DataType"] attribute[m, name[m, i], "StringValue"] attribute[m, name[m, i], "BinaryValue"])
        if ((m, name[m, i]) in is_binary) binary = 1
    }
    verdict = "other"
    if (fits(m, reason, type, correlation)) {
        why = left_because(m, replays, kept)
        if (why == "" && binary && ENVIRON["CLI"] == 1 && ENVIRON["EXECUTE"] == "yes") why = write_forms(m, replays + 1)
        else binary = 0
        verdict = why != "" ? "left" : ENVIRON["BUDGET"] == "" || budget-- > 0 ? "send" : "beyond"
        if (verdict == "send" && ENVIRON["EXECUTE"] == "yes") write_entry(m, replays + 1, binary)
    }
    print m SEP told[m, "MessageId"] SEP told[m, "ReceiptHandle"] SEP verdict SEP bytes SEP type SEP told[m, "MessageGroupId"] SEP why SEP binary + 0 "\n"
}

BEGIN {
    ORS = ""; SEP = ENVIRON["SEP"]; budget = ENVIRON["BUDGET"]
    while ((getline line < "seen") > 0) seen[line] = 1
    while ((getline line < "page.json") > 0) page = page line "\n"
    gsub(/\\\\/, "\001", page); gsub(/\\"/, "\002", page)
    walk(page, "\"", "page")
    for (m = 0; m < letters; m++) {
        print told[m, "MessageId"] SEP told[m, "ReceiptHandle"] "\n" > "looked.page"
        if (!(told[m, "MessageId"] in seen)) judge(m)
    }
}
