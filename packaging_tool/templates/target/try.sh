# The try: a new set must run before it may serve. It runs plugins' code, so it gets nothing: no network, no rights, no
# file that stays.

# $1: what is done, for the message. $2: its unit. Then the arguments of the program.
try() {
    STEP=$1
    shift
    try_once "$@"
    [ "$status" -ne 0 ] || return 0
    if [ -n "$REFUSED_FILES" ]; then
        fail "systemd cannot start $unit with the settings of $REFUSED_FILES: it ${what#* }" \
            "repair what these files name ($UNIT would not start with it either), systemctl daemon-reload; then $TOOL apply"
    fi
    reason=$(last_line "$W/output")
    case $reason in
    *"ermission denied"*) more=" ($TRY_USER must be able to read it, by the group $GROUP for example)" ;;
    *) more='' ;;
    esac
    if fails_without_plugins "$@"; then
        fail_in_unit "$unit" "$CORE $what when $STEP, with ${NAMES:+$NAMES and with }no plugins: $reason" \
            "no plugin is the reason: repair the configuration$more, or ask who makes $CORE; then $TOOL apply"
    fi
    fail_in_unit "$unit" "$CORE with ${NAMES:-no plugins} $what when $STEP: $reason" \
        "remove or downgrade the plugin that it names, or repair the configuration$more; then $TOOL apply"
}

# $1: the unit. Then the arguments of the program. Out: $status, $what.
try_once() {
    unit=$1
    shift
    if [ -d /run/systemd/system ]; then
        make_scratch
        copy_config
        confine_in_unit "$unit"
        drop_scratch
    else
        rm -rf "${W:?}/home"
        mkdir -m 0700 "$W/home"
        chown "$TRY_USER" "$W/home"
        confine_here {{ check_seconds }} 1073741824 33554432 "$W/home" drop "$W/set" "$W/set/$CORE" "$@"
    fi
}

try_set() {
{% if tree %}
    # The program opens what stands in the place of the working set.
    if ! new_set_can_stand_in; then
        warn "this container lets nobody make mounts, so $CORE was not tried with ${NAMES:-no plugins}"
        return 0
    fi
{% endif %}
{% if check %}
    try "it was tried" "$STEM-try.service" {{ check }}
{% if tree %}
    [ "$untried" = no ] || return 0
{% endif %}
    # A plugin may end the program before the server's own code says a word, and with status 0.
    if ! grep -q . "$W/output"; then
        try_core_alone {{ check }}
        if [ "$speaks" = yes ]; then
            fail_in_unit "$unit" "$CORE with ${NAMES:-no plugins} ended without a word when it was tried" \
                "remove or downgrade the plugin that ends it; then $TOOL apply"
        fi
    fi
{% endif %}
{% if config_check %}
    # It asks for the service's environment and directories, which only systemd has.
    if [ -d /run/systemd/system ]; then try "the configuration was checked" "$STEM-check.service"; fi
{% endif %}
}
{% if tree %}

new_set_can_stand_in() {
    if [ -d /run/systemd/system ]; then return 0; fi
    choose_spaces
    case $spaces in *--mount*) return 0 ;; esac
    return 1
}
{% endif %}

# Makes and tries a set without plugins as every other one, and brings this one back. $@: the arguments of the program.
# Out: $status, $what.
try_without_plugins() {
    mv "$W/set" "$W/set.whole"
    mv "$W/used" "$W/used.whole"
    : >"$W/used"
    assemble
    try_once "$STEM-try.service" "$@"
    rm -rf "${W:?}/set"
    mv "$W/set.whole" "$W/set"
    mv "$W/used.whole" "$W/used"
}

