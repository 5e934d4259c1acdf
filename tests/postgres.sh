#!/bin/sh
# A PostgreSQL server for tests, in a directory of its own: says `ready DIRECTORY` once it can be
# reached by the socket in there (and on PORT of 127.0.0.1, if one is given), and goes away with all
# its data when its standard input ends, however the test came to its end. Settings follow the port;
# `forgetful` stands for the settings of a server whose data need not outlive the tests.
# Usage: postgres.sh PORT|- [forgetful] [NAME=VALUE]...
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /missing/initdb)")
if [ ! -x "$bin/initdb" ]; then
  echo "PostgreSQL is not installed: ./test installs it, or run apt-get install postgresql"
  exit 1
fi

port=$1
shift
dir=$(mktemp -d "${TMPDIR:-/tmp}/hookyard-pg.XXXXXX")
as=
if [ "$(id -u)" -eq 0 ]; then
  # The server refuses to run as root.
  user=postgres
  id "$user" >/dev/null 2>&1 || user=nobody
  chown "$user" "$dir"
  as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
listen=
[ "$port" = - ] || listen="127.0.0.1"
trap 'cd /; $as "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir"

if ! $as "$bin/initdb" -D "$dir/data" -U hookyard --auth=trust -E UTF8 --locale=C --no-sync \
    >"$dir/initdb.log" 2>&1; then
  cat "$dir/initdb.log"
  exit 1
fi
{
  echo "listen_addresses = '$listen'"
  [ "$port" = - ] || echo "port = $port"
  echo "unix_socket_directories = '$dir'"
  echo "max_connections = 300"
  for setting in "$@"; do
    case $setting in
      forgetful) printf '%s\n' fsync=off full_page_writes=off autovacuum=off shared_buffers=64MB ;;
      *) echo "$setting" ;;
    esac
  done
} >>"$dir/data/postgresql.conf"
# A test may restart it: `restart` on a line of the input.
start() {
  $as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/data/log" start </dev/null >/dev/null 2>&1 ||
    { cat "$dir/data/log"; exit 1; }
}
start
echo "ready $dir"
while read -r order; do
  case $order in
    stop) $as "$bin/pg_ctl" -D "$dir/data" -w -m fast stop >/dev/null; echo stopped ;;
    # As a kill of all its processes.
    crash) $as "$bin/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null; echo stopped ;;
    start) start; echo "ready $dir" ;;
  esac
done
