# Doctor: finds what keeps the plugins from serving, and repairs what can be repaired without a person's will.

doctor() {
    LEFT=0   # findings that remain
    MENDED=0 # findings that were repaired
    if [ "$ROOT" = yes ] && [ "$DRY" = no ]; then
        JOURNAL=yes
        take_lock -n || {
            say "an apply is running: waiting until it ends"
            take_lock -w60 || { warn "it has been running for a minute: come back when it has ended"; exit 1; }
        }
    fi
    prepare
    look_for_users
    mend_rights
    look_for_ways
    look_for_leftovers
    look_for_disabled
    if [ "$MENDED" -gt 0 ]; then
        put_away
        prepare
    fi
    take_inventory no
    look_for_packages_half_done
    look_for_refusals
    look_for_diversions
    look_for_units
    look_for_set
    if [ "$LEFT" -gt 0 ]; then exit 1; fi
    if [ "$MENDED" -gt 0 ]; then say "all is well now"; else say "all is well"; fi
}

# Repairs what was found. $1: what was found. $2: the repair for people. The rest: the repair, of which each step says
# itself if it fails; shellcheck does not see that functions are called here.
mend() {
    say "$1"
    text=$2
    shift 2
    if [ "$DRY" = yes ] || [ "$ROOT" = no ]; then
        say "  repair: $text"
        LEFT=$((LEFT + 1))
    elif "$@" >"$W/output" 2>&1; then
        say "  repaired: $text"
        MENDED=$((MENDED + 1))
    else
        say "  the repair failed: $text: $(last_line "$W/output")"
        LEFT=$((LEFT + 1))
    fi
}

# Tells what only a person can decide. $1: what was found. $2: the repair.
remains() {
    say "$1"
    say "  repair: $2"
    LEFT=$((LEFT + 1))
}

# shellcheck disable=SC2317 # mend calls it by name
join_groups() {
    share_groups
    [ -z "$(groups_to_share)" ]
}

look_for_users() {
    for user in "$USER" "$TRY_USER"; do
        if id -u "$user" >/dev/null 2>&1; then continue; fi
        if command -v systemd-sysusers >/dev/null; then
            mend "the user $user does not exist" "systemd-sysusers $CORE.conf" systemd-sysusers "$CORE.conf"
        else
            remains "the user $user does not exist" "$REINSTALL $CORE"
        fi
    done
    groups=$(groups_to_share)
    if [ -n "$groups" ]; then
        mend "$TRY_USER is not in all groups of $USER" "usermod -a -G $groups $TRY_USER" join_groups
    fi
}

# A directory that was taken back shows what came into it meanwhile, so that is looked at again.
mend_rights() {
    for _ in 1 2 3 4 5 6 7 8; do
        before=$MENDED
        left=$LEFT
        look_for_rights
        [ "$MENDED" -gt "$before" ] || return 0
        LEFT=$left
        put_away
        prepare
    done
}

# Owners and modes of what our packages brought, as the survey found them: directories first, as find prints them.
look_for_rights() {
    look_at_ways
    awk -F '\t' '$1 ~ /^(owner|writable|setuid)$/ && !seen[$3]++' "$W/tree" "$W/ways" >"$W/wrong"
    : >"$W/findings"
    while IFS=$TAB read -r class _ path; do
        case $class in
        owner) found="$path does not belong to root" ;;
        writable) found="$path can be written by others than root" ;;
        *) found="$path is setuid, setgid or sticky" ;;
        esac
        close="chown root $(word "$path"); chmod go-w,a-st $(word "$path")"
        case $(keeper "$class" "$path") in
        closed) mend "$found" "$close" take_back "$path" ;;
        package) mend "$found" "$close" put_copy_back "$path" ;;
        set) mend "$found" "$close, and have apply make another set" distrust_set "$path" ;;
        reinstall) printf '%s, and it is not what the package %s brought\t%s\n' "$found" "$CORE" "$REINSTALL $CORE" >>"$W/findings" ;;
        stray) printf '%s, and no package brought it\tremove it; then %s\n' "$found" "$TOOL apply" >>"$W/findings" ;;
        administrator) printf '%s\t%s; then %s\n' "$found" "$(look_first "$path")" "$TOOL apply" >>"$W/findings" ;;
        *) printf '%s\tchown root %s; chmod go-w %s\n' "$found" "$path" "$path" >>"$W/findings" ;;
        esac
    done <"$W/wrong"
    # What was taken back is looked at again first.
    [ "$MENDED" -eq "$before" ] || return 0
    while IFS=$TAB read -r found repair; do remains "$found" "$repair"; done <"$W/findings"
    shut_to_service >"$W/shut"
    while IFS= read -r path; do
        mend "$path can be entered by root alone, and $READER runs a program there" "chmod 0755 $path" chmod 0755 "$path"
    done <"$W/shut"
    if [ -L "$PLUGINS" ]; then
        : # Told with the refusals; what it leads to is not ours to change.
    elif [ ! -d "$PLUGINS" ]; then
        mend "$PLUGINS is missing" "install -d -m {{ "%04o" % l.watched_mode }} -g $GROUP $PLUGINS" make_plugins_directory
    elif dpkg-statoverride --list "$PLUGINS" >/dev/null 2>&1; then
        : # What the administrator chose there; what lets others write was found above.
    elif [ "$(stat -c '%a %U %G' "$PLUGINS")" != "{{ "%o" % l.watched_mode }} root $GROUP" ]; then
        mend "$PLUGINS is $(stat -c '%U:%G with mode %a' "$PLUGINS"), not root:$GROUP with mode {{ "%o" % l.watched_mode }}" \
            "chown root:$GROUP $PLUGINS; chmod {{ "%04o" % l.watched_mode }} $PLUGINS" close_plugins_directory
    fi
}

