# How the service gets the new set, and how systemd shows that an apply has failed.

systemd_does() {
    if command -v deb-systemd-invoke >/dev/null; then
        # It asks policy-rc.d.
        deb-systemd-invoke "$1" "$UNIT" >"$W/output" 2>&1 9>&-
    else
        systemctl "$1" "$UNIT" >"$W/output" 2>&1 9>&-
    fi
}

# Whether policy-rc.d lets a unit be restarted. $1: unit.
policy_allows() {
    [ -x /usr/sbin/policy-rc.d ] || return 0
    forbidden=0
    /usr/sbin/policy-rc.d "$1" restart >/dev/null 2>&1 9>&- || forbidden=$?
    [ "$forbidden" -ne 101 ]
}

# Whether a reload can bring the new set: no process becomes another program by it, nor gets another unit's settings.
reload_suffices() {
    [ "$before" = active ] || return 1
    same_file "$BIN/$OLD/$CORE" "$PROGRAM" || return 1
    [ "$(recorded "$BIN/$OLD/working-set" unit)" = "$(recorded "$WORKING/working-set" unit)" ] || return 1
    [ "$(systemctl show -p CanReload "$UNIT" 2>/dev/null)" = CanReload=yes ]
}

# Brings the working set into the service by the policy `restart` of plugins.conf, if it runs or has failed.
# Out: $DONE, the end of the sentence that tells it, and $TROUBLE, a reason why the service may not serve the set.
# $how: what was done.
restart() {
    DONE=''
    TROUBLE=''
    how=nothing
    [ -d /run/systemd/system ] || return 0
    policy=$(setting restart auto)
    look_at_service
    before=$ACTIVE
    if [ -n "$UNIT" ]; then
        if [ "$STALE" != no ]; then
            systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :
        fi
        case $before in
        active | activating | reloading | deactivating | failed) ;;
        *)
            # The package starts it after its installation, but not if this apply makes up for one that failed.
            if [ ! -e "$BIN/$OLD/$CORE" ] && [ "$QUIET" = no ]; then DONE="; $UNIT does not run: $(way_to start "$UNIT")"; fi
            return 0
            ;;
        esac
    fi
    case $policy in
    /*) restart_by_command ;;
    *)
        [ -n "$UNIT" ] || return 0
        restart_by_systemd
        ;;
    esac
}

# A restart is not a crash: it must not count for the limit of starts, a failed unit may come back, and each start that
# systemd counts from here on is of the new set.
forget_restarts() {
    # The next start would count if it came between.
    case $how:$SUB in
    restart:auto-restart*) systemd_does stop || : ;;
    esac
    systemctl reset-failed "$UNIT" >/dev/null 2>&1 9>&- || :
}

restart_by_systemd() {
    how=restart
    case $policy in
    defer)
        how=nothing
        DONE="; $UNIT goes on with the old set as restart = defer asks: $(way_to restart "$UNIT")"
        return 0
        ;;
    reload)
        if reload_suffices; then how=reload; else DONE=", since a reload cannot bring it"; fi
        ;;
{% if not restarts %}
    *)
        how=nothing
        DONE="; $UNIT takes them at its next start"
        return 0
        ;;
{% elif reload %}
    *)
        # The server takes other plugins without a restart.
        if reload_suffices; then how=reload; fi
        ;;
{% endif %}
    esac
    forget_restarts
    came_up=yes
    systemd_does "$how" || came_up=no
    if ! stays_up; then came_up=down; fi
    case $how:$came_up:$ACTIVE in
    restart:no:active | *:yes:active | *:yes:activating | *:yes:reloading) ;;
    *)
        roll_back
        return 0
        ;;
    esac
    if [ "$how" = reload ] || ! restart_is_due; then
        DONE="; ${how}ed $UNIT$DONE"
    elif [ "$came_up" = yes ]; then
        DONE="; $UNIT was not restarted: policy-rc.d forbids it"
    else
        case $(way_to restart "$UNIT") in
        *unmask*) DONE="; $UNIT was not restarted, since it is masked: $(way_to restart "$UNIT")" ;;
        *) DONE="; $UNIT was not restarted: $(last_line "$W/output")" ;;
        esac
    fi
}

# What the sets have by which two of them differ. $1, $2: their directories below $BIN, the older one first.
what_changed() {
    for set in "$1" "$2"; do sed -n "s/^plugin //p; s/^core /$CORE /p" "$BIN/$set/working-set" >"$W/of-${set##*/}"; done
    new=$(grep -vxFf "$W/of-${1##*/}" "$W/of-${2##*/}" | tr '\n' ',' | sed 's/,$//; s/,/, /g') || :
    gone=$(grep -vxFf "$W/of-${2##*/}" "$W/of-${1##*/}" | tr '\n' ',' | sed 's/,$//; s/,/, /g') || :
    if [ -n "$new" ]; then
        echo "new in this set: $new"
    elif [ -n "$gone" ]; then
        echo "gone from the set: $gone"
    fi
}

