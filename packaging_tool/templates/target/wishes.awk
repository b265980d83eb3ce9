# In: a file of wanted plugins, one a line. Out: rows `name TAB whether it is disabled`. On stderr: lines that mean nothing.
function complain(text) {
    gsub(/[^ -~]/, "?", text)
    print "line " NR ": " text | "cat >&2"
    wrong = 1
}
{
    sub(/[ \t\r]+$/, "")
    sub(/^[ \t]+/, "")
    line = $0
    off = "no"
    if ($0 ~ /^[^#]*[ \t]#[ \t]*disabled$/) off = "yes"
    sub(/(^|[ \t]+)#.*$/, "")
    if ($0 == "") next
    if (index($0, CORE "-plugin-") == 1) $0 = substr($0, length(CORE) + 9)
    if ($0 !~ /^[a-z0-9][a-z0-9.+-]*$/ || $0 == "kit") { complain("no plugin can have the name: " line); next }
    if ($0 in seen) { complain($0 " stands in line " seen[$0] " already"); next }
    seen[$0] = NR
    print $0 "\t" off
}
END {
    close("cat >&2")
    exit wrong
}