# The survey looks at the administrator's directories as soon as something lies in them. Where others can write, they could
# put it there. Out: $W/ways, rows as in $W/tree.
look_at_ways() {
    set --
    for path in {{ config_parents | map("sh") | join(" ") }} "$CONFIG/keys.d" "$CONFIG/plugins.d" "$CONFIG/plugins.conf"; do
        if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi
    done
    look "$@" -maxdepth 0 >"$W/ways" 2>/dev/null || :
}

# What leads to the administrator's directories, to the record of packages and to the lock, and is not ours to change.
look_for_ways() {
    awk -F '\t' -v TREE="$W/tree" -v CONF="$CONFIG/plugins.conf" '
        FILENAME == TREE { told[$3] = 1; next }
        ($3 in told) || $3 == CONF { next }
        $1 == "symlink" { print $3 " is a symbolic link\tput a directory of root'\''s into its place" }
        $1 == "special" { print $3 " is neither a file nor a directory\tremove it" }' "$W/tree" "$W/ways" >"$W/findings"
    case $RECORD in
    dpkg) record=$(dpkg-query --control-path "$CORE" md5sums 2>/dev/null) && record=${record%/*} || record='' ;;
    rpm) record=$(readlink -f "$(rpm --eval '%_dbpath' 2>/dev/null)") || record='' ;;
    esac
    for place in "$record" /run; do
        case $place in
        '' | *[!A-Za-z0-9._+/-]*) continue ;;
        esac
        if [ ! -d "$place" ] || closed "$place"; then continue; fi
        above=${WHY_OPEN%% *}
        if { cut -f 3 "$W/wrong"; cut -d ' ' -f 1 "$W/findings"; } | grep -qxF "$above"; then continue; fi
        printf '%s\tchown root %s; chmod go-w %s\n' "$WHY_OPEN" "$above" "$above" >>"$W/findings"
    done
    while IFS=$TAB read -r found repair; do remains "$found" "$repair"; done <"$W/findings"
}

# As the repair of a refusal names a path. $1: the path.
word() {
    case $1 in
    *[!A-Za-z0-9._+/-]*)
        set -- "${1%%[!A-Za-z0-9._+/-]*}"
        echo "-R ${1%/*}"
        ;;
    *) echo "$1" ;;
    esac
}

# What lies in a directory of somebody else's may be another thing when it is changed than when it was found: so all above
# is root's first, which find's order sees to. A second link of a file may be any program of the machine.
# shellcheck disable=SC2317 # mend calls it by name
take_back() {
    closed "${1%/*}" || { echo "$WHY_OPEN"; return 1; }
    if [ -z "$(find "$1" -maxdepth 0 \( -type d -o -type f \) -print)" ]; then echo "$1 is a link now"; return 1; fi
    if [ ! -d "$1" ] && [ "$(stat -c %h "$1")" -ne 1 ]; then
        # The working program may be the core's own.
        case $1 in "$BIN"/*) names=$(find "$BIN" -xdev -samefile "$1" | wc -l) ;; *) names=1 ;; esac
        if [ "$(stat -c %h "$1")" -ne "$names" ]; then echo "$1 has another hard link"; return 1; fi
    fi
    # The service goes on reading what its user could.
    owner=$(stat -c %U "$1")
    chown -h root "$1" || return 1
    chmod go-w,a-st "$1" || return 1
    if [ "$owner" = "$USER" ] && [ "$(stat -c %G "$1")" = "$GROUP" ]; then chmod g+rX "$1"; fi
}

# shellcheck disable=SC2317 # mend calls it by name
make_plugins_directory() {
    if [ -L "$PLUGINS" ]; then echo "$PLUGINS is a link"; return 1; fi
    closed "${PLUGINS%/*}" || { echo "$WHY_OPEN"; return 1; }
    mkdir -p "$PLUGINS" || return 1
    close_plugins_directory
}

# shellcheck disable=SC2317 # mend calls it by name
close_plugins_directory() {
    closed "${PLUGINS%/*}" || { echo "$WHY_OPEN"; return 1; }
    chown "root:$GROUP" "$PLUGINS" || return 1
    chmod u=rwx,g=rx,o={{ "rx" if l.for_all }},a-st "$PLUGINS"
}

# What an apply that was killed left behind. Whoever holds the lock is alive.
look_for_leftovers() {
    if [ -e "$LOCK" ] || [ -L "$LOCK" ]; then
        if [ -L "$LOCK" ] || [ ! -f "$LOCK" ] || [ "$(stat -c %u "$LOCK")" -ne 0 ]; then
            mend "$LOCK is not root's own file" "rm -f $LOCK" rm -f "$LOCK"
        fi
    fi
    # Where others can change what a path leads to, nothing is removed by it; the refusals tell that.
    if ! closed "$BIN"; then return 0; fi
    for path in "$BIN"/.apply.* "$DISABLED.new" "$FAILED.new"; do
        if [ -e "$path" ]; then mend "$path is left from an apply that was cut off" "rm -rf $path" clear_away "$path"; fi
    done
    if ! closed "$BIN/sets"; then return 0; fi
    {
        sets_in_use
        look_at_users
        cut -f 1 "$W/had"
    } >"$W/in-use"
    for path in "$BIN"/sets/*; do
        if [ ! -e "$path" ] || grep -qxF "sets/${path##*/}" "$W/in-use"; then continue; fi
        mend "$path is a set that nothing uses" "rm -rf $path" rm -rf "$path"
    done
}

