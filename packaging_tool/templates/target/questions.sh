# Questions: they change nothing.

DISABLED=$CONFIG/plugins.d/disabled

# A private directory for what is found out. Where /tmp is full or read-only, as on a full disk, people ask most. Out: $W.
make_place() {
    for place in /tmp /var/tmp /run /dev/shm; do
        W=$(mktemp -d "$place/$TOOL.XXXXXXXX" 2>/dev/null) || continue
        # A directory may still fit where nothing else does.
        if head -c 262144 /dev/zero 2>/dev/null >"$W/room"; then
            rm "$W/room"
            return 0
        fi
        rm -rf "$W"
    done
    W=''
    warn "there is no room for temporary files: /tmp, /var/tmp, /run and /dev/shm are full, read-only or closed to this user"
    warn "  repair: free some space there, then call it again"
    exit 1
}

prepare() {
    make_place
    if [ ! -r "$PLUGINS" ] || [ ! -x "$PLUGINS" ]; then
        [ ! -d "$PLUGINS" ] || READABLE=no
    fi
    verify_all
}

unchecked() {
    [ "$READABLE" = no ] || return 0
    warn "the files of the plugins cannot be read by this user: call it as root"
    return 1
}

# Names that the administrator disabled. Out: $W/disabled. Whoever can write to this file could turn an authentication off.
read_disabled() {
    : >"$W/disabled"
    # Who opens a pipe waits.
    for directory in "$CONFIG" "${DISABLED%/*}"; do
        if [ -d "$directory" ] && [ ! -x "$directory" ]; then READABLE=no; fi
    done
    if [ ! -f "$DISABLED" ] || [ ! -s "$DISABLED" ]; then return 0; fi
    [ -r "$DISABLED" ] || { READABLE=no; return 0; }
    sed 's/#.*//; s/[[:space:]]*$//; s/^[[:space:]]*//; /^$/d' "$DISABLED" 2>/dev/null | sort -u >"$W/unsorted"
    grep -ax '[a-z0-9][a-z0-9.+-]*' "$W/unsorted" >"$W/disabled" || :
    bad=$(grep -avx '[a-z0-9][a-z0-9.+-]*' "$W/unsorted" | head -n 1 | printable)
    if [ -n "$bad" ]; then refuse '*' "$DISABLED names '$bad', which no plugin can be" "remove this line; then $TOOL apply"; fi
    follow_disabled
}

is_disabled() {
    grep -qxF "$1" "$W/disabled"
}

# A row per plugin, see inventory.awk. $1: whether those count that are not installed. Out: $W/inventory.
take_inventory() {
    read_packages
    read_available cached
    served_plugins >"$W/serving"
    : >"$W/offered"
    : >"$W/pins"
    looked=no
    bypassed=no
    if leads_elsewhere; then bypassed=yes; fi
    join_inventory "$1"
    # There may be one that the administrator has the package manager leave alone.
    if grep -q '^?' "$W/inventory"; then
        read_offered
        looked=yes
        join_inventory "$1"
    fi
}

# $1: as above.
join_inventory() {
    awk -v CORE="$CORE" -v VERSION="$VERSION" -v ABI="$ABI" -v READABLE="$READABLE" -v ALL="$1" -v MANAGER="$MANAGER" -v BYPASSED="$bypassed" \
        -v LOOKED="$looked" -v PINS="$W/pins" -v PACKAGES="$W/packages" -v AVAILABLE="$W/available" -v OFFERED="$W/offered" -v ROWS="$W/rows" -v NAMES="$W/names" \
        -v REFUSED="$W/refused" -v SERVING="$W/serving" -v DISABLED="$W/disabled" -v WITHDRAWN="$W/withdrawn" '
{% include "target/abi.awk" %}
{% include "target/inventory.awk" %}
' "$W/packages" "$W/available" "$W/pins" "$W/offered" "$W/rows" "$W/names" "$W/refused" "$W/serving" "$W/disabled" "$W/withdrawn" |
        sort >"$W/inventory"
}

list() {
    prepare
    take_inventory "$AVAILABLE"
    awk -v CORE="$CORE" -v VERSION="$VERSION" -v JSON="$JSON" '
{% include "target/json.awk" %}
{% include "target/list.awk" %}
' "$W/inventory" "$W/inventory" | answer
}

