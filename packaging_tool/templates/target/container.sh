# Containers may refuse systemd what the units of the try ask for (226/NAMESPACE, 217/USER, 225/NETWORK), while the service runs:
# of that, systemd ignores what makes no other files visible. There, what is made and tried is confined as far as they allow it.

REFUSED_FILES=''
# What is done without: 0 nothing; 1 files in the place of others; 2 and users, 3 and mounts, 4 and a network of its own.
LEVEL=0
{% if tree %}
untried=no
{% endif %}

# Runs a unit. $1: its name. Out: $status, $what{{ ", and $untried: whether
# it was not run, since it would have run something else here, which is said" if tree }}.
confine_in_unit() {
    if [ "$LEVEL" -eq 0 ]; then
        run_unit "$1"
        [ "$status" -ne 0 ] || return 0
        if settings_refused "$1"; then return 0; fi
        case $what in *" status 217" | *" status 225" | *" status 226") ;; *) return 0 ;; esac
        find_level "$1"
        [ "$LEVEL" -gt 0 ] || return 0
    fi
    case $1 in
    "$STEM-make.service") ;;
{% if tree %}
    # The program opens what stands in the place of the working set.
    "$STEM-try.service")
        untried=yes status=0
        warn "so $CORE was not tried with ${NAMES:-no plugins}{{ ", nor its configuration checked" if config_check }}"
        return 0
        ;;
{% endif %}
{% if config_check %}
    "$STEM-check.service")
        status=0
        warn "so the configuration of $CORE was not checked"
        return 0
        ;;
{% endif %}
    esac
    # As where no systemd runs.
    chmod 0711 "$W"
    lay_level "$1" "$LEVEL" "$(sed -n "s|^ExecStart=/usr/bin/$CORE|$W/set/$CORE|p" "/usr/lib/systemd/system/$1" \
        "/run/systemd/system/$1.d/00-service.conf" 2>/dev/null | tail -n 1)"
    run_unit "$1"
    take_level_away
    chmod 0700 "$W"
    find /tmp /var/tmp /dev/shm -xdev -user "$TRY_USER" -delete 2>/dev/null || :
}

