# Apply: verify, assemble, try, swap, restart.

# Ends apply: the old set stays. $1: reason, or "" if $W/reasons has it. $2: repair.
fail() {
    report "$1" "$2"
    exit 1
}

report() {
    SETTLED=yes
    if [ -n "$1" ]; then
        warn "$1"
        warn "  repair: $2"
        printf '%s\n  repair: %s\n' "$1" "$2" >"$W/reasons" 2>/dev/null || :
    fi
    {
        printf 'mkpkgs-failed-set 1\nset %s\n' "${WANTED:--}"
        sed 's/^/reason /' "$W/reasons"
    } >"$W/failed-set" 2>/dev/null || :
    mv -f "$W/failed-set" "$BIN/failed-set" 2>/dev/null || :
    if [ -e "$PROGRAM" ]; then
        warn "the old set goes on serving: $(describe_working)"
    else
        warn "there is no working program yet, so $CORE cannot start"
    fi
}



lock() {
    mkdir -p /run
    (umask 077 && : >>"$LOCK") 2>/dev/null || { warn "cannot write $LOCK"; exit 1; }
    exec 9>>"$LOCK"
    flock -w 900 9 || { warn "another apply has been running for 15 minutes"; exit 1; }
}

# Makes $W/$CORE out of the used plugins.
assemble() {
    if [ -z "$ASSEMBLE" ] || [ ! -s "$W/used" ]; then
        ln "$BIN/$CORE-core" "$W/$CORE" 2>/dev/null || cp -p "$BIN/$CORE-core" "$W/$CORE" 2>"$W/errors" ||
            fail "cannot copy $BIN/$CORE-core: $(last_line "$W/errors")" "make room, then $TOOL apply"
        return 0
    fi
    mkdir -m 0700 "$W/tmp"
    set --
    while IFS=$TAB read -r _ name _; do set -- "$@" "$name"; done <"$W/used"
    (
        cd /
        exec env -i PATH=/usr/bin:/bin LC_ALL=C KIT="$KIT" PLUGINS="$PLUGINS" TMPDIR="$W/tmp" \
            "$ASSEMBLE" "$W/$CORE" "$@"
    ) >"$W/output" 2>&1 || fail "making $CORE with $(names_of_used) failed: $(last_line "$W/output")" \
        "remove or upgrade the plugin that it names, or make room; then $TOOL apply"
    if [ -L "$W/$CORE" ] || [ ! -f "$W/$CORE" ]; then
        fail "making $CORE with $(names_of_used) failed: there is no program" "$REINSTALL $CORE"
    fi
    chmod 0755 "$W/$CORE"
}

write_working_set() {
    {
        printf 'mkpkgs-working-set 1\nset %s\nprogram %s\ncore %s\n' "$WANTED" "$(digest "$W/$CORE")" "$VERSION"
        cut -f 2,3 "$W/used" | sed "s/$TAB/ /; s/^/plugin /"
        sed 's/^/left-out /' "$W/left-out"
    } >"$W/working-set"
    { cat "$W/working-set"; echo "restart due $(invocation)"; } >"$W/restart-due"
}

# Nothing can fail for want of room from here on: all files are written, only names change.
swap() {
    sync "$W/$CORE" "$W/working-set" "$W/restart-due"
    if [ -f "$PROGRAM" ]; then ln "$PROGRAM" "$W/old" 2>/dev/null || :; fi
    if [ -f "$BIN/working-set" ]; then ln "$BIN/working-set" "$W/old-set" 2>/dev/null || :; fi
    # The core's own program can stay in place; mv refuses to rename a file onto another link of it.
    same_file "$W/$CORE" "$PROGRAM" || mv -f -T "$W/$CORE" "$PROGRAM"
    mv -f -T "$W/restart-due" "$BIN/working-set"
    sync "$BIN"
}

apply() {
    [ "$ROOT" = yes ] || { warn "apply must be called by root"; exit 1; }
    JOURNAL=yes
    lock
    rm -rf "$BIN"/.apply.*
    W=$(mktemp -d "$BIN/.apply.XXXXXX" 2>/dev/null) || {
        warn "cannot write in $BIN: is the disk full, or /usr read-only?"
        warn "  repair: make room or remount it writable, then $TOOL apply"
        exit 1
    }
    # The service's user runs the new program in here, and sees no more than that.
    chmod 0711 "$W"
    SETTLED=no
    verify_all no
    print_refusals
    if [ -s "$W/fatal" ]; then fail '' ''; fi
    WANTED=$(set_id)
    NAMES=$(names_of_used)
    if current "$WANTED" >/dev/null; then
        SETTLED=yes
        if [ -e "$BIN/failed-set" ]; then
            rm -f "$BIN/failed-set"
            say "what is installed is what serves again: $(describe_working)"
        elif [ "$QUIET" = no ]; then
            say "nothing to do: $(describe_working)"
        fi
        return 0
    fi
    STEP=assemble
    assemble
    STEP=try
    try
    STEP=swap
    write_working_set
    swap
    STEP=restart
    restart
    if ! restart_is_due || [ "$how" = reload ]; then mv -f -T "$W/working-set" "$BIN/working-set"; fi
    rm -f "$BIN/failed-set"
    SETTLED=yes
    while IFS= read -r name; do warn "left out: the optional plugin $name, see above"; done <"$W/left-out"
    if [ -s "$W/used" ]; then
        say "verified and put into $CORE: $(cut -f 2,3 "$W/used" | tr "$TAB\n" ' ,' | sed 's/,$//; s/,/, /g')$DONE"
    else
        say "$CORE has no plugins$DONE"
    fi
}
