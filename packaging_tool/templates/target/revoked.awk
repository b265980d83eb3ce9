# In: a list of revoked keys, in which each byte that is not printable ASCII, a tab or a newline has become a question mark. A
# line is a key id of 16 digits 0-9 a-f or empty; blanks and tabs at its end, and all from the first `#` on, mean nothing.
# Out: ids; complaints about other lines.
function complain(reason, repair) { print "*\t" PLACE " " reason "\t" repair ", then " TOOL " apply" >> COMPLAINTS }
function is_id(text) { return length(text) == 16 && text !~ /[^0-9a-f]/ }
# What may have been meant, since people copy ids from elsewhere.
function better(text) {
    if (length(text) < 100) {
        text = tolower(text)
        gsub(/^[ \t?]+|[ \t?]+$/, "", text)
        sub(/^0x/, "", text)
        if (is_id(text)) return "write " text
    }
    return "write the 16 digits 0-9 a-f of a key id, or # before a comment"
}
{
    text = $0
    at = index(text, "#")
    if (at) text = substr(text, 1, at - 1)
    if (text ~ /^[ \t]*$/) next
    if (is_id(substr(text, 1, 16)) && substr(text, 17) ~ /^[ \t]*$/) { print substr(text, 1, 16) >> REVOKED; next }
    if (++wrong <= 10) complain("line " NR " is not a key id of 16 hexadecimal digits", better(text))
}
END { if (wrong > 10) complain("has " wrong - 10 " more lines that are none", "repair them alike") }
