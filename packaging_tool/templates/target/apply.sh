# Apply: verify, assemble, try, swap, restart.

# Ends apply: the old set stays. $1: reason, or "" if $W/reasons has it. $2: repair.
fail() {
    if [ "$REHEARSAL" = yes ]; then
        # What cannot be verified is nobody else's fault.
        [ -n "$1" ] || exit 2
        printf '%s\n  repair: %s\n' "$1" "$2" >"$W/reasons"
        exit 1
    fi
    report "$1" "$2"
    exit 1
}

report() {
    SETTLED=yes
    unguard
    if [ -n "$1" ]; then
        warn "$1"
        warn "  repair: $2"
        printf '%s\n  repair: %s\n' "$1" "$2" >"$W/reasons" 2>/dev/null || :
    fi
    # What runs is not ended for a set that does not work, but nobody must be left in doubt what it is.
    distrusted=$(revoked_in "$WORKING/working-set")
    if [ -n "$distrusted" ]; then
        say_distrust >"$W/distrust"
        while IFS= read -r line; do warn "$line"; done <"$W/distrust"
        cat "$W/distrust" >>"$W/reasons"
    fi
    {
        printf 'mkpkgs-failed-set 1\nset %s\n' "${WANTED:--}"
        # It was the working set for a moment, and the service did not start with it.
        if [ "$STEP" = restart ] && [ "$(recorded "$WORKING/working-set" set)" != "${WANTED:--}" ]; then
            echo rolled-back
        fi
        printable <"$W/reasons" | sed 's/^/reason /'
    } >"$W/failed-set" 2>/dev/null || :
    # A reason may quote the configuration, or a secret that a program printed.
    chmod 0600 "$W/failed-set" 2>/dev/null || :
    open_to_group 0600 0640 "$W/failed-set" 2>/dev/null || :
    mv -f "$W/failed-set" "$BIN/failed-set" 2>/dev/null || :
    tell_failure
    mark_failed "$(cat "$W/reasons")"
}

tell_failure() {
    if [ ! -e "$PROGRAM" ]; then
        event failed "there is no working program yet, so $CORE cannot start"
    elif [ "$STEP" = restart ] && [ "$(recorded "$WORKING/working-set" set)" = "${WANTED:-}" ]; then
        event failed "the new set stays: $(describe_working); $TOOL status tells whether it serves"
    elif [ "${DOWN-}" = yes ] || is_down; then
        event failed "the old set stays: $(describe_working); $UNIT has failed: journalctl -u $UNIT"
    else
        event failed "the old set goes on serving: $(describe_working)"
    fi
}

# $1: a word of flock(1) that says how long to wait, by default 15 minutes.
take_lock() {
    mkdir -p /run
    (umask 077 && : >>"$LOCK") 2>/dev/null || { warn "cannot write $LOCK"; exit 1; }
    exec 9>>"$LOCK"
    # The shell says nothing then if it is stopped while it waits.
    { flock "${1:--w900}" 9; } 2>/dev/null
}

# Copies what manifests name: what is verified from here on is what is used, whoever has a file open.
# $1: `kit` or `plugins`. Out: $W/kit, or $W/plugins/NAME.
copy_payloads() {
    mkdir -m 0700 "$W/$1"
    source=$PLUGINS
    if [ "$1" = kit ]; then source=$KIT; fi
    # Nothing but files: who opens a pipe waits. `-R` opens none either, should one come in between.
    awk -F '\t' -v TREE="$W/tree" -v SOURCE="$source/" '
        FILENAME == TREE { if ($1 == "file") plain[$3] = 1; next }
        index($3, SOURCE) == 1 && $3 in plain { print substr($3, length(SOURCE) + 1) }
    ' "$W/tree" "$W/files" >"$W/paths"
    [ -s "$W/paths" ] || return 0
    (cd "$source" && xargs -d '\n' cp -R -P --parents --preserve=mode,timestamps -t "$W/$1" -- <"$W/paths") 2>"$W/errors" || {
        case $(cat "$W/errors") in
        *"No space left"*) fail "there is no room for a copy of the plugins" "make room, then $TOOL apply" ;;
        esac
    }
    # A link that came in between would lead out of the copies.
    find "$W/$1" ! -type f ! -type d -delete
    # What is made of them is made by another user.
    open_to_readers 0755 0750 "$W/$1"
}

