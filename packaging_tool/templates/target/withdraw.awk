# In: rows "name TAB key id" of plugins by revoked keys, names with a good signature, rows of manifests. Out: refusals of these
# plugins; the names of good ones that need them, with "-" for the key, added to the first file, and their refusals.
function refuse(name, reason, repair) { print name "\t" reason "\t" repair >> REFUSED }
function needed_by(name, other,    n, i, need) {
    n = split(needs[other], need, ",")
    for (i = 1; i <= n; i++) if (need[i] == name) return 1
    return 0
}
# All that needs a plugin, itself first.
function with_users(name,    list, member, other, grew) {
    member[name] = 1
    list = name
    do {
        grew = 0
        for (i = 1; i <= rows; i++) {
            if (row[i] in member) continue
            for (other in member) if (needed_by(other, row[i])) { member[row[i]] = 1; list = list " " row[i]; grew = 1; break }
        }
    } while (grew)
    return list
}
BEGIN { FS = "\t" }
FILENAME == WITHDRAWN { key[$1] = $2; first[++firsts] = $1; next }
FILENAME == SIGNED { signed[$1] = 1; next }
$1 != "kit" { row[++rows] = $1; needs[$1] = $8; all = all " " $1 }
END {
    for (f = 1; f <= firsts; f++) {
        name = first[f]
        if (name == "kit") repair = INSTALL " " CORE " " CORE "-plugin-kit once it is signed by another key; until then " TOOL " disable" all
        else repair = TOOL " disable " with_users(name)
        refuse(name, "its manifest is signed by the key " key[name] ", which is revoked", repair)
        how[name] = repair
    }
    for (f = 1; f <= firsts; f++) {
        name = first[f]
        if (name == "kit") { for (i = 1; i <= rows; i++) take(row[i], "it needs the kit, whose key is revoked", how[name]); continue }
        n = split(with_users(name), user, " ")
        for (i = 2; i <= n; i++) take(user[i], "it needs the plugin " name ", whose key is revoked", how[name])
    }
}
function take(name, reason, repair) {
    if ((name in key) || !(name in signed)) return
    key[name] = "-"
    refuse(name, reason, repair)
    print name "\t-" >> WITHDRAWN
}
