#!/bin/sh
# Prints a RabbitMQ definitions file with one user of the virtual host "tallystick".
#   printf %s "$password" | user-definition.sh NAME
# The password is kept as RabbitMQ keeps it: base64(salt || SHA-256(salt || password)).
set -eu

name=$1
case $name in
    '' | *[!a-z0-9-]*)
        echo "A user name is made of a-z, 0-9 and -, not: $name" >&2
        exit 1
        ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
head -c 4 /dev/urandom >"$scratch/salt"
cat "$scratch/salt" - >"$scratch/salted"
if [ "$(wc -c <"$scratch/salted")" -le 4 ]; then
    echo "The password of $name is empty." >&2
    exit 1
fi

digest() { # the 32 bytes of SHA-256, by nothing but coreutils
    for byte in $(sha256sum <"$scratch/salted" | cut -c 1-64 | fold -w 2); do
        printf "\\$(printf %03o "0x$byte")"
    done
}
password_hash=$({ cat "$scratch/salt"; digest; } | base64 -w 0)

cat <<JSON
{
  "users": [
    {
      "name": "$name",
      "password_hash": "$password_hash",
      "hashing_algorithm": "rabbit_password_hashing_sha256",
      "tags": "management",
      "limits": {}
    }
  ],
  "permissions": [
    {
      "user": "$name",
      "vhost": "tallystick",
      "configure": "^tallystick(\\\\..*)?\$",
      "write": "^tallystick(\\\\..*)?\$",
      "read": "^tallystick(\\\\..*)?\$"
    }
  ]
}
JSON
