# In: the inventory, twice: first for the widths of the columns. Out: a table, or JSON.
function note() {
    if ($12 ~ /^it (comes with|is of another maker:) /) return $11 substr($12, 3)
    if ($12 != "-") return ($11 == $2 ? "" : $11 " is held back: ") $12
    if ($3 == "available") return ""
    return $11 == "-" || $11 == $2 ? "" : $11 " is available"
}
$1 == "*" { if (NR == FNR) { core_candidate = $11; core_why = $12 } next }
NR == FNR {
    if (length($1) > wide) wide = length($1)
    if (length($2) > middle) middle = length($2)
    next
}
JSON == "yes" { plugins = plugins (plugins == "" ? "" : ",") "\n  " plugin(); next }
{
    version = $3 == "available" ? $11 : $2
    line = sprintf("%-" wide "s  %-" middle "s  %-9s  %s", $1, version, $3, note())
    sub(/ +$/, "", line)
    print line
}
END {
    if (JSON == "yes") {
        print head() ", \"available\": " or_null(core_candidate) ", \"held\": " or_null(core_why) ", \"plugins\": [" plugins "]}"
    } else if (core_why != "-" && core_why != "") print CORE " " core_candidate " is held back: " core_why
}
