# Hooks of package managers: while the core is replaced, or goes unasked, no plugin leaves unasked. They need no room on any disk.

# Status that makes apt stop. With any other failure it goes on: nothing of ours may stand in the way of other packages.
STOP={{ stop }}

# Called by apt before it changes anything; descriptor 8 brings what it is about to do.
hook() {
    JOURNAL=$ROOT
    # Shells say various things of a NUL byte.
    changes=$(tr '\000' '?' <&8 | awk -v CORE="$CORE" '
{% include "target/hook.awk" %}
') || {
        warn "cannot read what apt is about to do, so nobody looks whether a plugin leaves"
        return 0
    }
    [ -n "$changes" ] || return 0
    MANAGER=apt
    brought=$(changed file | while IFS= read -r file; do read_archive "$file"; done)
    # Plugins whose place one of another name takes (Debian Policy 7.6.2).
    replaced=$(printf '%s\n' "$brought" | cut -f 4 | sed 's/[,|]/\n/g' | sed 's/^ *//; s/[ (:].*//')
    look_for_losses "$replaced"
    if [ -z "$losses" ] || allowed; then return 0; fi
    event hook-stopped "$finding"
    { tell_ways || :; } | printable >&2
    exit "$STOP"
}

# Prints `package TAB version TAB what it provides TAB what it replaces TAB what conflicts with it`. $1: a file of a package.
read_archive() {
    dpkg-deb -f "$1" Package Version Provides Replaces Conflicts 2>/dev/null | tr '\t' ' ' | awk '
        match($0, /^[A-Za-z]+: */) { field[substr($0, 1, index($0, ":") - 1)] = substr($0, RLENGTH + 1) }
        # They stand in commands that people may follow.
        field["Package"] !~ /^([a-z0-9][a-z0-9+.-]*)?$/ || field["Version"] !~ /^[A-Za-z0-9.+~:-]*$/ { field["Package"] = field["Version"] = "-" }
        END { print field["Package"] "\t" field["Version"] "\t" field["Provides"] "\t" field["Replaces"] "\t" field["Conflicts"] }'
}

# Called by the plugin `actions` of dnf 5, which answers on descriptor 8 (libdnf5-actions(8), mode json).
hook_dnf() {
    JOURNAL=$ROOT
    printf '%s\n' '{"op":"get","domain":"trans_packages","args":{"output":["name","action","direction","evr"]}}'
    IFS= read -r answer <&8 || answer=''
    # A core that is erased for the sake of others leaves with --allowerasing alone.
    asked=yes
    if command_of_dnf | grep -qxF -e --allowerasing && ! command_of_dnf | grep -qxE 'remove|rm|erase|autoremove|swap|do'; then
        asked=no
    fi
    changes=$(printf '%s\n' "$answer" | awk -v CORE="$CORE" -v ASKED="$asked" '
{% include "target/hook-dnf.awk" %}
') || {
        warn "cannot read what dnf is about to do, so nobody looks whether a plugin leaves"
        return 0
    }
    [ -n "$changes" ] || return 0
    MANAGER=dnf
    # What the command names may be what takes the place of the core; of others nobody says what they are for.
    brought=$(command_of_dnf | while IFS= read -r word; do
        if changed in | grep -qxF -e "$word"; then printf '%s\t-\t-\t%s\n' "$word" "$CORE"; fi
    done)
    case $brought in *"
"*) brought='' ;; esac
    look_for_losses ''
    # What goes to stdout, dnf takes for a request.
    if [ -z "$losses" ] || allowed >&2; then return 0; fi
    event hook-stopped "$finding" 2>/dev/null
    text=$(printf '%s: %s\n' "$TOOL" "$(plain "$finding")"; { tell_ways || :; } | printable)
    printf '{"op":"stop","args":{"message":"%s"}}\n' "$(printf '%s\n' "$text" | sed 's/[\\"]/\\&/g; $!s/$/\\n/' | tr -d '\n')"
}

# The words of the command that dnf was called with, one a line.
command_of_dnf() {
    { tr '\000' '\n' <"/proc/$PPID/cmdline"; } 2>/dev/null || :
}

# Lines of $changes. $1: their first word.
changed() {
    printf '%s\n' "$changes" | sed -n "s/^$1$TAB//p"
}

# Sets $losses, the packages whose plugins leave, and $finding. $1: packages that others replace.
look_for_losses() {
    losses=$(changed gone | sort | while IFS= read -r package; do
        if printf '%s\n' "$1" | grep -qxF "$package"; then continue; fi
        name=${package#"$CORE-plugin-"}
        # Told as what goes itself.
        if [ "$package" = "$CORE" ]; then printf ' %s' "$package"; continue; fi
        # Its key is revoked, and the server does without it already.
        if recorded "$WORKING/working-set" revoked | grep -qxF "$name"; then continue; fi
        # Not so the empty package of a plugin that ended before.
        if [ ! -e "$SHARE/plugins/$name.manifest" ] && [ ! -e "$PLUGINS/$name" ]; then continue; fi
        printf ' %s' "$package"
    done)
    losses=${losses# }
    plugins=$(without "$losses" "$CORE")
    change=$(changed core)
    case $change in
    *"$TAB")
        does="the removal of $CORE ${change%"$TAB"}"
        finding="$CORE ${change%"$TAB"} would be removed, which nobody asked for${plugins:+, and with it ${plugins% }}"
        ;;
    *)
        does="replacing $CORE ${change%%"$TAB"*} by ${change#*"$TAB"}"
        finding="$does would remove installed plugins: $losses"
        ;;
    esac
    finding="stopped before any change: $finding"
}

# Whether plugins may leave.
allowed() {
    choice={{ "${" ~ removal_variable ~ "-}" }}
    case $choice in
    refuse | allow) ;;
    *)
        if [ -n "$choice" ]; then warn "{{ removal_variable }} must be refuse or allow, not $choice"; fi
        choice=$(setting removal refuse)
        ;;
    esac
    [ "$choice" = allow ] || return 1
    say "$does removes installed plugins, as it is allowed: $losses"
}
