# In: preferences of apt (apt_preferences(5)), or settings of dnf and its lists of locked versions. NAMES: packages, parted by blanks.
# Out: `package TAB what keeps it, and what helps` of each that a file names, and of others of ours. What is for all packages counts
# only where nothing else does.
# A glob as a regular expression.
function expression(glob,    i, c, out) {
    for (i = 1; i <= length(glob); i++) {
        c = substr(glob, i, 1)
        out = out (c == "*" ? ".*" : c == "?" ? "." : c ~ /[A-Za-z0-9_-]/ ? c : "[" c "]")
    }
    return "^" out "$"
}
function note(package, pattern) {
    if (seen[package, FILENAME]++) return
    if (pattern == "*") all[package] = all[package] (all[package] == "" ? "" : ", ") FILENAME
    else own[package] = own[package] (own[package] == "" ? "" : ", ") FILENAME
    if (locks) locked[package] = 1
}
# Patterns with more in them are rare.
function look(pattern,    i) {
    sub(/^src:/, "", pattern)
    if (pattern !~ /^[A-Za-z0-9.+*?_-]+$/) return
    for (i = 1; i <= names; i++) if (name[i] ~ expression(pattern)) note(name[i], pattern)
    if (index(pattern, CORE "-plugin-") == 1 && pattern !~ /[*?]/) note(pattern, pattern)
}
function look_at_all(list,    n, i, word) {
    n = split(list, word, /[ ,\t]+/)
    for (i = 1; i <= n; i++) if (word[i] != "") look(word[i])
}
BEGIN { names = split(NAMES, name, " ") }
FNR == 1 { locks = FILENAME ~ /versionlock/; more = 0 }
/^[ \t]*#/ { next }
MANAGER == "apt" { if (sub(/^[Pp]ackage:/, "")) look_at_all($0); next }
# NAME-0:1.0-1.*
locks && FILENAME ~ /list$/ { if (match($0, /-[0-9]+:/)) { $0 = substr($0, 1, RSTART - 1); sub(/^!/, ""); look($0) } next }
locks { if (sub(/^name *= *"/, "")) { sub(/".*/, ""); look($0) } next }
/^[ \t]/ { if (more) look_at_all($0); next }
{ more = sub(/^exclude(pkgs)?[ \t]*=/, "") }
more { look_at_all($0) }
END {
    for (package in own) all[package] = own[package]
    for (package in all)
        print package "\tis " (MANAGER == "apt" ? "pinned" : package in locked ? "locked" : "excluded") " by " all[package] ": " \
            (package in locked ? "dnf versionlock delete " package : "take it out there" (MANAGER == "apt" ? ", see apt-cache policy " package : ""))
}
