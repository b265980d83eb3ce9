# Users of sets: the processes of whatever unit, or of none, that run the program. A set stays as long as one of them has it.
#
# What a process runs and has loaded of a set shows in its maps (proc(5)), where needrestart(1) looks, too. A script does not: its
# process is an interpreter's, or what that has become. So who runs one when another set comes is written into the set
# before it, `users`: a line `PID-START` each, which no later process has.

{% set name = l.core | replace(".", "[.]") | replace("+", "[+]") %}
{% set directory = "/usr/lib/" + name + "/bin" %}
# Where the program is called, as a word of an extended regular expression.
CALLED='(/usr/bin/{{ name }}|{{ directory }}/({{ name }}|{{ name }}-core|serving/{{ name }}))'
# A line of maps as far as the set that is mapped: only what begins with our directory is ours, not what others have made alike below theirs.
SET_MAPPED='^[0-9a-f]+-[0-9a-f]+ [a-z-]+ [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ [0-9]+ +{{ directory }}/sets/[a-z0-9.]+/'

# Who has which set. Out: $W/had, rows `set TAB unit TAB PID`. The set is a directory below $BIN, which need not be there any more; unit
# is `-` for none of the system.
look_at_users() {
    {
        grep -HsoE "$SET_MAPPED" /proc/[0-9]*/maps || :
        grep -Hs . "$BIN"/sets/*/users || :
        control_groups
    } >"$W/processes"
    users_in_processes | awk -F '\t' '{ print $3 "\t" $2 "\t" substr($1, 1, index($1, "-") - 1) }' | sort -u >"$W/had"
}

# A new set comes: who runs a script does so with the one before.
write_users_down() {
    previous=$(working_directory)
    shebang=$(head -c 200 "$PROGRAM" 2>/dev/null | printable | sed -n 1p)
    case $shebang in
    '#!'*) ;;
    *) return 0 ;;
    esac
    {
        grep -HsanzxE "$CALLED" /proc/[0-9]*/cmdline | tr '\000' '\n' || :
        units_of_program
        control_groups
    } >"$W/processes"
    users_in_processes | cut -f 1 | sort -u >"$W/users"
    cat "$BIN"/sets/*/users 2>/dev/null >"$W/known" || :
    grep -vxFf "$W/known" "$W/users" >"$W/unknown" || return 0
    cat "$W/unknown" >>"$BIN/$previous/users"
}

# Of version 2, or of systemd's own hierarchy.
control_groups() {
    grep -HsE '^(0:|[0-9]+:name=systemd):/' /proc/[0-9]*/cgroup || :
}

# Files of units that call the program, also of those that do not run: `unit TAB path` each.
units_of_program() {
    grep -RslE --include='*.service' --include='*.conf' "^Exec[A-Za-z]+=(.*[ \"'])?[-@:+!|]*$CALLED([ \"']|\$)" /etc/systemd/system \
        /run/systemd/system /run/systemd/transient /run/systemd/generator /usr/local/lib/systemd/system \
        /usr/lib/systemd/system 2>/dev/null | sed "s/^/unit$TAB/" || :
}

# Prints of $W/processes who is meant: `PID-START TAB unit TAB set`, where set is `-` if that is not said.
users_in_processes() {
    awk -v CORE="$CORE" -v SHEBANG="${shebang-}" -v SETS="$BIN/sets/" '
{% include "target/users.awk" %}
' "$W/processes"
}

# Takes away sets that neither serve nor may come back, and that nobody runs.
sweep_sets() {
    sets_in_use >"$W/in-use"
    looked=no
    for directory in "$BIN"/sets/*; do
        set=sets/${directory##*/}
        if [ ! -d "$directory" ] || grep -qxF "$set" "$W/in-use"; then continue; fi
        if [ "$looked" = no ]; then
            look_at_users
            looked=yes
        fi
        if grep -q "^$set$TAB" "$W/had"; then outdate "$set"; else rm -rf "$directory"; fi
    done
}

# needrestart(1) looks for processes whose program is gone, so of a set that stays for processes alone a copy is kept. $1: set.
outdate() {
    if same_file "$BIN/$1/$CORE" "$PROGRAM"; then return 0; fi
    while IFS=$TAB read -r set _ pid; do
        if [ "$set" != "$1" ] || ! same_file "$BIN/$1/$CORE" "/proc/$pid/exe"; then continue; fi
        if cp -p --reflink=auto "$BIN/$1/$CORE" "$W/kept" 2>/dev/null; then mv -f "$W/kept" "$BIN/$1/$CORE" 2>/dev/null || :; fi
        return 0
    done <"$W/had"
}

