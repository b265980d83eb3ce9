# The try: a new set must run before it may serve. It runs plugins' code, so it gets nothing: no network, no rights, no
# file that stays.

# Where the service may write; a try gets empty directories in their place.
SCRATCH={{ scratch | join(" ") | sh }}

# $1: what is done, for the message. $2: its unit. Then the arguments of the program.
try() {
    STEP=$1
    unit=$2
    shift 2
    status=0
    if [ -d /run/systemd/system ]; then try_in_unit; else try_in_namespaces "$@"; fi
    [ "$status" -ne 0 ] || return 0
    fail "$CORE with ${NAMES:-no plugins} $what when $STEP: $(last_line "$W/output")" \
        "remove or downgrade the plugin that it names, or repair the configuration; then $TOOL apply"
}

try_set() {
{% if check %}
    try "it was tried" "$CORE-try.service" {{ check }}
    # A plugin may end the program before the server's own code says a word, and with status 0.
    if [ ! -s "$W/output" ] && [ -n "$(say_alone {{ check }})" ]; then
        fail "$CORE with ${NAMES:-no plugins} ended without a word when it was tried" \
            "remove or downgrade the plugin that ends it; then $TOOL apply"
    fi
{% endif %}
{% if config_check %}
    # It asks for the service's environment and directories, which only systemd has.
    if [ -d /run/systemd/system ]; then try "the configuration was checked" "$CORE-check.service"; fi
{% endif %}
}

# What the core's own program prints if all is well. A server that opens plugins itself still finds the old set here,
# which may not fit it.
say_alone() {
    if said=$(timeout -s KILL 30 setpriv --reuid "$TRY_USER" --regid "$(id -g "$TRY_USER")" --clear-groups \
        --no-new-privs env -i PATH=/usr/bin:/bin LC_ALL=C "$BIN/$CORE-core" "$@" 2>&1 9>&-); then
        printf '%s\n' "$said" | grep . || :
    fi
}

# In a unit with the sandbox of the service. Out: $status, $what.
try_in_unit() {
    : >"$W/output"
    number=0
    for directory in $SCRATCH; do
        number=$((number + 1))
        case $directory in
        # systemd makes it when the service starts.
        /run/*) ;;
        *) [ -d "$directory" ] || continue ;;
        esac
        mkdir -p "$W/scratch/$number"
        chown "$USER:$GROUP" "$W/scratch/$number"
        chmod 0750 "$W/scratch/$number"
    done
    systemctl start "$unit" >/dev/null 2>"$W/errors" 9>&- || status=$?
    [ "$status" -ne 0 ] || return 0
    result=$(systemctl show -p Result -p ExecMainStatus "$unit" 2>/dev/null | tr '\n' ' ') || result=''
    case $result in
    *Result=timeout*) what="did not end within 30 seconds" ;;
    *Result=oom-kill*) what="needed more than 1 GB of memory" ;;
    *Result=signal* | *Result=core-dump*) what="was killed by a signal" ;;
    *ExecMainStatus=*) what=${result#*ExecMainStatus=} what="ended with status ${what%% *}" ;;
    esac
    if ! grep -q . "$W/output"; then cat "$W/errors" >"$W/output"; fi
    systemctl reset-failed "$unit" >/dev/null 2>&1 || :
}

# Where no systemd runs, as in an image build. Out: $status, $what.
try_in_namespaces() {
    id -u "$TRY_USER" >/dev/null 2>&1 || fail "the user $TRY_USER does not exist" "systemd-sysusers $CORE.conf; then $TOOL apply"
    rm -rf "${W:?}/home"
    mkdir -m 0700 "$W/home"
    chown "$TRY_USER" "$W/home"
    set -- env -i PATH=/usr/bin:/bin LC_ALL=C HOME="$W/home" TMPDIR="$W/home" "$W/set/$CORE" "$@"
    # Without capabilities a container may neither drop more of them nor make namespaces; the user's own limits remain.
    if setpriv --inh-caps=-all --bounding-set=-all true >/dev/null 2>&1; then
        set -- --inh-caps=-all --bounding-set=-all "$@"
    fi
    set -- setpriv --reuid "$TRY_USER" --regid "$(id -g "$TRY_USER")" --clear-groups --no-new-privs "$@"
    if unshare --mount --net --pid --fork --kill-child mount --bind "$W/set" "$WORKING" >/dev/null 2>&1; then
        # The new set stands in the place of the old one.
        # shellcheck disable=SC2016 # the inner shell's own
        set -- unshare --mount --net --pid --fork --kill-child \
            sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@" || exit 126' sh "$W/set" "$WORKING" "$@"
    elif unshare --net true >/dev/null 2>&1; then
        set -- unshare --net "$@"
    fi
    (
        cd "$W/home"
        exec timeout -s KILL 30 prlimit --core=0 --fsize=33554432 --data=1073741824 "$@"
    ) >"$W/output" 2>&1 9>&- || status=$?
    what="ended with status $status"
    if [ "$status" -eq 137 ]; then what="did not end within 30 seconds"; fi
}
