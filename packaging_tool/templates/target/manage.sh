# Changes that people ask for. With --dry-run each only says what it would do; 3 if that is something.

must_be_root() {
    if [ "$ROOT" = yes ] || [ "$DRY" = yes ] || [ "$COMMAND" = freeze ]; then return 0; fi
    warn "$COMMAND must be called by root"
    exit 1
}

# What is installed, what needs what, and what is disabled, without verifying. Out: $W/packages, $W/needs, $W/disabled.
look_around() {
    CHANGES=no
    must_be_root
    make_place
    : >"$W/refused"
    : >"$W/complaints"
    read_record
    read_packages
    read_disabled
    if [ -s "$W/refused" ] && [ "$COMMAND" != freeze ]; then
        print_refusals
        exit 1
    fi
    # Who opens a pipe waits, and any text may be the name of a file.
    find "$SHARE/plugins" -maxdepth 1 -type f -name '[a-z0-9]*.manifest' ! -name '*[!a-z0-9.+-]*' \
        -exec grep -H '^needs [a-z0-9][a-z0-9.+-]*$' {} + 2>/dev/null |
        sed "s,.*/\(.*\)\.manifest:needs ,\1$TAB," >"$W/needs"
}

would() {
    say "would $1"
    CHANGES=yes
}

# Ends a dry run.
end_of_rehearsal() {
    if [ "$CHANGES" = yes ]; then exit 3; fi
    say "nothing to do"
    exit 0
}

# Words in $1 without those in $2.
without() {
    for word in $1; do
        case " $2 " in
        *" $word "*) ;;
        *) printf '%s ' "$word" ;;
        esac
    done
}

commas() {
    printf '%s' "$1" | sed 's/^ *//; s/ *$//; s/  */, /g'
}

# --- enable, disable --------------------------------------------------------------------------------------------------

# From the look at the list of disabled plugins to its change nobody else changes it.
hold_list() {
    must_be_root
    if [ "$DRY" = yes ]; then return 0; fi
    take_lock || { warn "another apply has been running for 15 minutes"; exit 1; }
}

disable_plugins() {
    hold_list
    look_around
    for name in $1; do
        if ! has_plugin "$W/packages" "$name" && ! is_disabled "$name"; then unknown "$name" "$W/packages" "installed are"; fi
    done
    after="$1 $(tr '\n' ' ' <"$W/disabled")"
    while IFS=$TAB read -r name need; do
        case " $after " in
        *" $name "*) continue ;;
        *" $need "*) ;;
        *) continue ;;
        esac
        warn "$name needs $need, so $need cannot be disabled without it: $TOOL disable $need $name"
        exit 1
    done <"$W/needs"
    new=$(without "$1" "$(tr '\n' ' ' <"$W/disabled")")
    change_disabled disable "$new" "$after"
}

enable_plugins() {
    hold_list
    look_around
    for name in $1; do
        if ! has_plugin "$W/packages" "$name" && ! is_disabled "$name"; then unknown "$name" "$W/packages" "installed are"; fi
    done
    now=$(tr '\n' ' ' <"$W/disabled")
    after=$(without "$now" "$1")
    while IFS=$TAB read -r name need; do
        case " $1 " in
        *" $name "*) ;;
        *) continue ;;
        esac
        case " $after " in
        *" $need "*)
            warn "$name needs $need, which is disabled: $TOOL enable $need $name"
            exit 1
            ;;
        esac
    done <"$W/needs"
    change_disabled enable "$(without "$now" "$after")" "$after"
}

# $1: word for it. $2: the names that change. $3: all that are disabled then.
change_disabled() {
    CHANGES=no
    if [ "$DRY" = yes ] && [ -n "$2" ]; then would "$1 $(commas "$2")"; fi
    if [ "$1" = enable ]; then keep "$(packages_of "$NAMES")"; fi
    if [ "$DRY" = yes ]; then end_of_rehearsal; fi
    if [ -n "$2" ]; then save_disabled "$3"; else say "nothing to $1: $(commas "$NAMES")"; fi
    exec 9>&-
    put_away
    apply
}

# $1: all names that are to be disabled.
write_disabled() {
    take_lock || { warn "another apply has been running for 15 minutes"; exit 1; }
    save_disabled "$1"
    # The package manager will call apply.
    exec 9>&-
}

save_disabled() {
    store_disabled "$1" 2>"$W/errors" || { warn "cannot write $DISABLED: $(last_line "$W/errors")"; exit 1; }
}

