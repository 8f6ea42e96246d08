"""What must hold of services that speak gRPC, one function each. A function returns what it counted, for the report."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from commands import MSVC, ROOT, TARGET  # noqa: E402
from services import Service  # noqa: E402

CERTIFICATES = ROOT / "templates/crates/chassis-tls/dev-certificates.sh"
# In this order: a service is made after those that it calls.
SHOP = [
    ("stock", "--protocol grpc"),
    ("vault", "--protocol grpc --store none --auth none --tls mtls"),
    ("prices", "--auth none"),
    ("sales", "--protocol grpc --calls stock,prices,vault"),
    ("edge", "--store none --auth none --calls sales"),
]


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


class Place:
    """The generated workspace, built, and what processes of it need."""

    def __init__(self, scratch):
        self.scratch = scratch
        workspace = scratch / "shop"
        for name, options in SHOP:
            first = not workspace.exists()
            here = [*options.split(), "--workspace", "shop"] if first else options.split()
            command = [*MSVC, "new", "--quiet", name, *here]
            subprocess.run(command, cwd=scratch if first else workspace, check=True)
        target = TARGET / "generated" / "build"
        build = ["cargo", "build", "--quiet", "--locked"]
        subprocess.run(build, cwd=workspace, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(target)})
        # Beside the workspace: the next one is built in the same place.
        self.binaries = scratch / "binaries"
        self.binaries.mkdir()
        for name, _ in SHOP:
            (self.binaries / name).write_bytes((target / "debug" / name).read_bytes())
            (self.binaries / name).chmod(0o755)
        subprocess.run(["sh", CERTIFICATES, "vault", "sales", "caller"], cwd=scratch, check=True, capture_output=True)
        self.certificates = scratch / "certificates"

    def service(self, name, settings=None, calls=(), **options):
        """A process. It finds those that it calls at their ports, and has tokens for them."""
        settings = {"LOG__LEVEL": "info", **(settings or {})}
        for callee in calls:
            replicas = callee if isinstance(callee, list) else [callee]
            key = replicas[0].name.upper()
            # A certificate is for a name.
            scheme, host = ("https", "localhost") if key == "VAULT" else ("http", "127.0.0.1")
            urls = ",".join(f"{scheme}://{host}:{replica.port}" for replica in replicas)
            settings[f"DISCOVERY__ADDRESSES__{key}"] = urls
            if replicas[0].protected:
                token = self.scratch / f"{key}.token"
                token.write_text(replicas[0].bearer)
                settings[f"TOKEN__{key}_FILE"] = token
        own = self.certificates / name
        if name == "vault":
            settings |= {
                "SERVER_TLS__CERTIFICATE_FILE": own / "tls.crt", "SERVER_TLS__KEY_FILE": own / "tls.key",
                "SERVER_TLS__CLIENT_CA_FILE": own / "ca.crt",
            }
        if name == "sales":
            settings |= {
                "CLIENT_TLS__CA_FILE": own / "ca.crt", "CLIENT_TLS__CERTIFICATE_FILE": own / "tls.crt",
                "CLIENT_TLS__KEY_FILE": own / "tls.key",
            }
        protected = name in ("stock", "sales")
        stateless = name in ("vault", "edge")
        return Service(self.binaries, name, self.scratch, settings, stateless=stateless, protected=protected, **options)

    def stock(self, settings=None, **options):
        return self.service("stock", settings, **options)

    def sales(self, settings=None, calls=()):
        """Every service that it can call needs an address, if only of nobody."""
        class Nobody:
            protected, bearer, port = False, "", 1

            def __init__(self, name):
                self.name = name
        known = {(callee[0] if isinstance(callee, list) else callee).name for callee in calls}
        nobody = [Nobody(name) for name in ("stock", "prices", "vault") if name not in known]
        return self.service("sales", settings, [*calls, *nobody])


class Caller:
    """A client that knows nothing of a service but its address: reflection tells it the rest."""

    def __init__(self, *services, credentials=None, options=()):
        self.bearer = services[0].bearer
        ports = [service.port for service in services]
        if credentials:
            self.channel = grpc.secure_channel(f"localhost:{ports[0]}", credentials, options)
        else:
            addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
            # A list of addresses is no name to call a server by.
            options = [("grpc.lb_policy_name", "round_robin"), ("grpc.default_authority", "localhost"), *options]
            self.channel = grpc.insecure_channel(f"ipv4:{addresses}", options)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def method(self, path):
        service, name = path.split("/")
        method = self.pool.FindServiceByName(service).FindMethodByName(name)
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        call = self.channel.unary_unary(
            f"/{path}", request_serializer=request.SerializeToString, response_deserializer=answer.FromString)
        return request, call

    def __call__(self, path, timeout=5, token=True, metadata=(), **fields):
        """The answer, or the error that says why there is none."""
        request, call = self.method(path)
        metadata = [*metadata, *([("authorization", f"Bearer {self.bearer}")] if token and self.bearer else [])]
        try:
            return call(request(**fields), timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            return error

    def code(self, *arguments, **options):
        return code(self(*arguments, **options))

    def is_healthy(self, service=""):
        return self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=2).status


def code(answer):
    return answer.code().name if isinstance(answer, grpc.RpcError) else "OK"


LIST = "stock.v1.ItemsService/ListItems"
CREATE = "stock.v1.ItemsService/CreateItem"
PASSED_ON = "sales.stock.v1.ItemsService/ListItems"


def known_by_strangers(place):
    """1. a client that has no .proto file: reflection lists the services, health knows each of them, grpcurl calls one."""
    with place.stock() as stock, Caller(stock) as caller:
        names = caller.database.get_services()
        expect("stock.v1.ItemsService" in names, f"reflection says {names}")
        for name in ("", "stock.v1.ItemsService"):
            expect(caller.is_healthy(name) == 1, f"health says that {name!r} serves")
        try:
            caller.is_healthy("nobody")
            raise AssertionError("health knows nobody")
        except grpc.RpcError as error:
            expect(error.code() == grpc.StatusCode.NOT_FOUND, "health knows no other")
        created = caller(CREATE, name="tea", quantity=2)
        expect(created.item.name == "tea", created)
        expect(caller.code(CREATE, name="tea", quantity=2) == "ALREADY_EXISTS", "its name is taken")
        expect(caller.code(CREATE, name=" ", quantity=2) == "INVALID_ARGUMENT", "it has no name")
        grpcurl = [Path(sys.prefix) / "bin/grpcurl", "-plaintext", "-H", f"Authorization: Bearer {stock.bearer}"]
        address = f"127.0.0.1:{stock.port}"
        listed = subprocess.run([*grpcurl, address, "list"], capture_output=True, text=True, check=True).stdout.split()
        expect("stock.v1.ItemsService" in listed, f"grpcurl lists {listed}")
        said = subprocess.run([*grpcurl, address, LIST], capture_output=True, text=True, check=True).stdout
        expect(json.loads(said)["items"][0]["name"] == "tea", said)
        return f"{len(names)} services by reflection, {len(listed)} by grpcurl"


def refusals(place):
    """2. who is refused is told so by gRPC's own codes, and every refusal is counted and logged."""
    settings = {"SERVER__RATE_LIMIT__ENABLED": "true", "SERVER__RATE_LIMIT__BURST": 100,
                "SERVER__RATE_LIMIT__REQUESTS_PER_SECOND": 20, "SERVER__BODY_LIMIT_BYTES": 4096}
    with place.stock(settings) as stock, Caller(stock) as caller:
        counted = collections.Counter()
        for expected, answer in [
            ("UNAUTHENTICATED", caller(LIST, token=False)),
            ("UNAUTHENTICATED", caller(LIST, token=False, metadata=[("authorization", "Bearer nonsense")])),
            ("RESOURCE_EXHAUSTED", caller(CREATE, name="x" * 5000)),
            ("UNIMPLEMENTED", call_raw(caller, "/stock.v1.ItemsService/MadeUp")),
        ]:
            expect(code(answer) == expected, f"{code(answer)}, not {expected}: {answer}")
            counted[code(answer)] += 1
        key = stock.scratch / "key"
        command = [stock.binary, "dev-token", "--key-file", key, "--scope", "items:read"]
        reader = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        answer = caller(CREATE, token=False, metadata=[("authorization", f"Bearer {reader}")], name="tea")
        expect(code(answer) == "PERMISSION_DENIED", answer)
        counted["PERMISSION_DENIED"] += 1
        began = time.monotonic()
        answers = [caller(LIST) for _ in range(300)]
        took = time.monotonic() - began
        limited = [answer for answer in answers if code(answer) == "RESOURCE_EXHAUSTED"]
        admitted = len(answers) - len(limited)
        expect(admitted <= 100 + 20 * took + 1, f"{admitted} of 300 got in within {took:.1f} s")
        expect(len(limited) > 50, f"{len(limited)} of 300 were refused in {took:.1f} s")
        pause = dict(limited[-1].trailing_metadata()).get("grpc-retry-pushback-ms")
        expect(pause == "1000", f"a refusal says when to come again: {pause}")
        counted["RESOURCE_EXHAUSTED"] += len(limited)
        for name, times in counted.items():
            metric = stock.metric("grpc_server_handled_total", grpc_code=name)
            expect(metric == times, f"{metric} {name} are counted, {times} were seen")
            lines = logged(times, lambda line: line.get("grpc_status") == name, stock)
            expect(len(lines) == times, f"{len(lines)} {name} are logged, {times} were seen")
        made_up = stock.metric("grpc_server_handled_total", grpc_service="unmatched")
        expect(made_up == 1, "a method that is made up is no series of its own")
        return ", ".join(f"{times} {name}" for name, times in sorted(counted.items()))