# Verifies the payloads: where they lie if nothing is to be made of them, else as private copies; the kit under a seal
# where that tells of each write. Out: $KIT_USED, $SEALED, and $KIT_WORD for check_files.
verify_payloads() {
    KIT_WORD=with-kit
    KIT_USED=$KIT
    SEALED=no
    if ! any_plugin; then
        # Nobody needs the kit now.
        KIT_WORD=without-kit
        sed -i "/^kit$TAB/d" "$W/refused" "$W/withdrawn"
    fi
    resolve
    if current "$(set_id)" >/dev/null; then
        check_files "$KIT_WORD" "$KIT" "$PLUGINS"
    else
        if [ "$KIT_WORD" = with-kit ] && [ -d "$KIT" ]; then
            if seal; then SEALED=yes; else copy_kit; fi
        fi
        copy_payloads plugins
        check_files "$KIT_WORD" "$KIT_USED" "$W/plugins"
    fi
    resolve
}

copy_kit() {
    # The rehearsal may have left one.
    rm -rf "${W:?}/kit"
    copy_payloads kit
    KIT_USED=$W/kit
}

# Makes the set once more from copies if the kit was written to while it was used.
mend_seal() {
    [ "$SEALED" = yes ] || return 0
    if seal_holds; then return 0; fi
    SEALED=no
    copy_kit
    begin_again
    assemble
}

# The set is to be made once more, of fresh copies of the plugins.
begin_again() {
    rm -rf "${W:?}/set" "$W/set.whole" "$W/plugins"
    copy_payloads plugins
    check_files "$KIT_WORD" "$KIT_USED" "$W/plugins"
    resolve
    print_refusals
    if [ -s "$W/fatal" ]; then fail '' ''; fi
    WANTED=$(set_id)
    NAMES=$(names_of_used)
}

# Makes the set and tries it. Where that fails with optional plugins that do not serve in this version now, they are left
# out, and it is done again with the others: what is optional must not keep an update from all others.
make_set() {
    need_user
    shut=$(shut_to_service | tr '\n' ' ')
    [ -z "$shut" ] || fail "${shut}can be entered by root alone, so $READER cannot run what is made there" "$TOOL doctor; then $TOOL apply"
    need_program_in_place
    follow_service
    need_units
    optional_newcomers >"$W/newcomers"
    if [ ! -s "$W/newcomers" ]; then
        assemble
        mend_seal
        try_set
        return 0
    fi
    # Not as a condition: the shell would not stop there at what goes wrong.
    set +e
    (
        set -e
        REHEARSAL=yes
        assemble
        mend_seal
        try_set
        printf '%s\n' "$WANTED" >"$W/wanted"
    )
    ended=$?
    set -e
    if [ "$ended" -eq 0 ]; then
        WANTED=$(cat "$W/wanted")
        return 0
    fi
    if [ "$ended" -eq 2 ]; then fail '' ''; fi
    reason=$(sed -n 1p "$W/reasons")
    repair=$(sed -n 's/^  repair: //p' "$W/reasons" | head -n 1)
    [ -n "$reason" ] || fail "the step '$STEP' stopped" "what was said before this line tells why; then $TOOL apply"
    while IFS= read -r name; do
        refuse "$name" "$reason" "$repair"
        printf '%s %s\t%s\t%s\n' "$(digest "$W/m/$name.manifest")" "$name" "$reason" "$repair" >>"$W/untaken"
    done <"$W/newcomers"
    # The seal was broken, if at all, in the shell that has ended.
    if [ "$SEALED" = yes ] && ! seal_holds; then
        SEALED=no
        copy_kit
    fi
    begin_again
    # Without them it is what serves already.
    if current "$WANTED" >/dev/null; then fail '' ''; fi
    assemble
    mend_seal
    try_set
}

# Optional plugins of the set that are not in the working one, or in another version.
optional_newcomers() {
    recorded "$WORKING/working-set" plugin >"$W/serving-now"
    awk -F '\t' -v SERVING="$W/serving-now" '
        FILENAME == SERVING { serves[$0] = 1; next }
        $4 == "yes" && !(($2 " " $3) in serves) { print $2 }' "$W/serving-now" "$W/used"
}

