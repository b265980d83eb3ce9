# In: the unit of an administrator in the place of the packaged one, if there is one, and the drop-ins of the service, in
# their order. Out: lines `unit TAB SETTING` for the units that try a set, `place TAB DIRECTORY` that the service writes, and
# `lacks TAB FILE TAB KEY` of what those units cannot have.
# KEPT, FIXED, PATHS, STATES, MISSED: as packaging_tool/target/trial.py has them. UNIT, CORE: names. REPLACED: whether the
# first file is a whole unit. LISTS: keys whose lines add up. Environment: NOW, the command line of the service; WAS, its
# packaged arguments, `-` if they cannot be told; ASKED, the command line of the check.
function take(key, value) { print "unit\t" key "=" value }
function lack(key) {
    if (!((file, key) in told)) print "lacks\t" file "\t" key
    told[file, key] = 1
}
# The names of the service, not of the unit that tries.
function named(text, out, at, letter) {
    out = ""
    while ((at = index(text, "%")) > 0) {
        letter = substr(text, at + 1, 1)
        out = out substr(text, 1, at - 1)
        if (letter == "n") out = out UNIT
        else if (letter ~ /[NpP]/) out = out CORE
        else out = out "%" letter
        text = substr(text, at + 2)
    }
    return out text
}
# Mounts below /run and /dev would bring sockets and devices.
function hidden(path) {
    sub(/^[-+]+/, "", path)
    return path ~ /^(\/run|\/var\/run|\/dev|%t)(\/|$)/
}
function mounts(key, value, count, words, parts, i, out) {
    if (value ~ QUOTED) {
        lack(key)
        return
    }
    count = split(value, words, /[ \t]+/)
    out = ""
    for (i = 1; i <= count; i++) {
        split(words[i], parts, ":")
        if (hidden(parts[1]) || (key != "TemporaryFileSystem" && hidden(parts[2]))) lack(key)
        else out = out (out == "" ? "" : " ") words[i]
    }
    if (out == "") return
    # It shows what lies there, and lets nobody write.
    if (key == "BindPaths") {
        lack(key)
        key = "BindReadOnlyPaths"
    }
    take(key, out)
}
function optional(value, count, words, i, out) {
    if (value ~ QUOTED) return value
    count = split(value, words, /[ \t]+/)
    out = ""
    for (i = 1; i <= count; i++) {
        sub(/^-/, "", words[i])
        out = out (i > 1 ? " " : "") "-" words[i]
    }
    return out
}
function places(key, value, count, words, i) {
    count = split(value, words, /[ \t]+/)
    for (i = 1; i <= count; i++) {
        sub(/:.*/, "", words[i])
        if (words[i] ~ /^[A-Za-z0-9._\/-]+$/ && words[i] !~ /(^|\/)\.\.(\/|$)/) print "place\t" state[key] "/" words[i]
        else lack(key)
    }
}
function setting(key, value) {
    if (key == "TemporaryFileSystem" || key ~ /^Bind(ReadOnly)?Paths$/) {
        # To take away all of them would take away the new set.
        if (value != "") mounts(key, value)
    } else if (key in state) places(key, value)
    else if (key == "ExecStart") {
        if (value != "") command = file
    } else if (key == "WorkingDirectory") take(key, value ~ /^(-|$)/ ? value : "-" value)
    else if (key ~ ("^(" MISSED ")$")) {
        if (value != "") lack(key)
    } else if (key in fixed) {
        # What is less than in the service.
        if (key ~ /^(Private|ProtectHome)/ && value ~ /^(no|false|off|0|n|f|read-only)$/) lack(key)
        if (key == "AmbientCapabilities" && value != "") lack(key)
    } else if (key ~ ("^(" KEPT ")")) take(key, key ~ ("^(" PATHS ")$") ? optional(value) : value)
}
function line(text, equals, key, value) {
    gsub(/^[ \t]+|[ \t\r]+$/, "", text)
    if (text ~ /^\[/) {
        section = text
        return
    }
    equals = index(text, "=")
    if (section != "[Service]" || equals == 0) return
    key = substr(text, 1, equals - 1)
    value = substr(text, equals + 1)
    sub(/[ \t]+$/, "", key)
    sub(/^[ \t]+/, "", value)
    setting(key, named(value))
}
# The longest list of words that both command lines have, in order, parts them; what stands between its words in the one
# takes the place of what stands there in the other.
function compare(n, m, i, j, best, a, b, x, y) {
    for (i = n; i >= 1; i--)
        for (j = m; j >= 1; j--)
            best[i, j] = was[i] == now[j] ? best[i + 1, j + 1] + 1 : (best[i + 1, j] > best[i, j + 1] ? best[i + 1, j] : best[i, j + 1])
    for (i = j = 1; i <= n || j <= m; ) {
        if (i <= n && j <= m && was[i] == now[j]) {
            i++
            j++
            continue
        }
        for (a = b = 0; (i <= n || j <= m) && !(i <= n && j <= m && was[i] == now[j]); )
            if (j > m || (i <= n && best[i + 1, j] >= best[i, j + 1])) x[++a] = was[i++]
            else y[++b] = now[j++]
        pair(x, a, y, b)
    }
}
# Options take the place of options, and others that of others.
function pair(x, a, y, b, i, j) {
    for (i = j = 1; i <= a; i++) {
        for (; j <= b && (x[i] ~ /^-/) != (y[j] ~ /^-/); j++);
        gone[x[i]] = 1
        if (j > b) continue
        becomes[x[i]] = y[j]
        if (x[i] ~ /^-[^=]*=./ && substr(x[i], 1, index(x[i], "=")) == substr(y[j], 1, index(x[i], "=")))
            becomes[substr(x[i], index(x[i], "=") + 1)] = substr(y[j], index(x[i], "=") + 1)
        j++
    }
}
# The arguments of the check, with those of the service that the administrator has changed.
function ask(count, words, i, n, m, out, word, front) {
    n = split(ENVIRON["WAS"], was, " ")
    m = split(ENVIRON["NOW"], words, " ")
    for (i = 1; i <= m && words[i] != "/usr/bin/" CORE && words[i] != "/usr/lib/" CORE "/bin/" CORE; i++);
    if (i > m || ENVIRON["WAS"] == "-") return "-"
    for (count = 0; i < m; ) now[++count] = words[++i]
    compare(n, count)
    m = split(ENVIRON["ASKED"], words, " ")
    out = words[1]
    for (i = 2; i <= m; i++) {
        word = words[i]
        front = ""
        if (!(word in becomes) && !(word in gone) && word ~ /^-[^=]*=./) {
            front = substr(word, 1, index(word, "="))
            word = substr(word, index(word, "=") + 1)
        }
        if (word in becomes) {
            word = becomes[word]
            if (word ~ QUOTED || word == ";") return "-"
            gsub(/%/, "%%", word)
        } else if (word in gone) return "-"
        out = out " " front word
    }
    return out
}
BEGIN {
    QUOTED = "[\"\047\\\\]"
    count = split(FIXED, list, " ")
    for (i = 1; i <= count; i++) fixed[list[i]] = 1
    count = split(STATES, list, " ")
    for (i = 1; i < count; i += 2) state[list[i]] = list[i + 1]
    if (REPLACED == "yes") {
        count = split(LISTS, list, " ")
        for (i = 1; i <= count; i++) take(list[i], "")
    }
}
FNR == 1 {
    if (rest != "") line(rest)
    section = rest = ""
    file = FILENAME
}
# As systemd.syntax(7) reads them: comments stand between the parts of a line, too.
/^[ \t]*[#;]/ { next }
/\\$/ {
    rest = rest substr($0, 1, length($0) - 1) " "
    next
}
{
    line(rest $0)
    rest = ""
}
END {
    if (rest != "") line(rest)
    if (command != "" && ENVIRON["ASKED"] != "") {
        asked = ask()
        file = command
        if (asked == "-") lack("ExecStart")
        else if (asked != ENVIRON["ASKED"]) print "ask\t" asked
    }
}
