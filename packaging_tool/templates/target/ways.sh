# The ways on that a hook tells where it stops a transaction: commands that work as they are.

# Tells them on stdout. In: $change, $losses, $brought as rows `package TAB version TAB what it provides TAB
# what it replaces TAB what conflicts with it`.
tell_ways() {
    case $MANAGER in
    apt) wait="apt-get upgrade" remove="apt-get remove" ;;
    dnf) wait="dnf upgrade --nobest" remove="dnf remove" ;;
    esac
    old=${change%%"$TAB"*}
    new=${change#*"$TAB"}
    if [ -n "$new" ] && newer "$old" "$new"; then
        # Nobody makes newer builds for an older core.
        way "keep them" "stay with $CORE $old"
        way_back_to "$new"
    elif [ -z "$new" ] && [ -n "$(changed removing)" ]; then
        # No wait helps: what was named is something that the core needs.
        way "keep them" "remove nothing that $CORE needs"
        way_over
    else
        way "keep them and wait" "$wait"
        if [ -z "$new" ]; then way_over; else tell_pins; fi
    fi
    way "go on without them" "$remove $(plain "$losses"); then the same again"
}

way() {
    printf '%s:   %s: %s\n' "$TOOL" "$1" "$2"
}

# What keeps builds away that may be there.
tell_pins() {
    pins_of "$losses $CORE" 2>/dev/null | tr "$TAB" ' ' | printable | sed "s/^/$TOOL:   /; s/ *\$//"
}

# The core has another name from now on: that one, with the plugins that are there under it, in one transaction.
way_over() {
    next=$(printf '%s\n' "$brought" | awk -F '\t' -v CORE="$CORE" '
        $1 ~ /-plugin-/ || $1 == CORE { next }
        { n = split($4 " " $5, word, /[ ,|]+/); for (i = 1; i <= n; i++) if (word[i] == CORE) { print $1; exit } }')
    [ -n "$next" ] || return 0
    come=$next
    left=''
    # It may not be among what is lost, since the other one replaces it.
    leave=" $CORE-"
    for package in $(without "$losses" "$CORE"); do
        leave="$leave $package-"
        called=$next-plugin-${package#"$CORE-plugin-"}
        if is_there "$called"; then come="$come $called"; else left="$left $package"; fi
    done
    offer="take $next in its place, with its plugins${left:+ (none for$left)}"
    case $MANAGER in
    apt) way "$offer" "apt-get install $come$leave" ;;
    # It passes over those that are not there.
    dnf) way "$offer" "{{ removal_variable }}=allow dnf install --allowerasing --skip-unavailable $come" ;;
    esac
}

# Whether a repository has a package. Who is asked by dnf cannot ask dnf.
is_there() {
    case $MANAGER in
    apt) apt-cache show --no-all-versions -- "$1" 2>/dev/null | grep -qxF "Package: $1" ;;
    esac
}

# An older core, with the builds of the plugins for it; what has another name since goes by its old one. $1: version of the core.
way_back_to() {
    come="$(versioned "$CORE" "$1")"
    leave=''
    for package in $losses; do
        name=${package#"$CORE-plugin-"}
        former=$(old_name_of "$name")
        for called in "$name" $former; do
            build=$(build_for_core "$CORE-plugin-$called") || continue
            come="$come $build"
            if [ "$called" != "$name" ]; then leave="$leave $package-"; fi
            continue 2
        done
        leave="$leave $package-"
    done
    case $MANAGER in
    apt)
        # What the command named, and the kit, which is of the core's version.
        for build in $(printf '%s\n' "$brought" | awk -F '\t' -v PREFIX="$CORE-plugin-" 'index($1, PREFIX) == 1 { print $1 "=" $2 }'); do
            case " $come " in *" ${build%%=*}="*) ;; *) come="$come $build" ;; esac
        done
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$CORE-plugin-kit" 2>/dev/null)" = installed ]; then
            case " $come " in *" $CORE-plugin-kit="*) ;; *) come="$come $CORE-plugin-kit=$1" ;; esac
        fi
        case $come in *' '*) ;; *) return 0 ;; esac
        way "go back with what there is for $CORE $1" "apt-get install --allow-downgrades $come$leave"
        ;;
    dnf)
        # It finds the builds for the core by itself.
        way "go back with what there is for $CORE $1" \
            "{{ removal_variable }}=allow dnf install --allowerasing --skip-unavailable $come"
        ;;
    esac
}

versioned() {
    case $MANAGER in
    apt) printf '%s=%s' "$1" "$2" ;;
    dnf) printf '%s-%s' "$1" "${2#*:}" ;;
    esac
}

# The name that a plugin had before, if it has another one since. $1: name.
old_name_of() {
    [ -f "$FORMER" ] || return 0
    awk -v NAME="$1" 'NF == 2 && $2 == NAME { print $1; exit }' "$FORMER"
}

# Prints the newest build of a package for the core that is to come, as its manager takes it. $1: package.
build_for_core() {
    # Only the old name, since the new one may be higher than that.
    if [ "$MANAGER" = dnf ]; then
        [ "$1" != "$package" ] || [ -z "$former" ] || return 1
        printf '%s' "$1"
        return 0
    fi
    abis=$(printf '%s\n' "$brought" | awk -F '\t' -v CORE="$CORE" '$1 == CORE { print $3 }' |
        grep -o "$(printf '%s' "$CORE" | sed 's/[.+]/[&]/g')-abi-[0-9a-f]*" | sed 's/.*-//' | tr '\n' ,)
    found=$(apt-cache show -- "$1" 2>/dev/null | tr '\000' '?' | awk -v CORE="$CORE" -v PACKAGE="$1" -v ABIS=",$abis" '
        function finish() { if (fits && own && version ~ /^[A-Za-z0-9.+~:^_-]+$/) { print PACKAGE "=" version; exit } }
        /^Package: / { fits = own = 0 }
        $0 == "Package: " PACKAGE { own = 1 }
        /^Version: / { version = $2 }
        /^(Pre-)?Depends: / { n = split($0, word, /[ ,|]+/); for (i = 2; i <= n; i++) if (sub("^" CORE_ABI, "", word[i]) && index(ABIS, "," word[i] ",")) fits = 1 }
        BEGIN { CORE_ABI = CORE "-abi-"; gsub(/[.+]/, "[&]", CORE_ABI) }
        $0 == "" { finish() }
        END { finish() }' | head -n 1)
    [ -n "$found" ] || return 1
    printf '%s' "$found"
}