verify() {
    prepare
    good=yes
    if [ -s "$W/refused" ] || [ -s "$W/complaints" ] || [ "$READABLE" = no ]; then good=no; fi
    if [ "$JSON" = yes ]; then
        take_inventory no
        if [ "$READABLE" = no ]; then
            refuse '*' "the files of the plugins cannot be read by this user" "call it as root"
        fi
        awk -v CORE="$CORE" -v VERSION="$VERSION" -v ABI="${ABI%%,*}" -v GOOD="$good" -v REFUSED="$W/refused" \
            -v COMPLAINTS="$W/complaints" '
{% include "target/json.awk" %}
{% include "target/verify-json.awk" %}
' "$W/refused" "$W/complaints" "$W/inventory" | answer
        [ "$good" = yes ] || exit 1
        return 0
    fi
    print_refusals
    if [ -s "$W/refused" ] || [ -s "$W/complaints" ]; then exit 1; fi
    unchecked || exit 1
    if [ ! -s "$W/used" ] && [ ! -s "$W/disabled" ]; then say "there are no plugins"; return 0; fi
    say "all plugins are verified: $(all_plugins_in "$W/usable")"
}

# Names of plugins in rows of manifests.
all_plugins_in() {
    cut -f 1 "$1" | grep -vx kit | sort | tr '\n' ' ' | sed 's/ $//; s/ /, /g'
}

# Refuses the optional plugins that the working set was made without, for what a try told, as long as they are the same.
refuse_untaken() {
    [ -r "$WORKING/untaken" ] || return 0
    while IFS=$TAB read -r which reason repair; do
        name=${which#* }
        [ -f "$W/m/$name.manifest" ] || continue
        if [ "$(digest "$W/m/$name.manifest")" = "${which% *}" ]; then refuse "$name" "$reason" "$repair"; fi
    done <"$WORKING/untaken"
    resolve
}

# Why what serves is not what is installed. $1: `whole` to verify too. Out: $W/problems, rows `plugin TAB reason TAB repair`
# where `*` stands for everything; $WANTED, the set that the installed plugins make, if they are verified.
find_problems() {
    WANTED=''
    refuse_untaken
    find_half_done
    # What is disabled is not used, so it does not matter here.
    awk -F '\t' -v DISABLED="$W/disabled" 'FILENAME == DISABLED { skip[$1] = 1; next } !($1 in skip) && !seen[$1]++' \
        "$W/disabled" "$W/refused" >"$W/told"
    # What the package manager has to finish comes first: much else is for that alone.
    awk -F '\t' '!seen[$2]++' "$W/half" "$W/told" >"$W/problems"
    cat "$W/complaints" >>"$W/problems"
    if [ "$READABLE" = no ]; then
        problem '*' "the files of the plugins cannot be read by this user" "call it as root"
    fi
    if [ ! -s "$W/fatal" ] && [ "$READABLE" = yes ]; then
        WANTED=$(set_id)
        why=$(current "$WANTED") || problem '*' "$why" "$TOOL apply"
    fi
    if [ -f "$BIN/failed-set" ] && [ ! -r "$BIN/failed-set" ]; then
        problem '*' "the last apply failed, and this user may not read why" "call it as root"
    elif [ -f "$BIN/failed-set" ]; then
        # What is still so was told just now.
        cp "$W/problems" "$W/told"
        recorded "$BIN/failed-set" reason | awk -F '\t' -v TOOL="$TOOL" -v TOLD="$W/told" '
            function tell(repair) {
                if (reason != "" && !(reason in told)) print "*\tthe last apply failed: " reason "\t" repair
                reason = ""
            }
            FILENAME == TOLD {
                # As the record has it.
                gsub(/[^ -~]/, "?", $2)
                told[($1 == "*" ? "" : $1 == "kit" ? "kit: " : "plugin " $1 ": ") $2] = 1
                next
            }
            /^  repair: / { tell(substr($0, 11)); next }
            { reason = reason (reason == "" ? "" : "; ") $0 }
            END { tell(TOOL " apply") }' "$W/told" - >>"$W/problems"
    fi
    for path in $(shut_to_service); do
        problem '*' "$path can be entered by root alone, and $READER runs a program there" "$TOOL doctor"
    done
    if leads_elsewhere; then
        problem '*' "/usr/bin/$CORE is ${LED:-not there}, another program than the one with the plugins" "$(way_to_program)"
    fi
    distrusted=$(revoked_in "$WORKING/working-set")
    if [ -n "$distrusted" ]; then problem '*' "what serves has $distrusted, whose key is revoked" "$TOOL apply"; fi
    if restart_is_due; then
        distrusted=$(revoked_in "$BIN/$(last_served)/working-set")
        problem '*' "$UNIT still runs the old set${distrusted:+ with $distrusted, whose key is revoked}" "$(way_to restart "$UNIT")"
    fi
    waits_for=$(put_off_until)
    case $waits_for in
    '') ;;
    "an apply "*) problem '*' "$waits_for is running" "wait until it ends" ;;
    *) problem '*' "apply waits until $waits_for ends" "wait, or $TOOL apply" ;;
    esac
    if [ ! -s "$W/problems" ] && ! running_is_current; then
        problem '*' "$UNIT runs an older program" "$(way_to restart "$UNIT")"
    fi
    find_older
    if [ -n "$UNIT" ] && [ -d /run/systemd/system ]; then
        # Between and during the starts of a service that fails again and again, systemd does not call it failed.
        case $(systemctl show -p ActiveState -p NRestarts -p SubState "$UNIT" 2>/dev/null | sort | tr '\n' ' ') in
        "ActiveState=failed "* | "ActiveState=activating NRestarts="[1-9]* | *SubState=auto-restart*)
            refusal=$(refused_service) || refusal="$UNIT has failed${TAB}journalctl -u $UNIT"
            problem '*' "${refusal%%"$TAB"*}" "${refusal#*"$TAB"}"
            ;;
        esac
    fi
}

