# What the package manager knows, and what it is asked to do.

# Out: $MANAGER, the one that has the core on record.
find_manager() {
    case $INSTALL in
    dnf*) MANAGER=dnf ;;
    *) MANAGER=apt ;;
    esac
}

# What apt-cache shows is what an index has. No NUL byte: in mawk 1.3.4 the end of a pattern can fit before one, too.
relations() {
    former=''
    if [ -f "$FORMER" ]; then former=$FORMER; fi
    tr '\000' '?' | awk -v CORE="$CORE" -v SHARE="$SHARE" -v FORMER="$former" '
{% include "target/relations.awk" %}
' | sort
}

# Out: $W/packages, the packages on record; for the rows see relations.awk.
read_packages() {
    find_manager
    case $MANAGER in
    apt)
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        dpkg-query -W -f '=${Package}\t${Version}\t${db:Status-Status}\t${db:Status-Want}\n${Depends}, ${Provides}\n' \
            "$CORE" "$CORE-plugin-*" 2>/dev/null
        ;;
    dnf)
        {% raw %}
        rpm -qa --qf '=%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\tinstalled\t-\n[%{REQUIRENAME}\n][%{PROVIDENAME}\n]' \
            "$CORE" "$CORE-plugin-*" 2>/dev/null
        {% endraw %}
        ;;
    esac | relations |
        awk -F '\t' '$3 !~ /^(not-installed|config-files|half-installed)$/' >"$W/packages"
}

# Out: $W/available, what the package manager would install; it stays empty where that is not known. $1: `cached` to
# stay away from the network.
read_available() {
    case $MANAGER in
    apt)
        command -v apt-cache >/dev/null || { : >"$W/available"; return 0; }
        # apt takes any text of an index for a name, so that options or quotes for xargs may be in it.
        { echo "$CORE"; apt-cache pkgnames "$CORE-plugin-" 2>/dev/null || :; } | grep -ax '[a-z0-9][a-z0-9.+-]*' |
            { xargs apt-cache show --no-all-versions -- 2>/dev/null || :; }
        ;;
    dnf) query_dnf "$1" newest ;;
    esac | relations >"$W/available"
}

# Asks dnf for the core and its plugins. $1: `cached` to stay away from the network. $2: `newest` for what it would install,
# or `all`.
query_dnf() {
    command -v dnf >/dev/null || return 0
    which=$2
    case $1:$YES in
    cached:*) set -- --quiet --cacheonly ;;
    *:yes) set -- --quiet --assumeyes ;;
    *) set -- --quiet ;;
    esac
    if [ "$ROOT" = no ]; then
        # Anybody may read what root has fetched and checked.
        cache=/var/cache/dnf
        if is_dnf5; then cache=/var/cache/libdnf5; fi
        set -- "$@" '--setopt=*.repo_gpgcheck=False' "--setopt=cachedir=$cache"
        export HOME="$W"
    fi
    case $which in
    newest) set -- "$@" repoquery --latest-limit=1 ;;
    *)
        # A plugin of dnf 4 locks versions; dnf 5 does it by itself, among what is excluded.
        if ! is_dnf5; then set -- "$@" --disableplugin=versionlock; fi
        set -- "$@" '--setopt=disable_excludes=all,*' repoquery
        ;;
    esac
    dnf "$@" --qf {% raw %}'=%{name} %{evr}\n%{requires}\n%{provides}\n~\n%{obsoletes}\n'{% endraw %} "$CORE" "$CORE-plugin-*" 2>/dev/null || :
}

# Prints who made a package; nothing where the package manager does not know. $1: package.
maker_of() {
    case $MANAGER in
    apt)
        # What is installed is not what an index has to offer under its name.
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        dpkg-query -W -f '${Maintainer}\n' -- "$1" 2>/dev/null ||
            apt-cache show --no-all-versions -- "$1" 2>/dev/null | sed -n 's/^Maintainer: //p'
        ;;
    dnf) rpm -q --qf '{% raw %}%{PACKAGER}\n{% endraw %}' "$1" 2>/dev/null | grep -v ' is not installed$' ;;
    esac | head -n 1 | tr -cd '\040-\133\135-\176' | cut -c 1-200
}

is_dnf5() {
    case $(readlink -f "$(command -v dnf)") in
    */dnf5) return 0 ;;
    esac
    return 1
}

# Prints names of plugins that could be installed, parted by commas. $1: file with rows of packages.
plugins_in() {
    awk -F '\t' -v PREFIX="$CORE-plugin-" 'index($1, PREFIX) == 1 && substr($1, length(PREFIX) + 1) !~ /^(kit|dev|devel)$/ {
        printf "%s%s", n++ ? ", " : "", substr($1, length(PREFIX) + 1)
    }' "$1"
}