store_disabled() {
    # Whoever may write there could have put a link in the place of what we write.
    if [ -d "${DISABLED%/*}" ] && ! closed "${DISABLED%/*}"; then echo "$WHY_OPEN" >&2; return 1; fi
    # What somebody else wrote there must not become root's by what is written now.
    if [ -n "$(find "$DISABLED" -maxdepth 0 \( ! -uid 0 -o -perm /{{ "%03o" % guarded.OPEN }} \) -print 2>/dev/null)" ]; then
        echo "others than root can write to $DISABLED: $TOOL doctor says what helps" >&2
        return 1
    fi
    if [ -z "$(commas "$1")" ]; then
        rm -f "$DISABLED"
        return
    fi
    mkdir -p "${DISABLED%/*}" || return 1
    printf '%s\n' "$1" | tr ' ' '\n' | sed '/^$/d' | sort -u >"$DISABLED.new" || return 1
    sync "$DISABLED.new" || return 1
    mv -f "$DISABLED.new" "$DISABLED"
}

put_away() {
    rm -rf "$W"
    W=''
}

# Ends with what a name could have been. $1: name. $2: file with rows of packages. $3: what they are.
unknown() {
    say_end_of "$1"
    known=$(plugins_in "$2")
    warn "there is no plugin $1; $3: ${known:-none}"
    exit 1
}

# --- install, remove --------------------------------------------------------------------------------------------------

# As new as possible for root, who will fetch it anyway.
look_for_packages() {
    if [ "$ROOT" = yes ]; then read_available fresh; else read_available cached; fi
}

# Ends if a name is not to be had. $1: names.
must_be_available() {
    # dnf says it itself where it could not be asked.
    if [ "$MANAGER" = dnf ] && [ ! -s "$W/available" ]; then return 0; fi
    for name in $1; do
        if has_plugin "$W/available" "$name"; then continue; fi
        pin=$(pin_of "$name")
        if [ -n "$pin" ]; then warn "plugin $name $pin"; exit 1; fi
        if [ "$MANAGER" = apt ]; then warn "apt may need to look anew: apt-get update"; fi
        unknown "$name" "$W/available" "available are"
    done
}

install_plugins() {
    look_around
    look_for_packages
    wanted=''
    known=''
    for name in $1; do
        if has_plugin "$W/packages" "$name"; then
            say "$name is installed already"
            known="$known $name"
        else
            wanted="$wanted $name"
        fi
    done
    must_be_available "$wanted"
    carry_out "$wanted" '' "$(packages_of "$known")"
}

remove_plugins() {
    look_around
    leaving=''
    note_ended "$1"
    for name in $1; do
        if has_plugin "$W/packages" "$name"; then leaving="$leaving $name"; else say "$name is not installed"; fi
    done
    while IFS=$TAB read -r name need; do
        case "$leaving " in
        *" $name "*) ;;
        *" $need "*)
            warn "$name needs $need, so $need cannot be removed without it: $TOOL remove $need $name"
            exit 1
            ;;
        esac
    done <"$W/needs"
    carry_out '' "$leaving" "$CORE"
}

# $1: names to install. $2: names to remove. $3: packages that are to stay.
carry_out() {
    if [ "$DRY" = yes ]; then
        rehearse_transaction "$1" "$2"
        keep "$3"
        end_of_rehearsal
    fi
    if [ -n "$1$2" ]; then transact "$1" "$2" || exit 1; fi
    keep "$3"
    if [ -n "$1$2" ]; then must_serve; fi
    settle
}

rehearse_transaction() {
    [ -n "$1$2" ] || return 0
    simulate "$1" "$2" || exit 1
    if [ -n "$1" ]; then would "install $(commas "$1")"; fi
    if [ -n "$2" ]; then would "remove $(commas "$2")"; fi
    others "$1" "$2" >"$W/others"
    while IFS= read -r line; do would "also $line"; done <"$W/others"
}

# The package manager has called apply, which has said what went wrong.
must_serve() {
    if [ -e "$BIN/failed-set" ]; then warn "what is installed does not serve, see above"; exit 1; fi
}

# What is installed must serve, whatever the package manager did.
settle() {
    put_away
    QUIET=yes
    apply
}

# --- freeze, sync -----------------------------------------------------------------------------------------------------

