# In: refusals, complaints about lists of revoked keys, the inventory. Out: JSON of the verification.
FILENAME == REFUSED || FILENAME == COMPLAINTS {
    if (FILENAME == COMPLAINTS || ($1 == "*" || $1 == "kit") && !seen[$1]++)
        problems = problems (problems == "" ? "" : ",") "\n  {\"plugin\": " ($1 == "*" ? "null" : quote($1)) ", \"reason\": " quote($2) ", \"repair\": " quote($3) "}"
    next
}
$1 == "*" || $5 == "-" && $3 != "unchecked" { next }
{
    plugins = plugins (plugins == "" ? "" : ",") "\n  {\"name\": " quote($1) ", \"version\": " or_null($2)
    plugins = plugins ", \"verified\": " yes_no($5) ", \"disabled\": " yes_no($6) ", \"reason\": " or_null($13) ", \"repair\": " or_null($14) "}"
}
END {
    print head() ", \"abi\": " or_null(ABI) ", \"good\": " yes_no(GOOD) ", \"plugins\": [" plugins "], \"problems\": [" problems "]}"
}