# Whether a package stands in a file of rows. $1: file. $2: name of the plugin.
has_plugin() {
    awk -F '\t' -v PACKAGE="$CORE-plugin-$2" '$1 == PACKAGE { found = 1 } END { exit !found }' "$1"
}

# Package names of plugins. $1: names. $2, $3: what comes before and after each.
packages_of() {
    for name in $1; do printf '%s%s-plugin-%s%s ' "${2-}" "$CORE" "$name" "${3-}"; done
}

# The terminal, where there is one: questions of the package manager are for a person.
ask_person() {
    # A package manager must die of a broken pipe as always.
    trap - PIPE
    if (: </dev/tty) 2>/dev/null; then exec "$@" </dev/tty; fi
    exec "$@"
}

# Runs apt-get. $1: `simulate` or `change`. $2: names to install. $3: names to remove.
run_apt() {
    # Names of packages have no spaces. `NAME-` would be the package of that very name if an index has one, so those that
    # leave are patterns (apt-patterns(7)); what is to come is in the index, and apt looks for a whole name first.
    set -f
    # shellcheck disable=SC2046,SC2086 # lists of names
    set -- "$1" ${BUILDS:-$(packages_of "$2")} $(packages_of "$3" '?exact-name(' ')-')
    set +f
    how=$1
    shift
    if [ "$how" = simulate ]; then apt-get --simulate install "$@"; return; fi
    if [ "$YES" = yes ]; then
        set -- --yes -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$@"
        (DEBIAN_FRONTEND=noninteractive ask_person apt-get "$@")
    else
        (ask_person apt-get install "$@")
    fi
}

# Runs dnf likewise. Packages that nothing needs any more stay: the core may be one of them.
run_dnf() {
    install=$2
    remove=$3
    case $1:$YES in
    simulate:*) set -- --assumeno ;;
    change:yes) set -- --assumeyes ;;
    *) set -- ;;
    esac
    # A core that is excluded or locked, or waits for other plugins, takes plugins that were built for it.
    set -- dnf "$@" --setopt=clean_requirements_on_remove=False --setopt=best=False
    # shellcheck disable=SC2046 # as above
    if [ -z "$remove" ]; then
        (ask_person "$@" install $(packages_of "$install"))
    elif [ -z "$install" ]; then
        (ask_person "$@" remove $(packages_of "$remove"))
    elif is_dnf5 && dnf "do" --help >/dev/null 2>&1; then
        (ask_person "$@" "do" --action=install $(packages_of "$install") --action=remove $(packages_of "$remove"))
    elif is_dnf5 || [ ! -s "$W/available" ]; then
        # The shell of dnf 4 goes on where it does not know a name.
        (ask_person "$@" install $(packages_of "$install")) || return 1
        (ask_person "$@" remove $(packages_of "$remove"))
    else
        printf 'install %s\nremove %s\nrun\n' "$(packages_of "$install")" "$(packages_of "$remove")" >"$W/transaction"
        (ask_person "$@" shell "$W/transaction")
    fi
}

# What a transaction would do. $1: names to install. $2: names to remove. Out: $W/output, and $BUILDS where not the newest
# versions fit. Fails if the package manager refuses.
simulate() {
    BUILDS=''
    : >"$W/output"
    if [ "$MANAGER" = dnf ]; then
        # Only root may ask dnf.
        if [ "$ROOT" = yes ]; then simulate_dnf "$1" "$2"; fi
        return
    fi
    if apt_would "$1" "$2"; then return 0; fi
    refused=$WHY
    # A core that is on hold or pinned, or waits for other plugins, does not get newer for this one.
    if [ -n "$1" ] && BUILDS=$(fitting "$1") && apt_would "$1" "$2"; then
        say "$(commas "$BUILDS"): the newest for the $CORE that is installed"
        return 0
    fi
    BUILDS=''
    printf '%s\n' "$refused" >&2
    return 1
}

# Out: $W/output; $WHY where apt does not do it.
apt_would() {
    run_apt simulate "$1" "$2" >"$W/output" 2>&1 || { WHY=$(printable <"$W/output"); return 1; }
    lost=$(more_than_wanted "$2")
    [ -n "$lost" ] || return 0
    WHY=$(warn "nothing is done: apt-get would also remove $lost; $TOOL why NAME tells more" 2>&1)
    return 1
}

