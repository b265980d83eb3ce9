#!/bin/sh
# Works in a root directory from which nothing else can be seen or changed.
#
#   room.sh make PROGRAM…                               runs a program that makes roots, with all of this machine's files
#   room.sh unpack ROOT TAR                             makes the root
#   room.sh remove ROOT                                 removes it
#   room.sh online|offline ROOT ARCHIVES PROGRAM…       runs a program in it, with or without the network
#
# ARCHIVES: directory that is put at /var/cache/apt/archives. All runs in a user namespace: as root of it with the same
# numbers of users if root calls, else with those that /etc/subuid gives. When the caller is killed, all in it ends.
set -eu

# Becomes root of a user namespace, with the arguments.
enter() {
    if [ "$(id -u)" -ne 0 ]; then exec unshare --user --map-auto --map-root-user "$@"; fi
    # Only another process can write the map, so one waits in a namespace until this one is in it too.
    unshare --user sleep 5 </dev/null >/dev/null 2>&1 &
    holder=$!
    own=$(readlink /proc/self/ns/user)
    # Of one that ended already, nothing can be read.
    until other=$(readlink "/proc/$holder/ns/user") && [ "$other" != "$own" ]; do
        if ! kill -0 "$holder" 2>/dev/null; then
            unshare --user true
            exit 1
        fi
        sleep 0.01
    done
    echo '0 0 65536' >"/proc/$holder/uid_map"
    echo '0 0 65536' >"/proc/$holder/gid_map"
    exec nsenter --user="/proc/$holder/ns/user" "$@"
}

# Leaves all of the old system behind. Then the arguments.
inside() {
    root=$1
    archives=$2
    shift 2
    exec 3</etc/resolv.conf
    mount --bind "$root" "$root"
    cd "$root"
    mount --bind "$archives" var/cache/apt/archives
    mount -t proc proc proc
    mount -t tmpfs -o mode=0755 tmpfs dev
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
    mount -t tmpfs -o mode=1777 tmpfs dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    pivot_root . .
    # From here on, programs are those of the root.
    PATH=/usr/sbin:/usr/bin:/sbin:/bin
    umount -l .
    cat <&3 >/etc/resolv.conf
    exec 3<&-
    exec env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" 2>&1
}

what=$1
shift
case $what in
make) enter unshare --mount --pid --ipc --uts --fork --kill-child --mount-proc "$@" ;;
unpack)
    mkdir "$1"
    enter tar --extract --numeric-owner --exclude='./dev/*' --directory "$1" --file "$2"
    ;;
remove) enter rm -rf --one-file-system "$1" ;;
online) enter unshare --mount --pid --ipc --uts --fork --kill-child sh "$0" inside "$@" ;;
offline) enter unshare --mount --pid --ipc --uts --net --fork --kill-child sh "$0" inside "$@" ;;
inside) inside "$@" ;;
esac
