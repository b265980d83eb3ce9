# In: rows "package TAB version TAB state" on record, names with a valid signature, refusals, names that have a manifest,
# then rows of manifests. Out: rows of manifests that may be used; packages on record without a manifest; refusals.
# No trigger sees a kit.
function again() { return $1 == "kit" ? "; then " TOOL " apply" : "" }
function refuse(reason, repair) { print $1 "\t" reason "\t" repair >> REFUSED }
BEGIN { FS = "\t" }
FILENAME == RECORD {
    if ($3 == "half-installed") half[$1] = 1
    if ($3 !~ /^(not-installed|config-files|half-installed)$/) {
        installed[$1] = 1
        on_record[$1, $2] = 1
        versions[$1] = versions[$1] " " $2
    }
    next
}
FILENAME == SIGNED { signed[$1] = 1; next }
FILENAME == REFUSALS { refused[$1] = 1; next }
FILENAME == NAMES { named[$1] = 1; next }
!($1 in signed) {
    if (!($1 in refused)) refuse("its manifest is not signed", REINSTALL " " $4 again())
    next
}
{ print }
$2 != CORE { refuse("its manifest is for the core " $2 ", not for " CORE, "remove the package " $4); next }
# The kit has packages of the core itself, so nothing but its own ABI fits.
!fits($3, $1 == "kit" ? own(ABI) : ABI) {
    refuse("it was built for another " CORE " (ABI " $3 ", here " own(ABI) ")", INSTALL " " CORE " " $4)
    next
}
# apt does not install again what dpkg calls so.
$4 in half { refuse("the package " $4 " is half-installed", "dpkg --configure -a; " REINSTALL " " $4 again()); next }
!($4 in installed) { refuse("the package " $4 " is not on record: its files came from elsewhere", INSTALL " " $4 again()); next }
!(($4, $5) in on_record) {
    refuse("its manifest is of version " $5 ", on record is" versions[$4] ": a replay", REINSTALL " " $4 again())
}
END {
    for (package in installed) {
        name = substr(package, length(CORE) + 9)
        if (index(package, CORE "-plugin-") == 1 && !(name in named)) print name > ABSENT
    }
}
