# Trust: which keys count, and what they say of manifests.

# What vouches for a manifest: a signature, or the distribution's record of its packages.
read_trust() {
    TRUST=$(one_line "$SHARE/trust") || TRUST=''
    case $TRUST in
    signature | distribution) ;;
    *) TRUST=unknown ;;
    esac
}

# Whose the files are that decide about trust. What a package without a good signature brings must not vouch for itself:
# below $SHARE only what the core's own package brought counts, below $CONFIG only what no other package brought.
check_owners() {
    # Without a manifest there is nothing to vouch for; some images have no record of packages any more.
    if [ ! -s "$W/names" ] && [ ! -s "$W/lists" ]; then return 0; fi
    cat "$W/keyfiles" "$W/lists" >"$W/deciding"
    set --
    while IFS= read -r file; do
        case $file in "$CONFIG"/*) set -- "$@" "$file" ;; esac
    done <"$W/deciding"
    read_owned "$@" >"$W/owned" 2>/dev/null || :
    for file in trust abi; do
        if [ -f "$SHARE/$file" ]; then printf '%s\n' "$SHARE/$file"; fi
    done >"$W/places"
    if [ "$TRUST" = signature ]; then cat "$W/deciding" >>"$W/places"; fi
    awk -F '\t' -v OWNED="$W/owned" -v CORE="$CORE" -v TOOL="$TOOL" -v SHARE="$SHARE" -v CONFIG="$CONFIG" '
{% include "target/owners.awk" %}
' "$W/owned" "$W/places" >"$W/strays"
    while IFS=$TAB read -r place reason repair; do
        if [ "$reason" = - ]; then
            reason="it belongs to no package" repair="$REINSTALL $CORE"
            case $(owner_of_file "$place"):$place in
            ?*:*) reason="it belongs to the package $(owner_of_file "$place")" repair="remove that package, then $REINSTALL $CORE" ;;
            *:"$SHARE"/keys/revoked) repair="add its lines to $CONFIG/keys.d/revoked if you trust it, and remove it" ;;
            *:"$SHARE"/keys/*) repair="move it into $CONFIG/keys.d if you trust it, else remove it; then $TOOL apply" ;;
            esac
            reason="$place is no file of the package $CORE: $reason"
        fi
        case $place in
        */revoked) disregard_list "$place" "$reason" "${repair%"; then $TOOL apply"}" ;;
        *) refuse '*' "$reason" "$repair" ;;
        esac
    done <"$W/strays"
}

# Rows `package TAB file`: the files of the core's own package that lie where it put them, and those of the given files that
# belong to a package. $@: files.
read_owned() {
    case $RECORD in
    dpkg)
        # The line after a file tells where a diversion leads it.
        dpkg-query -L "$CORE" | awk -v CORE="$CORE" '
            /^(locally )?diverted / { path = ""; next }
            path != "" { print CORE "\t" path; path = "" }
            /^\// { path = $0 }
            END { if (path != "") print CORE "\t" path }'
        [ $# -gt 0 ] || return 0
        dpkg-query -S -- "$@" | sed -n "s/^\([a-z0-9][^ ]*\(, [^ ]*\)*\): \//\1$TAB\//p"
        ;;
    rpm)
        # 0: the file is there as the package brought it (RPMFILE_STATE_NORMAL).
        rpm -q --qf {% raw %}'[%{FILENAMES}\t%{FILESTATES}\n]'{% endraw %} "$CORE" |
            awk -F '\t' -v CORE="$CORE" '$2 == "0" || $2 == "normal" { print CORE "\t" $1 }'
        for file; do
            package=$(owner_of_file "$file") || package=''
            if [ -n "$package" ]; then printf '%s\t%s\n' "$package" "$file"; fi
        done
        ;;
    esac
}

# The package that a file belongs to, empty if there is none.
owner_of_file() {
    case $RECORD in
    dpkg) dpkg-query -S -- "$1" 2>/dev/null | sed -n 's/^\([a-z0-9][^ ]*\): \/.*/\1/p' ;;
    rpm) rpm -qf --qf {% raw %}'%{NAME}\n'{% endraw %} "$1" 2>/dev/null | grep -x '[A-Za-z0-9._+-]*' | grep -vxF "$CORE" || : ;;
    esac | head -n 1
}

