# In: refusals, disabled names, rows of manifests with a valid signature. Out: "order TAB name TAB version TAB optional" of what
# is to be used; the optional plugins that are left out; those that are gone since a key is revoked; further refusals where a
# needed plugin is missing.
function refuse(name, reason, repair) {
    if (name in refused) return
    refused[name] = 1
    print name "\t" reason "\t" repair >> REFUSED
}
BEGIN { FS = "\t" }
FILENAME == REFUSALS { refused[$1] = 1; next }
FILENAME == DISABLED { disabled[$1] = 1; next }
FILENAME == WITHDRAWN { withdrawn[$1] = refused[$1] = 1; next }
$1 != "kit" { row[$1] = $6 "\t" $1 "\t" $5 "\t" $7; optional[$1] = $7; needs[$1] = $8 }
END {
    do {
        changed = 0
        for (name in row) {
            if ((name in refused) || (name in disabled) || needs[name] == "-") continue
            n = split(needs[name], need, ",")
            for (i = 1; i <= n; i++) {
                if ((need[i] in row) && !(need[i] in refused) && !(need[i] in disabled)) continue
                if (need[i] in disabled) refuse(name, "it needs the plugin " need[i] ", which is disabled", TOOL " enable " need[i])
                else if (need[i] in refused) refuse(name, "it needs the plugin " need[i] ", which is refused", "repair the plugin " need[i] "; then " TOOL " apply")
                else refuse(name, "it needs the plugin " need[i] ", which is not there", INSTALL " " CORE "-plugin-" need[i])
                changed = 1
            }
        }
    } while (changed)
    for (name in row) if (!(name in refused) && !(name in disabled)) print row[name]
    for (name in refused) {
        # What is disabled is missed by nobody.
        if (name in disabled) continue
        if (name in withdrawn) { if (name != "kit") print name > GONE }
        else if ((name in row) && optional[name] == "yes") print name > LEFT_OUT
        else print name > FATAL
    }
}
