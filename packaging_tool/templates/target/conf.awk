# In: plugins.conf. Out: the value of KEY, else DEFAULT; then `NUMBER: REASON` of every line that means nothing.
function good(key, value) {
    if (key == "units") return (value " ") ~ /^([A-Za-z0-9:_.*?[][]A-Za-z0-9:_.@*?\\[-]*\.service[ \t]+)+$/
    if (value ~ /[^!-~]/) return 0
    if (key == "restart") return value ~ /^(auto|reload|defer|\/.+)$/
    return value ~ /^(refuse|allow)$/
}
function complain(text) {
    gsub(/[^ -~]/, "?", text)
    wrong[++faults] = NR ": " text
}
BEGIN {
    result = DEFAULT
    choices["restart"] = "auto, reload, defer or the path of a command"
    choices["removal"] = "refuse or allow"
    choices["units"] = "names of services, parted by blanks"
}
{
    sub(/(^|[ \t]+)#.*$/, "")
    gsub(/^[ \t]+|[ \t]+$/, "")
    if ($0 == "") next
    equals = index($0, "=")
    key = substr($0, 1, equals - 1)
    value = substr($0, equals + 1)
    sub(/[ \t]+$/, "", key)
    sub(/^[ \t]+/, "", value)
    if (equals == 0) complain("is not: key = value")
    else if (!(key in choices)) complain("there is no setting " key)
    else if (!good(key, value)) complain(key " must be " choices[key] ", not " value)
    else {
        if (key in seen) complain(key " is set a second time, which counts")
        seen[key] = 1
        if (key == KEY) result = value
    }
}
END {
    print result
    for (i = 1; i <= faults; i++) print wrong[i]
}
