#!/bin/bash
# Whether the gateway of this container answers, for HEALTHCHECK: as `livegate healthcheck`, without a second Node of 40 MB every 30 s.
# Usage: healthcheck.sh [path], of HOST and PORT.
host=${HOST:-127.0.0.1}
case $host in 0.0.0.0 | ::) host=127.0.0.1 ;; esac
exec 3<>"/dev/tcp/$host/${PORT:-3000}" || exit 1
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/livez}" >&3
IFS= read -r -t 3 status <&3
[[ $status == 'HTTP/1.1 200 '* ]]