look_for_disabled() {
    read_packages
    # A line that means nothing is for a person to read.
    if grep -q "^\*$TAB$DISABLED names " "$W/refused"; then return 0; fi
    while IFS= read -r name; do
        if has_plugin "$W/packages" "$name"; then continue; fi
        mend "$name is disabled, but not installed" "take it out of $DISABLED" forget_disabled "$name"
    done <"$W/disabled"
}

# shellcheck disable=SC2317 # mend calls it by name
forget_disabled() {
    store_disabled "$(without "$(sed 's/#.*//' "$DISABLED" | tr '\n' ' ')" "$1")"
}

# What is refused for it was told with the refusals.
look_for_packages_half_done() {
    find_half_done
    cut -f 2 "$W/refused" >"$W/told"
    cut -f 2,3 "$W/half" | awk -F '	' -v TOLD="$W/told" 'FILENAME == TOLD { told[$0] = 1; next } !($1 in told)' "$W/told" - >"$W/findings"
    while IFS=$TAB read -r found repair; do remains "$found" "$repair"; done <"$W/findings"
}

# What could not be verified. What --dry-run has not repaired was told already.
look_for_refusals() {
    awk -F '\t' -v CORE="$CORE" -v ABI="$ABI" -v INSTALL="$INSTALL" -v TOOL="$TOOL" -v MANAGER="$MANAGER" \
        -v DISABLED="$W/disabled" -v ROWS="$W/rows" -v AVAILABLE="$W/available" '
{% include "target/abi.awk" %}
{% include "target/doctor.awk" %}
' "$W/disabled" "$W/rows" "$W/available" "$W/refused" >"$W/findings"
    # The repair of rights was told with them.
    grep -vE ' (does not belong to root|can be written by others than root|is setuid, setgid or sticky)'"$TAB" "$W/complaints" |
        cut -f 2,3 >>"$W/findings"
    while IFS=$TAB read -r found repair; do remains "$found" "$repair"; done <"$W/findings"
}

