# The administrator's settings: $CONFIG/plugins.conf, lines `key = value`; `#` begins a comment.

# Prints the value of a setting, and warns of every line that means nothing. $1: key. $2: value where the file has none.
# $3: `silent` where the warnings were given already.
setting() {
    if [ ! -e "$CONFIG/plugins.conf" ]; then
        printf '%s\n' "$2"
        return 0
    fi
    # Who opens a pipe waits.
    if [ ! -f "$CONFIG/plugins.conf" ]; then
        [ "${3-}" = silent ] || warn "$CONFIG/plugins.conf is not used: it is no file"
        printf '%s\n' "$2"
        return 0
    fi
    # A setting may name a command that runs as root.
    open=$(find -L "$CONFIG" "$CONFIG/plugins.conf" -maxdepth 0 \( ! -uid 0 -o -perm /{{ "%03o" % guarded.OPEN }} \) 2>/dev/null) || open=$CONFIG
    if [ -n "$open" ]; then
        [ "${3-}" = silent ] || warn "$CONFIG/plugins.conf is not used: others than root can write there"
        printf '%s\n' "$2"
        return 0
    fi
    # No NUL byte: in mawk 1.3.4 the end of a pattern can fit before one, too.
    text=$({ tr '\000' '?' <"$CONFIG/plugins.conf"; } 2>/dev/null) || {
        [ "${3-}" = silent ] || warn "cannot read $CONFIG/plugins.conf"
        text=''
    }
    lines=$(printf '%s\n' "$text" | awk -v KEY="$1" -v DEFAULT="$2" '
{% include "target/conf.awk" %}
')
    if [ "${3-}" != silent ]; then
        printf '%s\n' "$lines" | sed 1d | while IFS= read -r line; do warn "$CONFIG/plugins.conf line $line"; done
    fi
    printf '%s\n' "$lines" | sed -n 1p
}
