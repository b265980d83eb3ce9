# A text as JSON. Reasons are ASCII; a byte that is not becomes a question mark.
function quote(text,    n, i, c, out) {
    gsub(/[^ -~]/, "?", text)
    n = length(text)
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        out = out (c == "\"" || c == "\\" ? "\\" c : c)
    }
    return "\"" out "\""
}
function or_null(text) { return text == "" || text == "-" ? "null" : quote(text) }
function yes_no(text) { return text == "yes" ? "true" : text == "no" ? "false" : "null" }
function list_of(text,    n, i, part, out) {
    if (text == "" || text == "-") return "[]"
    n = split(text, part, /, ?/)
    for (i = 1; i <= n; i++) out = out (i > 1 ? ", " : "") quote(part[i])
    return "[" out "]"
}
# A plugin of the inventory.
function plugin(    out) {
    out = "{\"name\": " quote($1) ", \"state\": " quote($3) ", \"version\": " or_null($2) ", \"serving\": " or_null($4)
    out = out ", \"verified\": " yes_no($5) ", \"disabled\": " yes_no($6) ", \"optional\": " yes_no($7)
    out = out ", \"order\": " ($8 == "-" ? "null" : $8) ", \"needs\": " list_of($9) ", \"needed_by\": " list_of($10)
    out = out ", \"available\": " or_null($11) ", \"held\": " or_null($12)
    return out ", \"reason\": " or_null($13) ", \"repair\": " or_null($14) "}"
}
# The beginning of every answer.
function head() { return "{\"format\": 1, \"core\": " quote(CORE) ", \"version\": " quote(VERSION) }
BEGIN { FS = "\t" }
