# Units of ours that somebody changed: what fails then is no plugin's fault.

# What systemd says of a unit goes to $W/unit. $1: unit.
look_at_unit() {
    systemctl show -p LoadState -p Type -p Restart -p ExecStart -p FragmentPath -p DropInPaths -p NeedDaemonReload -p User -p Group \
        "$1" >"$W/unit" 2>/dev/null || : >"$W/unit"
}

# $1: a word of systemctl show.
property() {
    sed -n "s/^$1=//p" "$W/unit"
}

# Prints the files that a unit has settings of beside those of packages, which lie below /usr, and those that we laid.
files_of_unit() {
    { property FragmentPath; property DropInPaths | tr ' ' '\n'; } |
        grep -vE '^(/usr/lib|/lib)/|^/run/systemd/system/[^/]*/(00-service|zz-container)\.conf$|^$' | tr '\n' ' ' | sed 's/ $//'
}

# Whether a unit can do what it is for. Says on stdout what does not let it, as `reason TAB repair`. $1: unit. $2: its program.
unit_works() {
    look_at_unit "$1"
    files=$(files_of_unit)
    case $(property LoadState) in
    # Where systemd does not answer, what fails says so itself.
    '' | loaded) ;;
    masked)
        option=''
        case $files in /run/*) option=' --runtime' ;; esac
        printf '%s is masked%s\tsystemctl unmask%s %s\n' "$1" "${files:+ by $files}" "$option" "$1"
        return 1
        ;;
    not-found)
        if [ -e "/usr/lib/systemd/system/$1" ]; then return 0; fi
        printf '/usr/lib/systemd/system/%s is missing\t%s %s\n' "$1" "$REINSTALL" "$CORE"
        return 1
        ;;
    *)
        printf 'systemd takes no unit %s%s: systemctl status %s\t%s\n' "$1" "${files:+ with $files}" "$1" "$(without_files "$1")"
        return 1
        ;;
    esac
    [ -n "$files" ] || return 0
    for wanted in Type=oneshot Restart=no; do
        if [ "$(property "${wanted%=*}")" = "${wanted#*=}" ]; then continue; fi
        printf '%s has %s=%s of %s, and must have %s\t%s\n' "$1" "${wanted%=*}" "$(property "${wanted%=*}")" "$files" "$wanted" \
            "$(without_files "$1")"
        return 1
    done
    case $(property ExecStart | sed 's/ ;.*//') in
    "{ path=$2") ;;
    *)
        printf '%s has an ExecStart of %s, and must have its own alone\t%s\n' "$1" "$files" "$(without_files "$1")"
        return 1
        ;;
    esac
}

# The repair of a unit with $files. $1: unit.
without_files() {
    if [ -n "$files" ]; then
        echo "take that out of $files; systemctl daemon-reload"
    else
        echo "$REINSTALL $CORE; systemctl daemon-reload"
    fi
}

# Calls unit_works for each unit in which apply runs something, until one does not work.
confining_units_work() {
    [ -d /run/systemd/system ] || return 0
{% if assemble or arrange %}
    if [ -s "$W/used" ]; then unit_works "$STEM-make.service" /bin/sh || return 1; fi
{% endif %}
{% if check %}
    unit_works "$STEM-try.service" "/usr/bin/$CORE" || return 1
{% endif %}
{% if config_check %}
    unit_works "$STEM-check.service" "/usr/bin/$CORE" || return 1
{% endif %}
}

need_units() {
    if trouble=$(confining_units_work); then return 0; fi
    fail "${trouble%%"$TAB"*}" "${trouble#*"$TAB"}; then $TOOL apply"
}

# As fail, where a unit ended badly, for which its settings may be the reason. $1: unit.
fail_in_unit() {
    files=''
    if [ -d /run/systemd/system ]; then
        look_at_unit "$1"
        files=$(files_of_unit)
    fi
    way=$(way_to_settings "$1")
    if [ -n "$files" ]; then way="if the settings of $1 in $files are the reason, take them away and systemctl daemon-reload; else $way"; fi
    fail "$2" "$way$(way_to_more "$1")$3"
}

# The way past a limit of a unit that $what is about, as a part of a repair. $1: unit.
way_to_more() {
    case $what in
    "did not end "*) set -- "$1" TimeoutStartSec=15min "this machine is only slow" ;;
    "needed more "*) set -- "$1" "MemoryMax=8G and LimitDATA=8G" "it needs that" ;;
    *) return 0 ;;
    esac
    [ -d /run/systemd/system ] || return 0
    echo "if $3, put $2 below [Service] of /etc/systemd/system/$1.d/more.conf and systemctl daemon-reload; else "
}
