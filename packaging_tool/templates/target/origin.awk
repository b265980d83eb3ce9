# In: rows "package TAB path TAB digest" of what packages on record consist of, digests of the copied manifests, rows of
# files that manifests name, rows of manifests. Out: names of which both are of their own package; refusals.
function refuse(name, reason, repair) {
    if (name in refused) return
    refused[name] = 1
    print name "\t" reason "\t" repair >> REFUSED
}
BEGIN { FS = "\t" }
FILENAME == OWNED { owned[$1, $2] = 1; if ($3 != "") recorded[$1, $2] = $3; next }
FILENAME == DIGESTS {
    name = $0
    sub(/.*\//, "", name)
    sub(/\.manifest$/, "", name)
    digest[name] = $0
    sub(/ .*/, "", digest[name])
    next
}
FILENAME == FILES { file[$1, ++files[$1]] = $3; next }
{
    path = SHARE ($1 == "kit" ? "/" : "/plugins/") $1 ".manifest"
    if (!(($4, path) in owned)) refuse($1, path " is not a file of the package " $4 " on record", REINSTALL " " $4 ($1 == "kit" ? "; then " TOOL " apply" : ""))
    else if (!(($4, path) in recorded)) refuse($1, "there is no digest of " path " on record", REINSTALL " " $4 ($1 == "kit" ? "; then " TOOL " apply" : ""))
    else if (recorded[$4, path] != digest[$1]) refuse($1, path " is not what its package brought: it was changed", REINSTALL " " $4 ($1 == "kit" ? "; then " TOOL " apply" : ""))
    for (i = 1; i <= files[$1]; i++)
        if (!(($4, file[$1, i]) in owned))
            refuse($1, file[$1, i] " is not a file of the package " $4 " on record", REINSTALL " " $4 ($1 == "kit" ? "; then " TOOL " apply" : ""))
    if (!($1 in refused)) print $1 > SIGNED
}
