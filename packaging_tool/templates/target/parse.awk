# In: "size TAB file" of the copied manifests, then the manifests. Out: a row per manifest, a row per file; refusals.
# The order of the lines is fixed; "step" is the first kind of line that may still come.
function refuse(reason) {
    if (name in wrong) return
    wrong[name] = 1
    print name "\t" SHARE (name == "kit" ? "/" : "/plugins/") name ".manifest" reason "\t" REINSTALL " " CORE "-plugin-" name (name == "kit" ? "; then " TOOL " apply" : "") >> REFUSED
}
function go(to) { step = last[name] = to }
function hex(text) { return length(text) == 64 && text !~ /[^0-9a-f]/ }
# Of UTF-8 (RFC 3629, 4) without the control characters of Unicode. Each awk sees bytes here, so none has to know letters.
function text(line) {
    gsub(/[ -~]+/, "", line)
    gsub(/\302[\240-\277]|[\303-\337][\200-\277]/, "", line)
    gsub(/\340[\240-\277][\200-\277]|[\341-\354\356\357][\200-\277][\200-\277]|\355[\200-\237][\200-\277]/, "", line)
    gsub(/\360[\220-\277][\200-\277][\200-\277]|[\361-\363][\200-\277][\200-\277][\200-\277]|\364[\200-\217][\200-\277][\200-\277]/, "", line)
    return line == ""
}
BEGIN { VERSION = "^((0|[1-9][0-9]*):)?[A-Za-z0-9][A-Za-z0-9.+~]*-[A-Za-z0-9][A-Za-z0-9.+~]*$" }
function begin() {
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.manifest$/, "", name)
    step = 1
    before = ""
}
FILENAME == SIZES {
    split($0, part, "\t")
    if (sub(/\.manifest$/, "", part[2])) size[part[2]] = part[1]
    next
}
FNR == 1 { begin() }
{ length_of[name] += length($0) + 1 }
name in wrong { next }
/[^ -~]/ && (step == 1 || format[name] == 1 || !text($0)) { refuse(" line " FNR ": has a byte that is not printable"); next }
step == 1 {
    if ($0 !~ /^mkpkgs-manifest [12]$/) refuse(" line 1: is neither mkpkgs-manifest 1 nor 2")
    format[name] = substr($0, 17) + 0
    go(2)
    next
}
step == 2 {
    if ($0 !~ /^core [a-z0-9][a-z0-9.+-]*$/) refuse(" line 2: is not: core NAME")
    core[name] = substr($0, 6)
    go(3)
    next
}
step == 3 {
    abi[name] = substr($0, 5)
    if (substr($0, 1, 4) != "abi " || !hex(abi[name])) refuse(" line 3: is not: abi HASH")
    go(4)
    next
}
step == 4 {
    if (name == "kit" ? $0 != "kit" : $0 != "plugin " name) refuse(" line 4: names something else than " name)
    go(5)
    next
}
step == 5 {
    if (index($0, "package " CORE "-plugin-" name " ") != 1 && core[name] == CORE)
        refuse(" line 5: does not name the package " CORE "-plugin-" name)
    if (split($0, part, " ") != 3 || part[1] != "package" || $0 != "package " part[2] " " part[3])
        refuse(" line 5: is not: package NAME VERSION")
    package[name] = part[2]
    version[name] = part[3]
    if (part[2] !~ /^[a-z0-9][a-z0-9.+-]*$/ || part[3] !~ VERSION)
        refuse(" line 5: is not: package NAME VERSION")
    order[name] = 0
    optional[name] = "no"
    needs[name] = "-"
    go(name == "kit" ? 9 : 6)
    next
}
step == 6 {
    order[name] = substr($0, 7)
    if ($0 !~ /^order (0|[1-9][0-9]*)$/ || length(order[name]) > 9) refuse(" line 6: is not: order NUMBER")
    go(7)
    next
}
step == 7 && $0 == "optional" { optional[name] = "yes"; go(8); next }
(step == 7 || step == 8) && /^needs [a-z0-9][a-z0-9.+-]*$/ {
    need = substr($0, 7)
    if (before != "" && "" need <= "" before) refuse(" line " FNR ": is not sorted or there twice")
    before = need
    needs[name] = needs[name] == "-" ? need : needs[name] "," need
    go(8)
    next
}
/^file / {
    if (step != 9) before = ""
    go(9)
    sha = substr($0, 6, 64)
    path = substr($0, 72)
    if (substr($0, 70, 2) != "  " || !hex(sha) || path == "") refuse(" line " FNR ": is not: file HASH  PATH")
    if (path ~ /^-|[^A-Za-z0-9._+\/-]/) needed[name] = 2
    if (needed[name] > format[name] || ("/" path "/") ~ /\/\.?\.?\//) refuse(" line " FNR ": a path that leads elsewhere")
    if (before != "" && "" path <= "" before) refuse(" line " FNR ": is not sorted or there twice")
    before = path
    file[name, ++files[name]] = sha "\t" (name == "kit" ? KIT : PLUGINS "/" name) "/" path
    next
}
{ refuse(" line " FNR ": does not belong there") }
END {
    for (name in size) {
        if (!(name in wrong)) {
            if (length_of[name] != size[name]) refuse(": does not end with a newline, or has a NUL byte")
            else if (last[name] < (name == "kit" ? 9 : 7)) refuse(": ends too early")
            else if (format[name] == 2 && !needed[name]) refuse(" line 1: is mkpkgs-manifest 2, though 1 can say it")
        }
        if (name in wrong) continue
        print name "\t" core[name] "\t" abi[name] "\t" package[name] "\t" version[name] "\t" order[name] "\t" optional[name] "\t" needs[name] > ROWS
        for (i = 1; i <= files[name]; i++) print name "\t" file[name, i] > FILES
    }
}