# Whether the administrator's settings for the service keep a unit from starting, asked as below: with and without them.
# $1: unit. Out: $REFUSED_FILES, where they are; what the unit said, $status and $what stay as they are.
settings_refused() {
    REFUSED_FILES=''
    laid=/run/systemd/system/$1.d/00-service.conf
    [ -s "$laid" ] || return 1
    # systemd's own, or it never came to the program.
    case $what in *" status 0" | *" status 2"[0-4][0-9]) ;; *) return 1 ;; esac
    mv "$W/output" "$W/output.whole"
    first="$status $what"
    lay_level "$1" 0 "/bin/readlink /proc/self/ns/mnt"
    run_unit "$1"
    kept=$status
    mv "$laid" "$W/laid"
    lay_level "$1" 0 "/bin/readlink /proc/self/ns/mnt"
    run_unit "$1"
    if [ "$kept" -ne 0 ] && [ "$status" -eq 0 ]; then REFUSED_FILES=${files# }; fi
    mv "$W/laid" "$laid"
    take_level_away
    mv -f "$W/output.whole" "$W/output"
    status=${first%% *} what=${first#* }
    [ -n "$REFUSED_FILES" ]
}

# How much this container allows, asked by a program of the system in the place of what is tried: that may end with any status,
# too. $1: unit. Out: $LEVEL; what the unit said, $status and $what stay as they are.
find_level() {
    mv "$W/output" "$W/output.whole"
    first="$status $what"
    for LEVEL in 0 1 2 3 4 5; do
        [ "$LEVEL" -lt 5 ] || break
        lay_level "$1" "$LEVEL" "/bin/readlink /proc/self/ns/mnt /proc/self/ns/ipc"
        run_unit "$1"
        [ "$status" -ne 0 ] || break
    done
    take_level_away
    # Where not even that helps, something else is wrong.
    if [ "$LEVEL" -eq 5 ]; then LEVEL=0; fi
    seen=''
    for space in mnt:files "ipc:shared memory"; do
        if grep -qxF "$(readlink "/proc/1/ns/${space%%:*}")" "$W/output"; then seen="$seen${seen:+, }${space#*:}"; fi
    done
    mv -f "$W/output.whole" "$W/output"
    status=${first%% *} what=${first#* }
    if [ "$LEVEL" -gt 0 ]; then
        warn "this container refuses what $1 asks systemd for (status ${what##* }): what is made and tried has no files of its own${seen:+, and sees the $seen of the machine}; it runs as $TRY_USER without rights or sockets"
    fi
}

# $1: unit. $2: level. $3: command line in the place of its own; "" if that stays.
lay_level() {
    mkdir -p "/run/systemd/system/$1.d"
    {
        echo '[Service]'
        # Without a network and a /run of its own it opens no socket at all.
        if [ "$2" -ge 1 ]; then
            printf '%s=\n' TemporaryFileSystem BindPaths BindReadOnlyPaths RestrictAddressFamilies
            echo RestrictAddressFamilies=AF_NETLINK
        fi
        if [ "$2" -ge 2 ]; then echo PrivateUsers=no; fi
        if [ "$2" -ge 3 ]; then
            printf '%s=\n' InaccessiblePaths ReadOnlyPaths ReadWritePaths ExecPaths NoExecPaths
            printf '%s=no\n' ProtectSystem ProtectHome PrivateTmp PrivateDevices PrivateIPC PrivateMounts ProtectControlGroups \
                ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectHostname ProtectClock
            printf '%s\n' ProtectProc=default ProcSubset=all
        fi
        if [ "$2" -ge 4 ]; then echo PrivateNetwork=no; fi
        if [ -n "$3" ]; then printf 'ExecStart=\nExecStart=%s\n' "$3"; fi
    } >"/run/systemd/system/$1.d/zz-container.conf"
    systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :
}

# Also of an apply that was killed.
take_level_away() {
    [ -d /run/systemd/system ] || return 0
    for laid in "/run/systemd/system/$CORE"-*.service.d/zz-container.conf; do
        [ -e "$laid" ] || return 0
        rm -f "$laid"
        rmdir "${laid%/*}" 2>/dev/null || :
    done
    systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :
}

# Says, as `reason TAB repair`, where the service itself does not start for the same cause: nothing of a set can mend that.
refused_service() {
    case $(systemctl show -p ExecMainStatus "$UNIT" 2>/dev/null) in
    *=217) space=users setting="PrivateUsers=no" ;;
    *=225) space="the network" setting="PrivateNetwork=no" ;;
    *=226) space=mounts setting="what takes mounts back, such as PrivateTmp=no, PrivateDevices=no, ProtectSystem=no, ProtectHome=no" ;;
    *) return 1 ;;
    esac
    # A user or a directory may be missing as well.
    case $space in
    users)
        look_at_unit "$UNIT"
        runs_as=$(property User)
        if [ -n "$runs_as" ] && ! id -- "$runs_as" >/dev/null 2>&1; then
            files=$(files_of_unit)
            case $runs_as:$files in
            "$USER":*) repair="systemd-sysusers $CORE.conf; systemctl restart $UNIT" ;;
            *) repair="make the user, or take User= out of ${files:-its unit}; then systemctl daemon-reload; systemctl restart $UNIT" ;;
            esac
            printf '%s has failed: the user %s does not exist\t%s\n' "$UNIT" "$runs_as" "$repair"
            return 0
        fi
        [ "$(systemctl show -p PrivateUsers "$UNIT" 2>/dev/null)" = PrivateUsers=yes ] || return 1
        ;;
    esac
    printf '%s\t%s\n' "$UNIT has failed: it gets no namespace of $space here" \
        "systemctl edit $UNIT: if this container refuses it, $setting below [Service]; else journalctl -u $UNIT"
}
