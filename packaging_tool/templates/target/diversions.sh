# Diversions of dpkg: as long as one is there, what is installed again goes to another path, so no reinstallation repairs.

# Out: $W/diverted, rows `PATH TAB where to TAB by whom` of files of ours.
read_diversions() {
    : >"$W/diverted"
    [ "$RECORD" = dpkg ] || return 0
    dpkg-divert --list "$LIB/*" "$SHARE/*" "$PLUGINS/*" 2>/dev/null | awk '
        {
            by = "the administrator"
            if (!sub(/^local diversion of /, "")) {
                sub(/^diversion of /, "")
                by = $NF
                sub(/ by [^ ]*$/, "")
                by = "the package " by
            }
            at = index($0, " to /")
            if (at) print substr($0, 1, at - 1) "\t" substr($0, at + 4) "\t" by
        }' >"$W/diverted" || :
}

# A path as one word of a shell.
quoted() {
    case $1 in
    *[!A-Za-z0-9._+/-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

# The commands after which a file is where its package puts it. $1: path. $2: where to. $3: by whom. $4: its package.
way_back() {
    if [ "$(plain "$1")" != "$1" ]; then
        # A message has no such letters.
        echo "remove the diversion of this file, which dpkg-divert --list shows; then $REINSTALL $4; $TOOL apply"
        return 0
    fi
    case $3 in
    "the package "*) whose="--package ${3#the package } " ;;
    *) whose='' ;;
    esac
    # Where something lies, it is not the package's, and dpkg-divert does not write over it.
    if [ -e "$1" ] || [ -L "$1" ]; then printf 'rm -f %s; ' "$(quoted "$1")"; fi
    printf 'dpkg-divert %s--rename --remove %s; ' "$whose" "$(quoted "$1")"
    if [ ! -e "$2" ]; then printf '%s %s; ' "$REINSTALL" "$4"; fi
    echo "$TOOL apply"
}

# Says of refusals that come of a diversion who diverts what, and what helps.
explain_diversions() {
    read_diversions
    while IFS=$TAB read -r path place by; do
        case $path in
        "$PLUGINS"/*)
            name=${path#"$PLUGINS/"}
            package=$CORE-plugin-${name%%/*}
            ;;
        "$SHARE"/plugins/*.manifest | "$SHARE"/plugins/*.manifest.sig)
            name=${path##*/}
            package=$CORE-plugin-${name%.manifest*}
            ;;
        "$KIT"/* | "$SHARE"/kit.manifest*) package=$CORE-plugin-kit ;;
        *) package=$CORE ;;
        esac
        way=$(way_back "$path" "$place" "$by" "$package")
        for named in "$path" "$place"; do printf '%s\t%s\t%s\n' "$named" "$path is diverted to $place by $by" "$way"; done
    done <"$W/diverted" >"$W/explained"
    [ -s "$W/explained" ] || return 0
    awk -v EXPLAINED="$W/explained" -v PLUGINS="$PLUGINS/" '
        BEGIN { FS = OFS = "\t" }
        FILENAME == EXPLAINED {
            tail[++n] = index($1, PLUGINS) == 1 ? substr($1, length(PLUGINS) + 1) : $1
            what[n] = $2
            way[n] = $3
            next
        }
        {
            for (i = 1; i <= n; i++) if (index($2 " ", tail[i] " ") && !index($2, what[i])) { $2 = $2 "; " what[i]; $3 = way[i]; break }
            print
        }' "$W/explained" "$W/refused" >"$W/unsorted"
    cat "$W/unsorted" >"$W/refused"
}

# Whether another program is called than the working one. Out: $LED, what it is.
leads_elsewhere() {
    LED=''
    if [ -e "/usr/bin/$CORE" ]; then LED=$(readlink -f "/usr/bin/$CORE"); fi
    [ -e "$PROGRAM" ] || return 1
    [ "$LED" != "$(readlink -f "$PROGRAM")" ]
}

# How /usr/bin/$CORE becomes the working program again. What is diverted to somewhere may not be there either.
way_to_program() {
    place=/usr/bin/$CORE
    if [ "$RECORD" = dpkg ]; then place=$(dpkg-divert --truename "/usr/bin/$CORE" 2>/dev/null) || place=/usr/bin/$CORE; fi
    if [ "$place" = "/usr/bin/$CORE" ]; then
        echo "rm -f /usr/bin/$CORE; $REINSTALL $CORE"
    elif [ -e "$place" ] || [ -L "$place" ]; then
        echo "rm -f /usr/bin/$CORE; dpkg-divert --rename --remove /usr/bin/$CORE"
    else
        echo "rm -f /usr/bin/$CORE; dpkg-divert --rename --remove /usr/bin/$CORE; $REINSTALL $CORE"
    fi
}

# A try calls what people call. At the first installation it is a link that leads nowhere yet.
need_program_in_place() {
    if [ -e "/usr/bin/$CORE" ] || [ -L "/usr/bin/$CORE" ]; then return 0; fi
    found=''
    if [ "$RECORD" = dpkg ]; then
        place=$(dpkg-divert --truename "/usr/bin/$CORE" 2>/dev/null) || place=/usr/bin/$CORE
        if [ "$place" != "/usr/bin/$CORE" ]; then found=": it is diverted to $place"; fi
    fi
    fail "/usr/bin/$CORE is not there, so no set can be tried$found" "$(way_to_program); $TOOL apply"
}