# Runs a step of the driver as the trying user. $1: what it does, $2: repair, both for the message. Then the step with
# its arguments; the names of the plugins follow them. It may write in $W/room, which the caller makes.
step_of_driver() {
    doing=$1
    repair=$2
    shift 2
    mkdir "$W/room/tmp"
    chown -R -h "$TRY_USER" "$W/room"
    while IFS=$TAB read -r _ name _; do set -- "$@" "$name"; done <"$W/used"
    set -- env -i PATH=/usr/bin:/bin LC_ALL=C KIT="$KIT_USED" PLUGINS="$W/plugins" TMPDIR="$W/room/tmp" "$@"
    # With too little memory a linker reads its files again and again, and dpkg or rpm waits for it.
    if [ -d /run/systemd/system ]; then
        # Nothing of these words is the shell's: paths of ours, and names that were checked.
        {
            printf 'cd /\nexec'
            printf " '%s'" "$@"
            echo
        } >"$W/step"
        confine_in_unit "$STEM-make.service"
    else
        confine_here 300 4294967296 1073741824 "$W/room" keep - "$@"
    fi
    [ "$status" -ne 0 ] || return 0
    why=$(last_line "$W/output")
    case $what in
    "did not end "*) why="it $what; is there enough memory?" ;;
    "needed more "*) why="it $what" ;;
    esac
    fail_in_unit "$STEM-make.service" "$doing failed: ${why:-it $what}" "$repair"
}

# A directory of the trying user alone, for one step.
make_room() {
    rm -rf "${W:?}/room"
    mkdir -m 0700 "$W/room"
}

# Whether a step left nothing but plain files of its own, with names of one line. Root must not follow a link, and with a
# second name a file may be somebody else's. $1: where.
is_plain() {
    [ -z "$(find "$1" ! -type d \( ! -type f -o -links +1 \) -print -o -name '*[[:cntrl:]]*' -print)" ]
}

# Copies what a step left: from here on nobody but root has it open. $1: file, or directory whose files count. $2: where to.
take() {
    is_plain "$1" || fail "$doing failed: it left more than plain files" "$REINSTALL $CORE"
    cp -R -P -T "$1" "$2" 2>"$W/errors" ||
        fail "cannot copy what was made: $(last_line "$W/errors")" "make room, then $TOOL apply"
}

# Makes the set in $W/set: the program, and the files that the server opens by itself.
assemble() {
    mkdir -m 0755 "$W/set"
{% if tree %}
    mkdir -m 0700 "$W/set/plugins"
    open_to_readers 0755 0750 "$W/set/plugins"
    while IFS=$TAB read -r _ name _; do
        mkdir -p "$W/plugins/$name"
        mv "$W/plugins/$name" "$W/set/plugins/"
    done <"$W/used"
    # For servers that verify once more: these belong to the copies, whatever is unpacked meanwhile.
    mkdir -m 0755 "$W/set/manifests"
    while IFS=$TAB read -r _ name _; do
        cp "$W/m/$name.manifest" "$W/set/manifests/"
        if [ "$TRUST" = signature ]; then cp "$W/m/$name.manifest.sig" "$W/set/manifests/"; fi
    done <"$W/used"
    find "$W/set/manifests" -type f -exec chmod 0644 {} +
{% endif %}
{% if arrange %}
    arrange
{% endif %}
    if [ -z "$ASSEMBLE" ] || [ ! -s "$W/used" ]; then
        ln "$BIN/$CORE-core" "$W/set/$CORE" 2>/dev/null || cp -p "$BIN/$CORE-core" "$W/set/$CORE" 2>"$W/errors" ||
            fail "cannot copy $BIN/$CORE-core: $(last_line "$W/errors")" "make room, then $TOOL apply"
        return 0
    fi
    make_room
    step_of_driver "making $CORE with $(names_of_used)" \
        "remove or upgrade the plugin that it names, or make room; then $TOOL apply" "$ASSEMBLE" "$W/room/$CORE"
    if [ -L "$W/room/$CORE" ] || [ ! -f "$W/room/$CORE" ]; then
        fail "making $CORE with $(names_of_used) failed: there is no program" "$REINSTALL $CORE"
    fi
    take "$W/room/$CORE" "$W/set/$CORE"
    rm -rf "${W:?}/room"
    chmod 0755 "$W/set/$CORE"
    # Everybody may run it, but it has the code of plugins in it, which may not be for everybody to read.
    open_to_readers 0755 0751 "$W/set/$CORE"
}
{% if arrange %}

