# In: "size TAB file" of all regular files of the plugins, then imports, lines, modules, compile.cfg and link.cfg of each. Out:
# the first line that the build does not make, and why. compile and link open whatever these files name, and say aloud
# what stands there. packaging_tool/golang/lists.py asks the same.
function refuse(what) {
    print "plugin " plugin ": " kind (at == "" ? "" : " line " at) " " what
    done = 1
    exit
}
function leads_elsewhere(path) { return ("/" path "/") ~ /\/\.?\.?\// }
function ends() {
    at = ""
    if (file != "" && bytes != size[file]) refuse("does not end with a newline, or has a NUL byte")
}
BEGIN { FS = "\t" }
FILENAME == FILES { size[$2] = $1; next }
FNR == 1 {
    ends()
    bytes = 0
    file = FILENAME
    split(file, part, "/")
    plugin = part[2]
    kind = part[3]
}
{
    at = FNR
    bytes += length($0) + 1
}
/[^\t -~]/ { refuse("has a byte that is not printable") }
kind ~ /\.cfg$/ {
    if ($0 !~ /^packagefile [A-Za-z0-9._~+\/-]+=[A-Za-z0-9._+\/-]+$/) refuse("is not: packagefile PATH=FILE")
    package = substr($0, 13, index($0, "=") - 13)
    named = substr($0, index($0, "=") + 1)
    own = "plugins/" plugin "/" (kind == "compile.cfg" ? "export/" : "object/")
    if (leads_elsewhere(package)) refuse("names a package with a path that leads elsewhere")
    if (index(named, own) != 1 || leads_elsewhere(named)) refuse("names a file that is not below " own)
    if (!(named in size)) refuse("names a file that is not there")
}
kind == "imports" && !/^\t(_|plugin_[A-Za-z0-9_]+) "[A-Za-z0-9._~+\/-]+"$/ { refuse("is not: NAME \"PATH\"") }
kind == "lines" && /\/\/(go:|line |export |extern )|\/\*line / { refuse("has a comment that the compiler obeys") }
kind == "modules" {
    gsub(/\\n/, "")
    if ($0 == "" || /["\\]/) refuse("is no record of a module")
}
END { if (!done) ends() }