# Signatures by trusted keys. Out: the names of the good ones in $W/signed; `name TAB key id` of those by revoked keys, and of
# what needs them with `-` for the key, in $W/withdrawn.
check_signatures() {
    # What serves may be of a revoked key though nothing is installed any more.
    read_revoked
    set -- "$W"/m/*.manifest.sig
    [ -e "$1" ] || return 0
    while IFS= read -r file; do
        # Not for this user: it may be the key of any plugin.
        if [ -r "$file" ]; then set -- "$file" "$@"; else READABLE=no; fi
    done <"$W/keyfiles"
    today=$(date -u +%Y-%m-%d)
    awk -v SHARE="$SHARE" -v CONFIG="$CONFIG" -v CORE="$CORE" -v TOOL="$TOOL" -v REINSTALL="$REINSTALL" -v REFUSED="$W/refused" \
        -v KEYS="$W/keys" -v KEYROWS="$W/keyrows" -v SIGROWS="$W/sigrows" \
        -v TREE="$W/tree" -v SIZES="$W/sizes" -v TODAY="$today" '
{% include "target/trust.awk" %}
' "$W/tree" "$W/sizes" "$@"
    revoked=' '
    while IFS= read -r id; do revoked="$revoked$id "; done <"$W/revoked"
    while IFS=$TAB read -r name algorithm id octets; do
        case $revoked in
        *" $id "*) printf '%s\t%s\n' "$name" "$id" >>"$W/withdrawn" ;;
        *) check_signature ;;
        esac
    done <"$W/sigrows"
    [ ! -s "$W/withdrawn" ] || withdraw
}

# One of them: $name, $algorithm, $id, $octets.
check_signature() {
    # shellcheck disable=SC2059 # the text is nothing but octal escapes
    printf "$octets" >"$W/signature"
    known=no
    good=no
    expired=''
    added=no
    while IFS=$TAB read -r key_id kind file over place; do
        [ "$key_id" = "$id" ] || continue
        [ "$kind" = "$algorithm" ] || continue
        # The kit's programs run as root, so its maker is the core's.
        case $name:$place in
        kit:core) ;;
        kit:*)
            added=yes
            continue
            ;;
        esac
        if [ "$over" != - ]; then
            expired=$over
            # A key that ends takes nothing out of the server, and keeps no new core from it.
            if served_already && fits "$kind" "$file" "$W/m/$name.manifest"; then good=yes; fi
            continue
        fi
        known=yes
        if fits "$kind" "$file" "$W/m/$name.manifest"; then good=yes; fi
    done <"$W/keyrows"
    if [ "$good" = yes ] || [ "$READABLE:$known" = no:no ]; then
        printf '%s\n' "$name" >>"$W/signed"
    elif [ "$known" = yes ] && cannot_check; then
        refuse "$name" "this machine's openssl checks no signature of kind $(kind_of "$algorithm"), as in FIPS mode" \
            "ask its maker for a manifest key of kind ecdsa-p256 (mkpkgs key new --manifest-kind), or remove the package"
    elif [ "$known" = yes ]; then
        refuse "$name" "the signature of its manifest does not fit: $(why_not "$algorithm")" "$REINSTALL $CORE-plugin-$name$(again "$name")"
    elif [ -n "$expired" ]; then
        refuse "$name" "its manifest is signed by the key $id, which expired on $expired" \
            "upgrade the package, or put a newer key of its maker into $CONFIG/keys.d; then $TOOL apply"
    elif [ "$added" = yes ]; then
        refuse "$name" "its manifest is signed by the key $id of $CONFIG/keys.d, but only a key of the package $CORE vouches for a kit" \
            "$REINSTALL $CORE-plugin-kit$(again kit)"
    elif broken=$(broken_key) && [ -n "$broken" ]; then
        refuse "$name" "its manifest is signed by the unknown key $id, and $broken" "$REINSTALL $CORE"
    else
        refuse "$name" "its manifest is signed by the unknown key $id" \
            "put the key into $CONFIG/keys.d if you trust it, or remove the package; then $TOOL apply"
    fi
}

# Says which key of the core's package is gone, or not as that brought it; nothing where the record cannot tell.
broken_key() {
    read_owned | while IFS=$TAB read -r _ file; do
        case $file in "$SHARE"/keys/*.pub) ;; *) continue ;; esac
        if [ ! -f "$file" ]; then
            echo "$file of the package $CORE is missing"
        elif record_has_sums && ! is_as_packaged "$file" "$file"; then
            echo "$file is not what the package $CORE brought"
        else
            continue
        fi
        break
    done
}

# Whether the working set has the manifest of $name as it is now.
served_already() {
    recorded "$WORKING/working-set" signed | grep -qxF "$name $id $(digest "$W/m/$name.manifest")"
}

# Lines `signed NAME KEY HASH` for the record of a set: by which keys, and of which manifests, its plugins and its kit are.
signers() {
    [ -s "$W/sigrows" ] || return 0
    openssl dgst -sha256 -r "$W"/m/*.manifest | sed 's/\.manifest$//; s,[ *]*/.*/, ,' >"$W/digests-of-manifests"
    awk -v USED="$W/used" -v SIGROWS="$W/sigrows" '
        BEGIN { FS = "\t" }
        FILENAME == USED { used[$2] = 1; used["kit"] = 1; next }
        FILENAME == SIGROWS { if ($1 in used) id[$1] = $3; next }
        { split($0, part, " "); if (part[2] in id) print "signed " part[2] " " id[part[2]] " " part[1] }
    ' "$W/used" "$W/sigrows" "$W/digests-of-manifests"
}

# $1: algorithm. $2: PEM file. $3: manifest. The signature is in $W/signature. Out: what openssl said, in $W/said.
fits() {
    case $1 in
    Ed) openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$3" -sigfile "$W/signature" >/dev/null 2>"$W/said" ;;
    EC) openssl dgst -sha256 -verify "$2" -signature "$W/signature" "$3" >/dev/null 2>"$W/said" ;;
    *) return 1 ;;
    esac
}

# Whether openssl could not even begin: that says nothing of the signature. A key that it cannot read is no key.
cannot_check() {
    ! grep -qE '^(Could not read|unable to load)' "$W/said" 2>/dev/null || return 1
    grep -qE ':unsupported:|not supported|disabled for (fips|FIPS)|[Ii]nitializing context' "$W/said" 2>/dev/null
}

kind_of() {
    case $1 in Ed) echo ed25519 ;; *) echo ecdsa-p256 ;; esac
}

why_not() {
    case "$1 $(openssl version 2>/dev/null)" in
    Ed\ OpenSSL\ [3-9].*) echo "the manifest was changed, or another key made it" ;;
    Ed\ *) echo "this needs openssl 3 or later" ;;
    *) echo "the manifest was changed, or another key made it" ;;
    esac
}
