"""Database servers from the distribution's packages, each with a folder and a port of its own."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import processes
from services import free_port

# What must be in no log line: no word, and with all that needs quoting somewhere.
PASSWORD = "s3cr3t: 'it''s' & %41 \\ \"#/?@"


def apt_install(*packages):
    """Installs packages; none of them starts a server."""
    policy = Path("/usr/sbin/policy-rc.d")
    if not policy.exists():
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment, **quiet)


def certificate(folder, host):
    """An authority and a certificate that it has signed for a host: `ca.crt`, `tls.crt` and `tls.key`."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    quiet = {"cwd": folder, "check": True, "stderr": subprocess.DEVNULL}
    subprocess.run(["openssl", "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority"], **quiet)
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-keyout", "tls.key", "-out", "tls.crt", "-subj", f"/CN={host}", "-CA", "ca.crt",
         "-CAkey", "ca.key", "-addext", f"subjectAltName=DNS:{host}", "-addext", "basicConstraints=critical,CA:FALSE"], **quiet)
    return folder


class Engine:
    """A database server. What is common to both kinds."""

    def __init__(self, scratch):
        self.scratch, self.port = scratch, free_port()
        self.data, self.log = scratch / "server", scratch / "server.log"
        self.process = None
        self.install()
        self.data.mkdir()
        shutil.chown(self.data, self.user, self.user)
        self.initialise()

    def settings(self, database="orders", **changes):
        """What a service is told of it, as keys of its configuration."""
        password = self.scratch / "password"
        password.write_text(PASSWORD + "\n")
        settings = {
            "HOST": "localhost", "PORT": self.port, "DATABASE": database, "USER": "orders", "PASSWORD_FILE": password,
            "SSL_MODE": "disable", **changes,
        }
        return {f"STORE__{key}": value for key, value in settings.items()}

    def as_user(self, command, **options):
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--", *map(str, command)]

    def start(self, *more):
        with open(self.log, "ab") as log:
            command = self.as_user([*self.command(), *more])
            self.process = processes.start(command, stdout=log, stderr=log, start_new_session=True)
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > 30:
                raise AssertionError(f"the server does not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self, number=None):
        """Lets nobody finish, and waits for its end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number or self.stop_signal)
            self.process.wait(30)

    def restart(self, *more):
        self.stop()
        self.start(*more)

    def freeze(self):
        """Stops it and its children in the middle of what they do."""
        self.frozen = [self.process.pid]
        os.kill(self.process.pid, signal.SIGSTOP)
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
                if int(parent.split()[1]) == self.process.pid:
                    self.frozen.append(int(status.parent.name))
                    os.kill(self.frozen[-1], signal.SIGSTOP)
            except (OSError, StopIteration):
                # It has ended meanwhile.
                pass

    def thaw(self):
        for process in reversed(self.frozen):
            os.kill(process, signal.SIGCONT)

    def answers(self):
        return subprocess.run(self.client("SELECT 1"), capture_output=True).returncode == 0

    def ask(self, sql, database=None):
        """Runs a statement as the server's owner and returns what it prints."""
        asked = subprocess.run(self.client(sql, database), capture_output=True, text=True)
        if asked.returncode != 0:
            raise AssertionError(f"{sql}: {asked.stderr}")
        return asked.stdout.strip()

    def holding_the_table(self):
        """A process that keeps all others out of the table `items`, for as long as it lives."""
        process = processes.start(
            self.client(None, "orders"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(f"{self.lock}\nSELECT 'locked';\n")
        process.stdin.flush()
        while "locked" not in process.stdout.readline():
            pass
        return process


class Postgres(Engine):
    option, user, stop_signal = "postgres", "postgres", signal.SIGINT
    lock = "BEGIN; LOCK TABLE items;"
    databases = "SELECT datname FROM pg_database"
    password_is = "ALTER ROLE orders PASSWORD '{}'"

    def install(self):
        if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
            apt_install("postgresql")
        self.binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]

    def initialise(self):
        initdb = self.as_user([self.binaries / "initdb", "-D", self.data, "--auth-local=trust", "--auth-host=scram-sha-256"])
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
        self.start()
        # Tests make databases.
        self.ask("CREATE ROLE orders LOGIN CREATEDB")
        self.ask(self.password_is.format(self.quoted(PASSWORD)))
        self.ask("CREATE DATABASE orders OWNER orders")
        self.stop()

    def quoted(self, text):
        return text.replace("'", "''")

    def version(self):
        return "PostgreSQL " + self.ask("SHOW server_version")

    def command(self):
        return [self.binaries / "postgres", "-D", self.data, "-p", self.port, "-k", self.data, "-c", "listen_addresses=localhost"]

    def client(self, sql, database=None):
        statement = ["-c", sql] if sql else []
        database = database or "postgres"
        return self.as_user(["psql", "-XAtq", "-h", self.data, "-p", self.port, *statement, database])

    def with_certificate(self, folder):
        """Arguments with which it speaks TLS."""
        for name in ("tls.crt", "tls.key"):
            shutil.copy2(folder / name, self.data)
            shutil.chown(self.data / name, self.user, self.user)
        (self.data / "tls.key").chmod(0o600)
        return ["-c", "ssl=on", "-c", f"ssl_cert_file={self.data}/tls.crt", "-c", f"ssl_key_file={self.data}/tls.key"]

    def encrypted(self):
        """How many connections of services are, and are not."""
        counted = "count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)"
        found = self.ask(f"SELECT {counted} FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'orders'")
        return tuple(map(int, found.split("|")))

    def read_only(self, on):
        self.ask(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
        self.ask("SELECT pg_reload_conf()")

    def drop_connections(self):
        self.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders'")


class MariaDb(Engine):
    option, user, stop_signal = "mysql", "mysql", signal.SIGTERM
    lock = "LOCK TABLES items WRITE;"
    databases = "SHOW DATABASES"
    password_is = "SET PASSWORD FOR orders@localhost = PASSWORD('{}')"

    def install(self):
        if not shutil.which("mariadb-install-db"):
            apt_install("mariadb-server")

    def initialise(self):
        made = ["mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run([*made, f"--user={self.user}", f"--datadir={self.data}"], check=True, stdout=subprocess.DEVNULL)
        self.start()
        self.ask("CREATE USER orders@localhost")
        self.ask(self.password_is.format(self.quoted(PASSWORD)))
        self.ask("CREATE DATABASE orders")
        # Tests make databases.
        self.ask("GRANT ALL ON orders.* TO orders@localhost; GRANT ALL ON `test\\_%`.* TO orders@localhost")
        self.ask("DROP USER IF EXISTS ''@localhost")
        self.stop()

    def quoted(self, text):
        return text.replace("\\", "\\\\").replace("'", "''")

    def version(self):
        return "MariaDB " + self.ask("SELECT version()")

    def command(self):
        return [
            "mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.data}/socket", f"--port={self.port}",
            "--bind-address=localhost",
        ]

    def client(self, sql, database=None):
        statement = ["-e", sql] if sql else ["--unbuffered"]
        command = ["mariadb", "--no-defaults", f"--socket={self.data}/socket", "-uroot", "-N", *statement]
        return [*command, database] if database else command

    def with_certificate(self, folder):
        """Arguments with which it speaks TLS."""
        for name in ("tls.crt", "tls.key"):
            shutil.copy2(folder / name, self.data)
            shutil.chown(self.data / name, self.user, self.user)
        return [f"--ssl-cert={self.data}/tls.crt", f"--ssl-key={self.data}/tls.key", "--performance-schema=ON"]

    def encrypted(self):
        """How many connections of services are, and are not."""
        found = self.ask(
            "SELECT COALESCE(SUM(variable_value <> ''), 0), COALESCE(SUM(variable_value = ''), 0) "
            "FROM performance_schema.status_by_thread JOIN performance_schema.threads USING (thread_id) "
            "WHERE variable_name = 'Ssl_cipher' AND processlist_user = 'orders'")
        return tuple(int(float(count)) for count in found.split())

    def read_only(self, on):
        self.ask(f"SET GLOBAL read_only = {int(on)}")

    def drop_connections(self):
        self.ask("KILL USER orders@localhost")