# Has the driver write what the server is to be told. It works on copies: what was verified stays as it is, and only files
# that are new come back.
arrange() {
    make_room
    mkdir "$W/room/set" "$W/room/set/loader"
    cp -R -P -p "$W/set/plugins" "$W/room/set/plugins" 2>"$W/errors" ||
        fail "there is no room for a copy of the plugins: $(last_line "$W/errors")" "make room, then $TOOL apply"
    step_of_driver "arranging the plugins of $CORE" "remove or upgrade the plugin that it names; then $TOOL apply" \
        "$LIB/arrange" "$W/room/set"
    find "$W/set/plugins" -type f -printf '%P\0' >"$W/known"
    (
        cd "$W/room/set/plugins" || exit 1
        xargs -0 -r rm -f -- <"$W/known"
    ) 2>"$W/errors" || fail "$doing failed: $(last_line "$W/errors")" "$REINSTALL $CORE"
    take "$W/room/set/plugins" "$W/set/plugins"
    take "$W/room/set/loader" "$W/set/loader"
    rm -rf "${W:?}/room"
    chmod -R u=rwX,go=rX "$W/set/plugins" "$W/set/loader"
    open_to_readers 0755 0750 "$W/set/plugins" "$W/set/loader"
}
{% endif %}

write_working_set() {
    {
        printf 'mkpkgs-working-set 1\nset %s\nprogram %s\ncore %s\n' "$WANTED" "$(digest "$W/set/$CORE")" "$VERSION"
{% if l.unit %}
        printf 'unit %s\n' "$(digest "/usr/lib/systemd/system/$UNIT")"
{% endif %}
{% if tree %}
        printf 'files %s\n' "$(digest_of_tree "$W/set")"
{% endif %}
        cut -f 2,3 "$W/used" | sed "s/$TAB/ /; s/^/plugin /"
        sed 's/^/left-out /' "$W/left-out"
        sed 's/^/revoked /' "$W/gone"
        ended_plugins "$W/used" | sed 's/^/ended /'
        signers
    } >"$W/set/working-set"
    if [ -f "$W/untaken" ]; then
        cp "$W/untaken" "$W/set/untaken"
        chmod 0600 "$W/set/untaken"
        open_to_group 0600 0640 "$W/set/untaken"
    fi
    remember_revoked "$W/set"
    running=$(invocation)
    if [ "$running" != - ]; then printf '%s\n%s\n' "$running" "$(last_served)" >"$W/set/restart-due"; fi
}

# Makes a set the working one, in one rename. $1: its directory below $BIN.
point_to() {
    ln -s "$1" "$W/serving"
    mv -f -T "$W/serving" "$WORKING"
    sync "$BIN"
}

# Nothing can fail for want of room from here on: all files are written, only names change.
# Out: $OLD and $NEW, the directories of both sets below $BIN.
swap() {
    OLD=$(last_served)
    # Until the service has started with the new set, whoever finds it knows what to go back to.
    if [ -n "$UNIT" ] && [ -f "$BIN/$OLD/working-set" ]; then printf '%s\n' "$OLD" >"$W/set/unproven"; fi
    find "$W/set" -type f -print0 | xargs -0 sync
    find "$W/set" -type d -print0 | xargs -0 sync
    NEW=sets/$(printf '%s' "$WANTED" | cut -c 1-16)
    # The same set again: its program was changed, the one in between may be put back, or a process has it still.
    while [ -e "$BIN/$NEW" ]; do NEW=$NEW.again; done
    mv -T "$W/set" "$BIN/$NEW"
    sync "$BIN/sets"
    write_users_down
    point_to "$NEW"
}

# Nothing is written or removed where others can turn the way elsewhere.
must_be_closed() {
    if closed "$BIN"; then return 0; fi
    place=${WHY_OPEN%% *}
    case $WHY_OPEN in
    *" is no directory") repair="put a directory of root's into its place" ;;
    "$LIB "* | "$LIB/"*) repair="$TOOL doctor" ;;
    *) repair="chown root $place; chmod go-w $place" ;;
    esac
    warn "$WHY_OPEN"
    warn "  repair: $repair; then $TOOL apply"
    tell_failure
    mark_failed "$WHY_OPEN"
    exit 1
}

