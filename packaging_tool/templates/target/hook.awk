# In: what apt writes to a hook of DPkg::Pre-Install-Pkgs (apt.conf(5), version 2 or 3).
# Out, if plugins leave since CORE is replaced by another version, or goes though the command did not name it: `core TAB OLD TAB
# NEW`, NEW empty where it goes, and `removing TAB yes` where the command removes something; then `gone TAB PACKAGE` of each plugin, and of the core, and `file TAB PATH` of what may take
# their places. `NAME-` on the command line, or `?exact-name(NAME)-` as we write it, means that it is known to leave; but apt
# first looks for a package whose name is `NAME-`. So does a name, or a pattern, where the command removes.
function action(    i, rest) {
    # A path may contain spaces.
    rest = $0
    for (i = 1; i < WIDTH; i++) sub(/^[^ ]* /, "", rest)
    return rest
}
function is_plugin(package) { return substr(package, length(PREFIX) + 1) !~ /^(kit|dev|devel)$/ }
function lost(name) { return !(name in file) && !(name in known) && (!(name in maybe) || (name "-") in file) }
# Whether somebody asked that the core goes. Nobody knows the command of aptitude and of graphical programs; where they bring
# nothing, all that they do is what people chose to remove. What is no plain name is a pattern or a regular expression of apt.
function is_asked_for(    i, name) {
    if (automatic) return 1
    if (!words) return !brought
    if (removing) for (i = 1; i <= words; i++) {
        name = word[i]
        sub(/[:\/=].*/, "", name)
        if (name == CORE || name ~ /[*?^$|~(){}\\]/) return 1
    }
    return 0
}
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
        if (word[i] ~ /^(remove|purge)$/) removing = 1
        # Of these a person takes what apt finds.
        if (word[i] ~ /^(auto-?(remove|purge)|dselect-upgrade|history-(undo|redo|rollback))$/) automatic = 1
        if (word[i] ~ /^\?exact-name\(.*\)-$/) known[substr(word[i], 13, length(word[i]) - 14)] = 1
        else if (word[i] ~ /-$/) maybe[substr(word[i], 1, length(word[i]) - 1)] = 1
    }
    next
}
{
    does = action()
    if (does == "**REMOVE**" && $2 != "-" && index($1, PREFIX) == 1 && is_plugin($1)) gone[$1] = 1
    if (does == "**REMOVE**" && $1 == CORE && $2 != "-") leaves = $2
    if (does !~ /^\//) next
    brought = 1
    if (index($1, PREFIX) == 1 || $1 == CORE) file[$1] = does
    if ($2 == "-") fresh[$1] = does
    if ($1 == CORE && $2 != "-") { old = $2; new = $(WIDTH == 5 ? 4 : 6) }
}
END {
    if (strange || !listed) exit 1
    goes = leaves != "" && !(CORE in file) && lost(CORE) && !is_asked_for()
    if (!goes && old == new) exit
    for (name in gone) if (lost(name)) found = 1
    # Who takes what a server without plugins depends on sees that it goes, too.
    if (!found && (!goes || removing)) exit
    if (goes) {
        gone[CORE] = 1
        old = leaves
        new = ""
        for (name in fresh) file[name] = fresh[name]
    }
    print "core\t" old "\t" new
    if (removing) print "removing\tyes"
    for (name in gone) if (lost(name)) print "gone\t" name
    for (name in file) print "file\t" file[name]
}
