# The list of plugins that the administrator disabled. Whoever changes it has the lock of apply from the look at it on, and changes
# it by a difference: what others wrote meanwhile stays.

hold_list() {
    must_be_root
    if [ "$DRY" = yes ]; then return 0; fi
    take_lock || { warn "another apply has been running for 15 minutes"; exit 1; }
}

# $1: all names that are to be disabled.
save_disabled() {
    store_disabled "$1" 2>"$W/errors" || cannot_write
}

cannot_write() {
    warn "cannot write $DISABLED: $(last_line "$W/errors")"
    exit 1
}

store_disabled() {
    # Whoever may write there could have put a link in the place of what we write.
    if [ -d "${DISABLED%/*}" ] && ! closed "${DISABLED%/*}"; then echo "$WHY_OPEN" >&2; return 1; fi
    # What somebody else wrote there must not become root's by what is written now.
    if [ -n "$(find "$DISABLED" -maxdepth 0 \( ! -uid 0 -o -perm /{{ "%03o" % guarded.OPEN }} \) -print 2>/dev/null)" ]; then
        echo "others than root can write to $DISABLED: $TOOL doctor says what helps" >&2
        return 1
    fi
    if [ -z "$(commas "$1")" ]; then
        rm -f "$DISABLED"
        return
    fi
    mkdir -p "${DISABLED%/*}" || return 1
    printf '%s\n' "$1" | tr ' ' '\n' | sed '/^$/d' | sort -u >"$DISABLED.new" || return 1
    sync "$DISABLED.new" || return 1
    mv -f "$DISABLED.new" "$DISABLED"
}

# Changes the list by a difference. $1: names to disable. $2: names to enable. Fails if it cannot be written.
change_list() {
    read_disabled
    # A line that means nothing is for a person to read: apply says so.
    if [ -s "$W/refused" ]; then return 0; fi
    now=$(tr '\n' ' ' <"$W/disabled")
    if [ -z "$(without "$1" "$now")" ] && [ "$(without "$now" "$2")" = "$now" ]; then return 0; fi
    store_disabled "$(without "$now$1" "$2")"
}

TAKEN=/run/$TOOL.taken

# --- sync -------------------------------------------------------------------------------------------------------------

# What sync is to change of the list, changes with its transaction: the apply that this calls does it before it looks at the list,
# so that nothing starts that is to be disabled, and the service restarts once. Until then nothing is written, so whoever says no,
# interrupts it or kills it has nothing to take back. Apply is told by a variable, `CORE PID-START -NAME... +NAME...`, which
# package managers hand on to scripts; a process that has it from them and lives on is told nothing when that sync has ended.
# Once it has done so, what others change before the transaction ends is theirs to say: $TAKEN has the PID-START then.
# $1: names to disable. $2: names to enable.
announce_change() {
    rm -f "$TAKEN"
    MKPKGS_SYNC="$CORE $(process_word $$)"
    for name in $1; do MKPKGS_SYNC="$MKPKGS_SYNC -$name"; done
    for name in $2; do MKPKGS_SYNC="$MKPKGS_SYNC +$name"; done
    export MKPKGS_SYNC
}

# Does in apply what a sync has announced.
take_change() {
    [ -n "${MKPKGS_SYNC-}" ] || return 0
    set -f
    # shellcheck disable=SC2086 # words
    set -- $MKPKGS_SYNC
    set +f
    whose=${2-}
    case $whose in *-*) ;; *) return 0 ;; esac
    if [ "$1" != "$CORE" ] || [ "$(process_word "${whose%-*}")" != "$whose" ] || was_taken "$whose"; then return 0; fi
    shift 2
    off='' on=''
    for word; do
        case $word in
        -*) off="$off ${word#-}" ;;
        +*) on="$on ${word#+}" ;;
        esac
    done
    : >"$W/refused"
    if change_list "$off" "$on" 2>"$W/errors"; then
        FINGERPRINT=$(fingerprint)
        printf '%s\n' "$whose" >"$TAKEN" || :
    else
        warn "cannot write $DISABLED: $(last_line "$W/errors")"
    fi
}

# $1: a PID-START.
was_taken() {
    [ -f "$TAKEN" ] && [ "$(cat "$TAKEN")" = "$1" ] || return 1
}
