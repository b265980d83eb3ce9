# In: what apt writes to a hook of DPkg::Pre-Install-Pkgs (apt.conf(5), version 2 or 3).
# Out, if CORE is replaced by another version while plugins leave: `core TAB OLD TAB NEW`, then `gone TAB PACKAGE` of
# each plugin and `file TAB PATH` of each plugin that comes. `NAME-` on the command line, or `?exact-name(NAME)-` as we
# write it, means that it is known to leave; but apt first looks for a package whose name is `NAME-`.
function action(    i, rest) {
    # A path may contain spaces.
    rest = $0
    for (i = 1; i < WIDTH; i++) sub(/^[^ ]* /, "", rest)
    return rest
}
function is_plugin(package) { return substr(package, length(PREFIX) + 1) !~ /^(kit|dev|devel)$/ }
function lost(name) { return !(name in file) && !(name in known) && (!(name in maybe) || (name "-") in file) }
BEGIN { PREFIX = CORE "-plugin-" }
NR == 1 {
    if ($0 != "VERSION 2" && $0 != "VERSION 3") { strange = 1; exit }
    WIDTH = $2 == 2 ? 5 : 9
    next
}
$0 == "" { listed = 1; next }
!listed {
    if (index($0, "CommandLine::AsString=") != 1) next
    words = split(substr($0, 23), word, /%20/)
    for (i = 1; i <= words; i++) {
        if (word[i] ~ /^\?exact-name\(.*\)-$/) known[substr(word[i], 13, length(word[i]) - 14)] = 1
        else if (word[i] ~ /-$/) maybe[substr(word[i], 1, length(word[i]) - 1)] = 1
    }
    next
}
{
    does = action()
    if (does == "**REMOVE**" && $2 != "-" && index($1, PREFIX) == 1 && is_plugin($1)) gone[$1] = 1
    if (does !~ /^\//) next
    if (index($1, PREFIX) == 1) file[$1] = does
    if ($1 == CORE && $2 != "-") { old = $2; new = $(WIDTH == 5 ? 4 : 6) }
}
END {
    if (strange || !listed) exit 1
    if (old == new) exit
    for (name in gone) if (lost(name)) found = 1
    if (!found) exit
    print "core\t" old "\t" new
    for (name in gone) if (lost(name)) print "gone\t" name
    for (name in file) print "file\t" file[name]
}