def logged(count, is_meant, *services):
    """Lines of these services, which are written a moment after their calls have ended."""
    for _ in range(100):
        # The last one may be half written.
        texts = [text for service in services for text in service.log_text().split("\n")[:-1]]
        lines = [line for line in map(json.loads, texts) if is_meant(line)]
        if len(lines) >= count:
            break
        time.sleep(0.02)
    return lines


def call_raw(caller, path):
    try:
        return caller.channel.unary_unary(path)(b"", timeout=5, metadata=[("authorization", f"Bearer {caller.bearer}")])
    except grpc.RpcError as error:
        return error


def deadlines(place):
    """3. the caller's deadline holds in all services: sales, which calls a stock that hangs, works no longer than it waits."""
    with place.stock() as stock, place.sales(calls=[stock]) as sales, Caller(sales) as caller:
        expect(caller.code(PASSED_ON) == "OK", "sales answers while all is well")
        stock.signal(signal.SIGSTOP)
        try:
            ended = []
            for timeout in (0.2, 0.5, 0.8):
                began = time.monotonic()
                answer = caller(PASSED_ON, timeout=timeout)
                took = time.monotonic() - began
                expect(code(answer) == "DEADLINE_EXCEEDED", f"{code(answer)} after {took:.2f} s: {answer}")
                expect(took < timeout + 0.2, f"the caller waited {took:.2f} s of {timeout} s")
                ended.append(timeout * 1000)
        finally:
            stock.signal(signal.SIGCONT)
        # Also the first one, which ended well.
        lines = logged(len(ended) + 1, lambda line: line.get("path") == f"/{PASSED_ON}", sales)[1:]
        expect(all(line["grpc_status"] in ("DEADLINE_EXCEEDED", "CANCELLED") for line in lines), lines)
        expect(len(lines) == len(ended), f"{len(lines)} calls ended early")
        for line, timeout in zip(lines, ended):
            expect(line["latency_ms"] < timeout + 100, f"sales went on for {line['latency_ms']} ms of {timeout} ms")
        return f"{len(ended)} calls, ended after {[round(line['latency_ms']) for line in lines]} ms"


