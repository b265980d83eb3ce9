# In: what dnf 5 answers to a request for the packages of its transaction. Out: as hook.awk, without files, and `in TAB PACKAGE` of others that come: a package
# that another one replaces (`O`) does not count as removed (`E`), but for the core, whose plugins then go with it. ASKED: whether
# the command may be one that removes.
function value(key,    found) {
    if (!match(object[i], "\"" key "\": *\"[^\"\\\\]*\"")) return ""
    found = substr(object[i], RSTART, RLENGTH - 1)
    sub(/.*"/, "", found)
    return found
}
BEGIN { PREFIX = CORE "-plugin-" }
/"status": *"OK"/ {
    objects = split($0, object, /[{}]/)
    for (i = 1; i <= objects; i++) {
        name = value("name")
        does = value("action")
        if (name == CORE && does == "O") old = value("evr")
        if (name == CORE && does == "E") { leaves = value("evr"); if (ASKED == "no") gone[CORE] = 1 }
        if (name == CORE && value("direction") == "IN") new = value("evr")
        if (name != CORE && index(name, PREFIX) != 1 && value("direction") == "IN") comes[name] = 1
        if (index(name, PREFIX) == 1 && substr(name, length(PREFIX) + 1) !~ /^(kit|dev|devel)$/ && does == "E") gone[name] = 1
    }
    answered = 1
}
END {
    if (!answered) exit 1
    for (name in gone) if (name != CORE) lost = 1
    if (CORE in gone) old = leaves
    if (!lost || old == "" || old == new) exit
    print "core\t" old "\t" new
    for (name in gone) print "gone\t" name
    for (name in comes) print "in\t" name
}