# Of files that no refusal is about, as the core's own program: the next version of each would go elsewhere.
look_for_diversions() {
    explain_diversions
    cut -f 2,3 "$W/explained" | sort -u >"$W/findings"
    cut -f 2 "$W/refused" >"$W/told"
    while IFS=$TAB read -r found repair; do
        if ! grep -qF "; $found" "$W/told"; then remains "$found" "$repair"; fi
    done <"$W/findings"
}

look_for_units() {
{% if l.unit %}
    if [ ! -e "/usr/lib/systemd/system/$UNIT" ]; then
        remains "/usr/lib/systemd/system/$UNIT is missing" "$REINSTALL $CORE"
    fi
    for path in "$STEM-watch.service" "$UNIT.wants/$STEM-watch.service"; do
        if [ ! -e "/usr/lib/systemd/system/$path" ]; then
            remains "/usr/lib/systemd/system/$path is missing, so no set with which $UNIT does not stay up is put back" \
                "$REINSTALL $CORE"
        fi
    done
{% endif %}
    for path in "$STEM-apply.service" "multi-user.target.wants/$STEM-apply.service"; do
        if [ ! -e "/usr/lib/systemd/system/$path" ]; then
            remains "/usr/lib/systemd/system/$path is missing, so no apply that was cut off is made up for at boot" \
                "$REINSTALL $CORE"
        fi
    done
    [ -d /run/systemd/system ] || return 0
    if [ "$(systemctl is-enabled "$STEM-apply.service" 2>/dev/null)" = masked ]; then
        remains "$STEM-apply.service is masked, so no apply that was cut off is made up for at boot" \
            "systemctl unmask $STEM-apply.service"
    fi
{% if l.unit %}
    if [ "$(systemctl is-enabled "$STEM-watch.service" 2>/dev/null)" = masked ]; then
        remains "$STEM-watch.service is masked, so no set with which $UNIT does not stay up is put back" \
            "systemctl unmask $STEM-watch.service"
    fi
{% endif %}
    # Somebody may have written it down before the units come.
    say_units_without_match
    if ! found=$(confining_units_work); then remains "${found%%"$TAB"*}" "${found#*"$TAB"}"; fi
    [ -n "$UNIT" ] || return 0
    case "$(systemctl is-enabled "$UNIT" 2>/dev/null):$(service_state)" in
    disabled:active) remains "$UNIT runs, but will not start at boot" "systemctl enable $UNIT" ;;
    # Somebody may want it so.
    disabled:*) say "$UNIT does not start at boot: systemctl enable $UNIT" ;;
    masked:*) say "$UNIT is masked: systemctl unmask $UNIT" ;;
    esac
}

# What serves against what is installed; marks of failures that are over.
look_for_set() {
    find_problems
    if [ ! -s "$W/fatal" ] && [ "$READABLE" = yes ] && apply_is_due; then
        found=$(sed -n "s/^\*$TAB//p" "$W/problems" | head -n 1 | cut -f 1)
        mend "${found:-a failure that is over is on record in $FAILED}" "$TOOL apply" apply_apart
        find_problems
    fi
    # All other refusals were told already.
    grep "^\*$TAB" "$W/problems" | cut -f 2,3 >"$W/findings" || :
    cat "$W/refused" "$W/complaints" "$W/half" | cut -f 2,3 >"$W/told"
    while IFS=$TAB read -r found repair; do
        if grep -qxF "$found$TAB$repair" "$W/told"; then continue; fi
        # --dry-run has told it.
        case $repair in
        "$TOOL apply") ;;
        *) remains "$found" "$repair" ;;
        esac
    done <"$W/findings"
}

apply_is_due() {
    # It would not stay up this time either.
    if was_rolled_back; then return 1; fi
    if [ -e "$BIN/failed-set" ]; then return 0; fi
    # A plugin of a revoked key, and a list that cannot be read, were told with the refusals.
    if [ -e "$FAILED" ] && [ ! -s "$W/gone" ] && [ ! -s "$W/complaints" ]; then return 0; fi
    ! current "$WANTED" >/dev/null
}

# A process of its own: `set -e` does not hold in what a condition calls, and apply relies on it.
# shellcheck disable=SC2317 # mend calls it by name
apply_apart() {
    exec 9>&-
    {{ l.tool }} apply || [ -s "$W/gone" ] || [ -s "$W/complaints" ] || return 1
    current "$WANTED"
}
