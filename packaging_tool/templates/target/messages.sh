# Messages, and what happens when the script ends.

# A line for a terminal or a log: names of files, indexes of repositories and other programs' words may hold anything, such
# as control sequences, line breaks that begin a line of ours, or text that runs backwards. $1: text.
plain() {
    printf '%s' "$1" | tr -c '\040-\176' '?'
}

# Likewise all lines of stdin.
printable() {
    tr -c '\012\040-\176' '?' 2>/dev/null || :
}

say() {
    set -- "$(plain "$1")"
    printf '%s: %s\n' "$TOOL" "$1" 2>/dev/null || :
    journal notice "$1"
}

warn() {
    set -- "$(plain "$1")"
    printf '%s: %s\n' "$TOOL" "$1" >&2 || :
    journal err "$1"
}

journal() {
    [ "$JOURNAL:$JOURNALED" = yes:no ] || return 0
    logger -t "$TOOL" -p "daemon.$1" -- "$2" >/dev/null 2>&1 9>&- || :
}

# Tells what happened, with an identifier that programs can look for (systemd.journal-fields(7)). $1: kind of event.
# $2: text. Bad news goes to stderr.
event() {
    case $1 in
    applied) id={{ events.applied }} priority=5 ;;
    failed) id={{ events.failed }} priority=3 ;;
    refused) id={{ events.refused }} priority=3 ;;
    left-out) id={{ events["left-out"] }} priority=4 ;;
    revoked) id={{ events.revoked }} priority=3 ;;
    rolled-back) id={{ events["rolled-back"] }} priority=3 ;;
    deferred) id={{ events.deferred }} priority=5 ;;
    hook-stopped) id={{ events["hook-stopped"] }} priority=4 ;;
    esac
    set -- "$1" "$(plain "$2")"
    if [ "$JOURNAL:$JOURNALED" = yes:yes ]; then
        : # It would be there twice.
    elif [ "$priority" -eq 5 ]; then
        printf '%s: %s\n' "$TOOL" "$2" 2>/dev/null || :
    else
        printf '%s: %s\n' "$TOOL" "$2" >&2 || :
    fi
    [ "$JOURNAL" = yes ] || return 0
    # OBJECT_SYSTEMD_UNIT: `journalctl -u` of the service shows it too. Without systemd the line goes to syslog.
    {
        printf 'MESSAGE_ID=%s\nPRIORITY=%s\nSYSLOG_IDENTIFIER=%s\n' "$id" "$priority" "$TOOL"
        if [ -n "$UNIT" ]; then printf 'OBJECT_SYSTEMD_UNIT=%s\n' "$UNIT"; fi
        if [ "$JOURNALED" = yes ]; then printf 'OBJECT_SYSTEMD_UNIT=%s-apply.service\n' "$CORE"; fi
        printf 'MKPKGS_EVENT=%s\nMKPKGS_CORE=%s\nMESSAGE=%s\n' "$1" "$CORE" "$2"
    } 2>/dev/null | logger --journald >/dev/null 2>&1 9>&- || logger -t "$TOOL" -p "daemon.$priority" -- "$2" >/dev/null 2>&1 9>&- || :
}

# The line that says why a program ended, without control characters: the last one, but Go prints its stacks after it,
# and servers sum up what they said of a module.
last_line() {
    tr '\n' '\001' <"$1" | tr -cd '\001\040-\176' | tr '\001' '\n' |
        awk '/^(panic|fatal error): |\[emerg\]|dlopen/ { found = $0; exit } /./ { found = $0 } END { print found }' | cut -c 1-400
}

# The end of an answer, which nobody may take for a whole one that is not: a full disk is told, a reader that went away is not.
answer() {
    tr -c '\012\040-\176' '?' 2>"$W/answer" || {
        case $(last_line "$W/answer") in *": Broken pipe") return 0 ;; esac
        warn "the answer could not be written: $(last_line "$W/answer")"
        return 1
    }
}

# Adds a refusal. $1: plugin, `kit`, or `*` for everything. $2: reason. $3: repair.
refuse() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/refused" || exit 1
}

# shellcheck disable=SC2317 # called by the traps at the end of this file
leave() {
    status=$?
    trap - EXIT
    if [ "$SETTLED" = no ]; then
        room=$(df -P "$BIN" 2>/dev/null | awk 'NR == 2 && $4 < 1048576 { print $4 " kB are free on " $6 }')
        if [ "$INTERRUPTED" = yes ]; then
            report "the step '$STEP' was interrupted" "$TOOL apply"
        elif [ -n "$room" ]; then
            report "the step '$STEP' stopped: $room" "make room, then $TOOL apply"
        else
            report "the step '$STEP' stopped" "what was said before this line tells why; $TOOL doctor, then $TOOL apply"
        fi
        status=1
    fi
    if [ -n "$W" ]; then
        rm -rf "$W"
        take_level_away
    fi
    exit "$status"
}
