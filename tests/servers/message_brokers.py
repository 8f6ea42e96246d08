"""Message brokers, each with a folder and ports of its own, on the loopback interface: NATS and RabbitMQ from the
distribution's packages, Kafka as its project publishes it."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path

from commands import TARGET
from engines import apt_install, certificate
import processes
from services import free_port


# Of those that a broker knows that is `guarded`. Each has its own.
PASSWORDS = {"inventory": "s3cr3t:/?#@ of inventory", "stock": "s3cr3t:/?#@ of stock"}


class Server:
    """A broker. What is common to all kinds. One that is guarded encrypts, and asks for passwords."""

    def __init__(self, scratch, guarded=False):
        self.scratch, self.port, self.guarded = scratch, free_port(), guarded
        if guarded:
            self.files = certificate(scratch / "authority", "localhost")
            # The broker's user reads it.
            (self.files / "tls.key").chmod(0o644)
        self.data, self.log = scratch / "broker", scratch / "broker.log"
        self.process = None
        self.install()
        self.data.mkdir()

    def install(self):
        apt_install(self.package)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = processes.start(
                self.command(), stdout=log, stderr=log, start_new_session=True, env=self.environment())
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > 180:
                raise AssertionError(f"the broker does not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def kill(self):
        """At once, with all its processes."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def restart(self, pause):
        """Is gone for so long, then back with what it had on its disk."""
        self.kill()
        time.sleep(pause)
        self.start()

    def environment(self):
        return dict(os.environ)

    def settings(self, service=None):
        """What a service is told of it."""
        host = "localhost" if self.guarded else "127.0.0.1"
        settings = {"BROKER__URL": f"{self.schemes[self.guarded]}://{host}:{self.port}"}
        if self.guarded:
            file = self.scratch / f"{service}.password"
            file.write_text(PASSWORDS[service] + "\n")
            settings |= {"BROKER__CA_FILE": self.files / "ca.crt", "BROKER__PASSWORD_FILE": file}
        return settings

    def close(self):
        self.kill()


class Nats(Server):
    option, package, schemes = "nats", "nats-server", ("nats", "tls")

    def __init__(self, scratch, guarded=False):
        super().__init__(scratch, guarded)
        self.monitor, self.guard = free_port(), []
        if guarded:
            users = [{"user": user, "password": password} for user, password in PASSWORDS.items()]
            tls = {"cert_file": str(self.files / "tls.crt"), "key_file": str(self.files / "tls.key")}
            (scratch / "nats.conf").write_text(json.dumps({"authorization": {"users": users}, "tls": tls}))
            self.guard = ["-c", scratch / "nats.conf"]

    def command(self):
        places = ["-a", "127.0.0.1", "-p", self.port, "-m", self.monitor, "-js", "-sd", self.data]
        return list(map(str, ["nats-server", *places, *self.guard]))

    def asked(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}{path}", timeout=2) as answer:
            return json.load(answer)

    def answers(self):
        try:
            return self.asked("/healthz")["status"] == "ok"
        except OSError:
            return False

    def waiting(self, name):
        """Messages in a stream."""
        [account] = self.asked("/jsz?accounts=true&streams=true")["account_details"]
        return {stream["name"]: stream["state"]["messages"] for stream in account["stream_detail"]}.get(name, 0)


