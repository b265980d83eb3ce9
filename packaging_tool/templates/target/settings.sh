# Settings: the administrator's own for the service (drop-ins, or a unit in the place of the packaged one) reach the units in
# which a set is tried, so that these see what the service will see.

# The user that the service runs as.
AS=$USER
# Directories that it writes beside $SCRATCH.
MORE_SCRATCH=''
{% if l.unit %}

follow_service() {
    [ -d /run/systemd/system ] || return 0
    read_service
    if [ "$stale" = yes ]; then
        # As before a restart.
        systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :
        read_service
    fi
    changed=no
    for unit in "$STEM-try.service" "$STEM-check.service"; do
        [ -e "/usr/lib/systemd/system/$unit" ] || continue
        laid=/run/systemd/system/$unit.d/00-service.conf
        if [ -n "$files" ]; then
            (
                umask 077
                : >"$W/settings"
                : >"$W/found"
            )
            settings_for "$unit" >"$W/settings"
        elif [ -e "$laid" ]; then
            : >"$W/settings"
        else
            continue
        fi
        if [ "$(cat "$laid" 2>/dev/null)" = "$(cat "$W/settings")" ]; then continue; fi
        changed=yes
        if [ -s "$W/settings" ]; then
            mkdir -p "${laid%/*}"
            # It may hold what a drop-in keeps from others.
            { rm -f "$laid" && (umask 077 && cat "$W/settings" >"$laid"); } 2>/dev/null || :
        else
            rm -f "$laid"
            rmdir "${laid%/*}" 2>/dev/null || :
        fi
    done
    if [ "$changed" = yes ]; then systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :; fi
}

# Out: $stale, whether systemd has not read the files as they are; $files, where the service has settings beside the packaged
# ones; $replaced; $AS; $in, its group; $now, its command line.
read_service() {
    look_at_unit "$UNIT"
    stale=no replaced=no files='' unit_file='' now='' AS=root in=''
    while IFS= read -r line; do
        value=${line#*=}
        case $line in
        NeedDaemonReload=yes) stale=yes ;;
        User=?*) AS=$value ;;
        Group=?*) in=$value ;;
        ExecStart=*) now=${value#*" argv[]="} now=${now%%" ; "*} ;;
        FragmentPath=/usr/lib/* | FragmentPath=/lib/*) ;;
        FragmentPath=?*) replaced=yes unit_file=$value ;;
        DropInPaths=*)
            for path in $value; do
                case $path in
                # These hold for the units that try by themselves.
                */service.d/* | *-.service.d/*) ;;
                *) files="$files $path" ;;
                esac
            done
            ;;
        esac
    done <"$W/unit"
    files=$unit_file$files
    if [ -z "$files" ]; then AS=$USER; fi
    [ -n "$in" ] || in=$(id -gn "$AS" 2>/dev/null) || :
}

# Prints the lines of a drop-in. $1: unit. Out: $W/lacks.UNIT, what it cannot have.
settings_for() {
    set -- "$1" "$(sed -n 's/^ExecStart=//p' "/usr/lib/systemd/system/$1")"
    : >"$W/lacks.$1"
    readable=''
    for path in $files; do
        if [ -r "$path" ]; then
            readable="$readable $path"
        else
            printf 'lacks\t%s\tall\n' "$path" >>"$W/lacks.$1"
        fi
    done
    # shellcheck disable=SC2086 # a list of files
    NOW=$now WAS={{ served | sh }} ASKED=$2 awk -v CORE="$CORE" -v UNIT="$UNIT" -v REPLACED="$replaced" \
        -v KEPT='{{ rules.kept }}' -v FIXED='{{ rules.fixed }}' -v PATHS='{{ rules.paths }}' -v STATES='{{ rules.states }}' \
        -v MISSED='{{ rules.missed }}' -v LISTS='{{ rules.lists }}' '
{% include "target/settings.awk" %}
' /dev/null $readable >"$W/found"
    sed -n '/^lacks/p' "$W/found" >>"$W/lacks.$1"
    echo '[Service]'
    number=0
    for path in $SCRATCH; do number=$((number + 1)); done
    MORE_SCRATCH=''
    sed -n "s/^place$TAB//p" "$W/found" >"$W/places"
    while IFS= read -r path; do
        case " $SCRATCH $MORE_SCRATCH " in *" $path "*) continue ;; esac
        number=$((number + 1))
        MORE_SCRATCH="$MORE_SCRATCH $path"
        echo "BindPaths=-$W/scratch/$number:$path"
    done <"$W/places"
    sed -n "s/^unit$TAB//p" "$W/found"
    groups=$(groups_of_service)
    if [ -n "$groups" ]; then echo "SupplementaryGroups=$groups"; fi
    sed -n "s/^ask$TAB\(.*\)/ExecStart=\nExecStart=\1/p" "$W/found"
}

# Groups of the user that the administrator chose; root's own give more than files to read.
groups_of_service() {
    [ "$AS:$in" != "$USER:$GROUP" ] || return 0
    for name in $in $(id -Gn "$AS" 2>/dev/null); do
        case $name in root | 0 | "$GROUP") ;; *) echo "$name" ;; esac
    done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# The way out where the administrator's user of the service is not in the group that may read plugins and configuration, as
# who tries is; a part of a repair.
way_into_group() {
    read_service
    case $AS in "$USER" | root | 0) return 0 ;; esac
    case " $in $(id -Gn "$AS" 2>/dev/null) $(systemctl show -p SupplementaryGroups "$UNIT" 2>/dev/null | sed 's/^[^=]*=//') " in
    *" $GROUP "*) ;;
    *) echo "add SupplementaryGroups=$GROUP to ${files# }, since $AS may not read what the group $GROUP may; " ;;
    esac
}
{% else %}

follow_service() {
    :
}
{% endif %}

# What a unit cannot have of the service's settings, and the way out, as a part of a repair. $1: unit.
way_to_settings() {
    [ -s "$W/lacks.$1" ] || return 0
    awk -F '\t' -v UNIT="$1" -v SERVICE="$UNIT" '
        { keys = keys (NR > 1 ? ", " : "") $3 }
        !($2 in seen) { seen[$2] = 1; places = places (NR > 1 ? " " : "") $2 }
        END {
            print "if it needs what " places " gives " SERVICE " and " UNIT " cannot take over (" keys "), put that into " \
                "/etc/systemd/system/" UNIT ".d/settings.conf as far as it only reads, and systemctl daemon-reload; else "
        }' "$W/lacks.$1"
}
