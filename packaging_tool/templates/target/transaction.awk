# In: what apt-get --simulate, dnf 4 or dnf 5 say of a transaction. Out: `upgrade|downgrade|install|remove TAB package TAB version`.
function plain(text) { return text ~ /^[A-Za-z0-9.+~:^_-]+$/ }
function row(kind, name, version) {
    sub(/^0:/, "", version)
    if (kind != "" && plain(name) && plain(version)) print kind "\t" name "\t" version
}
$1 == "Inst" {
    # Inst NAME [OLD] (NEW Repository [arch]), without OLD where it is new
    old = $3 ~ /^\[/
    version = old ? $4 : $3
    sub(/^\(/, "", version)
    row(old ? "upgrade" : "install", $2, version)
    next
}
$1 == "Remv" { row("remove", $2, substr($3, 2, length($3) - 2)); next }
# A table of dnf: a title for each kind of change; a long name has its other columns in the next line.
/^(Upgrading|Reinstalling):/ { kind = "upgrade"; next }
/^Downgrading:/ { kind = "downgrade"; next }
/^Installing.*:/ { kind = "install"; next }
/^Removing.*:/ { kind = "remove"; next }
/^[^ ]/ || $1 == "replacing" || !NF { if (/^[^ ]/) kind = ""; next }
kind == "" { next }
/^ [^ ]/ { name = $1; if (NF > 2) row(kind, name, $3); next }
name != "" { row(kind, name, $2); name = "" }