# Units beside the service that run an older set. Out: $OLD_PROCESSES, those of no unit, for whom that may be right.
find_older() {
    older_users >"$W/older"
    OLD_PROCESSES=''
    while IFS=$TAB read -r unit set; do
        case $unit in
        process) OLD_PROCESSES="$OLD_PROCESSES${OLD_PROCESSES:+, }$set" ;;
        *)
            problem '*' "$unit runs an older set: $(if [ -d "$BIN/$set" ]; then describe_set "$set"; else echo "it is gone"; fi)" \
                "$(way_to restart "$unit")"
            ;;
        esac
    done <"$W/older"
}

problem() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/problems" || exit 1
}

print_problems() {
    reasons_of "$W/problems" >"$W/reasons"
    while IFS= read -r line; do warn "$line"; done <"$W/reasons"
}

status() {
    prepare
    find_problems
    if [ "$JSON" = yes ]; then
        served_plugins | sort | tr ' ' "$TAB" >"$W/serving"
        recorded "$WORKING/working-set" left-out | sort >"$W/left"
        left_by_revocation >"$W/gone-sorted"
        recorded "$WORKING/working-set" ended >"$W/ended"
        awk -v CORE="$CORE" -v VERSION="$VERSION" -v SET="$(recorded "$WORKING/working-set" set)" -v UNIT="$UNIT" \
            -v ACTIVE="$(unit_state)" -v UNTIL="$(watched_until)" -v SERVING="$W/serving" -v LEFT="$W/left" -v DISABLED="$W/disabled" \
            -v GONE="$W/gone-sorted" -v ENDED="$W/ended" '
{% include "target/json.awk" %}
{% include "target/status-json.awk" %}
' "$W/serving" "$W/left" "$W/gone-sorted" "$W/ended" "$W/disabled" "$W/problems" | answer
    else
        say "working: $(describe_working)"
        say_watch
        tell_ended
        say_units_without_match
        if [ -n "$OLD_PROCESSES" ]; then say "processes of no unit that run an older set: $OLD_PROCESSES"; fi
        if [ -s "$W/disabled" ]; then say "disabled: $(tr '\n' ' ' <"$W/disabled" | sed 's/ $//; s/ /, /g')"; fi
        left=$(recorded "$WORKING/working-set" left-out | sort | tr '\n' ' ')
        if [ -n "$left" ]; then say "left out, as they are optional: $(commas "$left")"; fi
        gone=$(left_by_revocation | tr '\n' ' ')
        if [ -n "$gone" ]; then say "left out, as a key is revoked: $(commas "$gone")"; fi
        print_problems
    fi
    if [ -s "$W/problems" ]; then exit 1; fi
    if [ "$JSON" = no ]; then say "verified: what is installed is what serves"; fi
}

