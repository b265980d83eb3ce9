# In: refusals, rows of manifests with a valid signature. Out: "order TAB name TAB version TAB optional" of what may be used; the
# optional plugins that are left out; further refusals where a needed plugin is missing.
function refuse(name, reason) {
    if (name in refused) return
    refused[name] = 1
    print name "\t" reason "\t" INSTALL " " CORE "-plugin-" name >> REFUSED
}
BEGIN { FS = "\t" }
FILENAME == REFUSALS { refused[$1] = 1; next }
$1 != "kit" { row[$1] = $6 "\t" $1 "\t" $5 "\t" $7; optional[$1] = $7; needs[$1] = $8 }
END {
    do {
        changed = 0
        for (name in row) {
            if ((name in refused) || needs[name] == "-") continue
            n = split(needs[name], need, ",")
            for (i = 1; i <= n; i++) {
                if ((need[i] in row) && !(need[i] in refused)) continue
                refuse(name, "it needs the plugin " need[i] ", which is not there or refused")
                changed = 1
            }
        }
    } while (changed)
    for (name in row) if (!(name in refused)) print row[name]
    for (name in refused) if ((name in row) && optional[name] == "yes") print name > LEFT_OUT
    for (name in refused) if (!((name in row) && optional[name] == "yes")) print name > FATAL
}
