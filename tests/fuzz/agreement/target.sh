# The rest of a script whose head is the tool with all its functions: reads machines, directories named by the arguments.
# $LISTS: lists.awk. What was read of a machine is left in its w/.

awk() {
    "$AWK" "$@"
}
# What is above a machine is this system's, and there is no record of packages.
look_at() {
    case " $* " in
    *" -maxdepth 0 "*) ;;
    *) look "$@" >>"$W/tree" ;;
    esac
}
read_record() { RECORD=dpkg REINSTALL='apt-get install --reinstall' INSTALL='apt-get install'; }
check_owners() { :; }
check_origin() { check_signatures; }
judge() { :; }
# One process less for each.
warn() { printf '%s\n' "$1" >&2; }

read_machine() (
    SHARE=$1/share CONFIG=$1/etc LIB=$1/lib BIN=$1/lib/bin KIT=$1/lib/kit PLUGINS=$1/lib/plugins
    WORKING=$BIN/serving PROGRAM=$BIN/fake DISABLED=$CONFIG/plugins.d/disabled
    W=$1/w
    mkdir "$W"
    if [ ! -e "$1/whole" ]; then
        # Which key a signature is of is another question.
        check_signature() { :; }
        withdraw() { :; }
    fi
    verify_manifests
    printf '%s\n' "$TRUST" >"$W/trust"
    if ! read_abis >"$W/abis"; then rm "$W/abis"; fi
    if [ -e "$CONFIG/plugins.conf" ]; then
        for key in restart removal; do setting "$key" default; done >"$W/settings" 2>&1
    fi
    if [ -e "$1/index" ]; then relations <"$1/index" >"$W/relations"; fi
    if [ -e "$1/wishes" ]; then
        # As for its exit at a bad file.
        (FILE=$1/wishes && exec 8<&0 && read_wishes) 2>"$W/wrong-wishes" || rm -f "$W/wishes"
    fi
    for list in "$1"/lists/*; do
        if [ -d "$list" ]; then read_lists "$list"; fi
    done
)

# As the assemble step does.
read_lists() (
    cd "$1"
    find plugins/bell/ -type f -printf '%s\t%p\n' >files
    here=plugins/bell
    awk -v FILES=files -f "$LISTS" files $here/imports $here/lines $here/modules $here/compile.cfg $here/link.cfg >fault 2>errors ||
        echo unreadable >fault
)

for machine; do
    # In the background, so that `set -e` holds in it and its status can be kept.
    read_machine "$machine" 2>"$machine/errors" &
    wait $! || echo "$?" >"$machine/ended"
done
