# When to apply: at boot only if something changed, under unattended-upgrades once at its end.

# Identifies what lies on the machine, without the payloads and unverified: cheap enough for every boot.
fingerprint() {
    {
        find "$BIN/$CORE-core" "$LIB/assemble" "$LIB/arrange" {{ "/usr/lib/systemd/system/" + l.unit + " " if l.unit else "" }}-type f -print0 || :
        # Files above {{ guarded.LARGEST_MANIFEST // 1048576 }} MB (units of 512 bytes) are no manifests, keys or lists: survey.awk takes none.
        find "$SHARE" "$CONFIG/keys.d" "$CONFIG/plugins.d" -type f -size -{{ guarded.LARGEST_MANIFEST // 512 + 1 }} -print0 || :
    } 2>/dev/null |
        sort -z | xargs -0 -r openssl dgst -sha256 -r 2>/dev/null | openssl dgst -sha256 -r | cut -c 1-64
}

# Writes down what was there when apply began, so that the next boot need not look closer.
remember() {
    # Of a list of revoked keys that cannot be read every boot says so.
    if [ -s "$W/complaints" ]; then
        rm -f "$WORKING/installed"
        return 0
    fi
    if [ "$(cat "$WORKING/installed" 2>/dev/null)" = "$FINGERPRINT" ]; then return 0; fi
    printf '%s\n' "$FINGERPRINT" >"$W/installed"
    sync "$W/installed"
    mv -f -T "$W/installed" "$WORKING/installed"
}

# What C-apply.service calls: `apply --boot`. Goes on only if the installed set is to be applied here and now, and never
# waits for another apply: that one may be waiting for systemd, which waits for us.
begin_at_boot() {
    if ! take_lock -n; then
        # The apply that has just failed starts this unit to show it.
        [ -s "$FAILED" ] || exit 0
        printable <"$FAILED"
        exit 1
    fi
    must_be_closed
    # Of an apply that power loss ended.
    rm -rf "$BIN"/.apply.*
    # Of a plugin whose key is revoked every boot says so.
    if [ ! -e "$FAILED" ] && [ ! -e "$BIN/failed-set" ] && [ -x "$PROGRAM" ] &&
        [ -z "$(recorded "$WORKING/working-set" revoked)" ] &&
        [ "$(cat "$WORKING/installed" 2>/dev/null)" = "$(fingerprint)" ]; then
        exit 0
    fi
    # While this unit starts, systemd holds back each job of the service, so a restart would wait for ever.
    case $(service_state) in
    active | activating | reloading | deactivating | failed)
        exec 9>&-
        apply_later 0
        exit
        ;;
    esac
}

# Calls apply when a process has ended, at the earliest when the service has started if that is about to start.
# $1: the process, as process_word says it, 0 for none.
apply_later() {
    systemctl start --no-block "$STEM-apply-later@$1.service" >/dev/null 2>&1 9>&-
}

# While the service gets a new set that it may not start with, another apply waits for the end of this one: should this
# one be killed, that one brings the old set back.
guard() {
    [ -s "$WORKING/unproven" ] || return 0
    case $MODE:$(service_state) in
    boot:* | *:inactive) return 0 ;;
    esac
    GUARD=$(process_word $$)
    apply_later "$GUARD" || GUARD=''
}

unguard() {
    [ -n "$GUARD" ] || return 0
    systemctl stop --no-block "$STEM-apply-later@$GUARD.service" >/dev/null 2>&1 9>&- || :
    GUARD=''
}

# At boot the new set becomes the working one before the service starts. A set that the service did not start with before
# does not: the next apply that is called otherwise tries it again.
leave_rolled_back() {
    if [ -n "$(revoked_in "$WORKING/working-set")" ]; then return 0; fi
    if ! was_rolled_back; then return 0; fi
    STEP=restart
    recorded "$BIN/failed-set" reason >"$W/reasons"
    while IFS= read -r line; do warn "$line"; done <"$W/reasons"
    fail '' ''
}

# Whether the installed set is one that the service did not stay up with.
was_rolled_back() {
    [ "$(recorded "$BIN/failed-set" set)" = "$WANTED" ] || return 1
    grep -qx rolled-back "$BIN/failed-set"
}

# What C-apply-later@PID-START.service calls: `apply --after PID-START`. $1: the process.
wait_for_process() {
    # A unit that an older version of us started names the id alone.
    case $1 in
    *-*) process=$1 ;;
    *) process=$(process_word "$1") ;;
    esac
    while [ "$process" != 0 ] && [ "$(process_word "${process%-*}")" = "$process" ]; do sleep 1; done
}

# Prints the id of a process and when it started, in ticks since the boot (proc(5), field 22): another process may get the
# id later, but not with an earlier start. 0 if it has ended. $1: its id.
process_word() {
    # The second field is a name in parentheses, which may have any characters, also line breaks.
    started=$({ tr '\n' ' ' <"/proc/$1/stat" | sed 's/.*) //' | cut -d ' ' -f 1,20; } 2>/dev/null) || started=''
    case $started in
    '' | Z* | X* | *[!0-9] | *' ') echo 0 ;;
    *) echo "$1-${started#* }" ;;
    esac
}

# The process of unattended-upgrades, as process_word says it, if this process descends from it. It forks children that look
# like itself, so the outermost one of root's counts.
upgrader() {
    found=''
    pid=$$
    while [ "${pid:-0}" -gt 1 ]; do
        if { tr '\000' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | head -n 3 | grep -Eq '(^|/)unattended-upgrades?$' &&
            grep -q '^Uid:[[:space:]]*0[[:space:]]' "/proc/$pid/status"; then
            found=$(process_word "$pid")
        fi
        pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
    done 2>/dev/null
    echo "$found"
}

# Whether the machine is going down: systemd starts nothing then.
going_down() {
    [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]
}

# unattended-upgrades calls apt once per set of packages: one apply at its end means one restart.
put_off() {
    [ -d /run/systemd/system ] || return 0
    # Without a working program there is nothing that could go on serving.
    [ -x "$PROGRAM" ] || return 0
    if going_down; then
        event deferred "put off until the next boot, since the machine is going down"
        exit 0
    fi
    waiting_for=$(upgrader)
    case $waiting_for in
    '' | 0) return 0 ;;
    esac
    apply_later "$waiting_for" || return 0
    event deferred "put off until unattended-upgrades (process ${waiting_for%-*}) ends: $(describe_working) goes on serving"
    exit 0
}

# Says what apply waits for, if it was put off.
put_off_until() {
    [ -d /run/systemd/system ] || return 0
    systemctl list-units --all --plain --no-legend --state=activating "$STEM-apply-later@*.service" 2>/dev/null |
        sed -n "s/^$STEM-apply-later@\([1-9][0-9]*\)\(-[0-9]*\)\{0,1\}\.service.*/\1/p" |
        while read -r process; do
            # An apply that runs has another one wait for it, see guard.
            if { tr '\000' ' ' <"/proc/$process/cmdline"; } 2>/dev/null | grep -qF "$TOOL apply"; then
                echo "an apply (process $process)"
            else
                echo "unattended-upgrades (process $process)"
            fi
        done
}
