# In: "class TAB size TAB path" of every file and directory; for the size of a link, "f" where it leads to a file. Out: files to
# copy; key files; lists of revoked keys that can be read, and complaints about others; names that have a manifest; refusals.
function owner_of(path,    rest) {
    if (index(path, PLUGINS "/") == 1) {
        rest = substr(path, length(PLUGINS) + 2)
        sub(/\/.*/, "", rest)
        return rest
    }
    if (index(path, SHARE "/plugins/") == 1) {
        rest = substr(path, length(SHARE) + 10)
        if (sub(/\.manifest(\.sig)?$/, "", rest)) return rest
        return "*"
    }
    if (path == KIT || index(path, KIT "/") == 1 || index(path, SHARE "/kit.manifest") == 1) return "kit"
    return "*"
}
function refuse(name, reason, repair) { print name "\t" reason "\t" repair >> REFUSED }
# What a repair names: one word of a shell. For another path, with -R the last directory above it that is one.
function word(path) {
    if (!match(path, /[^A-Za-z0-9._+\/-]/)) return path
    path = substr(path, 1, RSTART - 1)
    sub(/\/[^\/]*$/, "", path)
    return "-R " path
}
# What no package manager does, nobody follows by an apply.
function by_hand(repair) { return repair "; then " TOOL " apply" }
# Nor does the trigger on the plugins directory see a kit.
function reinstall(name) {
    return name == "*" ? REINSTALL " " CORE : name == "kit" ? by_hand(REINSTALL " " CORE "-plugin-kit") : REINSTALL " " CORE "-plugin-" name
}
# Others must be heard whatever is wrong with one list of revoked keys, and what is in it must not be lost by a repair.
function is_list(path) { return path == SHARE "/keys/revoked" || path == CONFIG "/keys.d/revoked" }
function complain(path, reason, repair) { print "*\t" path " " reason "\t" repair "; then " TOOL " apply" >> COMPLAINTS }
function look_first(path) { return "look at what " path " holds: if it is all yours, chown root " path "; chmod go-w,a-st " path "; else remove it" }
# What others than root had in their hands becomes trusted again only where something vouches for what it holds: see vouch.sh.
function close_again(path, kind, way) {
    if (index(path, BIN "/") == 1) return TOOL " doctor"
    if (kind == "d" || owner_of(path) != "*") return by_hand(way)
    if (index(path, CONFIG "/") == 1)
        return by_hand(look_first(path))
    return index(path, SHARE "/") == 1 ? reinstall("*") : by_hand(way)
}
# The same of a list, of which complain says the apply.
function heard(path) { return index(path, SHARE "/") == 1 ? reinstall("*") : look_first(path) }
function in_its_place(path) {
    return index(path, SHARE "/") == 1 ? "remove it, then " REINSTALL " " CORE : "put a file with the ids of keys into its place"
}
function own_copy(path) {
    return index(path, SHARE "/") == 1 ? REINSTALL " " CORE : "cp " path " " path ".new && mv -f " path ".new " path
}
BEGIN { FS = "\t"; SMALL = {{ guarded.LARGEST }} }
$1 == "name" {
    refuse(owner_of($3 "/"), "a name in " $3 " has characters that no name there can have", by_hand("remove it: ls -b " word($3)))
    next
}
is_list($3) {
    if ($1 == "symlink" && $2 != "f") complain($3, "is a symbolic link that leads to no file", in_its_place($3))
    else if ($1 == "symlink") complain($3, "is a symbolic link", own_copy($3))
    else if ($1 == "owner") complain($3, "does not belong to root", heard($3))
    else if ($1 == "writable") complain($3, "can be written by others than root", heard($3))
    else if ($1 == "setuid") complain($3, "is setuid, setgid or sticky", "chmod a-st " $3)
    else if ($1 == "directory") complain($3, "is a directory", in_its_place($3))
    else if ($1 != "file") complain($3, "is neither a file nor a directory", in_its_place($3))
    else if ($2 > SMALL) complain($3, "is larger than {{ guarded.LARGEST // 1024 }} kB", "shorten it: a key id is 16 digits in a line, without comments")
    else print $3 > LISTS
    next
}
# No package brings these.
$1 == "symlink" && index($3, CONFIG "/") == 1 {
    refuse("*", $3 " is a symbolic link", by_hand($2 == "f" ? "look at what it leads to: if it is all yours, " own_copy($3) "; else remove it" : "remove it"))
    next
}
$1 == "special" && index($3, CONFIG "/") == 1 { refuse("*", $3 " is neither a file nor a directory", by_hand("remove it")); next }
$1 == "symlink" { refuse(owner_of($3), $3 " is a symbolic link", "remove it, then " reinstall(owner_of($3))); next }
# rpm puts no file into the place of a directory.
$1 == "directory" && index($3, SHARE "/") == 1 && $3 ~ /(\/abi|\/trust|\.pub|\.manifest(\.sig)?)$/ {
    refuse(owner_of($3), $3 " is a directory", "remove it, then " reinstall(owner_of($3)))
    next
}
$1 == "special" { refuse(owner_of($3), $3 " is neither a file nor a directory", "remove it, then " reinstall(owner_of($3))); next }
# The first class that fits was found, and others may fit as well.
$1 == "owner" { refuse(owner_of($3), $3 " does not belong to root", close_again($3, $2, "chown root " word($3) "; chmod go-w,a-st " word($3))); next }
$1 == "writable" { refuse(owner_of($3), $3 " can be written by others than root", close_again($3, $2, "chmod go-w,a-st " word($3))); next }
$1 == "setuid" { refuse(owner_of($3), $3 " is setuid, setgid or sticky", by_hand("chmod a-st " word($3))); next }
$1 == "capability" { refuse(owner_of($3), $3 " has capabilities", word($3) == $3 ? by_hand("setcap -r " $3) : reinstall(owner_of($3))); next }
$1 == "file" {
    if ($3 == SHARE "/kit.manifest") { found["kit"] = 1; size["kit"] = $2 }
    if ($3 == SHARE "/kit.manifest.sig") { signature["kit"] = 1; signed["kit"] = $2 }
    place = $3
    sub(/\/[^\/]*$/, "", place)
    if ((place == SHARE "/keys" || place == CONFIG "/keys.d") && $3 ~ /\.pub$/) {
        if ($2 > SMALL) refuse("*", $3 " is larger than {{ guarded.LARGEST // 1024 }} kB", by_hand("remove or repair it"))
        else print $3 > KEYFILES
    }
    if (index($3, SHARE "/plugins/") == 1) {
        name = owner_of($3)
        if (name == "*") next
        if ($3 ~ /\.sig$/) { signature[name] = 1; signed[name] = $2; next }
        if (name !~ /^[a-z0-9][a-z0-9.+-]*$/ || name == "kit") refuse(name, $3 ": no plugin can have this name", by_hand("remove it"))
        else { found[name] = 1; size[name] = $2 }
    }
}
END {
    for (name in found) {
        base = (name == "kit" ? SHARE "/kit" : SHARE "/plugins/" name) ".manifest"
        if (TRUST != "distribution" && !(name in signature)) refuse(name, base ".sig is missing: the manifest is not signed", reinstall(name))
        else if (size[name] == 0) refuse(name, base " is empty", reinstall(name))
        else if (size[name] > {{ guarded.LARGEST_MANIFEST }}) refuse(name, base " is larger than {{ guarded.LARGEST_MANIFEST // 1048576 }} MB", reinstall(name))
        else if (signed[name] > SMALL) refuse(name, base ".sig is larger than {{ guarded.LARGEST // 1024 }} kB", reinstall(name))
        else { print base; if (TRUST != "distribution") print base ".sig" }
        print name > NAMES
    }
}
