# How the service gets the new set.

systemd_does() {
    if command -v deb-systemd-invoke >/dev/null; then
        # It asks policy-rc.d.
        deb-systemd-invoke "$1" "$UNIT" >"$W/output" 2>&1 9>&-
    else
        systemctl "$1" "$UNIT" >"$W/output" 2>&1 9>&-
    fi
}

# Restarts the service if it runs or has failed. If it does not come up with the new program, the old one comes back.
restart() {
    DONE=''
    how=restart
    [ -n "$UNIT" ] || return 0
    [ -d /run/systemd/system ] || return 0
    if [ "$(systemctl show -p NeedDaemonReload "$UNIT" 2>/dev/null)" != NeedDaemonReload=no ]; then
        systemctl --system daemon-reload >/dev/null 2>&1 9>&- || :
    fi
    before=$(systemctl is-active "$UNIT" 2>/dev/null) || :
    case $before in
    active | activating | reloading | deactivating | failed) ;;
    *) return 0 ;;
    esac
    # A restart is not a crash: it must not count for the limit of starts, and a failed unit may come back.
    systemctl reset-failed "$UNIT" >/dev/null 2>&1 || :
{% if reload %}
    # The server takes other plugins without a restart, as long as its program is the same.
    if [ "$before" = active ] && same_file "$BIN/$OLD/$CORE" "$PROGRAM"; then how=reload; fi
{% endif %}
    came_up=yes
    systemd_does "$how" || came_up=no
    after=$(systemctl is-active "$UNIT" 2>/dev/null) || :
    # A unit that systemd will start once more is `activating`, but the restart has failed.
    case $came_up:$after in
    *:active | yes:activating | yes:reloading)
        if [ "$how" = restart ] && restart_is_due; then
            DONE="; $UNIT was not restarted: policy-rc.d forbids it"
        else
            DONE="; ${how}ed $UNIT"
        fi
        return 0
        ;;
    esac
    reason=$(systemctl show -p Result "$UNIT" 2>/dev/null) || :
    if [ "$before" != failed ] && [ -n "$OLD" ]; then
        point_to "$OLD"
        rm -rf "${BIN:?}/$NEW"
        systemctl reset-failed "$UNIT" >/dev/null 2>&1 || :
        systemd_does restart || warn "$UNIT does not start with the old set either: journalctl -u $UNIT"
        fail "$UNIT does not start with ${NAMES:-no plugins} (${reason#Result=})" \
            "journalctl -u $UNIT; remove or downgrade the plugin, or repair the configuration; then $TOOL apply"
    fi
    DONE="; $UNIT does not start (${reason#Result=}): journalctl -u $UNIT"
}
