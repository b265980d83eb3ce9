# In: the tree with sizes, then rows "name TAB sha TAB path" of files that manifests name. Out: a list of paths per job,
# about the same number of bytes in each.
BEGIN { FS = "\t" }
FILENAME == TREE { size[$3] = $2; next }
!($3 in size) { next }
{
    least = 0
    for (job = 1; job < JOBS; job++) if (bytes[job] < bytes[least]) least = job
    bytes[least] += size[$3] + 4096
    print $3 > (LISTS "." least)
}
