#!/bin/sh
# Installs openeventd as a systemd service from a clone, brings an installed one up to date, or removes it.
#
#   systemd/install.sh                install, or upgrade; starts nothing
#   systemd/install.sh uninstall      stop and remove; settings, rules, secrets and the audit stay
#   systemd/install.sh purge          remove those as well
#
# DESTDIR=DIR puts the files below DIR and touches neither users nor services, as packagers want it.
# BINARY=FILE installs that program instead of target/release/openeventd.
set -eu

# Others read the program, its pages and the unit, whatever the caller keeps to himself.
umask 022

here=$(cd "$(dirname "$0")" && pwd)
clone=$(dirname "$here")
root=${DESTDIR-}
binary=${BINARY-$clone/target/release/openeventd}

program=$root/usr/bin/openeventd
unit=$root/usr/lib/systemd/system/openeventd.service
sysusers=$root/usr/lib/sysusers.d/openeventd.conf
tmpfiles=$root/usr/lib/tmpfiles.d/openeventd.conf
settings=$root/etc/openeventd
state=$root/var/lib/openeventd
reference=$root/usr/share/doc/openeventd
manual=$root/usr/share/man/man1
bash_completions=$root/usr/share/bash-completion/completions/openeventd
zsh_completions=$root/usr/share/zsh/vendor-completions/_openeventd
fish_completions=$root/usr/share/fish/vendor_completions.d/openeventd.fish

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

# The root directory as DESTDIR would be this machine, without its users and services: a half installation.
case $root in
*[!/]* | "") ;;
*) fail "DESTDIR=$root is this machine: leave DESTDIR out to install on it" ;;
esac

# Users, directories and services belong to the machine that runs, not to a directory of files.
on_this_machine() {
    [ -z "$root" ]
}

# A new file takes the place of the old one in one step: the running daemon keeps the program it has.
put() {
    mode=$1 from=$2 to=$3
    mkdir -p "$(dirname "$to")"
    install -m "$mode" "$from" "$to.new"
    mv -f "$to.new" "$to"
}

install_all() {
    [ -x "$binary" ] || fail "there is no program $binary: build it with \`cargo build --release --locked\`"
    ready=$(mktemp -d)
    trap 'rm -rf "$ready"' EXIT
    "$binary" man --dir "$ready/man" >/dev/null
    for shell in bash zsh fish; do
        "$binary" completions "$shell" >"$ready/$shell"
    done

    put 0755 "$binary" "$program"
    put 0644 "$here/openeventd.service" "$unit"
    put 0644 "$here/openeventd.sysusers.conf" "$sysusers"
    put 0644 "$here/openeventd.tmpfiles.conf" "$tmpfiles"
    put 0644 "$clone/config/openeventd.toml" "$reference/openeventd.toml"
    (cd "$clone/config/rules.d" && find . -type f) | while read -r file; do
        put 0644 "$clone/config/rules.d/$file" "$reference/rules.d/$file"
    done
    # Where the first lines of those two, and of what `openeventd init` writes, lead editors to.
    for schema in config rules rule-tests; do
        put 0644 "$clone/config/schema/$schema.schema.json" "$reference/schema/$schema.schema.json"
    done
    put 0644 "$ready/bash" "$bash_completions"
    put 0644 "$ready/zsh" "$zsh_completions"
    put 0644 "$ready/fish" "$fish_completions"
    for page in "$ready/man"/*.1; do
        put 0644 "$page" "$manual/$(basename "$page")"
    done
    if on_this_machine; then
        systemd-sysusers openeventd.conf
        systemd-tmpfiles --create openeventd.conf
        systemctl daemon-reload
    fi
    echo "openeventd is installed. Next:"
    echo "  1. put the secrets into $settings/secrets/, and pass them on: systemctl edit openeventd"
    echo "  2. write the settings:  openeventd init --dir $settings --password-credential kafka-password"
    echo "  3. check:               CREDENTIALS_DIRECTORY=$settings/secrets openeventd check"
    echo "  4. start, or restart:   systemctl enable --now openeventd; systemctl restart openeventd"
}

remove_all() {
    if on_this_machine && [ -e "$unit" ]; then
        systemctl disable --now openeventd
    fi
    rm -f "$program" "$unit" "$sysusers" "$tmpfiles" \
        "$bash_completions" "$zsh_completions" "$fish_completions" \
        "$manual/openeventd.1" "$manual"/openeventd-*.1
    rm -rf "$reference"
    if on_this_machine; then
        systemctl daemon-reload
    fi
}

# The value of store.path in the settings, unless it lies in the state directory.
elsewhere() {
    [ -r "$settings/openeventd.toml" ] || return 0
    sed -n '/^[[:space:]]*\[store\]/,/^[[:space:]]*\[[^s]/s/^[[:space:]]*path[[:space:]]*=[[:space:]]*//p' \
        "$settings/openeventd.toml" | grep -v '^.\{0,1\}/var/lib/openeventd/' || true
}

# Removes a directory, and says so if there was one.
erase() {
    if [ -e "$1" ]; then
        rm -rf "$1"
        echo "removed $1 ($2)"
    fi
}

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "must run as root, or with DESTDIR=DIR"
case ${1-install} in
install)
    install_all
    ;;
uninstall)
    remove_all
    echo "openeventd is removed; $settings and $state stay (purge removes them)."
    ;;
purge)
    # As written: the settings are gone afterwards, and this is all that still names it.
    audit=$(elsewhere)
    remove_all
    echo "openeventd is removed."
    erase "$settings" "settings, rules, secrets"
    erase "$state" "the state directory, with the audit unless store.path names another place"
    if on_this_machine; then
        erase /etc/systemd/system/openeventd.service.d "what was changed of the service"
        systemctl daemon-reload
        if id openeventd >/dev/null 2>&1; then
            userdel openeventd
            echo "removed the user openeventd"
        fi
    fi
    if [ -n "$audit" ]; then
        echo "The audit database stays where the settings had it: store.path = $audit"
    fi
    ;;
*)
    fail "unknown command \`$1\`: expected install, uninstall or purge"
    ;;
esac
