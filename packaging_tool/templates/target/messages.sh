# Messages, and what happens when the script ends.

say() {
    printf '%s: %s\n' "$TOOL" "$1" 2>/dev/null || :
    journal notice "$1"
}

warn() {
    printf '%s: %s\n' "$TOOL" "$1" >&2 || :
    journal err "$1"
}

journal() {
    [ "$JOURNAL" = yes ] || return 0
    logger -t "$TOOL" -p "daemon.$1" -- "$2" >/dev/null 2>&1 9>&- || :
}

# The last line that a program printed, without control characters.
last_line() {
    tr '\n' '\001' <"$1" | tr -cd '\001\040-\176' | tr '\001' '\n' | sed -n '/./h; ${ x; p; }' | cut -c 1-400
}

# Adds a refusal. $1: plugin, `kit`, or `*` for everything. $2: reason. $3: repair.
refuse() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/refused" || exit 1
}

# Called by the traps at the end of this file.
# shellcheck disable=SC2317
leave() {
    status=$?
    trap - EXIT
    if [ "$SETTLED" = no ]; then
        report "the step '$STEP' stopped: $(df -P "$BIN" 2>/dev/null | awk 'NR == 2 { print $4 " kB are free on " $6 }')" \
            "make room, then $TOOL apply"
        status=1
    fi
    [ -z "$W" ] || rm -rf "$W"
    exit "$status"
}
