# The try: the new program must run before it may serve.

# Runs the new program as the service's user. It runs plugins' code, so it gets nothing: no network, no rights, no files.
try() {
    set -- {{ check }}
    [ $# -gt 0 ] || return 0
    id -u "$USER" >/dev/null 2>&1 || fail "the user $USER does not exist" "systemd-sysusers $CORE.conf; then $TOOL apply"
    mkdir -m 0700 "$W/home"
    chown "$USER:$GROUP" "$W/home"
    set -- env -i PATH=/usr/bin:/bin LC_ALL=C HOME="$W/home" TMPDIR="$W/home" "$W/set/$CORE" "$@"
    # Without capabilities a container may neither drop more of them nor make namespaces; the user's own limits remain.
    if setpriv --inh-caps=-all --bounding-set=-all true >/dev/null 2>&1; then
        set -- --inh-caps=-all --bounding-set=-all "$@"
    fi
    set -- setpriv --reuid "$USER" --regid "$GROUP" --clear-groups --no-new-privs "$@"
    if unshare --net --pid --fork --kill-child true >/dev/null 2>&1; then
        set -- unshare --net --pid --fork --kill-child "$@"
    elif unshare --net true >/dev/null 2>&1; then
        set -- unshare --net "$@"
    fi
    status=0
    (
        cd "$W/home"
        exec timeout -s KILL 30 prlimit --core=0 --fsize=33554432 "$@"
    ) >"$W/output" 2>&1 9>&- || status=$?
    [ "$status" -ne 0 ] || return 0
    what="ended with status $status"
    if [ "$status" -eq 137 ]; then what="did not end within 30 seconds"; fi
    fail "$CORE with ${NAMES:-no plugins} $what when it was tried: $(last_line "$W/output")" \
        "remove or downgrade the plugin that does not start; then $TOOL apply"
}
