# What has the package manager keep away from newer versions: apt's preferences, what dnf excludes, and versions that are locked.

# Prints `package TAB what keeps it, and what helps`. $1: packages, parted by blanks.
pins_of() {
    case $MANAGER in
    apt) set -- "$1" /etc/apt/preferences /etc/apt/preferences.d/* ;;
    dnf)
        set -- "$1" /etc/dnf/dnf.conf /etc/dnf/libdnf5.conf.d/*.conf /etc/yum.repos.d/*.repo /etc/dnf/plugins/versionlock.list \
            /etc/dnf/versionlock.toml
        ;;
    esac
    names=$1
    shift
    # apt reads names without an ending, and those that end with .pref. Who opens a pipe waits.
    for file; do
        case ${file#/etc/apt/preferences.d/} in
        *.pref | *.conf | *.repo | *.list | *.toml | /etc/apt/preferences) ;;
        *[!A-Za-z0-9_-]*) file='' ;;
        esac
        shift
        if [ -n "$file" ] && [ -f "$file" ] && [ -r "$file" ]; then set -- "$@" "$file"; fi
    done
    [ $# -gt 0 ] || return 0
    awk -v CORE="$CORE" -v MANAGER="$MANAGER" -v NAMES="$names" '
{% include "target/pins.awk" %}
' "$@" | sort
}

# Whether a version is higher than another one; what is no version is not. $1, $2: versions.
newer() {
    # dnf's answer may have anything, and rpm would run it.
    case $1$2 in *[!A-Za-z0-9.+~:^_-]*) return 1 ;; esac
    case $MANAGER in
    apt) dpkg --compare-versions "$1" gt "$2" 2>/dev/null ;;
    dnf) [ "$(rpm --eval "%{lua:print(rpm.vercmp('$1', '$2'))}" 2>/dev/null)" = 1 ] ;;
    esac
}

# Prints rows of all versions that repositories have, also those that are pinned, excluded or locked: with apt of the packages
# on stdin, a name in a line, with dnf of all that are ours.
every_version() {
    case $MANAGER in
    apt) xargs apt-cache show -- 2>/dev/null || : ;;
    dnf) query_dnf cached all ;;
    esac | relations
}

# What keeps a plugin away that repositories have; nothing if they do not. $1: name.
pin_of() {
    printf '%s\n' "$CORE-plugin-$1" | every_version >"$W/all"
    if has_plugin "$W/all" "$1"; then pins_of "$CORE-plugin-$1" | sed -n "s/^$CORE-plugin-$1$TAB//p"; fi
}

# dnf does as if what is excluded were not there, installed or not. $1: names.
tell_excluded() {
    [ "$MANAGER" = dnf ] || return 0
    pins_of "$(packages_of "$1")" >"$W/pins"
    while IFS=$TAB read -r package pin; do warn "$package $pin"; done <"$W/pins"
}

# Out: $W/offered, as every_version has it, but no older core; $W/pins, as pins_of.
read_offered() {
    { cut -f 1 "$W/packages"; cut -f 6 "$W/available" | tr , '\n' | sed "/^-\$/d; s/^/$CORE-plugin-/"; } | sort -u |
        every_version >"$W/all"
    own=$(awk -F '\t' -v CORE="$CORE" '$1 == CORE { print $2 }' "$W/packages" | tail -n 1)
    while IFS= read -r row; do
        case $row in
        "$CORE$TAB"*)
            version=${row#*"$TAB"}
            newer "${version%%"$TAB"*}" "$own" || continue
            ;;
        esac
        printf '%s\n' "$row"
    done <"$W/all" >"$W/offered"
    pins_of "$(cut -f 1 "$W/offered" | sort -u | tr '\n' ' ')" >"$W/pins"
}