def one_trace(place):
    """4. one call through three services and both protocols (REST, gRPC, gRPC; REST): one trace id in all their logs."""
    with place.stock() as stock, place.service("prices") as prices, place.sales(calls=[stock, prices]) as sales:
        with place.service("edge", calls=[sales]) as edge, Caller(sales) as caller:
            ids = [uuid.uuid4().hex for _ in range(3)]
            def parent(trace_id):
                return f"00-{trace_id}-00f067aa0ba902b7-01"
            for path, trace_id in [(PASSED_ON, ids[0]), ("sales.prices.v1.ItemsService/ListItems", ids[1])]:
                answer = caller(path, metadata=[("traceparent", parent(trace_id))])
                expect(code(answer) == "OK", f"{path}: {answer}")
            url = f"http://127.0.0.1:{edge.port}/v1/sales/items"
            request = urllib.request.Request(url, headers={"traceparent": parent(ids[2])})
            with urllib.request.urlopen(request, timeout=5) as answer:
                expect(answer.status == 200, "edge answers over REST what sales says over gRPC")
            expected = [{"sales", "stock"}, {"sales", "prices"}, {"edge", "sales"}]
            for trace_id, names in zip(ids, expected):
                is_part = lambda line: line.get("trace_id") == trace_id  # noqa: E731
                lines = logged(len(names), is_part, stock, prices, sales, edge)
                found = {line["service"] for line in lines}
                expect(found == names, f"a trace is found in {found}, not in {names}")
                expect(len({line["span_id"] for line in lines}) == len(names), "each has a span of its own")
            return "3 traces, each in both of its services' logs: gRPC to gRPC, gRPC to REST, REST to gRPC"