freeze() {
    look_around
    if [ "$READABLE" = no ]; then
        warn "which plugins are disabled cannot be read by this user: call it as root"
        exit 1
    fi
    {
        echo "# Plugins of $CORE, for: $TOOL sync FILE"
        awk -F '\t' -v PREFIX="$CORE-plugin-" -v DISABLED="$W/disabled" '
            FILENAME == DISABLED { disabled[$1] = 1; next }
            index($1, PREFIX) == 1 && substr($1, length(PREFIX) + 1) !~ /^(kit|dev|devel)$/ {
                name = substr($1, length(PREFIX) + 1)
                print name (name in disabled ? "  # disabled" : "")
            }' "$W/disabled" "$W/packages"
    } 2>/dev/null || :
}

# Makes the installed plugins those of $FILE.
synchronize() {
    look_around
    read_wishes
    look_for_packages
    awk -v CORE="$CORE" -v WISHES="$W/wishes" -v PACKAGES="$W/packages" -v NEEDS="$W/needs" '
{% include "target/sync.awk" %}
' "$W/wishes" "$W/packages" "$W/needs" "$W/available" | sort >"$W/plan"
    clash=$(sed -n 's/^clash //p' "$W/plan" | head -n 1)
    if [ -n "$clash" ]; then warn "$FILE: ${clash#* } needs ${clash%% *}, which is disabled there"; exit 2; fi
    wanted=$(planned install)
    leaving=$(planned remove)
    # Without plugins that need it, the core is still wanted.
    named=$CORE
    while IFS=$TAB read -r name _; do
        if has_plugin "$W/packages" "$name"; then named="$named $CORE-plugin-$name"; fi
    done <"$W/wishes"
    must_be_available "$wanted"
    now=$(tr '\n' ' ' <"$W/disabled")
    after=$(awk -F '\t' '$2 == "yes" { print $1 }' "$W/wishes" | tr '\n' ' ')
    CHANGES=no
    if [ "$DRY" = yes ]; then
        rehearse_transaction "$wanted" "$leaving"
        off=$(without "$after" "$now")
        if [ -n "$off" ]; then would "disable $(commas "$off")"; fi
        # What leaves, or is not there, is only forgotten.
        for name in $(without "$now" "$after$leaving"); do
            if has_plugin "$W/packages" "$name"; then would "enable $name"; else would "take $name out of $DISABLED"; fi
        done
        keep "$named"
        end_of_rehearsal
    fi
    if [ "$now" != "$after" ]; then write_disabled "$after"; fi
    if [ -n "$wanted$leaving" ]; then
        transact "$wanted" "$leaving" || {
            if [ "$now" != "$after" ]; then write_disabled "$now"; fi
            exit 1
        }
    fi
    keep "$named"
    if [ -n "$wanted$leaving" ]; then must_serve; fi
    settle
}

planned() {
    sed -n "s/^$1 //p" "$W/plan" | tr '\n' ' '
}

# What $FILE wants. Out: $W/wishes, rows `name TAB whether it is disabled`.
read_wishes() {
    case $FILE in
    -) cat <&8 ;;
    *) cat -- "$FILE" ;;
    esac >"$W/file" 2>"$W/errors" || { warn "cannot read $FILE: $(last_line "$W/errors")"; exit 2; }
    exec 8<&-
    if [ ! -s "$W/file" ]; then
        # A file that was cut off must not remove everything.
        warn "$FILE is empty; a comment line in it says that no plugin is wanted"
        exit 2
    fi
    # No NUL byte: in mawk 1.3.4 the end of a pattern can fit before one, too.
    tr '\000' '?' <"$W/file" | awk -v CORE="$CORE" '
{% include "target/wishes.awk" %}
' >"$W/asked" 2>"$W/errors" || {
        while IFS= read -r line; do warn "$FILE $line"; done <"$W/errors"
        exit 2
    }
    new_names <"$W/asked" | awk -F '\t' '!seen[$1]++' >"$W/wishes"
}

# --- apply --dry-run --------------------------------------------------------------------------------------------------

rehearse() {
    prepare
    print_refusals
    unchecked || exit 1
    if [ -s "$W/fatal" ]; then
        warn "apply would change nothing: $(describe_working)"
        exit 1
    fi
    CHANGES=no
    if ! why=$(current "$(set_id)"); then
        if [ -s "$W/used" ]; then
            would "make $CORE with $(cut -f 2,3 "$W/used" | tr "$TAB\n" ' ,' | sed 's/,$//; s/,/, /g'): $why"
        else
            would "make $CORE without plugins: $why"
        fi
    elif restart_is_due; then
        would "restart $UNIT, which still runs the old set"
    fi
    end_of_rehearsal
}
