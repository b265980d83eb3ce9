# Confinement: what runs plugins' code or reads their bytes is no business of root's. It runs as a user that does nothing
# else, so that it and what serves can neither end nor write each other, with limits, without a terminal or a network, and
# nothing of it is left when it has ended.

# Where the service may write; a try gets empty directories in their place.
SCRATCH={{ scratch | join(" ") | sh }}

need_user() {
    if number=$(id -u "$TRY_USER" 2>/dev/null); then
        case $number in
        0 | "$(id -u "$USER" 2>/dev/null)")
            fail "$TRY_USER has the number of $(id -un "$number"), so nothing would part them" \
                "sed -i '/^$TRY_USER:/d' /etc/passwd; systemd-sysusers $CORE.conf; then $TOOL apply"
            ;;
        esac
        share_groups
        return 0
    fi
    fail "the user $TRY_USER does not exist" "systemd-sysusers $CORE.conf; then $TOOL apply"
}

# Groups of the service's user, parted by commas, in which the trying user is not: a key may be readable to one of them.
groups_to_share() {
    if [ "$USER" = root ]; then return 0; fi
    own=" $(id -Gn "$TRY_USER" 2>/dev/null) "
    list=''
    for name in $(id -Gn "$USER" 2>/dev/null); do
        case $own in
        *" $name "*) ;;
        *) list=$list${list:+,}$name ;;
        esac
    done
    echo "$list"
}

# Where it fails, since /etc is read-only, doctor tells it.
share_groups() {
    groups=$(groups_to_share)
    [ -z "$groups" ] || usermod -a -G "$groups" "$TRY_USER" >/dev/null 2>&1 9>&- || :
}

# Lets those read plugins, or what is made of them, who run the program. $1: mode for everybody. $2: mode for a group.
# The rest: paths.
open_to_readers() {
    open=$1 closed=$2
    shift 2
    if [ "$FOR_ALL" = yes ]; then
        chmod "$open" "$@"
    elif [ "$GROUP" != root ]; then
        open_to_group "$open" "$closed" "$@"
    else
        # Root alone calls the program, but another user tries it.
        chgrp "$(id -gn "$TRY_USER")" "$@"
        chmod "$closed" "$@"
    fi
}

# Lets the service's group read files and directories. $1: mode for root alone. $2: mode for the group. The rest: paths.
open_to_group() {
    alone=$1 closed=$2
    shift 2
    if [ "$GROUP" = root ]; then
        chmod "$alone" "$@"
    elif chown "root:$GROUP" "$@" 2>/dev/null; then
        chmod "$closed" "$@"
    fi
}

# What a confined program prints is for root alone: it may quote the configuration.
fresh_output() {
    rm -f "$W/output"
    (
        umask 077
        : >"$W/output"
    )
}

# Runs a unit as it is. $1: its name. Out: $status, $what.
run_unit() {
    fresh_output
    status=0 what=''
    # An apply that was killed may have left it running.
    systemctl stop "$1" >/dev/null 2>&1 9>&- || :
    systemctl start "$1" >/dev/null 2>"$W/errors" 9>&- || status=$?
    result=$(systemctl show -p ActiveState -p Result -p ExecMainStatus "$1" 2>/dev/null | tr '\n' ' ') || result=''
    case $result in
    *ActiveState=inactive*) ;;
    *)
        # It has its result when the program ends, and may still be ending the rest.
        systemctl stop "$1" >/dev/null 2>&1 9>&- || :
        systemctl reset-failed "$1" >/dev/null 2>&1 9>&- || :
        ;;
    esac
    [ "$status" -ne 0 ] || return 0
    what="ended with status $status"
    case $result in
    *Result=timeout*) what="did not end within $(limit_of "$1" TimeoutStartUSec)" ;;
    *Result=oom-kill*) what="needed more than $(limit_of "$1" MemoryMax) of memory" ;;
    *Result=signal* | *Result=core-dump*) what="was killed by a signal" ;;
    *ExecMainStatus=*) what=${result#*ExecMainStatus=} what="ended with status ${what%% *}" ;;
    esac
    if ! grep -q . "$W/output"; then cat "$W/errors" >"$W/output"; fi
}

