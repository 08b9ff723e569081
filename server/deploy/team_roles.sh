#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: the owner of the tables, and the two roles that use them.
# None of them is a superuser, so that row-level security binds them.
set -eu
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set=owner="$OWNER_PASSWORD" --set=app="$APP_PASSWORD" --set=worker="$WORKER_PASSWORD" <<'SQL'
CREATE ROLE darkroom_owner LOGIN PASSWORD :'owner';
CREATE ROLE darkroom_app LOGIN PASSWORD :'app';
CREATE ROLE darkroom_worker LOGIN PASSWORD :'worker';
CREATE DATABASE darkroom OWNER darkroom_owner;
REVOKE ALL ON DATABASE darkroom FROM PUBLIC;
GRANT CONNECT ON DATABASE darkroom TO darkroom_app, darkroom_worker;
SQL
