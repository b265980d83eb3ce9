# In: rows of manifests, of files, refusals, packages, what is available, the inventory, and at last the row in question.
# Out: all about one plugin, for people.
function say(label, text) { printf "  %-12s %s\n", label, text }
function short(abi) { return substr(abi, 1, 16) }
function state_of(list,    n, i, part, out) {
    if (list == "-") return "no plugin"
    n = split(list, part, /, ?/)
    for (i = 1; i <= n; i++) out = out (i > 1 ? ", " : "") part[i] " (" (part[i] in state ? state[part[i]] : "not installed") ")"
    return out
}
BEGIN {
    FS = "\t"
    PACKAGE = CORE "-plugin-" NAME
    MEANING["serving"] = "it is verified and in the server"
    MEANING["bypassed"] = "it is verified and in the server, but another program is called: " TOOL " status"
    MEANING["waiting"] = "it is verified, but not in the server yet: " TOOL " apply"
    MEANING["refused"] = "it cannot be used"
    MEANING["revoked"] = "its key is revoked"
    MEANING["unchecked"] = "this user cannot read its files: call it as root"
    MEANING["disabled"] = "it is installed, but you disabled it: " TOOL " enable " NAME
    MEANING["leaving"] = "it serves, but its package is gone: " TOOL " apply"
    MEANING["empty"] = "its package is installed, but brings no plugin"
    MEANING["available"] = "it is not installed: " TOOL " install " NAME
}
FILENAME == ROWS { if ($1 == NAME) { abi = $3; package = $4; version = $5 } next }
FILENAME == FILES { if ($1 == NAME) files++; next }
FILENAME == REFUSED {
    whose = $1 == "*" ? "all plugins: " : $1 == "kit" ? "the kit: " : ""
    if ($1 == NAME || whose != "") reason[++reasons] = whose $2 "\n               repair: " $3
    next
}
FILENAME == PACKAGES { if ($1 == PACKAGE) { record = $2; record_state = $3; record_abi = $5; on_hold = $4 } next }
FILENAME == AVAILABLE {
    if (index("," $7 ",", "," NAME ",")) replaced = 1
    if ($1 == PACKAGE) { candidate = $2; candidate_abi = $5 }
    if ($1 == CORE) { core_candidate = $2; core_abi = $5 }
    next
}
FILENAME == INVENTORY { state[$1] = $3; next }
{
    print NAME ": " $3 ": " ($3 == "available" && $12 != "-" ? "it is not installed, and waits" : MEANING[$3])
    say("package", record == "" ? PACKAGE ", not installed" : PACKAGE " " record (record_state == "installed" ? "" : ", " record_state))
    if (MAKER != "") say("made by", MAKER ", who is not the maker of " CORE)
    if (package != "") {
        say("manifest", "of " package " " version ", order " $8 ($7 == "yes" ? ", optional" : "") ", " files + 0 (files == 1 ? " file" : " files"))
        say("ABI", short(abi) ", that of " CORE " is " short(own(ABI)))
    }
    for (i = 1; i <= reasons; i++) say(i == 1 ? "refused" : "", reason[i])
    if (!reasons && $5 == "yes") say("verified", "manifest, signature and files")
    say("serving", $4 == "-" ? "no" : "version " $4)
    say("needs", state_of($9))
    say("needed by", state_of($10))
    if (candidate == "") say("available", "not from " MANAGER)
    else {
        say("available", candidate " from " MANAGER ", for ABI " (candidate_abi == "-" ? "none" : short(candidate_abi)))
        if (!fits(candidate_abi, ABI) && candidate_abi != "-")
            say("", CORE " " VERSION " has " short(own(ABI)) (core_candidate == "" ? "" : ", " CORE " " core_candidate " has " short(own(core_abi))))
    }
    if ($12 ~ /^it (comes with|is of another maker:) /) say("newer", $11 substr($12, 3))
    else if ($12 != "-") say("held back", $12)
    if (record != "" && core_candidate != "" && core_candidate != VERSION && core_abi != ABI && core_abi != "-" && \
        on_hold != "yes" && $12 == "-" && !replaced && !fits(candidate_abi, core_abi) && !fits(record_abi, core_abi))
        say("holds back", CORE " " core_candidate ", for which it has no build yet" (MAKER == "" ? "" : ": ask " MAKER))
}
