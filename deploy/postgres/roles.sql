-- Two roles for one database: an owner, which migrates, and the service's, which reads and changes
-- rows and nothing else. To be run with psql 14 or newer, in the service's database, by a role that may
-- make roles; again at any time, for it adds what is missing:
--
--   psql ADMINS_URL --file deploy/postgres/roles.sql [--set owner=NAME] [--set service=NAME]
--
-- The passwords are those of the environment; one that it lacks is left as it is. Compose's Postgres
-- runs this file when it starts for the first time. docs/operations.md, “Database roles”.

\set ON_ERROR_STOP on
\if :{?owner}
\else
\set owner callsync
\endif
\if :{?service}
\else
\set service callsync_service
\endif
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv service_password POSTGRES_SERVICE_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES (:'owner'), (:'service')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
\if :{?owner_password}
ALTER ROLE :"owner" PASSWORD :'owner_password';
\endif
\if :{?service_password}
ALTER ROLE :"service" PASSWORD :'service_password';
\endif

GRANT CONNECT ON DATABASE :"DBNAME" TO :"owner", :"service";
REVOKE TEMPORARY ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"service";

-- What follows is the owner's to say. Whoever is neither the owner nor a superuser becomes a member.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE current_user <> :'owner'
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \gexec
SET ROLE :"owner";

-- Alembic's table, as it makes it: the service reads which migrations were made, and writes none.
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY
);
GRANT SELECT ON alembic_version TO :"service";
-- The tables that there are, and those of later migrations.
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', oid::regclass, :'service')
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND pg_has_role(relowner, 'USAGE') AND relname <> 'alembic_version' \gexec
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
RESET ROLE;
