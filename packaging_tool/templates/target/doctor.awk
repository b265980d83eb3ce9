# In: disabled names, rows of manifests, what is available, refusals. Out: rows `finding TAB repair`.
BEGIN { FS = "\t" }
FILENAME == DISABLED { disabled[$1] = 1; next }
FILENAME == ROWS { abi[$1] = $3; next }
FILENAME == AVAILABLE {
    if ($1 == CORE) { core_candidate = $2; core_abi = $5 }
    else { candidate[$1] = $2; candidate_abi[$1] = $5 }
    next
}
seen[$1]++ { next }
# The repair of rights was told with them.
$2 ~ / (does not belong to root|can be written by others than root|is setuid, setgid or sticky)$/ { next }
# Who disabled what a revoked key signed has decided.
($1 in disabled) && $2 ~ /(which|whose key) is revoked$/ { next }
{
    name = $1 == "*" ? "" : $1 == "kit" ? "kit: " : "plugin " $1 ": "
    repair = $3
    if ($2 ~ /^it was built for another /) {
        package = CORE "-plugin-" $1
        if (fits(candidate_abi[package], ABI)) repair = INSTALL " " package (MANAGER == "dnf" ? "-" : "=") candidate[package]
        else if (fits(abi[$1], core_abi) && !fits(abi[$1], ABI)) repair = INSTALL " " CORE "; its version " core_candidate " is the one that " $1 " was built for"
        else repair = "there is no build for this " CORE ": " TOOL " disable " $1 ", or upgrade both"
    }
    print name $2 (($1 in disabled) ? " (it is disabled)" : "") "\t" repair
}
