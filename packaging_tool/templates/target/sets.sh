# Sets of plugins: what is installed, what works.

# SHA-256 of a file, as hex.
digest() {
    openssl dgst -sha256 -r "$1" | cut -c 1-64
}

# Identifies what a working program is made of and served by: core, unit, steps of the driver, kit, plugins.
set_id() {
    set -- "$BIN/$CORE-core"
    for file in /usr/lib/systemd/system/"${UNIT:-none}" "$LIB/assemble" "$LIB/arrange"; do
        if [ -f "$file" ]; then set -- "$@" "$file"; fi
    done
    if [ -s "$W/used" ] && [ -e "$W/m/kit.manifest" ]; then set -- "$@" "$W/m/kit.manifest"; fi
    while IFS=$TAB read -r _ name _; do set -- "$@" "$W/m/$name.manifest"; done <"$W/used"
    openssl dgst -sha256 -r "$@" >"$W/parts" || return 1
    cut -c 1-64 "$W/parts" | openssl dgst -sha256 -r | cut -c 1-64
}

same_file() {
    [ "$(stat -L -c %d:%i "$1" 2>/dev/null)" = "$(stat -L -c %d:%i "$2" 2>/dev/null)" ]
}

# A value of a set file. $1: file, $2: word.
recorded() {
    [ -f "$1" ] || return 0
    sed -n "s/^$2 //p" "$1"
}

names_of_used() {
    cut -f 2 "$W/used" | tr '\n' ' ' | sed 's/ $//; s/ /, /g'
}

describe_working() {
    describe_set serving
}

# Whether a set has a program: none has been made yet, or somebody took it away. $1: its directory below $BIN.
is_whole() {
    [ -f "$BIN/$1/working-set" ] && [ -e "$BIN/$1/$CORE" ] || return 1
}

# Plugins of the working set, rows `NAME VERSION`.
served_plugins() {
    if is_whole serving; then recorded "$WORKING/working-set" plugin; fi
}

# $1: directory of a set below $BIN.
describe_set() {
    if ! is_whole "$1"; then
        echo "nothing, there is no program"
        return 0
    fi
    plugins=$(recorded "$BIN/$1/working-set" plugin | tr '\n' ',' | sed 's/,$//; s/,/, /g')
    if [ -n "$plugins" ]; then echo "$CORE with $plugins"; else echo "$CORE without plugins"; fi
}

# Whether the working set is the verified one. $1: set id. Says why not on stdout.
current() {
    if [ ! -f "$WORKING/working-set" ] || [ ! -f "$PROGRAM" ]; then
        echo "apply has not made a working program yet"
        return 1
    fi
    if [ "$(recorded "$WORKING/working-set" set)" != "$1" ]; then echo "what is installed is not what serves"; return 1; fi
    if [ "$(recorded "$WORKING/working-set" program)" != "$(digest "$PROGRAM")" ]; then
        echo "$PROGRAM is not the program that apply made"
        return 1
    fi
{% if tree %}
    if [ "$(recorded "$WORKING/working-set" files)" != "$(digest_of_tree "$WORKING")" ]; then
        echo "$WORKING/plugins is not what apply made"
        return 1
    fi
{% endif %}
    return 0
}
{% if tree %}

# SHA-256 over names and contents of all files that the server opens by itself. $1: directory of a set.
digest_of_tree() {
    (
        cd "$1" 2>/dev/null || exit 0
        find plugins{{ " loader" if arrange }} -type f -print0 | sort -z | xargs -0 -r openssl dgst -sha256 -r
    ) | openssl dgst -sha256 -r | cut -c 1-64
}
{% endif %}

# The directory of the working set below $BIN, `sets/NAME`; empty if there is none.
working_directory() {
    readlink "$WORKING" 2>/dev/null || :
}

# Whether the service still runs as it did before the working set came.
restart_is_due() {
    [ -f "$WORKING/restart-due" ] || return 1
    [ "$(head -n 1 "$WORKING/restart-due")" = "$(invocation)" ]
}

# The directory of the set that the service runs, or ran last: not the working one while a restart is due, nor before the
# service has started with it. See watch.sh for `unproven` and `watched`.
last_served() {
    if restart_is_due; then
        sed -n 2p "$WORKING/restart-due"
    elif [ -s "$WORKING/unproven" ]; then
        cat "$WORKING/unproven"
    else
        working_directory
    fi
}

# The directories of the sets that are in use, or that may come back: each unproved one names the set before it.
sets_in_use() {
    for set in "$(working_directory)" "$(last_served)"; do
        while [ -n "$set" ]; do
            echo "$set"
            set=$(set_before "$set")
        done
    done
}

# The set to go back to from one that has not proved itself; empty if it has. $1: its directory below $BIN.
set_before() {
    for mark in unproven watched; do
        if [ -s "$BIN/$1/$mark" ]; then
            head -n 1 "$BIN/$1/$mark"
            return 0
        fi
    done
}

# Prints directories above all sets that those may not enter who run the program, or try it.
shut_to_service() {
    find "$LIB" "$BIN" -maxdepth 0 ! -perm -0001 {{ "! \\( -group \"$GROUP\" -perm -0010 \\) " if not l.for_all }}-print 2>/dev/null || :
}