# Whether a set whose try failed, and whose words name none of its plugins, fails without them, too. $1: unit. Then the
# arguments of the program. What it said, $status and $what stay as they are.
fails_without_plugins() {
    [ "$STEP" = "it was tried" ] || return 1
    [ -s "$W/used" ] || return 0
    shift
    cut -f 2 "$W/used" >"$W/tried"
    if grep -qwFf "$W/tried" "$W/output"; then return 1; fi
    mv "$W/output" "$W/output.whole"
    first="$status $what"
    try_without_plugins "$@"
    alone=$status
    mv -f "$W/output.whole" "$W/output"
    status=${first%% *} what=${first#* }
    [ "$alone" -ne 0 ]
}

# Whether the core says something if all is well. Of a program that is known to say nothing, the sets keep that, in a file
# with its hash. Out: $speaks.
try_core_alone() {
    speaks=no
    program=$(digest "$BIN/$CORE-core")
    if [ -s "$W/used" ] && [ "$(cat "$WORKING/silent" 2>/dev/null)" != "$program" ]; then
        try_without_plugins "$@"
        if [ "$status" -eq 0 ] && grep -q . "$W/output"; then speaks=yes; fi
        # Where it failed without plugins, nothing is known.
        [ "$status" -eq 0 ] || return 0
    fi
    if [ "$speaks" = no ]; then printf '%s\n' "$program" >"$W/set/silent"; fi
}

# Who tries is not the service's user. What of the configuration that user alone may read, its group may read in a copy.
copy_config() {
    rm -rf "${W:?}/config"
    case $AS in root | 0) return 0 ;; esac
    [ "$USER" != root ] && [ -d "$CONFIG" ] && id "$AS" >/dev/null 2>&1 || return 0
    set -- -xdev \( -type f -o -type d \) -user "$AS" ! -perm -0004 ! \( -group "$GROUP" -perm -0040 \)
    [ -n "$(find "$CONFIG" "$@" -print -quit)" ] || return 0
    # Nobody but root gets at the copies, so that no name in them turns into another. Who has the files may be in the way.
    if [ "$(du -skx "$CONFIG" 2>/dev/null | cut -f 1)" -gt 1048576 ]; then
        echo "it is larger than 1 GB" >"$W/errors"
    elif timeout -k 1 20 cp -R -P --preserve=mode,ownership,timestamps,links "$CONFIG" "$W/config" 2>"$W/errors"; then
        find "$W/config" "$@" -exec chgrp "$GROUP" {} + -exec chmod g+rX {} +
        return 0
    elif ! grep -q . "$W/errors"; then
        echo "it took more than 20 seconds" >"$W/errors"
    fi
    rm -rf "${W:?}/config"
    fail "cannot copy $CONFIG, a part of which only $AS may read, to try it: $(last_line "$W/errors")" \
        "make room, or let its group read it: chgrp -R $GROUP $CONFIG; chmod -R g+rX $CONFIG; then $TOOL apply"
}

# Directories in the place of those that the service may write. They lie in memory, so that the limit of memory is the
# limit of all that is written; nobody else gets past the one above them.
make_scratch() {
    drop_scratch
    memory=$(mktemp -d "/dev/shm/$TOOL.XXXXXXXX" 2>/dev/null) || memory=''
    if [ -n "$memory" ]; then ln -s "$memory" "$W/scratch"; else mkdir -m 0700 "$W/scratch"; fi
    number=0
    for directory in $SCRATCH $MORE_SCRATCH; do
        number=$((number + 1))
        case $directory in
        # systemd makes it when the service starts.
        /run/*) ;;
        *) [ -d "$directory" ] || continue ;;
        esac
        mkdir -m 0750 "$W/scratch/$number"
        chown "$TRY_USER:" "$W/scratch/$number"
    done
}

# Also those of an apply that was killed: root's own, whoever may have made others of such a name.
drop_scratch() {
    rm -rf "${W:?}/scratch"
    find /dev/shm -maxdepth 1 -type d -uid 0 -name "$TOOL.*" -exec rm -rf --one-file-system {} + 2>/dev/null || :
}
