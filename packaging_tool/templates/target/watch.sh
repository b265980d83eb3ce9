# A set serves when it has proved itself: when the service has run with it for a minute and has not ended by itself.
#
# Until then a file in it names the set before it, which comes back otherwise: `unproven` as long as the service has not been
# seen to run with it, `watched` from then on. The set before may itself be such a one. Each start of the service, by whomever,
# brings C-watch.service along if there is such a file, so a reboot or a kill begins the minute again, or goes on with it.
# $WATCHED says of the working set: its directory, the run of the service, and until when it is watched.

PROOF=60 # seconds

# In whole seconds since the boot: nobody can set this clock.
uptime() {
    read -r now _ </proc/uptime
    echo "${now%%.*}"
}

# What becomes of the new set after a restart: it is watched once the service has started with it. Where the old one served
# no better, or where nobody could watch, it stays. Only names change: the disk may be full.
settle_proof() {
    [ -s "$WORKING/unproven" ] || return 0
    # The start of the service brings the watch.
    [ "$MODE" != boot ] || return 0
    look_at_service
    if [ "$RUN" != - ] && ! restart_is_due; then
        accept_set
        if [ ! -s "$WORKING/watched" ]; then return 0; fi
        # A start has brought it already; another way of taking the set has not, and it may still wait for the set before.
        if [ "$how" != restart ]; then systemctl restart --no-block "$STEM-watch.service" >/dev/null 2>&1 9>&- || :; fi
        case $how in
        nothing) ;;
        *) DONE="$DONE, watched for $PROOF seconds" ;;
        esac
    elif [ -n "$TROUBLE" ] || [ ! -d /run/systemd/system ]; then
        if ! restart_is_due; then rm -f "$WORKING/unproven"; fi
    fi
}

# The service runs with the working set. If that has served before those that came between, as where a plugin was taken out and
# in again, it is as far as it was then, and those need not be kept.
accept_set() {
    now=$(recorded "$WORKING/working-set" set)
    met=$(set_before "$(working_directory)")
    while [ -n "$met" ] && [ "$(recorded "$BIN/$met/working-set" set)" != "$now" ]; do met=$(set_before "$met"); done
    if [ -z "$met" ]; then
        mv -f "$WORKING/unproven" "$WORKING/watched"
        return
    fi
    for mark in unproven watched; do
        if [ -s "$BIN/$met/$mark" ]; then mv -f "$BIN/$met/$mark" "$WORKING/watched"; fi
    done
    rm -f "$WORKING/unproven"
}

# The working set is the installed one. An apply before this one may have been cut off before it saw the service start, or
# the watch could not put back the set before, as on a full disk.
prove() {
    TROUBLE='' DONE=''
    how=nothing
    if [ "$MODE" = boot ] || [ -z "$(set_before "$(working_directory)")" ]; then return 0; fi
    seconds=120
    see_fate
    while [ "$FATE" = moves ] && [ "$seconds" -gt 0 ]; do
        sleep 1
        seconds=$((seconds - 1))
        see_fate
    done
    if [ "$FATE" = fell ]; then return_to_old "does not stay up"; fi
    settle_proof
}

# The set before the working one comes back, since the service has ended by itself. $1: how, for the message.
return_to_old() {
    STEP=restart
    TROUBLE='' DONE=''
    before=active
    how=restart
    NEW=$(working_directory)
    OLD=$(set_before "$NEW")
    roll_back "$1"
}

