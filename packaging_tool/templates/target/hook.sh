# Hooks of package managers: while the core is replaced, no plugin leaves unasked. They need no room on any disk.

# Status that makes apt stop. With any other failure it goes on: nothing of ours may stand in the way of other packages.
STOP={{ stop }}

# Called by apt before it changes anything; descriptor 8 brings what it is about to do.
hook() {
    JOURNAL=$ROOT
    changes=$(awk -v CORE="$CORE" '
{% include "target/hook.awk" %}
' <&8) || {
        warn "cannot read what apt is about to do, so nobody looks whether a plugin leaves"
        return 0
    }
    [ -n "$changes" ] || return 0
    # Plugins whose place one of another name takes (Debian Policy 7.6.2).
    replaced=$(changed file | while IFS= read -r file; do
        dpkg-deb -f "$file" Replaces 2>/dev/null | tr ',|' '\n' | sed 's/^ *//; s/[ (:].*//'
    done)
    losses=$(changed gone | sort | while IFS= read -r package; do
        if printf '%s\n' "$replaced" | grep -qxF "$package"; then continue; fi
        if brings_a_plugin "$package"; then printf '%s ' "$package"; fi
    done)
    [ -n "$losses" ] || return 0
    decide "$(changed core | sed "s/$TAB/ by /")" "${losses% }" apt-get || exit "$STOP"
}

# Lines of $changes. $1: their first word.
changed() {
    printf '%s\n' "$changes" | sed -n "s/^$1$TAB//p"
}

# False for the empty package of a plugin that ended before.
brings_a_plugin() {
    name=${1#"$CORE-plugin-"}
    [ -e "$SHARE/plugins/$name.manifest" ] || [ -e "$PLUGINS/$name" ]
}

# False if the plugins must stay. $1: what replaces what. $2: their packages. $3: the package manager's command.
decide() {
    choice={{ "${" ~ removal_variable ~ "-}" }}
    case $choice in
    refuse | allow) ;;
    *)
        if [ -n "$choice" ]; then warn "{{ removal_variable }} must be refuse or allow, not $choice"; fi
        choice=$(setting removal refuse)
        ;;
    esac
    if [ "$choice" = allow ]; then
        say "replacing $CORE $1 removes plugins, as it is allowed: $2"
        return 0
    fi
    event hook-stopped "stopped, nothing is changed: replacing $CORE $1 would remove installed plugins: $2"
    {
        printf '%s:   to wait until they are there for the other %s: %s upgrade\n' "$TOOL" "$CORE" "$3"
        printf '%s:   to go on without them: %s remove %s, and then the same again\n' "$TOOL" "$3" "$2"
    } >&2 2>/dev/null || :
    return 1
}
