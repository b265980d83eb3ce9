# In: the tree with sizes, then rows "name TAB sha TAB path" of files that manifests name. Out: a list of paths per job,
# about the same number of bytes in each. Copies lie under other directories.
function copy_of(path) {
    if (index(path, KIT "/") == 1) return KIT_COPY substr(path, length(KIT) + 1)
    return PLUGINS_COPY substr(path, length(PLUGINS) + 1)
}
BEGIN { FS = "\t" }
FILENAME == TREE { if ($1 == "file") size[$3] = $2; next }
!($3 in size) || (SKIP_KIT == "without-kit" && $1 == "kit") { next }
{
    least = 0
    for (job = 1; job < JOBS; job++) if (bytes[job] < bytes[least]) least = job
    bytes[least] += size[$3] + 4096
    print copy_of($3) > (LISTS "." least)
}
