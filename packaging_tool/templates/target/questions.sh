# Questions: they change nothing.

prepare() {
    W=$(mktemp -d) || { warn "cannot make a temporary directory"; exit 1; }
    if [ ! -r "$PLUGINS" ] || [ ! -x "$PLUGINS" ]; then
        [ ! -d "$PLUGINS" ] || READABLE=no
    fi
    verify_all
}

unchecked() {
    [ "$READABLE" = no ] || return 0
    warn "the files of the plugins cannot be read by this user: call it as root"
    return 1
}

verify() {
    prepare
    print_refusals
    [ ! -s "$W/refused" ] || exit 1
    unchecked || exit 1
    if [ -s "$W/used" ]; then say "all plugins are verified: $(names_of_used)"; else say "there are no plugins"; fi
}

list() {
    prepare
    recorded "$WORKING/working-set" plugin >"$W/serving"
    awk -F '\t' -v READABLE="$READABLE" -v REFUSED="$W/refused" -v SERVING="$W/serving" -v NAMES="$W/names" '
        FILENAME == REFUSED { refused[$1] = 1; next }
        FILENAME == SERVING { serving[$1] = 1; next }
        FILENAME == NAMES { if ($1 != "kit") name[$1] = 1; next }
        { version[$1] = $5 }
        END {
            for (n in name) {
                v = n in version ? version[n] : "-"
                state = n in refused ? "refused" : READABLE == "no" ? "unchecked" : (n " " v) in serving ? "serving" : "waiting"
                printf "%-20s %-24s %s\n", n, v, state
            }
        }' "$W/refused" "$W/serving" "$W/names" "$W/rows" | sort 2>/dev/null || :
}

status() {
    prepare
    say "working: $(describe_working)"
    print_refusals
    good=yes
    if [ -s "$W/refused" ]; then good=no; fi
    unchecked || good=no
    if [ "$good" = yes ]; then
        WANTED=$(set_id)
        why=$(current "$WANTED") || { warn "$why: $TOOL apply"; good=no; }
    fi
    if [ -f "$BIN/failed-set" ]; then
        good=no
        recorded "$BIN/failed-set" reason | sed 's/^/the last apply failed: /' >"$W/reasons"
        while IFS= read -r line; do warn "$line"; done <"$W/reasons"
    fi
    if [ "$good" = yes ] && ! running_is_current; then
        warn "$UNIT runs an older program: systemctl restart $UNIT"
        good=no
    fi
    if [ -n "$UNIT" ] && [ -d /run/systemd/system ] && systemctl is-failed --quiet "$UNIT"; then
        warn "$UNIT has failed: journalctl -u $UNIT"
        good=no
    fi
    [ "$good" = yes ] || exit 1
    say "verified: what is installed is what serves"
}

# False only if the service is known to run another program.
running_is_current() {
    [ -n "$UNIT" ] || return 0
    [ -d /run/systemd/system ] || return 0
    pid=$(systemctl show -p MainPID "$UNIT" 2>/dev/null) || return 0
    pid=${pid#MainPID=}
    if [ "${pid:-0}" -eq 0 ]; then return 0; fi
    # A script runs as its interpreter, which says nothing.
    if [ "$(head -c 2 "$PROGRAM" | tr -d '\000')" = '#!' ]; then return 0; fi
    [ -r "/proc/$pid/exe" ] || return 0
    same_file "/proc/$pid/exe" "$PROGRAM"
}