# Says of a set that has not proved itself what else may come.
say_watch() {
    before=$(set_before "$(working_directory)")
    [ -n "$before" ] || return 0
    back="if $UNIT ends by itself, $(describe_set "$before") comes back"
    until=$(watched_until)
    look_at_service
    if [ -z "$until" ] && [ "$RUN" != - ]; then
        say "watched for $PROOF seconds: $back"
    elif [ -n "$until" ]; then
        say "watched until $(echo "$until" | tr T ' ' | cut -c 1-19): $back"
    else
        say "watched for $PROOF seconds from the next start of $UNIT: $back"
    fi
}

# What systemd says of the unit, `-` where nobody knows.
unit_state() {
    if [ -n "$UNIT" ] && [ -d /run/systemd/system ]; then
        systemctl is-active "$UNIT" 2>/dev/null || :
    else
        echo -
    fi
}

# All about one plugin. $1: name.
why() {
    prepare
    refuse_untaken
    take_inventory yes
    awk -F '\t' -v NAME="$1" '$1 == NAME' "$W/inventory" >"$W/one"
    if [ ! -s "$W/one" ]; then
        say_end_of "$1"
        warn "there is no plugin $1; known are: $(cut -f 1 "$W/inventory" | grep -vxF '*' | tr '\n' ' ' | sed 's/ $//; s/ /, /g')"
        exit 1
    fi
    if [ "$JSON" = yes ]; then
        awk -v CORE="$CORE" -v VERSION="$VERSION" '
{% include "target/json.awk" %}
{ print head() ", \"plugin\": " plugin() "}" }' "$W/one" | answer
    else
        maker=$(maker_of "$CORE-plugin-$1")
        if [ "$maker" = "$(maker_of "$CORE")" ]; then maker=''; fi
        awk -v CORE="$CORE" -v VERSION="$VERSION" -v NAME="$1" -v MANAGER="$MANAGER" -v TOOL="$TOOL" -v MAKER="$maker" \
            -v INSTALL="$INSTALL" -v INVENTORY="$W/inventory" -v ROWS="$W/rows" -v FILES="$W/files" \
            -v REFUSED="$W/refused" -v PACKAGES="$W/packages" -v AVAILABLE="$W/available" -v ABI="$ABI" '
{% include "target/abi.awk" %}
{% include "target/why.awk" %}
' "$W/rows" "$W/files" "$W/refused" "$W/packages" "$W/available" "$W/inventory" "$W/one" | answer
        say_put_back "$1"
        refusal_of_manager "$1"
    fi
    # It serves as it is installed.
    awk -F '\t' '{ exit !($3 == "serving") }' "$W/one"
}

# Whether the service did not stay up with this plugin, for one that does not serve as it is installed. The set that was put
# back says what was new in the other one. $1: name of the plugin.
say_put_back() {
    if [ ! -f "$BIN/failed-set" ] || ! grep -qsx rolled-back "$BIN/failed-set"; then return 0; fi
    if awk -F '\t' '{ exit $3 != "serving" }' "$W/one"; then return 0; fi
    recorded "$BIN/failed-set" reason | awk -v TOOL="$TOOL" '
        /^  repair: / { printf "               repair: %s\n", substr($0, 11); next }
        { printf "  %-12s %s\n", n++ ? "" : "put back", $0 }' | printable
}

# What the package manager says against the newer version. $1: name of the plugin.
refusal_of_manager() {
    awk -F '\t' '{ exit !($11 != "-" && $11 != $2) }' "$W/one" || return 0
    lost=''
    if simulate "$1" '' >/dev/null 2>&1; then return 0; fi
    if [ -n "$lost" ]; then
        echo "               to install it, $MANAGER would remove $lost" | printable
        return 0
    fi
    echo "  $MANAGER says:"
    grep -vE '^(Reading|Building|Last metadata|Dependencies resolved|Inst|Conf|Remv)|^$' "$W/output" | printable |
        tail -n 12 | sed 's/^/    /'
}

# False only if the service is known to run another program.
running_is_current() {
    [ -n "$UNIT" ] || return 0
    [ -d /run/systemd/system ] || return 0
    pid=$(systemctl show -p MainPID "$UNIT" 2>/dev/null) || return 0
    pid=${pid#MainPID=}
    if [ "${pid:-0}" -eq 0 ]; then return 0; fi
    # A script runs as its interpreter, which says nothing.
    if [ "$(head -c 2 "$PROGRAM" | tr -d '\000')" = '#!' ]; then return 0; fi
    [ -r "/proc/$pid/exe" ] || return 0
    same_file "/proc/$pid/exe" "$PROGRAM"
}
