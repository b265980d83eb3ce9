# In: what grep found in /proc, in files of units and in what was written down. Out: see users_in_processes.
# Whether a line is of /proc/PID/KIND.
function file_of(kind) {
    return substr($0, 1, 6) == "/proc/" && substr($0, 7 + length(pid()), length(kind) + 2) == "/" kind ":"
}
function pid() {
    return substr($0, 7, index(substr($0, 7), "/") - 1)
}
function text_after(kind) {
    return substr($0, index($0, "/" kind ":") + length(kind) + 2)
}
function meet(id) {
    if (!(id in unit)) unit[id] = "-"
}
# The unit of a control group, as systemd finds it: the first part below its root that is no slice. What is below that is the business
# of the unit, to whom its groups may have been given (Delegate=), and may have any name. ROOT: the group of process 1, of a container.
function name_unit(path, root,    parts, n, i) {
    sub(/\/init\.scope$/, "", root)
    if (root != "/" && index(path, root "/") == 1) path = substr(path, length(root) + 1)
    n = split(path, parts, "/")
    for (i = 2; i < n && parts[i] ~ /\.slice$/; i++);
    # That of a user, not of the machine, is a unit too.
    if (parts[i] ~ /^user@[0-9]+\.service$/) return "-"
    return parts[i] ~ /^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\.service$/ ? parts[i] : "-"
}
# What a file of a unit, or a drop-in, is about.
function unit_of_file(path,    parts, n) {
    n = split(path, parts, "/")
    if (parts[n] ~ /\.conf$/) {
        sub(/\.d$/, "", parts[n - 1])
        return parts[n - 1]
    }
    return parts[n]
}
function runs_program(unit,    at) {
    if (unit in calls) return 1
    at = index(unit, "@")
    return at && ((substr(unit, 1, at) ".service") in calls)
}
# Reads of a process when it began, in ticks since the boot, and its name. It may have ended.
function look(id,    line, text, file) {
    if (id in began) return began[id] != ""
    began[id] = ""
    file = "/proc/" id "/status"
    while ((getline line < file) > 0)
        # More than one number: of a container.
        if (line ~ /^NSpid:[ \t]+[0-9]+[ \t]+[0-9]/) nested[id] = 1
    close(file)
    if (id in nested) return 0
    file = "/proc/" id "/stat"
    while ((getline line < file) > 0) text = text line " "
    close(file)
    if (text == "") return 0
    comm[id] = text
    sub(/^[0-9]+ \(/, "", comm[id])
    # The name may have any characters.
    while (match(text, /\) /)) text = substr(text, RSTART + 2)
    split(text, fields, " ")
    if (fields[1] ~ /[ZX]/) return 0
    began[id] = fields[20]
    return began[id] != ""
}
# Whether a process with the program among its first arguments is that program, not an editor of it.
function is_called(id, place,    name, words, n, i) {
    if (place == 1) return 1
    name = comm[id]
    sub(/\) .*/, "", name)
    if (name == substr(CORE, 1, 15)) return 1
    n = split(substr(SHEBANG, 3), words, /[ \/]+/)
    for (i = 1; i <= n; i++) if (words[i] != "" && words[i] != "env" && (index(name, words[i]) == 1 || index(words[i], name) == 1)) return 1
    return 0
}
index($0, SETS) == 1 {
    # SET/users:PID-START
    word = substr($0, index($0, ":") + 1)
    path = substr($0, length(SETS) + 1)
    id = substr(word, 1, index(word, "-") - 1)
    meet(id)
    written[id] = written[id] " " word
    set_of[word] = "sets/" substr(path, 1, index(path, "/") - 1)
    next
}
/^unit\t/ { calls[unit_of_file(substr($0, 6))] = 1; next }
file_of("maps") {
    meet(pid())
    text = text_after("maps")
    sub(/.* /, "", text)
    sets[pid()] = sets[pid()] " " text
    next
}
file_of("cmdline") {
    meet(pid())
    place = text_after("cmdline") + 0
    if (place <= 4 && !(pid() in called)) called[pid()] = place
    next
}
file_of("cgroup") {
    path = text_after("cgroup")
    kind = substr(path, 1, index(path, "/") - 1)
    path = substr(path, length(kind) + 1)
    if (pid() == 1) root[kind] = path
    meet(pid())
    group[++groups] = pid()
    kinds[groups] = kind
    paths[groups] = path
}
END {
    # A process has a line of each version, one of which may name none.
    for (g = 1; g <= groups; g++) {
        word = name_unit(paths[g], root[kinds[g]])
        if (word != "-") unit[group[g]] = word
    }
    for (id in unit) {
        if (id in sets || id in written) {
            if (!look(id)) continue
            word = id "-" began[id]
            n = split(sets[id], found, " ")
            for (i = 1; i <= n; i++) {
                sub(/\/$/, "", found[i])
                sub(/.*\/sets\//, "sets/", found[i])
                if (!seen[id, found[i]]++) print word "\t" unit[id] "\t" found[i]
            }
            if (word in set_of) print word "\t" unit[id] "\t" set_of[word]
        } else if (runs_program(unit[id]) || id in called) {
            if (look(id) && (runs_program(unit[id]) || is_called(id, called[id]))) print id "-" began[id] "\t" unit[id] "\t-"
        }
    }
}
