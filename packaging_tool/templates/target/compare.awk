# In: rows of files that manifests name, what openssl dgst -r printed, refusals so far, the tree. Out: refusals.
function owner_of(path,    rest) {
    if (index(path, KIT "/") == 1) return "kit"
    rest = substr(path, length(PLUGINS) + 2)
    sub(/\/.*/, "", rest)
    return rest
}
function refuse(name, reason, repair) {
    if (name in refused) return
    refused[name] = 1
    print name "\t" reason "\t" repair >> REFUSED
}
# No trigger sees a kit.
function reinstall(name) { return REINSTALL " " CORE "-plugin-" name (name == "kit" ? "; then " TOOL " apply" : "") }
# The files may have been read as copies under other directories.
function original(path) {
    if (index(path, KIT_COPY "/") == 1) return KIT substr(path, length(KIT_COPY) + 1)
    return PLUGINS substr(path, length(PLUGINS_COPY) + 1)
}
BEGIN { FS = "\t" }
FILENAME == FILES { owner[$3] = $1; sha[$3] = $2; path[++paths] = $3; next }
FILENAME == NAMES { named[$1] = 1; next }
FILENAME == DIGESTS { digest[original(substr($0, 67))] = substr($0, 1, 64); next }
FILENAME == REFUSALS { refused[$1] = 1; next }
$1 == "directory" && ($3 in owner) {
    # rpm puts no file into the place of a directory.
    refuse(owner[$3], $3 " is a directory", "remove it, then " reinstall(owner[$3]))
    next
}
$1 == "file" && (index($3, PLUGINS "/") == 1 || index($3, KIT "/") == 1) {
    present[$3] = 1
    if ($3 in owner) next
    name = owner_of($3)
    if (name in named) refuse(name, $3 " is not in its manifest", "remove it; then " TOOL " apply")
    else refuse("*", "no manifest names " $3, "remove it, or install it as a package; then " TOOL " apply")
}
END {
    for (i = 1; i <= paths; i++) {
        file = path[i]
        name = owner[file]
        if (name == "kit" && SKIP_KIT == "without-kit") continue
        if (!(file in present)) refuse(name, file " is missing", reinstall(name))
        else if (!(file in digest)) refuse(name, file " cannot be read", reinstall(name))
        else if (digest[file] != sha[file])
            refuse(name, file " is not what its manifest says: it was changed", reinstall(name))
    }
}
