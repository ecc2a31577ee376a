#!/bin/sh
# Writes the broker's user from the environment, then becomes the command given. With a federation's
# definitions (30-federation.json, `tally broker definitions`) there is no other user.
#   TALLYSTICK_BROKER_PASSWORD or TALLYSTICK_BROKER_PASSWORD_FILE   required
#   TALLYSTICK_BROKER_USER                                          default: tallystick
#   TALLYSTICK_BROKER_DEFINITIONS                                   where definitions are loaded from
set -eu
umask 077

if [ -n "${TALLYSTICK_BROKER_PASSWORD_FILE:-}" ]; then
    TALLYSTICK_BROKER_PASSWORD=$(cat "$TALLYSTICK_BROKER_PASSWORD_FILE")
fi
definitions=${TALLYSTICK_BROKER_DEFINITIONS:-/etc/rabbitmq/definitions.d}
if [ -z "${TALLYSTICK_BROKER_PASSWORD:-}" ] && [ -f "$definitions/30-federation.json" ]; then
    exec "$@"
fi
if [ -z "${TALLYSTICK_BROKER_PASSWORD:-}" ]; then
    echo "Set TALLYSTICK_BROKER_PASSWORD, or TALLYSTICK_BROKER_PASSWORD_FILE, and start again." >&2
    exit 1
fi

printf %s "$TALLYSTICK_BROKER_PASSWORD" |
    "$(dirname "$0")/user-definition.sh" "${TALLYSTICK_BROKER_USER:-tallystick}" \
        >"$definitions/20-user.json"
unset TALLYSTICK_BROKER_PASSWORD

exec "$@"