# What C-watch.service calls. It sleeps without the lock: an apply with another set may come at any time.
watch_service() {
    set_of_file='' run_of_file='' until=0
    take_lock || exit 75
    # A watch before this one was killed when it had put back a set, and nothing starts that.
    if [ -f "$WATCHED" ]; then read -r set_of_file run_of_file until <"$WATCHED" || :; fi
    if [ "$run_of_file" = - ] && [ "$set_of_file" != "$(working_directory)" ] && is_down; then
        forget_restarts
        systemctl start "$UNIT" >/dev/null 2>&1 9>&- || :
    fi
    while [ -n "$(set_before "$(working_directory)")" ]; do
        see_fate
        # The set is not in the service yet, whose next start brings us again.
        if restart_is_due; then break; fi
        case $FATE in
        stopped) break ;;
        moves) sleep_unlocked sleep 2 ;;
        fell) put_back ;;
        runs)
            begin_proof
            left=$((until - $(uptime)))
            if [ "$left" -le 0 ]; then
                conclude_proof
                break
            fi
            if [ "$PID" -gt 0 ]; then
                # It looks every second whether the process is there, and ends with it; systemd sees that a moment later.
                sleep_unlocked timeout "$left" tail --pid="$PID" -s 1 -f /dev/null
                if [ "$(uptime)" -lt "$until" ]; then sleep_unlocked sleep 1; fi
            else
                sleep_unlocked sleep 5
            fi
            ;;
        esac
    done
    rm -f "$WATCHED"
    exit 0
}

# Runs a command that waits. Meanwhile others may change what serves.
sleep_unlocked() {
    exec 9>&-
    # The shell would say in the journal that what it waits for was stopped with it.
    { "$@" || :; } 2>/dev/null
    take_lock || exit 75
}

# A minute from now, or what is left of it, if this run of the service is the one that it is about.
begin_proof() {
    # Somebody may have made /usr read-only again.
    if [ -s "$WORKING/unproven" ]; then accept_set 2>/dev/null || :; fi
    if [ "$set_of_file $run_of_file" = "$(working_directory) $RUN" ]; then return 0; fi
    set_of_file=$(working_directory) run_of_file=$RUN until=$(($(uptime) + PROOF))
    write_watched
}

# By a rename: others read it.
write_watched() {
    echo "$set_of_file $run_of_file $until" >"$WATCHED.new"
    mv -f "$WATCHED.new" "$WATCHED"
}

conclude_proof() {
    rm -f "$WORKING/unproven" "$WORKING/watched" 2>/dev/null || exit 0
    make_own_directory
    sweep_sets
    say "$UNIT has stayed up for $PROOF seconds: $(describe_working)"
}

make_own_directory() {
    must_be_closed
    rm -rf "$BIN/.apply.watch"
    make_work_directory watch
}

# Puts back the set before the working one, and goes on: that one may be watched too.
put_back() {
    set_of_file=$(working_directory) run_of_file=- until=0
    write_watched
    make_own_directory
    WANTED=$(recorded "$WORKING/working-set" set)
    cat "$WORKING/revoked" >"$W/revoked" 2>/dev/null || :
    NAMES=$(recorded "$WORKING/working-set" plugin | cut -d ' ' -f 1 | tr '\n' ' ' | sed 's/ $//; s/ /, /g')
    fallen=$(working_directory)
    # As in make_set, not as a condition.
    set +e
    (
        set -e
        return_to_old "does not stay up"
        if [ -n "$TROUBLE" ]; then
            # There is no way back, so there is nothing to watch for.
            rm -f "$WORKING/unproven" "$WORKING/watched"
            conclude
        fi
        # The machine is going down.
        exit 2
    )
    ended=$?
    set -e
    rm -rf "$W"
    W=''
    case $ended:$(working_directory) in
    2:*) exit 0 ;;
    # It goes on with the set that came back, or with one for which there is no way back.
    1:"$fallen") [ -z "$(set_before "$fallen")" ] || exit 75 ;;
    1:*) ;;
    *) exit 75 ;;
    esac
}

# Until when the working set is watched, as RFC 3339 has it. Empty if it is not.
watched_until() {
    [ -n "$(set_before "$(working_directory)")" ] && [ -f "$WATCHED" ] || return 0
    read -r set_of_file _ until <"$WATCHED" || return 0
    [ "$set_of_file" = "$(working_directory)" ] || return 0
    left=$((until - $(uptime)))
    if [ "$left" -ge 0 ]; then date -d "@$(($(date +%s) + left))" +%Y-%m-%dT%H:%M:%S%:z; fi
}