class RabbitMq(Server):
    option, package, schemes = "rabbitmq", "rabbitmq-server", ("amqp", "amqps")

    def __init__(self, scratch, guarded=False):
        super().__init__(scratch, guarded)
        self.distribution, self.names_port = free_port(), free_port()
        # Erlang's own name server. Left to itself it would outlive the broker.
        self.names = processes.start(["epmd", "-port", str(self.names_port), "-address", "127.0.0.1"])

        if guarded:
            settings = {
                "listeners.tcp": "none", "listeners.ssl.1": f"127.0.0.1:{self.port}",
                "ssl_options.certfile": self.files / "tls.crt", "ssl_options.keyfile": self.files / "tls.key",
            }
            (scratch / "rabbitmq.conf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))

    def start(self):
        super().start()
        if self.guarded:
            for user, password in PASSWORDS.items():
                for command in (["add_user", user, password], ["set_permissions", user, ".*", ".*", ".*"]):
                    done = self.control(*command)
                    assert done.returncode == 0, done.stdout + done.stderr

    def command(self):
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def environment(self):
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        guard = {"RABBITMQ_CONFIG_FILE": str(self.scratch / "rabbitmq.conf")} if self.guarded else {}
        return {
            **os.environ, **guard, "HOME": str(self.scratch), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.names_port),
            "RABBITMQ_NODENAME": f"broker-{self.port}@localhost", "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(self.data), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback, "RABBITMQ_CTL_ERL_ARGS": loopback,
        }

    def control(self, *arguments):
        command = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "--quiet", "--timeout", "30", *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True)

    def answers(self):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def waiting(self, name):
        """Messages in a queue."""
        listed = self.control("list_queues", "name", "messages", "--formatter=json")
        assert listed.returncode == 0, listed.stdout + listed.stderr
        return {queue["name"]: queue["messages"] for queue in json.loads(listed.stdout)}.get(name, 0)

    def close(self):
        super().close()
        self.names.kill()
        self.names.wait()


class Kafka(Server):
    option, schemes = "kafka", ("kafka", "kafka+ssl")
    source, place = Path(__file__).resolve().parent / "kafka", TARGET / "servers" / "kafka"

    def __init__(self, scratch, guarded=False):
        super().__init__(scratch, guarded)
        self.control, self.properties = free_port(), scratch / "server.properties"
        protocol, host = ("SASL_SSL", "localhost") if guarded else ("PLAINTEXT", "127.0.0.1")
        settings = {
            "process.roles": "broker,controller", "node.id": 1, "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{self.control}", "log.dirs": self.data,
            "listeners": f"BROKER://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.control}",
            "advertised.listeners": f"BROKER://{host}:{self.port}", "inter.broker.listener.name": "BROKER",
            "listener.security.protocol.map": f"BROKER:{protocol},CONTROLLER:PLAINTEXT",
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "auto.create.topics.enable": "false",
        }
        users = []
        if guarded:
            both = self.files / "both.pem"
            both.write_text((self.files / "tls.key").read_text() + (self.files / "tls.crt").read_text())
            module = "org.apache.kafka.common.security.scram.ScramLoginModule"
            settings |= {
                "ssl.keystore.type": "PEM", "ssl.keystore.location": both, "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.files / "ca.crt", "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
                "listener.name.broker.scram-sha-512.sasl.jaas.config":
                    f'{module} required username="broker" password="of-the-broker";',
            }
            known = {**PASSWORDS, "broker": "of-the-broker"}
            users = [f"--add-scram=SCRAM-SHA-512=[name={user},password={password}]" for user, password in known.items()]
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        cluster = ["format", "--cluster-id", cluster_id, "--config", self.properties, *users]
        subprocess.run([*self.java(), "kafka.tools.StorageTool", *cluster], check=True, capture_output=True)

    def install(self):
        if not shutil.which("mvn"):
            apt_install("maven", "default-jdk-headless")
        # What librdkafka is built with and of.
        apt_install("g++", "libssl-dev", "make", "pkg-config")
        wanted = (self.source / "pom.xml").read_text()
        installed = self.place / "installed"
        if not installed.is_file() or installed.read_text() != wanted:
            shutil.rmtree(self.place, ignore_errors=True)
            shutil.copytree(self.source, self.place)
            subprocess.run(["mvn", "--quiet", "--batch-mode", "package"], cwd=self.place, check=True)
            installed.write_text(wanted)

    def java(self):
        return ["java", "-Xmx512m", "-cp", f"{self.place}/lib/*"]

    def command(self):
        return [*self.java(), "kafka.Kafka", str(self.properties)]

    def answers(self):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def waiting(self, name):
        """Messages in a topic, by the client of Kafka's own project."""
        command = [*self.java(), str(self.source / "Count.java"), f"127.0.0.1:{self.port}", name]
        counted = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert counted.returncode == 0, counted.stdout + counted.stderr
        return int(counted.stdout)
