# Verification: nothing is used that no trusted manifest names.

look_at() {
    look "$@" >>"$W/tree" 2>"$W/errors" ||
        refuse '*' "cannot look through the files: $(last_line "$W/errors")" "$(way_to_read)"
}

# The trigger on the plugins directory does not see a kit. $1: plugin, or `kit`.
again() {
    if [ "$1" = kit ]; then echo "; then $TOOL apply"; fi
}

# Root can read all that is there.
way_to_read() {
    if [ "$ROOT" = yes ]; then echo "$REINSTALL $CORE"; else echo "call it as root"; fi
}

# One line `class TAB size TAB path` per file. The first class that fits is printed; `file` and `directory` are good.
# Through another hard link, as ostree and snapshots make them, nobody else can write to what is root's and closed.
# Files of plugins, of the kit, of sets and of the server's wheels (bin/site) may have any name that is one line.
look() {
    find "$@" \( \
        \( -name '*[!A-Za-z0-9._+-]*' ! -path / \( -name '*[[:cntrl:]]*' -o ! -path "$PLUGINS/*/*" ! -path "$KIT/*" \
            ! -path "$BIN/*/*/*" ! -path "$BIN/site/*" \) -printf 'name\t0\t%h\n' -prune \) -o \
        \( -type l \( -path "$PROGRAM" -o -path "$WORKING" -o -path "$BIN/working-set" \) -printf 'known\t0\t%p\n' \) -o \
        \( -type l -printf 'symlink\t%Y\t%p\n' \) -o \
        \( ! -type d ! -type f -printf 'special\t0\t%p\n' \) -o \
        \( ! -uid 0 -printf 'owner\t%y\t%p\n' \) -o \
        \( -perm /{{ "%03o" % guarded.OPEN }} -printf 'writable\t%y\t%p\n' \) -o \
        \( -type f -perm /{{ "%o" % guarded.LENDING }} -printf 'setuid\t0\t%p\n' \) -o \
        \( -type f -printf 'file\t%s\t%p\n' \) -o \
        -printf 'directory\t0\t%p\n' \)
}