def certificates(place):
    """5. certificates both ways: a stranger is refused, a caller with a certificate is served, and so is sales."""
    with place.service("vault") as vault, place.sales(calls=[vault]) as sales:
        own = place.certificates / "caller"
        authority = (place.certificates / "ca.crt").read_bytes()
        shown = grpc.ssl_channel_credentials(authority, (own / "tls.key").read_bytes(), (own / "tls.crt").read_bytes())
        echo = "vault.v1.EchoService/Echo"
        with Caller(vault, credentials=shown) as caller:
            expect(caller(echo, message="hello").message == "hello", "a caller with a certificate is served")
        with Caller(vault, credentials=grpc.ssl_channel_credentials(authority)) as stranger:
            try:
                stranger.is_healthy()
                raise AssertionError("a stranger is served")
            except grpc.RpcError as error:
                expect(error.code() == grpc.StatusCode.UNAVAILABLE, error)
        with Caller(sales) as caller:
            answer = caller("sales.vault.v1.EchoService/Echo", message="hello")
            expect(code(answer) == "OK" and answer.message == "hello", answer)
        refused = vault.metric("tls_handshake_failures_total", reason="certificate")
        expect(refused >= 1, "the refusal is counted")
        return f"{refused:.0f} handshakes refused"


def overload(place):
    """6. 40 callers of a sales that takes 4 calls at once, whose calls to stock hang: the rest are refused at once, and health
    still says that it serves."""
    with place.stock() as stock, place.sales({"SERVER__MAX_IN_FLIGHT": 4}, [stock]) as sales, Caller(sales) as caller:
        caller.method(PASSED_ON)
        stock.signal(signal.SIGSTOP)
        answers = together(40, lambda: timed(lambda: caller(PASSED_ON, timeout=10)))
        stock.signal(signal.SIGCONT)
        refused = [took for took, answer in answers if code(answer) == "UNAVAILABLE" and took < 1]
        slowest = max(refused)
        expect(len(refused) == 36, f"{collections.Counter(code(answer) for _, answer in answers)}")
        expect(all("grpc-retry-pushback-ms" in dict(answer.trailing_metadata()) for took, answer in answers if took < 1),
               "refusals say when to come again")
        expect(caller.is_healthy() == 1, "overload is no illness")
        return f"36 of 40 refused, the slowest in {slowest * 1000:.0f} ms"


def timed(call):
    began = time.monotonic()
    answer = call()
    return time.monotonic() - began, answer


