# Whether anything vouches for what a file holds that somebody else than root had in his hands. To take such a file back
# without asking would make root's what another one wrote.

# Prints who can say that the content of a path is right. $1: class of the survey. $2: path.
#   nobody: it is not the core's, so its rights are not ours to change.
#   closed: a directory, whose files are judged one by one; what hashes and signatures verify afterwards; what was
#       root's alone all the time.
#   set: apply, which makes another set. package: the record, by which it is what the core's package brought.
#   reinstall: the core's package, which brought another content. stray: no package. administrator: a person alone.
keeper() {
    case $2 in
    "$BIN"/sets/*) if [ "$1" = setuid ]; then echo closed; else echo set; fi ;;
    "$PLUGINS" | "$PLUGINS"/*) echo closed ;;
    "$LIB" | "$LIB"/* | "$SHARE" | "$SHARE"/* | "$CONFIG" | "$CONFIG"/*)
        if [ "$1" = setuid ] || [ -d "$2" ]; then echo closed; return 0; fi
        case $2 in
        "$KIT"/* | "$SHARE"/kit.manifest* | "$SHARE"/plugins/*) echo closed ;;
        "$CONFIG"/*) echo administrator ;;
        *) keeper_of_packaged "$2" ;;
        esac
        ;;
    *) echo nobody ;;
    esac
}

keeper_of_packaged() {
    if is_as_packaged "$1" "$1"; then
        echo package
    elif read_owned | grep -qxF "$CORE$TAB$1"; then
        echo reinstall
    else
        echo stray
    fi
}

record_has_sums() {
    if [ "$RECORD" = rpm ]; then return 0; fi
    sums=$(dpkg-query --control-path "$CORE" md5sums 2>/dev/null) || return 1
    [ -f "$sums" ]
}

# By the record of the core's package, which must be root's alone as well. $1: file to read. $2: where the package put it.
is_as_packaged() {
    case $RECORD in
    dpkg)
        sums=$(dpkg-query --control-path "$CORE" md5sums 2>/dev/null) || return 1
        [ -f "$sums" ] && closed "${sums%/*}" || return 1
        [ -z "$(find "$sums" \( ! -uid 0 -o -perm /{{ "%03o" % guarded.OPEN }} \) -print)" ] || return 1
        grep -qxF "$(md5sum <"$1" | cut -c 1-32)  ${2#/}" "$sums"
        ;;
    rpm)
        # 0: the file is there as the package brought it (RPMFILE_STATE_NORMAL).
        sum=$(digest "$1")
        rpm -q --qf {% raw %}'[%{FILENAMES}\t%{FILEDIGESTS}\t%{FILESTATES}\n]'{% endraw %} "$CORE" |
            grep -qxF -e "$2$TAB$sum${TAB}0" -e "$2$TAB$sum${TAB}normal"
        ;;
    *) return 1 ;;
    esac
}

# What only a person can say of a file below $CONFIG. $1: path.
look_first() {
    echo "look at what $1 holds: if it is all yours, chown root $1; chmod go-w,a-st $1; else remove it"
}

# A copy takes the place of the file: who has that open can go on writing to it. $1: path.
# shellcheck disable=SC2317 # mend calls it by name
put_copy_back() {
    closed "${1%/*}" || { echo "$WHY_OPEN"; return 1; }
    if [ -L "$1" ] || [ ! -f "$1" ]; then echo "$1 is no file now"; return 1; fi
    rm -f "$W/own"
    cp -p "$1" "$W/own" || return 1
    if ! is_as_packaged "$W/own" "$1"; then echo "$1 was changed meanwhile"; return 1; fi
    chown root "$W/own" || return 1
    chmod go-w,a-st "$W/own" || return 1
    mv -f -T "$W/own" "$1"
}

# A set without its record is no set any more: apply makes another one, and goes back to this one never. It serves until then.
# $1: path in a set.
# shellcheck disable=SC2317 # mend calls it by name
distrust_set() {
    closed "$BIN/sets" || { echo "$WHY_OPEN"; return 1; }
    set -- "$1" "${1#"$BIN/sets/"}"
    set -- "$1" "$BIN/sets/${2%%/*}"
    take_back "$2" || return 1
    rm -f "$2/working-set" "$2/unproven" "$2/watched" || return 1
    if [ -e "$1" ]; then take_back "$1"; fi
}