# Prints what other units than the service run of older sets, `unit TAB set`, and `process TAB PID` for each process of none.
older_users() {
    look_at_users
    : >"$W/services"
    # Only what systemd knows can be restarted by name.
    if cut -f 2 "$W/had" | grep -qvxF -e - -e "$UNIT"; then
        systemctl list-units --all --plain --no-legend --type=service 2>/dev/null | sed 's/ .*//' >"$W/services" || :
    fi
    awk -F '\t' -v WORKING="$(working_directory)" -v UNIT="$UNIT" -v SERVICES="$W/services" '
        FILENAME == SERVICES { known[$1] = 1; next }
        $1 == WORKING || $2 == UNIT { next }
        !($2 in known) { if (!seen[$3]++) print "process\t" $3; next }
        !seen[$2]++ { print $2 "\t" $1 }' "$W/services" "$W/had"
}

{% if l.unit %}
# Names of the other units that `units` of plugins.conf means and that run, or failed.
{% else %}
# Names of the units that `units` of plugins.conf means and that run, or failed.
{% endif %}
other_units() {
    wanted=$(setting units '' silent)
    [ -n "$wanted" ] || return 0
    set -f
    # shellcheck disable=SC2086 # a list of patterns, which systemd expands
    systemctl list-units --all --plain --no-legend --state=active,activating,reloading,deactivating,failed -- $wanted 2>/dev/null |
        services_of_others || :
    set +f
}

# Names of services in what systemctl lists, but for the server's own and those that apply runs.
services_of_others() {
    grep -o '[^ ]*\.service' | grep -vxE "${UNIT:-none}|$STEM-(apply|apply-later@.*|check|make|try|watch)\.service"
}

# Prints which words of `units` mean no unit of the machine, loaded or not. They may be for units that come later.
units_without_match() {
    [ -d /run/systemd/system ] || return 0
    set -f
    for word in $(setting units '' silent); do
        # Of an instance that nobody has started yet, there is the template.
        known=$({
            systemctl list-units --all --plain --no-legend -- "$word" || :
            systemctl list-unit-files --no-legend -- "$word" || :
            case $word in *@*) systemctl list-unit-files --no-legend -- "${word%%@*}@.${word##*.}" || : ;; esac
        } 2>/dev/null | services_of_others) || :
        if [ -z "$known" ]; then printf '%s ' "$word"; fi
    done
    set +f
}

say_units_without_match() {
    lone=$(units_without_match)
    if [ -n "$lone" ]; then say "there is no unit for this in units of $CONFIG/plugins.conf: $(commas "$lone")"; fi
}

# The other units follow the service, after it has come up with the set; what failed gets another chance, as the service does.
# Out: $DONE and $TROUBLE.
restart_others() {
    if [ ! -d /run/systemd/system ]; then return 0; fi
    set --
    for unit in $(other_units | sort -u); do
        if policy_allows "$unit"; then set -- "$@" "$unit"; fi
    done
    [ $# -gt 0 ] || return 0
    case $(setting restart auto silent) in
    defer | /*) return 0 ;;
    esac
    systemctl reset-failed -- "$@" >/dev/null 2>&1 9>&- || :
    if [ "$how" != reload ] || ! systemctl reload -- "$@" >/dev/null 2>&1 9>&-; then
        systemctl restart -- "$@" >/dev/null 2>&1 9>&- || :
    fi
    # As stays_up, for all of them at once.
    sleep 1
    down=$(systemctl show -p Id -p ActiveState -p SubState -- "$@" 2>/dev/null | awk -F = '
        $1 == "Id" { id = $2 }
        $1 == "ActiveState" { active = $2 }
        $1 == "SubState" { if (active == "failed" || $2 ~ /^auto-restart/) print id }' | tr '\n' ' ')
    if [ -n "$down" ]; then
        TROUBLE="${TROUBLE:+$TROUBLE; }$(commas "$down") of units in $CONFIG/plugins.conf does not start with it"
    fi
    DONE="$DONE; restarted $(commas "$*")"
}