# The service does not come up, or does not stay up, with the new set: the old one comes back, if there is one that worked.
# $1: which of them, for the message.
roll_back() {
    fell=${1:-does not start}
    if going_down; then
        DONE="; $UNIT starts with it at the next boot, since the machine is going down"
        return 0
    fi
    reason=$RESULT
    if [ "$reason" = success ]; then reason="it ended by itself"; fi
    if [ "$how" = reload ] && [ "$came_up" = no ]; then reason="reload: $(last_line "$W/output")"; fi
    # What failed before may have done so with a set that is not proved: then there is one that is.
    if [ -z "$OLD" ] || [ ! -x "$BIN/$OLD/$CORE" ] || { [ "$before" = failed ] && [ ! -s "$BIN/$OLD/watched" ]; }; then
        TROUBLE="$UNIT $fell (${reason:-unknown})"
        if refusal=$(refused_service); then TROUBLE="${refusal%%"$TAB"*}; ${refusal#*"$TAB"}"; fi
        return 0
    fi
    # What was ended is not started again if its key is revoked.
    distrusted=$(revoked_in "$BIN/$OLD/working-set")
    if [ -n "$distrusted" ]; then
        if [ "$how" = reload ] && systemd_does restart && stays_up; then
            how=restart DONE="; restarted $UNIT"
            return 0
        fi
        TROUBLE="$UNIT $fell with ${NAMES:-no plugins} (${reason:-unknown}), and there is no way back: the old set has $distrusted, whose key is revoked"
        return 0
    fi
    changed=$(what_changed "$OLD" "$NEW")
    point_to "$OLD"
    forget_restarts
    came_up=yes
    case $how in
    reload) systemd_does reload || systemd_does restart ;;
    *) systemd_does restart ;;
    esac || came_up=no
    if [ "$came_up" = no ] || ! stays_up; then
        DOWN=yes
        warn "$UNIT does not start with the old set either: journalctl -u $UNIT"
    fi
    # It got to the other units if the service came up with it.
    if [ -n "${1-}" ]; then restart_others; fi
    sweep_sets
    event rolled-back "put back the old set of $CORE"
    fail "$UNIT $fell with ${NAMES:-no plugins} (${reason:-unknown})${changed:+; $changed}" \
        "{{ "$(way_into_group)" if l.unit }}journalctl -u $UNIT; remove or downgrade the plugin, or repair the configuration; then $TOOL apply"
}

# Whether a program may be run by root: it, the link that leads to it, and all directories above both are root's and
# nobody else's to write. $1: path. $2: what it leads to. Says why not on stdout.
trusted_program() {
    case $1 in
    *[!A-Za-z0-9._+/-]*) echo "its path has other characters than A-Z a-z 0-9 . _ + / -"; return 1 ;;
    */../* | */..) echo "its path has a part .."; return 1 ;;
    esac
    if [ -z "$2" ]; then echo "it does not exist"; return 1; fi
    if [ ! -f "$2" ] || [ ! -x "$2" ]; then echo "it is not a program"; return 1; fi
    for above in "$1" "$2"; do
        while :; do
            if [ -n "$(find "$above" -maxdepth 0 \( ! -uid 0 -o ! -type l -perm /{{ "%03o" % guarded.OPEN }} \) -print)" ]; then
                echo "others than root can change $above"
                return 1
            fi
            [ "$above" != / ] || break
            above=$(dirname "$above")
        done
    done
}

