# In: records of packages; each begins with `=NAME VERSION STATE WANT`, or is a stanza of apt-cache. Out: a row
# `package TAB version TAB state TAB hold TAB abi TAB needs TAB obsoletes` for each, `-` for what is not known. needs and
# obsoletes are names of plugins; what a package of rpm obsoletes comes behind a line `~`.
# Whoever writes the index of a repository writes its words: what can be no name, version or ABI is left out.
function is_name(text) {
    if (text == CORE) return 1
    return index(text, CORE "-plugin-") == 1 && length(text) < 256 && substr(text, length(CORE) + 9) ~ /^[a-z0-9][A-Za-z0-9._+-]*$/
}
function is_version(text) { return length(text) < 256 && text ~ /^[A-Za-z0-9.+~:^_-]+$/ }
# An empty package that only leads to the new name of a plugin.
function is_transitional(    name, line) {
    name = substr(package, length(CORE) + 9)
    if (!(name in renamed)) return 0
    # Its former version still has a plugin in it, as long as it fits this core too.
    return state == "-" || (getline line < (SHARE "/plugins/" name ".manifest")) < 0
}
BEGIN {
    if (FORMER != "") while ((getline row < FORMER) > 0) if (split(row, part, " ") == 2) renamed[part[1]] = 1
}
function is_abi(text) { return length(text) == 64 && text !~ /[^0-9a-f]/ }
function finish() {
    # Debug information and the files for authors of plugins are no plugins.
    if (package == CORE "-plugin-dev" || package == CORE "-plugin-devel") package = ""
    if (is_name(package) && is_version(version) && state != "" && package !~ /-(dbgsym|debuginfo)$/ && !is_transitional())
        print package "\t" version "\t" state "\t" hold "\t" (abi == "" ? "-" : abi) "\t" (needs == "" ? "-" : needs) "\t" (gone == "" ? "-" : gone)
    package = ""
}
function begin(name) {
    finish()
    package = name
    version = state = hold = "-"
    abi = needs = gone = ""
    obsoletes = 0
}
# The names in a relation: the ABI, and plugins that it needs.
function relate(text,    n, i, word, prefix) {
    prefix = CORE "-plugin-"
    n = split(text, word, /[ ,|\t]+/)
    for (i = 1; i <= n; i++) {
        if (index(word[i], CORE "-abi") == 1) {
            value = substr(word[i], length(CORE) + 6)
            sub(/\)$/, "", value)
            # A core may provide several.
            if (is_abi(value) && !index("," abi ",", "," value ",")) abi = abi == "" ? value : abi "," value
        } else if (index(word[i], prefix) == 1 && word[i] != package) {
            sub(/\(.*|:.*/, "", word[i])
            name = substr(word[i], length(prefix) + 1)
            if (length(name) > 255 || name !~ /^[a-z0-9][a-z0-9.+-]*$/ || name ~ /^kit(-abi(-.*)?)?$/ || index("," needs ",", "," name ",")) continue
            needs = needs == "" ? name : needs "," name
        }
    }
}
/^=/ {
    # A package that others only name has no version, which is a column all the same.
    n = split(substr($0, 2), part, /[ \t]/)
    begin(part[1])
    version = part[2]
    if (n > 2) { state = part[3]; hold = part[4] == "hold" ? "yes" : "no" }
    next
}
/^Package: / { begin(substr($0, 10)); stanza = 1; state = ""; next }
stanza && /^Version: / { version = substr($0, 10); next }
# What no repository has, apt knows only from dpkg.
stanza && /^Filename: / { state = "-"; next }
stanza && /^(Depends|Pre-Depends|Provides): / { sub(/^[^:]*: /, ""); relate($0); next }
$0 == "~" { obsoletes = 1; next }
obsoletes {
    sub(/[ \t].*/, "")
    if ($0 != CORE && is_name($0)) gone = (gone == "" ? "" : gone ",") substr($0, length(CORE) + 9)
    next
}
!stanza { relate($0) }
END { finish() }