# What an apply that was killed left: what it ran, and $1, its directory.
clear_away() {
    rm -rf "$1"
    take_level_away
{% if l.steps %}
    if [ -d /run/systemd/system ]; then
        systemctl stop{% for step in l.steps %} "$STEM-{{ step }}.service"{% endfor %} >/dev/null 2>&1 9>&- || :
    fi
{% endif %}
    find /dev/shm -maxdepth 1 -type d -uid 0 -name "$TOOL.*" -exec rm -rf --one-file-system {} + 2>/dev/null || :
}

# $1: its name. Out: $W.
make_work_directory() {
    W=$BIN/.apply.$1
    mkdir -m 0700 "$W" 2>/dev/null || {
        W=''
        warn "cannot write in $BIN: is the disk full, or /usr read-only?"
        warn "  repair: make room or remount it writable, then $TOOL apply"
        mark_failed "cannot write in $BIN: is the disk full, or /usr read-only?"
        exit 1
    }
}

apply() {
    [ "$ROOT" = yes ] || { warn "apply must be called by root"; exit 1; }
    JOURNAL=yes
    case $MODE in
    watch) watch_service ;;
    boot) begin_at_boot ;;
    *)
        if [ "$MODE" = now ]; then put_off; else wait_for_process "$AFTER"; fi
        take_lock || { warn "another apply has been running for 15 minutes"; exit 1; }
        ;;
    esac
    must_be_closed
    FINGERPRINT=$(fingerprint)
    for path in "$BIN"/.apply.*; do
        if [ -e "$path" ]; then clear_away "$path"; fi
    done
    make_work_directory new
    # Units are given parts of it. Elsewhere the trying user runs the new program in here, and sees no more than that.
    if [ ! -d /run/systemd/system ]; then chmod 0711 "$W"; fi
    take_change
    mkdir -p "$BIN/sets"
    # The package brought them, and without them nothing is found.
    for name in "$CORE" working-set; do
        [ -L "$BIN/$name" ] || ln -s "serving/$name" "$BIN/$name"
    done
    # A try puts the new set in the place of the working one, so there must be a place.
    if [ ! -d "$WORKING" ]; then
        mkdir -p "$BIN/sets/none"
        point_to sets/none
    fi
    SETTLED=no
    verify_manifests
    remember_revoked "$WORKING"
    verify_payloads
    print_refusals
    if [ -s "$W/fatal" ]; then fail '' ''; fi
    WANTED=$(set_id)
    NAMES=$(names_of_used)
    if current "$WANTED" >/dev/null; then
        SETTLED=yes
        remember
        failed=no
        if [ -e "$BIN/failed-set" ]; then
            failed=yes
            rm -f "$BIN/failed-set"
            event applied "what is installed is what serves again: $(describe_working)"
        fi
        if restart_is_due; then
            restart_again
            settle_proof
        else
            prove
            if [ "$QUIET$failed" = nono ]; then say "nothing to do: $(describe_working)"; fi
        fi
        sweep_sets
        conclude
        return 0
    fi
    # The watch may have put the set back that an apply was killed with, for which the next one waited.
    case $MODE:$AFTER in
    boot:* | after:*-*) leave_rolled_back ;;
    esac
    STEP=assemble
    make_set
    STEP=swap
    write_working_set
    swap
    STEP=restart
    guard
    restart
    settle_restart
    settle_proof
    restart_others
    unguard
    sweep_sets
    remember
    rm -f "$BIN/failed-set"
    SETTLED=yes
    while IFS= read -r name; do event left-out "left out: the optional plugin $name, see above"; done <"$W/left-out"
    while IFS= read -r name; do
        event revoked "left out: the plugin $name: $(awk -F '\t' -v NAME="$name" '$1 == NAME { print $2; exit }' "$W/refused")"
    done <"$W/gone"
    if [ -s "$W/used" ]; then
        event applied "verified and put into $CORE: $(cut -f 2,3 "$W/used" | tr "$TAB\n" ' ,' | sed 's/,$//; s/,/, /g')$DONE"
    else
        event applied "$CORE has no plugins$DONE"
    fi
    conclude
}
