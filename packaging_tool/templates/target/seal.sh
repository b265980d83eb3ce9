# The seal: the kit is used where it lies, and what was hashed is what was read if nothing of it has changed in between. A
# copy of the kit of a large server would cost more than all other steps of a small change.

# One line per file and directory of the kit: what no write leaves as it is, and the file system, which only /proc tells.
look_at_kit() {
    find "$KIT" -printf '%F\t%C@\t%T@\t%i\t%s\t%m\t%U\t%p\n' 2>/dev/null >"$W/unsorted" || return 1
    sort "$W/unsorted"
}

# Whether the kit may be used where it lies. Out: $W/seal.
seal() {
    # With a page that is dirty already, a store through a mapping would leave the times as they are.
    sync -f "$KIT" 2>/dev/null || return 1
    look_at_kit >"$W/seal" || return 1
    # Here each store after that shows in the time of change; on tmpfs it does not.
    if awk -F '\t' '$1 !~ /^(ext4|xfs|btrfs)$/ { found = 1 } END { exit !found }' "$W/seal"; then return 1; fi
    # The time of change counts in ticks, so that a second write may get the time of the first one.
    [ -z "$(find "$KIT" -newerct '2 seconds ago' -print -quit 2>/dev/null || echo unknown)" ]
}

# Whether nothing of the kit has changed since.
seal_holds() {
    look_at_kit >"$W/seal.now" || return 1
    [ "$(digest "$W/seal.now")" = "$(digest "$W/seal")" ]
}