# Whether root alone can change what a path leads to: it and all above it are directories of root's, no links, and closed.
# From above, since what is found below an open one means nothing. $1: path, of characters that nothing expands.
# Out: $WHY_OPEN.
closed() {
    chain=''
    above=$1
    while [ "${above:-/}" != / ]; do
        chain="$above $chain"
        above=${above%/*}
    done
    # shellcheck disable=SC2086 # a list of paths
    WHY_OPEN=$(find / $chain -maxdepth 0 ! \( -type d -uid 0 ! -perm /{{ "%03o" % guarded.OPEN }} \) -printf '%y %U %p\n' 2>/dev/null | head -n 1)
    case $WHY_OPEN in
    '') return 0 ;;
    d\ 0\ *) WHY_OPEN="${WHY_OPEN#d 0 } can be written by others than root" ;;
    d\ *) WHY_OPEN="${WHY_OPEN##* } does not belong to root" ;;
    *) WHY_OPEN="${WHY_OPEN##* } is no directory" ;;
    esac
    return 1
}

survey() {
    : >"$W/tree"
    look_at {{ parents | map("sh") | join(" ") }} -maxdepth 0
    # What decides, what runs as root, and what is made here; what else the core has is the package manager's business.
    # Without a place, find would look where it is called.
    set -- "$BIN"
    for place in{% for place in guarded.OURS if place != "$BIN" %} "{{ place }}"{% endfor %}; do
        if [ -e "$place" ] || [ -L "$place" ]; then set -- "$@" "$place"; fi
    done
    if [ "$READABLE" = yes ]; then
        look_at "$@" -path "$BIN/.apply.*" -prune -o
    else
        look_at "$@" \( -path "$BIN/.apply.*" -o -path "$PLUGINS" -o -path "$BIN/sets/*/plugins" -o \
            -path "$BIN/sets/*/loader" \) -prune -o
    fi
    # The administrator's directories count as soon as something lies in them.
    set --
    for directory in{% for place in guarded.ADMINISTRATORS %} "{{ place }}"{% endfor %}; do
        for file in "$directory"/* "$directory"/.[!.]* "$directory"/..?*; do
            if [ -e "$file" ] || [ -L "$file" ]; then
                set -- "$@" "$directory"
                break
            fi
        done
    done
    if [ $# -gt 0 ]; then
        look_at {{ config_parents | map("sh") | join(" ") }} -maxdepth 0
        look_at "$@"
    fi
    # An ACL that lets others write shows in the mode, as its mask (acl(5)); capabilities do not show there.
    if [ "$READABLE" = yes ] && command -v getcap >/dev/null; then
        # Its name may have blanks, and so may what is said of it, as libcap writes it: `= cap_x+ep`, `cap_x=ep`.
        getcap -r "$KIT" "$PLUGINS" 2>/dev/null | sed -n -e 's/ \(= \)\{0,1\}[a-z0-9_,]*[=+-][a-z0-9_,=+ -]*$//' \
            -e "s/^\//capability${TAB}0$TAB\//p" >>"$W/tree"
    fi
    read_trust
    awk -v PLUGINS="$PLUGINS" -v SHARE="$SHARE" -v KIT="$KIT" -v BIN="$BIN" -v CORE="$CORE" -v REINSTALL="$REINSTALL" \
        -v REFUSED="$W/refused" -v NAMES="$W/names" -v TRUST="$TRUST" \
        -v CONFIG="$CONFIG" -v KEYFILES="$W/keyfiles" -v LISTS="$W/lists" -v COMPLAINTS="$W/complaints" -v TOOL="$TOOL" '
{% include "target/survey.awk" %}
' "$W/tree" >"$W/copies"
    if [ "$TRUST" = unknown ]; then
        refuse '*' "$SHARE/trust says neither signature nor distribution" "$REINSTALL $CORE"
    fi
    # From here on only the copies are read.
    mkdir "$W/m" "$W/keys"
    if [ -s "$W/copies" ]; then
        xargs -d '\n' cp -P -t "$W/m" <"$W/copies" 2>"$W/errors" ||
            refuse '*' "cannot read the manifests: $(last_line "$W/errors")" "$(way_to_read)"
    fi
}

# The line that is all of a file. Who opens a pipe waits, so nothing but a file is opened.
one_line() {
    [ -f "$1" ] || return 1
    IFS= read -r line <"$1" || return 1
    # The shell sees no NUL byte, and nothing of what stands behind the line.
    [ "$(stat -L -c %s "$1")" -eq $(({% raw %}${#line}{% endraw %} + 1)) ] || return 1
    printf '%s\n' "$line"
}

parse() {
    find "$W/m" -type f -printf '%s\t%f\n' >"$W/sizes"
    [ -s "$W/sizes" ] || return 0
    awk -v SHARE="$SHARE" -v KIT="$KIT" -v PLUGINS="$PLUGINS" -v CORE="$CORE" -v TOOL="$TOOL" -v REINSTALL="$REINSTALL" \
        -v REFUSED="$W/refused" -v SIZES="$W/sizes" -v ROWS="$W/rows" -v FILES="$W/files" '
{% include "target/parse.awk" %}
' "$W/sizes" "$W"/m/*.manifest
}

# Manifests and files that are, by the record of dpkg or rpm, those of the plugin's package, and unchanged manifests.
# Out: the names of the good ones in $W/signed.
check_origin() {
    [ -s "$W/rows" ] || return 0
    : >"$W/owned"
    : >"$W/manifests"
    set --
    while IFS=$TAB read -r _ _ _ package _; do set -- "$@" "$package"; done <"$W/rows"
    case $RECORD in
    dpkg)
        info=$(dpkg-query --control-path "$CORE" md5sums 2>/dev/null) || info=''
        info=${info%/*}
        for package; do
            shift
            for file in "$info/$package.list" "$info/$package:"*.list "$info/$package.md5sums" "$info/$package:"*.md5sums; do
                if [ -f "$file" ]; then set -- "$@" "$file"; fi
            done
        done
        awk '{
            package = FILENAME
            sub(/.*\//, "", package)
            sub(/(:[a-z0-9]+)?\.(list|md5sums)$/, "", package)
            if (FILENAME ~ /\.list$/) print package "\t" $0 "\t"
            else print package "\t/" substr($0, 35) "\t" substr($0, 1, 32)
        }' /dev/null "$@" >"$W/owned"
        md5sum "$W"/m/*.manifest >"$W/manifests" 2>/dev/null || :
        ;;
    rpm)
        # 0: the file is there as the package brought it (RPMFILE_STATE_NORMAL).
        rpm -q --qf {% raw %}'[%{=NAME}\t%{FILENAMES}\t%{FILEDIGESTS}\t%{FILESTATES}\n]'{% endraw %} "$@" 2>/dev/null |
            awk -F '\t' '$4 == "0" || $4 == "normal" { print $1 "\t" $2 "\t" $3 }' >"$W/owned"
        openssl dgst -sha256 -r "$W"/m/*.manifest >"$W/manifests" 2>/dev/null || :
        ;;
    esac
    awk -v SHARE="$SHARE" -v TOOL="$TOOL" -v REINSTALL="$REINSTALL" -v REFUSED="$W/refused" -v SIGNED="$W/signed" -v OWNED="$W/owned" \
        -v DIGESTS="$W/manifests" -v FILES="$W/files" '
{% include "target/origin.awk" %}
' "$W/owned" "$W/manifests" "$W/files" "$W/rows"
}

# Rows that begin with a name and a version: rpm installs packages whose names have line breaks.
sound_rows() {
    awk -F '\t' 'NF == 3 && $1 ~ /^[A-Za-z0-9][A-Za-z0-9._+-]*$/ && $2 ~ /^[A-Za-z0-9.+~:^_-]*$/'
}

# What dpkg or rpm has on record, as `package TAB version TAB state`.
read_record() {
    REINSTALL="apt-get install --reinstall"
    INSTALL="apt-get install"
    RECORD=dpkg
    if command -v dpkg-query >/dev/null; then
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        dpkg-query -W -f '${Package}\t${Version}\t${db:Status-Status}\n' "$CORE" "$CORE-plugin-*" \
            2>/dev/null | sound_rows >"$W/record"
        if grep -q "^$CORE$TAB" "$W/record"; then return 0; fi
    fi
    if command -v rpm >/dev/null; then
        rpm -qa --qf {% raw %}'%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\tinstalled\n'{% endraw %} \
            "$CORE" "$CORE-plugin-*" 2>/dev/null | sound_rows >"$W/record"
        if [ -s "$W/record" ] || ! command -v dpkg-query >/dev/null; then
            REINSTALL="dnf reinstall"
            INSTALL="dnf install"
            RECORD=rpm
        fi
    fi
}

# Prints the ABIs that the core takes, parted by commas, its own first. Who opens a pipe waits, so nothing but a file is
# opened.
read_abis() {
    [ -f "$SHARE/abi" ] || return 1
    # Some awks see nothing behind a NUL byte.
    tr '\000' '?' <"$SHARE/abi" | awk 'length($0) != 64 || /[^0-9a-f]/ { wrong = 1 } { list = list (NR > 1 ? "," : "") $0 }
        END { if (wrong || NR > 1000) exit 1; print list }' 2>/dev/null
}

judge() {
    ABI=$(read_abis) || ABI=''
    if [ -z "$ABI" ]; then refuse '*' "$SHARE/abi does not hold an ABI" "$REINSTALL $CORE"; fi
    awk -v CORE="$CORE" -v TOOL="$TOOL" -v ABI="$ABI" -v REINSTALL="$REINSTALL" -v INSTALL="$INSTALL" -v REFUSED="$W/refused" \
        -v RECORD="$W/record" -v SIGNED="$W/signed" -v REFUSALS="$W/refused" -v NAMES="$W/names" -v ABSENT="$W/absent" '
{% include "target/abi.awk" %}
{% include "target/judge.awk" %}
' "$W/record" "$W/signed" "$W/refused" "$W/names" "$W/rows" >"$W/usable"
    while IFS= read -r name; do judge_absent "$name"; done <"$W/absent"
}

# A plugin that is installed must not vanish with its manifest. A package that brought none (one that only helps others
# to move) is none. $1: plugin.
judge_absent() {
    file=$SHARE/plugins/$1.manifest
    if [ "$1" = kit ]; then file=$SHARE/kit.manifest; fi
    case $RECORD in
    dpkg) dpkg-query -L "$CORE-plugin-$1" 2>/dev/null ;;
    rpm) rpm -ql "$CORE-plugin-$1" 2>/dev/null ;;
    esac >"$W/listed" || :
    if grep -qxF "$file" "$W/listed"; then
        refuse "$1" "$file is missing, though the package $CORE-plugin-$1 is installed" "$REINSTALL $CORE-plugin-$1$(again "$1")"
    fi
}

# Compares the files that manifests name with their hashes, one openssl per processor. $1: `without-kit` if the kit does
# not count. $2, $3: where the files of the kit and of the plugins are read, which may be copies.
check_files() {
    if [ "$READABLE" = no ]; then return 0; fi
    jobs=$(nproc 2>/dev/null) || jobs=1
    rm -f "$W"/list.* "$W"/sums.* "$W/digests"
    awk -v TREE="$W/tree" -v JOBS="$jobs" -v LISTS="$W/list" -v SKIP_KIT="$1" -v KIT="$KIT" -v PLUGINS="$PLUGINS" \
        -v KIT_COPY="$2" -v PLUGINS_COPY="$3" '
{% include "target/share.awk" %}
' "$W/tree" "$W/files"
    for list in "$W"/list.*; do
        [ -e "$list" ] || continue
        xargs -d '\n' openssl dgst -sha256 -r <"$list" >"$W/sums${list##*list}" 2>/dev/null &
    done
    wait
    cat "$W"/sums.* >"$W/digests" 2>/dev/null || :
    awk -v KIT="$KIT" -v PLUGINS="$PLUGINS" -v CORE="$CORE" -v REINSTALL="$REINSTALL" -v SKIP_KIT="$1" \
        -v TOOL="$TOOL" -v KIT_COPY="$2" -v PLUGINS_COPY="$3" -v FILES="$W/files" -v NAMES="$W/names" -v DIGESTS="$W/digests" \
        -v REFUSALS="$W/refused" -v REFUSED="$W/refused" '
{% include "target/compare.awk" %}
' "$W/files" "$W/names" "$W/digests" "$W/refused" "$W/tree"
}

# Verifies manifests and everything that needs no file of a payload. Out: $W/usable, $W/files, $W/refused.
verify_manifests() {
    for file in names refused complaints rows files keyfiles keyrows sigrows lists revoked withdrawn signed record usable absent \
        digests left-out gone fatal; do
        : >"$W/$file"
    done
    STEP='verify'
    read_record
    survey
    check_owners
    read_disabled
    parse
    command -v openssl >/dev/null || refuse '*' "openssl is not installed" "$INSTALL openssl; then $TOOL apply"
    case $TRUST in
    distribution) check_origin ;;
    *) check_signatures ;;
    esac
    judge
}

# Which plugins may be used, and are to be. Out: $W/used (`order TAB name TAB version TAB optional`, in order), $W/left-out, $W/gone
# (withdrawn and not disabled), $W/fatal.
resolve() {
    : >"$W/left-out"
    : >"$W/gone"
    : >"$W/fatal"
    if [ -s "$W/refused" ]; then explain_diversions; fi
    awk -v CORE="$CORE" -v TOOL="$TOOL" -v INSTALL="$INSTALL" -v REFUSED="$W/refused" -v REFUSALS="$W/refused" \
        -v DISABLED="$W/disabled" -v WITHDRAWN="$W/withdrawn" -v LEFT_OUT="$W/left-out" -v GONE="$W/gone" -v FATAL="$W/fatal" '
{% include "target/resolve.awk" %}
' "$W/refused" "$W/disabled" "$W/withdrawn" "$W/usable" >"$W/unsorted"
    sort -t "$TAB" -k 1,1n -k 2,2 "$W/unsorted" >"$W/used"
}

# Whether a plugin is installed, verified or not.
any_plugin() {
    grep -qv '^kit$' "$W/names"
}

# Verifies everything where it lies.
verify_all() {
    verify_manifests
    check_files with-kit "$KIT" "$PLUGINS"
    resolve
}

# Prints the first refusal of each plugin, at most ten, and what is wrong with lists of revoked keys.
print_refusals() {
    awk -F '\t' '!($1 in seen) {
        seen[$1] = 1
        if (++n <= 10) {
            print ($1 == "*" ? "" : $1 == "kit" ? "kit: " : "plugin " $1 ": ") $2
            print "  repair: " $3
        }
    }
    END { if (n > 10) print "and " n - 10 " more: call verify" }' "$W/refused" >"$W/reasons"
    reasons_of "$W/complaints" >>"$W/reasons"
    while IFS= read -r line; do warn "$line"; done <"$W/reasons"
}
