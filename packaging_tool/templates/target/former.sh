# Plugins that are no more with this core: its package has a row `NAME` for each that ended, and `NAME NEW` for each that is
# called NEW now. The old package is gone then, or an empty one that depends on the new one: it is no plugin.

FORMER=$SHARE/former

# Prints rows `NAME NEW` of plugins that have another name now, and whose old one is not there any more.
renamed_plugins() {
    [ -f "$FORMER" ] || return 0
    while read -r old new _; do
        if [ -n "$new" ] && [ ! -e "$SHARE/plugins/$old.manifest" ]; then printf '%s %s\n' "$old" "$new"; fi
    done <"$FORMER"
}

# $1: an old name.
new_name_of() {
    renamed_plugins | awk -v NAME="$1" '$1 == NAME { print $2 }'
}

# Puts new names into the place of old ones in $W/disabled. Apply writes them into the administrator's list: the next core may
# not know the old ones any more.
follow_disabled() {
    if [ ! -s "$W/disabled" ] || [ ! -f "$FORMER" ]; then return 0; fi
    renamed_plugins | while read -r old new; do
        if is_disabled "$old"; then printf '%s %s\n' "$old" "$new"; fi
    done >"$W/followed"
    [ -s "$W/followed" ] || return 0
    new_names <"$W/disabled" | sort -u >"$W/unsorted"
    mv -f "$W/unsorted" "$W/disabled"
    # Apply begins, and nobody else changes the list meanwhile.
    [ "$SETTLED" = no ] || return 0
    while read -r old new; do say "$old is called $new now, and stays disabled"; done <"$W/followed"
    if store_disabled "$(cat "$W/disabled")" 2>/dev/null; then FINGERPRINT=$(fingerprint); fi
}

# Puts new names into the place of old ones at the beginning of lines.
new_names() {
    renamed_plugins >"$W/renamed"
    awk -v RENAMED="$W/renamed" '
        BEGIN { while ((getline line < RENAMED) > 0) { split(line, part, " "); now[part[1]] = part[2] } FS = OFS = "\t" }
        $1 in now { $1 = now[$1] }
        { print }'
}

# Puts new names into the place of old ones in $NAMES.
follow_names() {
    [ -f "$FORMER" ] || return 0
    given=$NAMES
    NAMES=''
    for name in $given; do
        new=$(new_name_of "$name")
        if [ -n "$new" ]; then warn "$name is called $new now"; fi
        NAMES="$NAMES${NAMES:+ }${new:-$name}"
    done
}

# Says that a plugin ended, if it did. $1: name.
say_end_of() {
    if [ -f "$FORMER" ] && grep -qxF "$1" "$FORMER"; then warn "$1 ended: $CORE $VERSION has it no more"; fi
}

# Names of plugins that served and ended, until somebody has taken note: those of the working set, and with a set that is to
# come those that leave with it. $1: rows of the plugins that are to serve.
ended_plugins() {
    recorded "$WORKING/working-set" plugin >"$W/served"
    recorded "$WORKING/working-set" ended >"$W/noted"
    awk -v FORMER="$FORMER" -v SERVED="$W/served" -v NOTED="$W/noted" '
        BEGIN { while ((getline line < FORMER) > 0) if (split(line, part, " ") == 1) former[part[1]] = 1 }
        FILENAME == SERVED { if ($1 in former) ended[$1] = 1; next }
        FILENAME == NOTED { ended[$1] = 1; next }
        { delete ended[$2] }
        END { for (name in ended) print name }' "$W/served" "$W/noted" "$1" | sort
    # And those that leave for another reason.
    awk -v FORMER="$FORMER" -v USED="$1" '
        BEGIN { while ((getline line < FORMER) > 0) if (split(line, part, " ") == 1) former[part[1]] = 1 }
        FILENAME == USED { serves[$2] = 1; next }
        !($1 in serves) && !($1 in former) { print $1 }' "$1" "$W/served" >"$W/leaving"
}

# Tells of plugins that served and leave, though nobody removed or disabled them by this name.
tell_lost() {
    [ -s "$W/leaving" ] || return 0
    while read -r name; do
        if [ -e "$SHARE/plugins/$name.manifest" ] || is_disabled "$name"; then continue; fi
        new=$(new_name_of "$name")
        if [ -n "$new" ]; then
            if is_disabled "$new"; then warn "$name, which served, is called $new now, and that is disabled: $TOOL enable $new"; fi
            continue
        fi
        [ -e "$W/packages" ] || read_packages
        if has_plugin "$W/packages" "$name"; then
            warn "$name served, but the package $CORE-plugin-$name that is installed now brings no plugin: $TOOL why $name"
        fi
    done <"$W/leaving"
}

# Tells what the working set lost by the maintainer's will, and how to have it told no more.
tell_ended() {
    for name in $(recorded "$WORKING/working-set" ended); do
        say "the plugin $name ended: $CORE $VERSION has it no more; to have read this: $TOOL remove $name"
    done
}

# Takes note of plugins that ended. $1: names.
note_ended() {
    noted=''
    for name in $1; do
        if recorded "$WORKING/working-set" ended | grep -qxF "$name"; then noted="$noted $name"; fi
    done
    [ -n "$noted" ] || return 0
    if [ "$DRY" = yes ]; then would "tell no more that these ended: $(commas "$noted")"; return 0; fi
    take_lock || { warn "another apply has been running for 15 minutes"; exit 1; }
    must_be_closed
    awk -v NOTED="$noted " '!($1 == "ended" && index(NOTED, " " $2 " "))' "$WORKING/working-set" >"$W/noted"
    { cp "$W/noted" "$WORKING/working-set.new" && mv -f "$WORKING/working-set.new" "$WORKING/working-set"; } 2>"$W/errors" ||
        { warn "cannot write in $WORKING: $(last_line "$W/errors")"; exit 1; }
    exec 9>&-
    say "noted: $(commas "$noted")"
}
