# What a package manager that was ended in the middle of a transaction left on record. It alone can finish that.

# Whether somebody has one of these files locked, as package managers do while they change something. $@: files.
at_work() {
    for file; do
        number=$(stat -c %i "$file" 2>/dev/null) || continue
        if grep -qs "POSIX .* WRITE .*:$number [0-9]" /proc/locks; then return 0; fi
    done
    return 1
}

# Packages of ours with which dpkg or rpm is not done. Out: $W/half, rows as of problems.
find_half_done() {
    case $RECORD in
    dpkg) half_done_of_dpkg ;;
    rpm) half_done_of_rpm ;;
    esac >"$W/half"
    [ -s "$W/half" ] || return 0
    case $RECORD in
    dpkg) set -- /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend ;;
    rpm) set -- "$(rpm --eval '%_dbpath' 2>/dev/null)/.rpm.lock" ;;
    esac
    at_work "$@" || return 0
    awk -v BY="$RECORD" 'BEGIN { FS = OFS = "\t" } { print $1, $2 ", and " BY " is at work", "wait until it ends" }' "$W/half" >"$W/unsorted"
    mv -f "$W/unsorted" "$W/half"
}

half_done_of_dpkg() {
    awk -F '\t' -v CORE="$CORE" '
        $3 ~ /^(installed|triggers-awaited|triggers-pending|not-installed|config-files)$/ { next }
        {
            # apt does not unpack again what dpkg calls so.
            way = $3 == "half-installed" ? "apt-get install --reinstall " $1 : "apt-get --fix-broken install"
            name = $1 == CORE ? "*" : substr($1, length(CORE) + 9)
            print name "\tthe package " $1 " is " $3 "\tdpkg --configure -a; " way
            told = 1
        }
        END { exit told }' "$W/record" || return 0
    # What dpkg has changed it first writes here, and at its end into its database. apt does nothing as long as this is there.
    if grep -qsE "^Package: $(printf '%s' "$CORE" | sed 's/[.+]/[&]/g')(-plugin-.*)?\$" /var/lib/dpkg/updates/[0-9]*; then
        printf '*\tdpkg was ended in the middle of a change of %s\tdpkg --configure -a; apt-get --fix-broken install\n' "$CORE"
    fi
}

# rpm brings all that is new before it takes what is old away, so of a package both are on record then. The one whose files are
# there is the newer one, whatever its version.
half_done_of_rpm() {
    awk -F '\t' -v CORE="$CORE" -v VERSION="$VERSION" -v RECORD="$W/record" -v TOOL="$TOOL" '
        BEGIN { there[CORE] = VERSION }
        FILENAME != RECORD { there[$4] = $5; next }
        { many[$1]++; version[NR] = $2; package[NR] = $1; last = NR }
        END {
            for (i = 1; i <= last; i++) {
                name = package[i]
                if (many[name] < 2 || !(name in there) || there[name] == version[i]) continue
                if (!told[name]++) names = names (names == "" ? "" : ", ") name
                sub(/^[0-9]+:/, "", version[i])
                old = old " " name "-" version[i]
            }
            if (names != "") print "*\trpm was ended in the middle of a change, and has two versions on record of " names \
                "\trpm -e --nodeps" old "; " TOOL " apply; then dnf upgrade"
        }' "$W/rows" "$W/record"
}
