# What systemd says of the service.

# Asks once. Out: $ACTIVE and $SUB, its state; $KIND, its type; $RUN, its run as systemd counts them, `-` if it does not run;
# $RESTARTS, how often systemd has started it again by itself; $PID, its main process; $STALE, `no` unless its unit is to be
# read again; $RESULT and $CODE, how it ended; $TRIGGER, a socket or the like that starts it; $BEGUN, $LEFT and $ENDED, when
# this run began, was no longer active, and when its main process ended: microseconds since the boot, 0 for never.
look_at_service() {
    ACTIVE=inactive SUB='' KIND='' RUN=- RESTARTS=0 PID=0 STALE=no RESULT='' CODE=0 TRIGGER='' BEGUN=0 LEFT=0 ENDED=0
    if [ -z "$UNIT" ] || [ ! -d /run/systemd/system ]; then return 0; fi
    STALE=''
    # No value has a space, but for the list of triggers.
    for word in $(systemctl show -p ActiveState,SubState,Type,InvocationID,NRestarts,MainPID,NeedDaemonReload \
        -p Result,ExecMainCode,TriggeredBy \
        -p InactiveExitTimestampMonotonic,ActiveExitTimestampMonotonic,ExecMainExitTimestampMonotonic \
        "$UNIT" 2>/dev/null); do
        case $word in
        ?*=) ;;
        ActiveState=*) ACTIVE=${word#*=} ;;
        SubState=*) SUB=${word#*=} ;;
        Type=*) KIND=${word#*=} ;;
        InvocationID=*) RUN=${word#*=} ;;
        NRestarts=*) RESTARTS=${word#*=} ;;
        MainPID=*) PID=${word#*=} ;;
        NeedDaemonReload=*) STALE=${word#*=} ;;
        Result=*) RESULT=${word#*=} ;;
        ExecMainCode=*) CODE=${word#*=} ;;
        TriggeredBy=*) TRIGGER=${word#*=} ;;
        InactiveExitTimestampMonotonic=*) BEGUN=${word#*=} ;;
        ActiveExitTimestampMonotonic=*) LEFT=${word#*=} ;;
        ExecMainExitTimestampMonotonic=*) ENDED=${word#*=} ;;
        esac
    done
    case $ACTIVE in
    active | reloading) ;;
    *) RUN=- ;;
    esac
}

# Prints the commands that restart or start a unit, which may be masked. $1: restart or start. $2: unit.
way_to() {
    name=$(quoted "$2")
    case $(systemctl is-enabled -- "$2" 2>/dev/null) in
    masked) echo "systemctl unmask $name; systemctl $1 $name" ;;
    masked-runtime) echo "systemctl unmask --runtime $name; systemctl $1 $name" ;;
    *) echo "systemctl $1 $name" ;;
    esac
}

service_state() {
    look_at_service
    echo "$ACTIVE"
}

invocation() {
    look_at_service
    echo "$RUN"
}

# Whether the service has failed, or waits to be started once more after it ended.
is_down() {
    look_at_service
    case $ACTIVE:$SUB in
    failed:* | *:auto-restart*) return 0 ;;
    esac
    return 1
}

# What became of a service that was to run, since a person last started it. Out: $FATE: `runs`, `fell` (it ended by
# itself, whether systemd has started it again or not), `stopped` (somebody wants it so), or `moves` from one to the other.
see_fate() {
    look_at_service
    case $ACTIVE:$SUB in
    *:auto-restart*) FATE=fell ;;
    failed:* | inactive:*) if was_stopped; then FATE=stopped; else FATE=fell; fi ;;
    deactivating:*) FATE=moves ;;
    *)
        if [ "$RESTARTS" -gt 0 ]; then
            FATE=fell
        elif [ "$RUN" = - ]; then
            FATE=moves
        else
            FATE=runs
        fi
        ;;
    esac
}

# Whether a service that does not run was stopped, and did not end by itself. systemd marks a run as no longer active when it
# begins to stop it, which is before its process ends, else when it sees that this has ended. The journal could tell it too,
# but not every machine has one.
was_stopped() {
    if [ "$LEFT" -lt "$BEGUN" ]; then
        # It never came up in this run.
        [ "$ACTIVE" = inactive ]
    elif [ "$ENDED" -gt "$LEFT" ]; then
        :
    elif [ "$ACTIVE" = failed ]; then
        return 1
    else
        # Stopped while it waited for its next start, or ended by a signal that asks for the end. Who ended with success
        # (CLD_EXITED of waitid(2) is 1) did so by itself, and is missed if nothing starts it when it is wanted.
        [ "$RESULT:$CODE:$TRIGGER" != success:1: ]
    fi
}

# systemd takes a service of these types for started before its own code has run, so it must stay up for a second.
stays_up() {
    see_fate
    if [ "$FATE" = fell ]; then return 1; fi
    case $KIND in
    simple | exec | idle) ;;
    *) return 0 ;;
    esac
    run=$RUN
    for _ in 1 2; do
        sleep 0.5
        look_at_service
        # systemd may have started it once more by now.
        if [ "$run" = - ] || [ "$RUN" != "$run" ]; then return 1; fi
    done
}
