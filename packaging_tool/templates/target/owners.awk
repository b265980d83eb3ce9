# In: rows "package TAB file" of the record, then files that decide about trust. Out: rows "file TAB reason TAB repair" of those that
# do not count; "-" for the reason where the owner is to be looked for.
FILENAME == OWNED { if ($1 == CORE) own[$2] = 1; else other[$2] = $1; next }
index($1, CONFIG "/") == 1 {
    if (($1 in other) && !($1 in own))
        print $1 "\t" $1 " belongs to the package " other[$1] ": below " CONFIG " only the keys count that an administrator put there\tremove that package; then " TOOL " apply"
    next
}
!($1 in own) { print $1 "\t-\t-" }
