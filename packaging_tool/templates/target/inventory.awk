# In: tables of the verification and of the package manager. Out: a row per plugin, `-` where there is nothing:
#  1 name  2 installed version  3 state  4 serving version  5 verified  6 disabled  7 optional  8 order  9 needs
# 10 needed by  11 available version  12 why a newer version does not come  13 reason of a refusal  14 its repair
# and for the core: `* version - - - - - - - - available why`. A row `?` asks for what repositories have beside what the package
# manager would install, where LOOKED is `no`.
function plugin_of(package) {
    if (index(package, CORE "-plugin-") != 1) return ""
    package = substr(package, length(CORE) + 9)
    return package == "kit" ? "" : package
}
function add(list, word) { return list == "" || list == "-" ? word : list ", " word }
function short(abi) { return substr(abi, 1, 12) }
BEGIN { FS = OFS = "\t" }
FILENAME == PACKAGES {
    if ($1 == CORE) { core_version = $2; core_hold = $4; next }
    name = plugin_of($1)
    if (name == "") next
    known[name] = recorded[name] = 1
    installed[name] = $2
    built_for[name] = $5
    hold[name] = $4
    if ($6 != "-") needs[name] = $6
    next
}
FILENAME == AVAILABLE {
    # It ends, or another one takes its place: the newer core waits for no build of it.
    n = split($7, part, ",")
    for (i = 1; i <= n; i++) replaced[part[i]] = 1
    if ($1 == CORE) { core_candidate = $2; core_abi = $5; next }
    name = plugin_of($1)
    if (name == "" || ((name in candidate) && !fits($5, ABI))) next
    candidate[name] = $2
    candidate_abi[name] = $5
    candidate_needs[name] = $6
    next
}
FILENAME == PINS { pin[$1] = $2; next }
# All builds that repositories have, also those that the package manager is told to leave alone; of the core, newer ones.
FILENAME == OFFERED {
    if ($1 == CORE) { newer_core[$2] = $5; next }
    name = plugin_of($1)
    if (name == "" || core_candidate == core_version || !fits($5, core_abi)) next
    built[name] = 1
    n = split($7, part, ",")
    for (i = 1; i <= n; i++) if (part[i] != "-") successor[part[i]] = name
    next
}
FILENAME == ROWS {
    if ($1 == "kit") next
    known[$1] = 1
    if (!($1 in installed)) installed[$1] = $5
    optional[$1] = $7
    order[$1] = $6
    needs[$1] = $8
    next
}
FILENAME == NAMES { if ($1 != "kit") { known[$1] = 1; if (!($1 in installed)) installed[$1] = "-" } next }
FILENAME == REFUSED {
    if ($1 == "*") all_refused = 1
    if ($1 in reason) next
    reason[$1] = $2
    repair[$1] = $3
    next
}
FILENAME == SERVING { split($0, part, " "); known[part[1]] = 1; serving[part[1]] = part[2]; next }
FILENAME == DISABLED { disabled[$1] = 1; next }
FILENAME == WITHDRAWN { if ($2 != "-") revoked[$1] = 1; next }
# What keeps the core, or a plugin, from its newer version.
function core_waits(    name, none, held, plugins, lack) {
    if (core_candidate == "" || core_candidate == core_version) return core_is_kept()
    if (core_abi == ABI) return "-"
    if (core_hold == "yes") return "it is on hold: apt-mark unhold " CORE
    for (name in recorded) {
        plugins = 1
        if (fits(built_for[name], core_abi) || (name in replaced)) continue
        if (hold[name] == "yes") held = then(held, name " is on hold: apt-mark unhold " CORE "-plugin-" name)
        else if ((name in candidate) && fits(candidate_abi[name], core_abi)) {
            lack = lacks(name)
            if (lack in built) held = then(held, lack ", which " name " needs then, " kept(CORE "-plugin-" lack))
        } else if (name in built) held = then(held, name " " kept(CORE "-plugin-" name))
        else if (name in successor) held = then(held, successor[name] ", as " name " is called then, " kept(CORE "-plugin-" successor[name]))
        else none = add(none, name)
    }
    # Without plugins the package manager takes it.
    if (core_abi == "-") return plugins ? "it is of another maker, and takes no plugins of this one" : "-"
    if (none == "") return held == "" ? "-" : held
    look()
    return "there is no build yet for " CORE " " core_candidate " of " sorted(none) (held == "" ? "" : "; " held)
}
# The package manager is told to leave a newer core alone, for which plugins have builds.
function core_is_kept(    name, version) {
    for (name in candidate) {
        if (fits(candidate_abi[name], ABI)) continue
        look()
        for (version in newer_core) if (fits(candidate_abi[name], newer_core[version])) { core_candidate = version; return "it " kept(CORE) }
    }
    return "-"
}
# What the newer version of a plugin needs beside what is there, as its new name; "" where it would come too.
function lacks(name,    n, i, other) {
    n = split(candidate_needs[name], other, ",")
    for (i = 1; i <= n; i++) {
        if (other[i] == "-" || (other[i] in recorded) || ((other[i] in candidate) && fits(candidate_abi[other[i]], core_abi))) continue
        look()
        if (!(LOOKED == "yes") || (other[i] in built)) return other[i]
    }
    return ""
}
function look() { if (LOOKED == "no" && !asked++) print "?" }
function then(list, text) { return list == "" ? text : list "; " text }
function kept(package) {
    if (package in pin) return pin[package]
    return MANAGER == "dnf" ? "is excluded or locked: dnf versionlock list, excludepkgs in dnf.conf" : "is pinned: apt-cache policy " package
}
function sorted(list,    n, i, j, part, swap) {
    n = split(list, part, ", ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && part[j] "" < part[j - 1] ""; j--) { swap = part[j]; part[j] = part[j - 1]; part[j - 1] = swap }
    list = ""
    for (i = 1; i <= n; i++) list = add(list, part[i])
    return list
}
function waits(name,    abi, version) {
    abi = value(candidate_abi, name)
    if ((name in recorded) && hold[name] != "yes" && !fits(abi, core_abi) && !fits(built_for[name], core_abi) && !(name in replaced)) {
        if (name in built) return "it " kept(CORE "-plugin-" name)
        if (name in successor) return "it is called " successor[name] " then, which " kept(CORE "-plugin-" successor[name])
    }
    if (!(name in candidate)) return (name in built) && !(name in recorded) ? "it " kept(CORE "-plugin-" name) : "-"
    if (hold[name] == "yes" && candidate[name] != installed[name]) return "it is on hold: apt-mark unhold " CORE "-plugin-" name
    if (candidate[name] == installed[name] || fits(abi, ABI)) return "-"
    if (fits(abi, core_abi) && core_candidate != core_version) {
        if (core_why != "-") return "it is built for " CORE " " core_candidate ", which waits: " core_why
        return "it comes with " CORE " " core_candidate
    }
    if (abi == "-") return "it is of another maker: it was built for no " CORE " with plugins"
    for (version in newer_core)
        if (fits(abi, newer_core[version])) return "it is built for " CORE " " version ", which " kept(CORE)
    return "it is built for another " CORE " (ABI " short(abi) ", here " short(own(ABI)) ")"
}
function state_of(name) {
    if (!(name in installed)) return name in serving ? "leaving" : "available"
    if (name in disabled) return "disabled"
    if (name in revoked) return "revoked"
    if (name in reason) return "refused"
    if (!(name in order)) return "empty"
    if (READABLE == "no") return "unchecked"
    return name in serving && serving[name] == installed[name] ? (BYPASSED == "yes" ? "bypassed" : "serving") : "waiting"
}
function verified(name, state) {
    if (state == "leaving" || state == "available" || state == "empty") return "-"
    if ((name in reason) || all_refused) return "no"
    return READABLE == "no" ? "-" : "yes"
}
function value(array, name) { return name in array && array[name] != "" ? array[name] : "-" }
END {
    core_why = core_waits()
    print "*", VERSION, "-", "-", "-", "-", "-", "-", "-", "-", core_candidate == "" ? "-" : core_candidate, core_why
    if (ALL == "yes") for (name in candidate) known[name] = 1
    if (ALL == "yes") for (name in built) known[name] = 1
    for (name in known) {
        if (!(name in installed) || needs[name] == "-") continue
        n = split(needs[name], need, ",")
        for (i = 1; i <= n; i++) needed[need[i]] = add(needed[need[i]], name)
    }
    for (name in known) {
        state = state_of(name)
        if (!(name in needs) && (name in candidate_needs)) needs[name] = candidate_needs[name]
        print name, value(installed, name), state, value(serving, name), verified(name, state), \
            name in disabled ? "yes" : "no", value(optional, name), value(order, name), value(needs, name), \
            name in needed ? sorted(needed[name]) : "-", value(candidate, name), waits(name), value(reason, name), value(repair, name)
    }
}
