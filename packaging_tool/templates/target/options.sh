# The command line.

COMMAND=''
NAMES=''     # names of plugins, parted by spaces
FILE=''      # of sync
DRY=no       # --dry-run
YES=no       # --yes
JSON=no      # --json
AVAILABLE=no # --available

usage() {
    cat <<EOF || :
usage: $TOOL COMMAND [OPTION...] [NAME...]

Look:
  list [--available]    installed plugins, their state, and what keeps a newer version back;
                        --available: those too that could be installed
  status                what serves; 0 if it is what is installed, and verified
  verify                verify all plugins
  why NAME              all about one plugin; 0 if it is verified and serves
  freeze                the wanted set, as sync reads it
  list, status, verify and why print JSON with --json.

Change (with --dry-run they only say what they would do; 3 if that is something):
  apply [--quiet]       put the installed plugins into $CORE; the package manager calls it
  disable NAME...       keep plugins out of $CORE, though they are installed
  enable NAME...        put them in again
  install NAME...       install plugins with apt-get or dnf; --yes: without a question
  remove NAME...        remove plugins likewise
  sync FILE             install and remove plugins until FILE's are there, one a line;
                        -: from standard input
  doctor                find and repair what keeps the plugins from serving

Called by apt and dnf 5 with what they are about to do; they stop if it replaces
$CORE, or takes it away unasked, and an installed plugin would leave:
  hook                  for apt; status {{ stop }}: stop
  hook-dnf              for dnf 5

Exit status: 0 good, 1 not so, 2 wrong command line, 3 --dry-run: something would change.
See $TOOL(8).
EOF
}

# Ends with what is wrong with the command line. $1: text.
misuse() {
    printf '%s: %s (see %s --help)\n' "$TOOL" "$(plain "$1")" "$TOOL" >&2 || :
    exit 2
}

# Options of each command. Fails for what is no command.
options_of() {
    case $1 in
    list) echo "--json --available" ;;
    status | verify | why) echo "--json" ;;
    freeze) echo "" ;;
    apply) echo "--quiet --boot --after --watch --dry-run" ;;
    hook | hook-dnf) echo "" ;;
    enable | disable | doctor) echo "--dry-run" ;;
    install | remove | sync) echo "--dry-run --yes" ;;
    *) return 1 ;;
    esac
}

# Sets the variables above.
read_command_line() {
    given=''
    operands=0
    options=yes
    for word; do
        case $options:$word in
        yes:--) options=no ;;
        yes:--help | yes:-h) usage; exit 0 ;;
        yes:--version) printf '%s %s\n' "$TOOL" "$VERSION" || :; exit 0 ;;
        yes:--dry-run | yes:-n) DRY=yes given="$given --dry-run" ;;
        yes:--yes | yes:-y) YES=yes given="$given --yes" ;;
        yes:--quiet | yes:-q) QUIET=yes given="$given --quiet" ;;
        yes:--json) JSON=yes given="$given --json" ;;
        yes:--available) AVAILABLE=yes given="$given --available" ;;
        yes:--boot) MODE=boot given="$given --boot" ;;
        yes:--watch) MODE=watch given="$given --watch" ;;
        yes:--after) MODE=after options=after given="$given --after" ;;
        after:0 | after:[1-9]*)
            # PID, and when it started.
            case $word in
            *[!0-9-]* | *-*-* | *-) break ;;
            esac
            AFTER=$word options=yes
            ;;
        after:*) break ;;
        yes:-?*) misuse "there is no option $word" ;;
        *)
            if [ -z "$COMMAND" ]; then
                COMMAND=$word
            else
                read_operand "$word"
                operands=$((operands + 1))
            fi
            ;;
        esac
    done
    [ "$options" != after ] || misuse "--after takes the number of a process"
    [ -n "$COMMAND" ] || { usage >&2; exit 2; }
    taken=$(options_of "$COMMAND") || misuse "there is no command $COMMAND"
    for word in $given; do
        case " $taken " in
        *" $word "*) ;;
        *) misuse "$COMMAND takes no $word" ;;
        esac
    done
    case $COMMAND:$operands in
    why:1 | sync:1) ;;
    why:*) misuse "why takes one name" ;;
    sync:*) misuse "sync takes one file" ;;
    enable:0 | disable:0 | install:0 | remove:0) misuse "$COMMAND takes names of plugins" ;;
    enable:* | disable:* | install:* | remove:* | *:0) ;;
    *) misuse "$COMMAND takes no names" ;;
    esac
}

# A name of a plugin or of its package, or a file.
read_operand() {
    if [ "$COMMAND" = sync ]; then FILE=$1; return 0; fi
    name=${1#"$CORE-plugin-"}
    case $name in
    '' | kit | [!a-z0-9]* | *[!a-z0-9.+-]*) misuse "no plugin can have the name '$1'" ;;
    esac
    case " $NAMES " in
    *" $name "*) ;;
    *) NAMES="$NAMES${NAMES:+ }$name" ;;
    esac
}

run_command() {
    case $COMMAND in
    why | enable | disable | install) follow_names ;;
    esac
    case $COMMAND in
    list) list ;;
    status) status ;;
    verify) verify ;;
    why) why "$NAMES" ;;
    freeze) freeze ;;
    hook) hook ;;
    hook-dnf) hook_dnf ;;
    apply) if [ "$DRY" = yes ]; then rehearse; else apply; fi ;;
    enable) enable_plugins "$NAMES" ;;
    disable) disable_plugins "$NAMES" ;;
    install) install_plugins "$NAMES" ;;
    remove) remove_plugins "$NAMES" ;;
    sync) synchronize ;;
    doctor) doctor ;;
    esac
}