# Lets the administrator's program do it. It gets UNIT, CORE, UNITS, the other units that run, and OLD and NEW: the directories
# of the sets.
restart_by_command() {
    how="command"
    program=$(readlink -e -- "$policy") || program=''
    if ! why=$(trusted_program "$policy" "$program"); then
        TROUBLE="restart = $policy was not run: $why"
        return 0
    fi
    if [ -n "$UNIT" ] && ! policy_allows "$UNIT"; then
        DONE="; $policy was not run: policy-rc.d forbids a restart"
        return 0
    fi
    [ -z "$UNIT" ] || forget_restarts
    others=$(other_units | sort -u | tr '\n' ' ' | sed 's/ $//')
    ended=0
    (
        cd /
        exec env -i PATH="$PATH" LC_ALL=C UNIT="$UNIT" UNITS="$others" CORE="$CORE" OLD="${OLD:+$BIN/$OLD}" NEW="$BIN/$NEW" \
            timeout -k 10 600 "$program"
    ) >"$W/output" 2>&1 9>&- || ended=$?
    look_at_service
    after=$ACTIVE
    # The command may have restarted it, or has told it to take the set in another way.
    case $after in
    active | activating) if ! restart_is_due && ! stays_up; then after=failed; fi ;;
    esac
    came_up=yes
    case $before:$after in
    failed:* | *:active | *:activating | *:reloading | inactive:*) ;;
    *)
        roll_back
        return 0
        ;;
    esac
    if [ "$ended" -ne 0 ]; then
        TROUBLE="$policy ended with status $ended: $(last_line "$W/output")"
    elif restart_is_due && ! reload_suffices; then
        DONE="; $policy was run, $UNIT still runs the old set"
    else
        how=reload
        DONE="; $policy was run"
    fi
}

# The working set is the installed one, but the service does not serve it yet: nothing is to be made, only that.
# Silent under --quiet where the policy is to wait.
restart_again() {
    OLD=$(last_served)
    NEW=$(working_directory)
    restart
    settle_restart
    if [ "$how" != nothing ]; then restart_others; fi
    if [ -n "$TROUBLE" ]; then return 0; fi
    case $QUIET:$how in
    yes:nothing) ;;
    *) say "$CORE is up to date$DONE" ;;
    esac
}

# Forgets that a restart is due as soon as the service serves the new set. Until then the old set is kept.
settle_restart() {
    if [ "$how" = reload ] || ! restart_is_due; then
        rm -f "$WORKING/restart-due"
        return 0
    fi
    # needrestart looks for processes whose program is gone, so what is kept is a copy.
    look_at_service
    if [ -n "$OLD" ] && same_file "$BIN/$OLD/$CORE" "/proc/$PID/exe" &&
        ! same_file "$BIN/$OLD/$CORE" "$PROGRAM"; then
        if ! { cp -p --reflink=auto "$BIN/$OLD/$CORE" "$W/kept" && mv -f "$W/kept" "$BIN/$OLD/$CORE"; } 2>/dev/null; then
            rm -rf "${BIN:?}/$OLD"
        fi
    fi
}

# Shows a failure in `systemctl --failed`: the unit prints the reasons and fails at once, since we hold the lock.
# $1: text, of several lines.
mark_failed() {
    [ -d /run/systemd/system ] || return 0
    { rm -f "$FAILED.new" && (umask 077 && printf '%s\n' "$1" >"$FAILED.new") && mv -f "$FAILED.new" "$FAILED"; } 2>/dev/null || return 0
    # At boot we are that unit.
    [ "$MODE" != boot ] || return 0
    systemctl start "$STEM-apply.service" >/dev/null 2>&1 9>&- || :
}

# The end of an apply that left the installed set as the working one.
conclude() {
    if [ -n "${TROUBLE-}" ]; then
        warn "$TROUBLE"
        mark_failed "$TROUBLE"
        exit 1
    fi
    if [ -s "$W/gone" ] || [ -s "$W/complaints" ]; then
        # All others serve, but people have to know and to decide.
        awk -F '\t' -v GONE="$W/gone" 'FILENAME == GONE { gone[$1] = 1; next } ($1 in gone) && !seen[$1]++' \
            "$W/gone" "$W/refused" >"$W/undecided"
        reasons_of "$W/undecided" >"$W/reasons"
        reasons_of "$W/complaints" >>"$W/reasons"
        mark_failed "$(cat "$W/reasons")"
        exit 1
    fi
    tell_lost
    if [ "$QUIET" = no ] || [ "$STEP" = restart ]; then tell_ended; fi
    mark_good
}

mark_good() {
    rm -f "$FAILED"
    [ -d /run/systemd/system ] || return 0
    set -- "$STEM-apply.service" "$STEM-apply-later@*.service"
    if systemctl is-failed --quiet "$@" 2>/dev/null; then
        systemctl reset-failed "$@" >/dev/null 2>&1 9>&- || :
    fi
}