# A limit of a unit, which a drop-in may have changed, in words. $1: unit. $2: as systemctl shows it.
limit_of() {
    systemctl show -p "$2" "$1" 2>/dev/null |
        sed 's/^[^=]*=//; s/^\([0-9]*\)s$/\1 seconds/; s/^\([0-9]*\)min$/\1 minutes/' |
        awk '/^[0-9]+$/ { printf "%.4g GB\n", $1 / 1073741824; next } { print }'
}

# What a program sees where mounts can be made: everything read-only, with directories of its own in the place of those
# that it could write, and none of the machine's sockets in /run. Each mount that a container does not allow is done
# without. Arguments: a directory to build this in, the directory that is its own, `keep` if what it leaves there is
# wanted, the new set or `-`, its place, user, group, where the service writes, then the program.
# shellcheck disable=SC2016 # the inner shell's own
VIEW='
root=$1 own=$2 keep=$3 set=$4 place=$5 user=$6 group=$7 scratch=$8
shift 8
if [ "$set" != - ]; then mount --bind "$set" "$place" || exit 126; fi
if mount --rbind / "$root" 2>/dev/null; then
    limits=size=64m,nr_inodes=8192,nosuid,nodev
    if [ -r /proc/self/mountinfo ]; then
        while read -r _ _ _ _ at flags _; do
            case $at in "$root/proc" | "$root/proc/"* | "$root/dev/"*) continue ;; "$root" | "$root/"*) ;; *) continue ;; esac
            mount -o "remount,bind,ro,${flags#r?,}" "$at" 2>/dev/null || :
        done </proc/self/mountinfo
        if [ -d "$root/proc/self" ]; then mount -t proc proc "$root/proc" 2>/dev/null || :; fi
    else
        mount -o remount,bind,ro "$root" 2>/dev/null || :
    fi
    for at in /tmp /var/tmp /dev/shm; do
        if [ -d "$root$at" ]; then mount -t tmpfs -o "mode=1777,$limits" tmpfs "$root$at" || :; fi
    done
    mount -t tmpfs -o "mode=0755,$limits" tmpfs "$root/run" || :
    for at in $scratch; do
        case $at in /run/*) mkdir -p "$root$at" ;; esac
        [ -d "$root$at" ] || continue
        mount -t tmpfs -o "mode=0700,uid=$user,gid=$group,$limits" tmpfs "$root$at" || :
    done
    if [ "$keep" = keep ] || ! mount -t tmpfs -o "mode=0700,uid=$user,gid=$group,$limits" tmpfs "$root$own"; then
        mount --bind "$own" "$root$own" || exit 126
    fi
    exec chroot "$root" sh -c "cd \"\$1\" && shift && exec \"\$@\"" sh "$own" "$@"
fi
exec "$@"
'

# Process 1 of a process namespace, with which all others there end. It ends with unshare (--kill-child), since it stays
# root: who becomes another user loses that signal (prctl(2), PR_SET_PDEATHSIG), and a program may turn it off. It says
# nothing itself, of signals either. Arguments: the program.
# shellcheck disable=SC2016 # the inner shell's own
FIRST='
exec 3>&2 2>/dev/null
"$@" 2>&3 3>&- && exit 0
exit $?
'

# Runs a program where no systemd does, as far as the container allows it. $1: seconds. $2: bytes of memory. $3: bytes of
# a file. $4: its own directory. $5: `keep` if what it leaves there is wanted. $6: the new set, to stand in the place of
# the working one, or `-`. Then the program with its arguments. Out: $status, $what.
confine_here() {
    seconds=$1 memory=$2 size=$3 own=$4 keep=$5 new=$6
    shift 6
    user=$(id -u "$TRY_USER")
    mkdir -p "$W/root"
    # As in the units.
    if [ "$GROUP" != root ]; then chgrp "$GROUP" "$W/root"; else chgrp "$(id -g "$TRY_USER")" "$W/root"; fi
    group=$(stat -c %g "$W/root")
    set -- setsid --wait env -i PATH=/usr/bin:/bin LC_ALL=C HOME="$own" TMPDIR="$own" "$@"
    # Without capabilities a container may neither drop more of them nor make namespaces; the user's own limits remain.
    if setpriv --inh-caps=-all --bounding-set=-all true >/dev/null 2>&1; then
        set -- --inh-caps=-all --bounding-set=-all "$@"
    fi
    choose_spaces
    MARK=''
    case $spaces in
    *--pid*) ;;
    *)
        choose_mark
        end_the_rest
        ;;
    esac
    if [ -n "$MARK" ]; then set -- --groups "$MARK" "$@"; else set -- --clear-groups "$@"; fi
    set -- setpriv --reuid "$user" --regid "$group" --no-new-privs "$@"
    case $spaces in
    *--mount*) set -- sh -c "$VIEW" sh "$W/root" "$own" "$keep" "$new" "$WORKING" "$user" "$group" "$SCRATCH" "$@" ;;
    esac
    case $spaces in
    *--pid*) set -- sh -c "$FIRST" sh "$@" ;;
    esac
    # shellcheck disable=SC2086 # a list of options
    if [ -n "$spaces" ]; then set -- unshare $spaces "$@"; fi
    fresh_output
    status=0
    (
        cd "$own"
        exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
        exec timeout -s KILL "$seconds" prlimit --core=0 --fsize="$size" --data="$memory" "$@"
    ) >"$W/output" 2>&1 || status=$?
    case $spaces in
    *--pid*) ;;
    *) end_the_rest ;;
    esac
    what="ended with status $status"
    if [ "$status" -eq 137 ]; then what="did not end within $seconds seconds"; fi
}

# As many namespaces as this container allows. Out: $spaces.
choose_spaces() {
    pid="--pid --fork --kill-child"
    spaces="--mount --net --ipc $pid"
    # shellcheck disable=SC2086 # a list of options
    if unshare $spaces mount --bind "$BIN" "$BIN" >/dev/null 2>&1; then return 0; fi
    for spaces in "--net --ipc $pid" "$pid" --net; do
        # shellcheck disable=SC2086 # a list of options
        if unshare $spaces true >/dev/null 2>&1; then return 0; fi
    done
    spaces=''
}

# A group that nobody is in: no process can leave its groups, so it tells what a confined program has left. The second
# range is for containers that have no more numbers (systemd's documentation calls it unused). Out: $MARK.
choose_mark() {
    for MARK in $((4000000000 + $$)) $((60578 + $$ % 600)); do
        if setpriv --groups "$MARK" true >/dev/null 2>&1; then return 0; fi
    done
    MARK=''
}

# Processes of the user that tries, as `try ID`, and as `other ID` those without such a group: in a chroot somebody else may
# have its number.
processes() {
    grep -HE '^(State|Uid|Groups):' /proc/[0-9]*/status 2>/dev/null | tr ':' ' ' | awk -v OWN="$user" '
        $2 == "State" { alive = $3 != "Z" && $3 != "X" }
        $2 == "Uid" { mine = alive && $3 == OWN }
        $2 == "Groups" && mine {
            word = "other"
            for (i = 3; i <= NF; i++)
                if (($i >= 4000000000 && $i <= 4004194304) || ($i >= 60578 && $i <= 61177)) word = "try"
            split($1, path, "/")
            print word, path[3]
        }' || :
}

# Ends the processes that programs left, of this apply or of one that was killed, where they had no process namespace of
# their own; of the user's others none. The kernel ends all of a user at once, also what begins others faster than anybody
# can look; where the number is not this user's alone, they are stopped one by one.
end_the_rest() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        processes >"$W/processes"
        grep -q '^try ' "$W/processes" || return 0
        if grep -q '^other ' "$W/processes"; then
            for signal in STOP KILL; do
                # shellcheck disable=SC2046 # a list of numbers
                kill -s "$signal" $(sed -n 's/^try //p' "$W/processes") 2>/dev/null || :
            done
        else
            setpriv --reuid "$user" --clear-groups sh -c 'kill -s KILL -- -1' >/dev/null 2>&1 || :
        fi
        sleep 0.05
    done
    fail "what was tried left processes that do not end" "end all processes of $TRY_USER, or restart the container; then $TOOL apply"
}