def together(count, call):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class Load:
    """Callers that go on and on, and what their calls ended with."""

    def __init__(self, callers, call):
        self.call, self.codes, self.stop = call, collections.Counter(), threading.Event()
        self.errors, self.threads = [], [threading.Thread(target=self.run) for _ in range(callers)]

    def run(self):
        while not self.stop.is_set():
            answer = self.call()
            self.codes[code(answer)] += 1
            if code(answer) != "OK":
                self.errors.append(f"{answer.code().name}: {answer.details()}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def drain(place):
    """7. two replicas under load are stopped and started in turn: health says so first, and not one call fails."""
    replicas = [place.stock(replica=f"-{index}") for index in (1, 2)]
    with replicas[0], replicas[1], Caller(*replicas) as caller:
        caller.method(LIST)
        seen = []
        with Caller(replicas[0]) as watcher, Load(8, lambda: caller(LIST)) as load:
            watching = watcher.health.Watch(health_pb2.HealthCheckRequest())
            thread = threading.Thread(target=lambda: seen.extend(answer.status for answer in watching))
            thread.start()
            for round in range(4):
                time.sleep(0.7)
                replica = replicas[round % 2]
                replica.signal()
                expect(replica.ended() == 0, "it ends well")
                replica.start()
                time.sleep(0.7)
            thread.join(5)
        expect(seen == [1, 2], f"who watched {replicas[0].name} saw {seen}, then no more")
        expect(not load.errors, f"{len(load.errors)} calls failed: {load.errors[:3]}")
        served = [sum(line.get("grpc_status") == "OK" for line in replica.log_lines()) for replica in replicas]
        expect(min(served) > 50, f"both were called: {served}")
        return f"{load.codes['OK']} calls, 4 restarts, 0 failed; {served} answered by each"


def drain_of_a_called_one(place):
    """8. the same below a generated caller: its balancer finds the replica that is there, and not one call fails."""
    replicas = [place.stock(replica=f"-{index}") for index in (1, 2)]
    with replicas[0], replicas[1]:
        # No copies: each call must be answered by a stock that is there.
        settings = {"CALLS__STOCK__STALE_MS": 0}
        with place.sales(settings, [replicas]) as sales, Caller(sales) as caller:
            caller.method(PASSED_ON)
            with Load(8, lambda: caller(PASSED_ON)) as load:
                for round in range(4):
                    time.sleep(0.7)
                    replica = replicas[round % 2]
                    replica.signal()
                    expect(replica.ended() == 0, "it ends well")
                    replica.start()
                    # Longer than an address that could not be reached is passed over.
                    time.sleep(5.5)
            expect(not load.errors, f"{len(load.errors)} calls failed: {load.errors[:3]}")
            served = [sum(line.get("grpc_status") == "OK" for line in replica.log_lines()) for replica in replicas]
            expect(min(served) > 50, f"both were called: {served}")
            return f"{load.codes['OK']} calls, 4 restarts, 0 failed; {served} answered by each"


def dead_dependency(place):
    """9. stock is killed: sales answers from copies that say how old they are, its breaker opens, and closes again."""
    stock = place.stock()
    with stock:
        calls = {"CALLS__STOCK__BREAKER_OPEN_MS": 1000}
        with place.sales(calls, [stock]) as sales, Caller(sales) as caller, Caller(stock) as owner:
            owner(CREATE, name="tea", quantity=2)
            expect(not caller(PASSED_ON).HasField("stale_seconds"), "an answer is new while all is well")
            stock.process.kill()
            stock.process.wait()
            answers = [caller(PASSED_ON) for _ in range(60)]
            stale = sum(code(answer) == "OK" and answer.HasField("stale_seconds") for answer in answers)
            expect(stale == 60, f"{stale} of 60 answers are copies that say so")
            expect(sales.metric("outbound_breaker_state", dependency="stock") == 2, "the breaker is open")
            stock.start()
            began = time.monotonic()
            while caller(PASSED_ON).HasField("stale_seconds"):
                expect(time.monotonic() - began < 20, "it never recovers")
                time.sleep(0.05)
            return f"60 copies of 60, new answers {time.monotonic() - began:.1f} s after it was back"


SCENARIOS = [
    known_by_strangers, refusals, deadlines, one_trace, certificates, overload, drain, drain_of_a_called_one, dead_dependency,
]