# Prints `package=version` for each name and each plugin that these need: its newest build for the installed core. Fails if
# one has none. apt takes no other than the newest version of what is only needed. $1: names.
fitting() {
    names=$1
    seen=''
    while [ -n "$names" ]; do
        # shellcheck disable=SC2046 # a list of names
        apt-cache show -- $(packages_of "$names") 2>/dev/null | relations | awk -F '\t' -v CORE="$CORE" -v PACKAGES="$W/packages" '
            FILENAME == PACKAGES { if ($1 == CORE) own = "," $5 ","; next }
            { n = split($5, abi, ","); for (i = 1; i <= n; i++) if (index(own, "," abi[i] ",")) { print $1, $2, $6; next } }
        ' "$W/packages" - >"$W/builds"
        needed=''
        for name in $names; do
            best=''
            while read -r package version needs; do
                [ "$package" = "$CORE-plugin-$name" ] || continue
                if dpkg --compare-versions "$version" gt "$best"; then best=$version more=$needs; fi
            done <"$W/builds"
            [ -n "$best" ] || return 1
            printf '%s-plugin-%s=%s ' "$CORE" "$name" "$best"
            seen="$seen $name"
            needed="$needed $(printf '%s' "${more#-}" | tr , ' ')"
        done
        names=''
        for name in $(without "$needed" "$seen"); do
            if ! has_plugin "$W/packages" "$name"; then names="$names $name"; fi
        done
    done
}

simulate_dnf() {
    # Its status says no in any case.
    run_dnf simulate "$1" "$2" >"$W/output" 2>&1 || :
    excluded='^All matches were filtered out|matches only excluded packages'
    if grep -qE '^(Operation aborted|Error: Operation aborted|Nothing to do)' "$W/output" && ! grep -qE "$excluded" "$W/output"; then
        return 0
    fi
    if [ ! -s "$W/available" ] && grep -qi 'GPG' "$W/output"; then
        # It asks whether to trust the key of a repository that it has not read yet, and no is the answer here.
        say "dnf has not read its repositories yet, so that it cannot say what it would do: dnf makecache"
        return 0
    fi
    printable <"$W/output" >&2
    tell_excluded "$1 $2"
    return 1
}

# What a transaction would do beside what was asked for. $1: names to install. $2: names to remove. In: $W/output.
others() {
    awk '
{% include "target/transaction.awk" %}
' "$W/output" | awk -F '\t' -v ASKED=" $(packages_of "$1 $2")" '
        !index(ASKED, " " $2 " ") { print $1 " " $2 ($1 == "remove" ? "" : $1 == "install" ? " " $3 : " to " $3) }'
}

# Packages of ours that apt-get's simulation removes beyond the wanted ones. $1: wanted names.
more_than_wanted() {
    awk -v CORE="$CORE" -v WANTED=" $(packages_of "$1")" '
        $1 == "Remv" && ($2 == CORE || index($2, CORE "-plugin-") == 1) && !index(WANTED, " " $2 " ") &&
        substr($2, length(CORE) + 1) !~ /^-plugin-(kit|dev|devel)$/ { printf "%s%s", n++ ? ", " : "", $2 }' "$W/output"
}

# Of these packages those that came as somebody's dependency. $1: packages.
automatic() {
    # Without a name, all packages of the machine would be meant.
    case $1 in *[!\ ]*) ;; *) return 0 ;; esac
    # shellcheck disable=SC2086 # a list of names
    case $MANAGER in
    apt) apt-mark showauto -- $1 ;;
    dnf)
        dnf --quiet --cacheonly repoquery --installed --qf {% raw %}'%{name} %{reason}\n'{% endraw %} $1 |
            sed -n 's/ .*[dD]ependency$//p'
        ;;
    esac 2>/dev/null || :
}

# What a person named stays when nothing needs it any more: else the next autoremove, or unattended-upgrades, takes it away
# without a word. $1: packages.
keep() {
    brought=$(automatic "$1" | sort | tr '\n' ' ')
    [ -n "$brought" ] || return 0
    if [ "$DRY" = yes ]; then would "keep $(commas "$brought"), which came as a dependency"; return 0; fi
    # shellcheck disable=SC2086 # a list of names
    case $MANAGER in
    apt) apt-mark manual -- $brought ;;
    dnf) if is_dnf5; then dnf --quiet --assumeyes mark user $brought; else dnf --quiet --assumeyes mark install $brought; fi ;;
    esac >"$W/output" 2>&1 || warn "cannot mark $(commas "$brought") as wanted: $(last_line "$W/output")"
}

# Installs and removes plugins, in one transaction where the package manager can. $1: names to install. $2: to remove.
transact() {
    # apt removes plugins to get a newer core; nobody asked for that here.
    if [ "$MANAGER" = apt ]; then simulate "$1" "$2" || return 1; fi
    "run_$MANAGER" change "$1" "$2" || {
        warn "$MANAGER has failed, see above"
        tell_excluded "$1 $2"
        return 1
    }
    read_record
    read_packages
    for name in $1; do
        has_plugin "$W/packages" "$name" || { warn "$name was not installed"; tell_excluded "$name"; return 1; }
    done
    for name in $2; do
        if has_plugin "$W/packages" "$name"; then warn "$name was not removed"; tell_excluded "$name"; return 1; fi
    done
}
