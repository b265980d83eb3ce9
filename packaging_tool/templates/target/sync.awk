# In: wishes, packages on record, what needs what, what is available. Out: lines `install NAME`, `remove NAME`, and
# `clash NAME OTHER` where a disabled plugin is needed by one that is not.
function plugin_of(package) {
    if (index(package, CORE "-plugin-") != 1) return ""
    package = substr(package, length(CORE) + 9)
    return package == "kit" ? "" : package
}
function need(name, other) { needs[name] = needs[name] == "" ? other : needs[name] "," other }
BEGIN { FS = "\t" }
FILENAME == WISHES { wanted[$1] = 1; disabled[$1] = $2; next }
FILENAME == PACKAGES {
    name = plugin_of($1)
    if (name == "") next
    recorded[name] = 1
    # dpkg finishes what it has begun if it is asked once more.
    if ($3 ~ /^(installed|triggers-(awaited|pending))$/) installed[name] = 1
    if ($6 != "-") need(name, $6)
    next
}
FILENAME == NEEDS { need($1, $2); next }
{
    name = plugin_of($1)
    if (name != "" && $6 != "-" && !(name in installed)) need(name, $6)
}
END {
    for (name in wanted) keep[name] = 1
    do {
        changed = 0
        for (name in keep) {
            n = split(needs[name], other, ",")
            for (i = 1; i <= n; i++) {
                if (!(other[i] in keep)) { more[other[i]] = 1; changed = 1 }
                if (disabled[other[i]] == "yes" && disabled[name] != "yes" && !said[other[i]]++) print "clash " other[i] " " name
            }
        }
        for (name in more) keep[name] = 1
    } while (changed)
    for (name in wanted) if (!(name in installed)) print "install " name
    for (name in recorded) if (!(name in keep)) print "remove " name
}
