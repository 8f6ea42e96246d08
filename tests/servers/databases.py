"""What a service with a database on a server does, whatever becomes of that server."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

from commands import BUILT, MSVC, release
from engines import PASSWORD, certificate
from parts import in_turn
from services import Service

REPLICAS = 3


def scenarios(kind, scratch):
    return in_turn(Place(kind, scratch), [
        the_services_own_tests_pass, three_replicas_wait_for_a_late_server_and_make_the_schema_once, replicas_share_the_data,
        a_restart_loses_nothing_and_needs_no_restart_of_the_service, a_server_that_hangs_is_given_up,
        a_statement_that_waits_too_long_is_given_up, a_server_that_may_only_be_read_is_not_ready,
        an_encrypted_server_must_show_who_it_is, a_wrong_password_is_told_at_once, a_password_of_digits_is_taken_as_it_is,
        no_log_line_holds_the_password,
    ])


class Place:
    """A server, the workspace of a service that uses it, and the service's replicas."""

    def __init__(self, kind, scratch):
        self.scratch, self.engine = scratch, kind(scratch)
        new = [*MSVC, "new", "orders", "--workspace", "shop", "--quiet", "--auth", "none", "--store", self.engine.option]
        subprocess.run(new, cwd=scratch, check=True)
        self.environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILT)}
        self.binaries = scratch / "binaries"
        release(scratch / "shop", self.binaries, ["orders"])
        self.replicas, self.logs = [], []

    def service(self, number, **changes):
        settings = self.engine.settings(**changes)
        service = Service(self.binaries, "orders", self.scratch, settings, f"-{number}", stateless=True, protected=False)
        self.logs.append(service.log_path)
        return service

    def close(self):
        for service in self.replicas:
            service.__exit__()
        self.engine.stop()


