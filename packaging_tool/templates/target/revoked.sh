# Revocation: keys that count no more, and what they have signed.

# Reads the lists. Each line that is a key id counts, whatever is wrong with another line or list. Out: $W/revoked, the ids;
# $W/complaints, rows as in $W/refused.
read_revoked() {
    while IFS= read -r place; do
        # No awk has to know what a NUL is.
        if { LC_ALL=C tr -c '\011\012\040-\176' '?' <"$place"; } >"$W/list" 2>/dev/null; then
            awk -v PLACE="$place" -v TOOL="$TOOL" -v REVOKED="$W/revoked" -v COMPLAINTS="$W/complaints" '
{% include "target/revoked.awk" %}
' "$W/list"
        elif [ "$ROOT" = yes ]; then
            complain "$place cannot be read" "repair the disk that it lies on, or put a file with the ids of keys into its place; then $TOOL apply"
        else
            complain "$place cannot be read by this user" "call it as root"
        fi
    done <"$W/lists"
    # What counted goes on counting while one cannot be read: it may be in there.
    if [ -s "$W/complaints" ] && [ -f "$WORKING/revoked" ]; then
        grep -ax '[0-9a-f]\{16\}' "$WORKING/revoked" >>"$W/revoked" || :
    fi
}

# What is wrong with a list keeps nothing from serving, but people must know. $1: reason. $2: repair.
complain() {
    printf '*\t%s\t%s\n' "$1" "$2" >>"$W/complaints" || exit 1
}

# $1: a list that does not count. $2: reason. $3: repair.
disregard_list() {
    complain "$2" "$3; then $TOOL apply"
    grep -vxF "$1" "$W/lists" >"$W/others" || :
    mv -f "$W/others" "$W/lists"
}

# Rows as in $W/refused for people. $1: file.
reasons_of() {
    awk -F '\t' '{ print ($1 == "*" ? "" : $1 == "kit" ? "kit: " : "plugin " $1 ": ") $2; print "  repair: " $3 }' "$1"
}

# Writes down which keys are revoked, for read_revoked. $1: directory of a set.
remember_revoked() {
    sort -u "$W/revoked" >"$W/ids"
    if [ "$(cat "$W/ids")" = "$(cat "$1/revoked" 2>/dev/null)" ]; then return 0; fi
    sync "$W/ids"
    mv -f -T "$W/ids" "$1/revoked"
}

# What of a set has a key that is revoked now, parted by commas. $1: its record.
revoked_in() {
    recorded "$1" signed | awk -v REVOKED="$W/revoked" '
        FILENAME == REVOKED { revoked[$1] = 1; next }
        $2 in revoked { list = list (list == "" ? "" : ", ") ($1 == "kit" ? "the kit" : $1) }
        END { print list }' "$W/revoked" -
}

# What revoked keys have signed leaves the server, and what needs it, whatever else is wrong with it: not to know more of a
# plugin than that must not keep it there. That the signature fits is not looked at, since the key itself may be gone. Who
# can bring a manifest that only says so could bring an empty package as well.
withdraw() {
    awk -F '\t' -v WITHDRAWN="$W/withdrawn" 'FILENAME == WITHDRAWN { gone[$1] = 1; next } !($1 in gone)' \
        "$W/withdrawn" "$W/refused" >"$W/others"
    mv -f "$W/others" "$W/refused"
    awk -v CORE="$CORE" -v TOOL="$TOOL" -v INSTALL="$INSTALL" -v REFUSED="$W/refused" -v WITHDRAWN="$W/withdrawn" \
        -v SIGNED="$W/signed" '
{% include "target/withdraw.awk" %}
' "$W/withdrawn" "$W/signed" "$W/rows"
}

# The key of $distrusted is revoked, and it goes on serving.
say_distrust() {
    case $STEP in
    "it was tried" | "the configuration was checked") why="the set without it was tried and does not work" ;;
    *) why="no set without it was made" ;;
    esac
    echo "what serves has $distrusted, whose key is revoked: $why"
    echo "  repair: repair what is said above, then $TOOL apply${UNIT:+; until then systemctl stop $UNIT if its code must not run}"
}

# Names of $W/gone that do not serve any more, sorted.
left_by_revocation() {
    recorded "$WORKING/working-set" plugin | cut -d ' ' -f 1 >"$W/serving-now"
    sort "$W/gone" | grep -vxF -f "$W/serving-now" || :
}
