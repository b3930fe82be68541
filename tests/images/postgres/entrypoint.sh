#!/bin/bash
# The server as its own user. In an empty data folder a database is made first, as these say:
# POSTGRES_PASSWORD, or the file that POSTGRES_PASSWORD_FILE names (one of them, unless
# POSTGRES_HOST_AUTH_METHOD=trust), POSTGRES_USER (postgres), POSTGRES_DB (as the user); then
# /docker-entrypoint-initdb.d/*.{sh,sql} are run.
set -euo pipefail

make_database() {
    : "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_PASSWORD:=}"
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
        echo "POSTGRES_PASSWORD is not given" >&2
        exit 1
    fi
    initdb --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") --no-sync
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"

    # Nobody but this script reaches it before it is whole.
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    local ask=(psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER")
    if [ "$POSTGRES_DB" != postgres ]; then
        "${ask[@]}" --dbname postgres --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh) bash "$file" ;;
            *.sql) "${ask[@]}" --dbname "$POSTGRES_DB" --file "$file" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    sync -f "$PGDATA"
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chown -R postgres:postgres "$PGDATA" /var/run/postgresql
        chmod 700 "$PGDATA"
        exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$BASH_SOURCE" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        make_database
        echo "the database is made"
    fi
fi
exec "$@"