def call(service, method, path, body=None, timeout=8):
    """Status and answer; status 0 where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}{path}", data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")
    except OSError:
        return 0, None


def the_services_own_tests_pass(place):
    """the own tests of one that publishes and of one that reads pass, with a database for each of them on this server;
    without a server those say what to do"""
    options = ["--workspace", "tested", "--quiet", "--auth", "none", "--broker", "nats", "--store", place.engine.option]
    subprocess.run([*MSVC, "new", "orders", *options], cwd=place.scratch, check=True)
    reader = ["--protocol", "events", "--consumes", "orders"]
    subprocess.run([*MSVC, "new", "stock", *options, *reader], cwd=place.scratch, check=True)
    given = place.engine.settings().items()
    settings = {f"{name}__{key}": str(value) for name in ("ORDERS", "STOCK") for key, value in given}
    test = ["cargo", "test", "--locked", "--no-fail-fast", "--package", "orders", "--package", "stock"]
    environment = {**place.environment, **settings}

    def tested():
        return subprocess.run(test, cwd=place.scratch / "tested", env=environment, capture_output=True, text=True)

    place.engine.start()
    ran = tested()
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    passed = ran.stdout.count(" ... ok")
    left = place.engine.ask(place.engine.databases)
    assert "test_" not in left, f"databases are left: {left}"
    version = place.engine.version()
    place.engine.stop()
    without = tested()
    assert without.returncode != 0 and "README.md says how to start one" in without.stdout, without.stdout[-2000:]
    alone = without.stdout.count(" ... ok")
    assert 0 < alone < passed, f"{alone} of {passed}"
    return f"{version}: {passed} tests pass, {alone} of them without a server"


def three_replicas_wait_for_a_late_server_and_make_the_schema_once(place):
    """three replicas start before their server: they live and wait; once it is there they make the schema once"""
    place.replicas = [place.service(number) for number in range(REPLICAS)]
    for service in place.replicas:
        service.launch()
    for service in place.replicas:
        service.until("/livez", 200)
    time.sleep(1)
    answers = Counter((path, service.admin_get(path)[0]) for service in place.replicas for path in ("/startupz", "/readyz"))
    assert answers == {("/startupz", 503): REPLICAS, ("/readyz", 503): REPLICAS}, answers
    place.engine.start()
    took = max(service.until("/readyz", 200) for service in place.replicas)
    applied = place.engine.ask("SELECT count(*) FROM _sqlx_migrations", "orders")
    assert applied == "1", f"{applied} steps were applied"
    waited = [line for service in place.replicas for line in service.log_lines() if line["message"] == "cannot start yet"]
    assert len(waited) >= REPLICAS and all("localhost" in line["error"] for line in waited), waited
    return f"{REPLICAS} replicas ready {took:.2f} s after the server, 1 step applied, {len(waited)} warnings meanwhile"


def replicas_share_the_data(place):
    """what one replica stores the others read, replace and delete"""
    one, two, three = place.replicas
    counted = Counter()
    for number in range(100):
        status, item = call(one, "POST", "/v1/items", {"name": f"shared {number} ☕", "quantity": number})
        counted[f"POST {status}"] += 1
        path = f"/v1/items/{item['id']}"
        assert call(two, "GET", path) == (200, item)
        replaced = {"name": item["name"], "quantity": 1_000_000}
        status, item = call(three, "PUT", path, replaced)
        counted[f"PUT {status}"] += 1
        assert call(one, "GET", path) == (200, item) and item["quantity"] == 1_000_000
        assert call(two, "POST", "/v1/items", replaced)[0] == 409
        if number % 2:
            counted[f"DELETE {call(two, 'DELETE', path)[0]}"] += 1
            assert call(three, "GET", path)[0] == 404
    assert counted == {"POST 201": 100, "PUT 200": 100, "DELETE 204": 50}, counted
    return dict(counted)


def a_restart_loses_nothing_and_needs_no_restart_of_the_service(place):
    """the server restarts under load: callers get 503 at once or soon, probes say why, what was accepted is there after"""
    stop, answers, accepted, lock = threading.Event(), Counter(), [], threading.Lock()

    def caller(service, number):
        count = 0
        while not stop.is_set():
            count += 1
            name = f"restart {number} {count}"
            status, item = call(service, "POST", "/v1/items", {"name": name, "quantity": 1})
            with lock:
                answers[status] += 1
                if status == 201:
                    accepted.append((item["id"], name))
            time.sleep(0.002)

    callers = [threading.Thread(target=caller, args=(place.replicas[number % REPLICAS], number)) for number in range(9)]
    for thread in callers:
        thread.start()
    time.sleep(1)
    before = len(accepted)
    place.engine.stop()
    noticed = max(service.until("/readyz", 503) for service in place.replicas)
    live = [service.admin_get("/livez")[0] for service in place.replicas]
    assert live == [200] * REPLICAS, live
    time.sleep(3)
    place.engine.start()
    recovered = max(service.until("/readyz", 200) for service in place.replicas)
    at = len(accepted)
    time.sleep(1)
    stop.set()
    for thread in callers:
        thread.join()
    assert set(answers) <= {201, 503}, answers
    assert before > 100 and len(accepted) > at and answers[503] > 0, (before, at, answers)
    lost = [item for item in accepted if call(place.replicas[0], "GET", f"/v1/items/{item[0]}")[1]["name"] != item[1]]
    assert not lost, f"{len(lost)} items are lost: {lost[:5]}"
    for service in place.replicas:
        assert service.process.poll() is None
    return (f"{answers[201]} accepted and none lost, {answers[503]} refused; not ready after {noticed:.2f} s, "
            f"ready again after {recovered:.2f} s")


def a_server_that_hangs_is_given_up(place):
    """the server hangs: no caller waits longer than a request may take, and all is well once it goes on"""
    place.engine.freeze()
    try:
        began = time.monotonic()
        answers, slowest = Counter(), 0
        for service in place.replicas:
            asked = time.monotonic()
            answers[call(service, "GET", "/v1/items")[0]] += 1
            slowest = max(slowest, time.monotonic() - asked)
            service.until("/readyz", 503)
            assert service.admin_get("/livez")[0] == 200
        assert set(answers) <= {503, 504} and slowest < 6, (answers, slowest)
    finally:
        place.engine.thaw()
    recovered = max(service.until("/readyz", 200) for service in place.replicas)
    assert [call(service, "GET", "/v1/items")[0] for service in place.replicas] == [200] * REPLICAS
    return f"{dict(answers)}, slowest {slowest:.1f} s, ready again after {recovered:.2f} s"


def a_statement_that_waits_too_long_is_given_up(place):
    """somebody holds the table: the database gives the statement up before the request's time is over"""
    holder = place.engine.holding_the_table()
    try:
        began = time.monotonic()
        status, _ = call(place.replicas[0], "POST", "/v1/items", {"name": "held", "quantity": 1})
        took = time.monotonic() - began
    finally:
        holder.kill()
        holder.wait()
    assert status == 503 and 2.5 < took < 4.5, (status, took)
    deadline = time.monotonic() + 10
    while call(place.replicas[0], "POST", "/v1/items", {"name": "held", "quantity": 1})[0] != 201:
        assert time.monotonic() < deadline, "the table is still held"
        time.sleep(0.1)
    return f"{status} after {took:.1f} s"


def a_server_that_may_only_be_read_is_not_ready(place):
    """after a failover the server may only be read: not ready, writes are refused with 503, and it passes"""
    place.engine.read_only(True)
    try:
        # Sessions that stand keep what they began with.
        place.engine.drop_connections()
        noticed = place.replicas[0].until("/readyz", 503)
        status, _ = call(place.replicas[0], "POST", "/v1/items", {"name": "late", "quantity": 1})
        assert status == 503, status
        assert call(place.replicas[0], "GET", "/v1/items")[0] == 200
    finally:
        place.engine.read_only(False)
        place.engine.drop_connections()
    recovered = place.replicas[0].until("/readyz", 200)
    assert call(place.replicas[0], "POST", "/v1/items", {"name": "late", "quantity": 1})[0] == 201
    return f"not ready after {noticed:.2f} s, writes 503, ready again after {recovered:.2f} s"


def an_encrypted_server_must_show_who_it_is(place):
    """verify-full: the right authority and host get in, over TLS; a wrong authority, a wrong host or no TLS end the start"""
    for service in place.replicas:
        service.__exit__()
    place.replicas = []
    own, other = certificate(place.scratch / "own", "localhost"), certificate(place.scratch / "other", "localhost")
    elsewhere = certificate(place.scratch / "elsewhere", "elsewhere.example")
    secure = {"SSL_MODE": "verify-full", "CA_FILE": own / "ca.crt"}
    refused = {}

    def ends(why, **changes):
        service = place.service(why, **{**secure, **changes})
        service.launch()
        assert service.ended(10) == 1, why
        service.log.close()
        [line] = [line for line in service.log_text().splitlines() if line.startswith("error: ")]
        refused[why] = line.split("`store`): ")[-1]

    ends("no-tls")
    place.engine.restart(*place.engine.with_certificate(elsewhere))
    ends("another-host", CA_FILE=elsewhere / "ca.crt")
    place.engine.restart(*place.engine.with_certificate(own))
    ends("another-authority", CA_FILE=other / "ca.crt")
    with place.service("trusted", **secure) as service:
        status, _ = call(service, "POST", "/v1/items", {"name": "encrypted", "quantity": 1})
        encrypted = place.engine.encrypted()
        assert status == 201 and encrypted[0] > 0 and encrypted[1] == 0, (status, encrypted)
    place.engine.restart()
    return f"{encrypted[0]} of {sum(encrypted)} connections encrypted; refused: {refused}"


def a_wrong_password_is_told_at_once(place):
    """a wrong password ends the start with the reason, and does not show it"""
    wrong = place.scratch / "wrong"
    wrong.write_text(PASSWORD + "not")
    service = place.service("wrong", PASSWORD_FILE=wrong)
    service.launch()
    began = time.monotonic()
    assert service.ended(10) == 1
    service.log.close()
    [line] = [line for line in service.log_text().splitlines() if line.startswith("error: ")]
    assert "orders" in line and "localhost" in line, line
    return f"after {time.monotonic() - began:.1f} s: {line}"


def a_password_of_digits_is_taken_as_it_is(place):
    """a password of digits, in the environment: no number is made of it"""
    digits = "00123456789012345678901"
    place.engine.ask(place.engine.password_is.format(digits))
    service = place.service("digits", PASSWORD=digits)
    del service.environment["ORDERS__STORE__PASSWORD_FILE"]
    try:
        with service:
            status = call(service, "POST", "/v1/items", {"name": "digits", "quantity": 1})[0]
    finally:
        place.engine.ask(place.engine.password_is.format(place.engine.quoted(PASSWORD)))
    assert status == 201, status
    return status


def no_log_line_holds_the_password(place):
    """no line that a service has logged, at any level, holds the password"""
    service = place.service("loud")
    service.environment["ORDERS__LOG__LEVEL"] = "trace"
    with service:
        assert call(service, "POST", "/v1/items", {"name": "loud", "quantity": 1})[0] == 201
    lines = [line for log in place.logs for line in log.read_text().splitlines()]
    # As it is, as JSON has it, as Rust shows it, and the part of it that no form changes.
    forms = [PASSWORD, json.dumps(PASSWORD)[1:-1], "s3cr3t"]
    found = [line for line in lines if any(form in line for form in forms)]
    assert not found, found[:3]
    return f"{len(lines)} lines of {len(place.logs)} processes"
