"""What services do with events, whatever becomes of them and of the broker."""

import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from commands import MSVC, release
from message_brokers import PASSWORDS
from parts import in_turn
from services import Service

EVENTS = 10_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def scenarios(kind, scratch):
    return in_turn(Place(kind, scratch), [
        a_broker_that_comes_late_or_goes_is_waited_for, one_trace_goes_from_the_request_to_the_reader,
        nothing_is_lost_when_all_are_killed, a_reader_that_stops_leaves_nothing_half_done,
        replicas_share_the_work_and_take_over, a_guarded_broker_is_reached_with_a_password,
        what_fails_is_tried_again_later, what_nobody_can_read_is_put_aside,
    ])


class Place:
    """A broker, `inventory` that publishes what becomes of its items, and `stock` that reads it."""

    def __init__(self, kind, scratch):
        self.scratch, self.kind, self.broker = scratch, kind, kind(scratch)
        new = [*MSVC, "new", "--quiet", "--broker", self.broker.option]
        subprocess.run([*new, "inventory", "--workspace", "shop", "--auth", "none"], cwd=scratch, check=True)
        workspace = scratch / "shop"
        subprocess.run([*new, "stock", "--protocol", "events", "--consumes", "inventory"], cwd=workspace, check=True)
        self.binaries = binaries = scratch / "binaries"
        release(workspace, binaries, ("inventory", "stock"))
        settings = self.broker.settings()
        self.inventory = Service(binaries, "inventory", scratch, settings, protected=False)
        settings = {**settings, "CONSUMER__BACKOFF_MS": 200}
        self.stock = Reader(binaries, "stock", scratch, settings)
        # On the same database, as replicas are.
        self.replica = Reader(binaries, "stock", scratch, {**settings, "STORE__PATH": self.stock.database}, "-replica")

    def post(self, name, headers=None, to=None):
        body = f'{{"name": "{name}", "quantity": 1}}'.encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{(to or self.inventory).port}/v1/items", body, {"content-type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def insist(self, name):
        """Posts until it is there, as a caller does whose server dies: 409 says that it was before."""
        while True:
            try:
                if (status := self.post(name)) in (201, 409):
                    return status
            except OSError:
                pass
            time.sleep(0.05)

    def post_all(self, prefix, count):
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda number: self.insist(f"{prefix} {number}"), range(count)))

    def items(self):
        return one(self.inventory.database, "SELECT count(*) FROM items")

    def outbox(self):
        return one(self.inventory.database, "SELECT count(*) FROM outbox")

    def counted(self):
        return one(self.stock.database, "SELECT coalesce(sum(events), 0) FROM tallies WHERE kind = 'items.created'")

    def until_all_are_counted(self, seconds=180):
        began = time.monotonic()
        while self.outbox() or self.counted() < self.items():
            assert time.monotonic() - began < seconds, (
                f"{self.items()} items, {self.outbox()} in the outbox, {self.counted()} counted")
            time.sleep(0.2)

    def close(self):
        for service in (self.inventory, self.stock, self.replica):
            if service.process:
                service.__exit__()
        self.broker.close()


class Reader(Service):
    """A service that nobody calls."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options, protected=False)
        self.environment = {key: value for key, value in self.environment.items() if "__SERVER__" not in key}

    def handled(self):
        """Ids of messages that it handled in all its lives, as its log has them, and how: `handled` or `duplicate`."""
        lines = (line for line in self.log_lines() if line.get("message") == "message handled")
        return [(line["message_id"], line["outcome"]) for line in lines]

    def outcomes(self):
        return Counter(outcome for _, outcome in self.handled())


def one(database, query):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as connection:
        return connection.execute(query).fetchone()[0]


def a_broker_that_comes_late_or_goes_is_waited_for(place):
    """The broker starts after the services, and goes: callers are served meanwhile, and the reader says that it is not ready."""
    place.inventory.start()
    place.stock.launch()
    place.stock.until("/startupz", 200)
    assert place.stock.admin_get("/readyz")[0] == 503, "it cannot read"
    place.broker.start()
    late = place.stock.until("/readyz", 200, 30)
    assert place.post("first") == 201
    place.until_all_are_counted(30)
    time.sleep(1)
    place.broker.kill()
    place.stock.until("/readyz", 503, 30)
    assert place.post("meanwhile") == 201
    assert place.outbox() == 1
    place.broker.start()
    back = place.stock.until("/readyz", 200, 30)
    place.until_all_are_counted(30)
    return f"ready {late:.1f} s after its start and {back:.1f} s after its return; what was stored meanwhile is read"


def one_trace_goes_from_the_request_to_the_reader(place):
    """A traced request: its trace id is in the log of the service that it came to, and of the reader of its event."""
    assert place.post("traced", {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}) == 201
    place.until_all_are_counted(30)
    time.sleep(0.1)
    for service in (place.inventory, place.stock):
        lines = [line for line in service.log_lines() if line.get("trace_id") == TRACE]
        assert lines, f"{service.name} has no line of the trace"
    assert lines[-1]["message"] == "message handled" and lines[-1]["message_type"] == "items.created", lines[-1]
    return "one trace id in both logs"


def nothing_is_lost_when_all_are_killed(place):
    """10,000 events, while publisher, reader and broker are killed and come back, three times each."""
    before, handled = place.items(), place.stock.outcomes()
    posting = threading.Thread(target=place.post_all, args=("item", EVENTS))
    posting.start()
    kills = 0
    for share in range(1, 10):
        while place.items() - before < share * EVENTS // 10:
            time.sleep(0.01)
        victim = (place.inventory, place.stock, place.broker)[share % 3]
        if victim is place.broker:
            victim.restart(0.5)
        else:
            victim.process.kill()
            victim.process.wait()
            victim.launch()
        kills += 1
    posting.join()
    place.until_all_are_counted()
    stored = place.items() - before
    quantity = one(place.stock.database, "SELECT quantity FROM tallies WHERE kind = 'items.created'")
    assert stored == EVENTS and place.counted() == place.items() == quantity, (stored, place.counted(), quantity)
    time.sleep(0.2)
    outcomes = place.stock.outcomes() - handled
    return (f"{kills} kills; {stored} published, {sum(outcomes.values())} deliveries seen in the log, "
            f"{outcomes['duplicate']} duplicates absorbed, {stored + before - place.counted()} lost")


def a_reader_that_stops_leaves_nothing_half_done(place):
    """The reader is told to stop while 2,000 events come, and starts again: no event is handled twice."""
    before = len(place.stock.handled())
    posting = threading.Thread(target=place.post_all, args=("more", 2_000))
    posting.start()
    took = []
    for _ in range(3):
        counted = place.counted()
        while place.counted() < counted + 200 and posting.is_alive():
            time.sleep(0.01)
        began = time.monotonic()
        place.stock.signal()
        assert place.stock.ended() == 0
        took.append(time.monotonic() - began)
        place.stock.start()
    posting.join()
    place.until_all_are_counted()
    time.sleep(0.1)
    # What died in the hands of a reader before may come again now. It was handled before.
    since = place.stock.handled()[before:]
    new = {message for message, outcome in since if outcome == "handled"}
    twice = [message for message, outcome in since if outcome == "duplicate" and message in new]
    assert len(new) == 2_000 and not twice, (len(new), len(twice))
    return f"stopped 3 times, within {max(took):.1f} s; 2000 handled, 0 twice"


def replicas_share_the_work_and_take_over(place):
    """Two replicas read 3,000 events, and one of them is killed in the middle: both have had their share, nothing is lost."""
    readers = (place.stock, place.replica)
    place.replica.start()
    place.replica.until("/readyz", 200, 30)
    before = place.stock.outcomes()
    posting = threading.Thread(target=place.post_all, args=("shared", 3_000))
    posting.start()
    began = time.monotonic()
    while min(sum((reader.outcomes() - gone).values()) for reader, gone in zip(readers, (before, Counter()))) < 100:
        assert time.monotonic() - began < 60, f"one has no share: {[reader.outcomes() for reader in readers]}"
        time.sleep(0.1)
    place.replica.process.kill()
    place.replica.process.wait()
    killed = time.monotonic()
    posting.join()
    place.until_all_are_counted()
    took = time.monotonic() - killed
    shares = [(reader.outcomes() - gone)["handled"] for reader, gone in zip(readers, (before, Counter()))]
    assert place.counted() == place.items(), (place.counted(), place.items(), shares)
    return f"{shares[0]} and {shares[1]} seen in their logs; all were counted {took:.1f} s after the kill"


def a_guarded_broker_is_reached_with_a_password(place):
    """Another broker encrypts and asks for passwords: with them an event goes through it, with a wrong one or without its
    authority none does, and no log holds a password."""
    scratch = place.scratch / "guarded"
    scratch.mkdir(mode=0o755)
    broker = place.kind(scratch, guarded=True)
    inventory = Service(place.binaries, "inventory", scratch, broker.settings("inventory"), protected=False)
    stock = Reader(place.binaries, "stock", scratch, broker.settings("stock"))
    settings = broker.settings("stock")
    wrong = scratch / "wrong.password"
    wrong.write_text("guessed\n")
    strangers = [
        Reader(place.binaries, "stock", scratch, {**settings, "BROKER__PASSWORD_FILE": wrong}, "-guessed"),
        Reader(place.binaries, "stock", scratch, {key: value for key, value in settings.items() if "CA_FILE" not in key}, "-alone"),
    ]
    every = [inventory, stock, *strangers]
    try:
        broker.start()
        for service in every:
            service.launch()
        for service in (inventory, stock):
            service.until("/readyz", 200, 60)
        assert place.post("guarded", to=inventory) == 201
        began = time.monotonic()
        while not stock.handled():
            assert time.monotonic() - began < 60, "the event does not come"
            time.sleep(0.1)
        reasons = []
        for stranger in strangers:
            began = time.monotonic()
            while not (told := [line["error"] for line in stranger.log_lines() if "error" in line]):
                assert time.monotonic() - began < 60, "nothing is told"
                time.sleep(0.1)
            assert stranger.admin_get("/readyz")[0] == 503 and not stranger.handled(), stranger.log_path
            reasons.append(told[0])
        for service in every:
            text = service.log_path.read_text()
            assert not any(password in text for password in (*PASSWORDS.values(), "guessed")), service.log_path
        return f"one event went through; others are told: {'; '.join(reasons)}"
    finally:
        for service in every:
            if service.process:
                service.__exit__()
        broker.close()


def what_fails_is_tried_again_later(place):
    """Somebody locks the reader's database for three seconds: its events are tried again, after pauses that grow."""
    before = place.stock.metric("messages_consumed_total", outcome="retried")
    lock = sqlite3.connect(place.stock.database, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    place.post("locked out")
    time.sleep(3)
    lock.execute("ROLLBACK")
    lock.close()
    place.until_all_are_counted(30)
    retried = place.stock.metric("messages_consumed_total", outcome="retried") - before
    assert retried >= 1
    return f"{retried:.0f} attempts failed, then it was counted"


def what_nobody_can_read_is_put_aside(place):
    """An event that is no JSON is among the dead letters, and the one behind it is handled."""
    dead = place.broker.waiting("stock_inventory_dead")
    with sqlite3.connect(place.inventory.database, timeout=10) as outbox:
        outbox.execute("INSERT INTO outbox (message_id, kind, message_key, body) VALUES ('broken', 'items.created', '1', x'7b')")
    outbox.close()
    assert place.post("behind it") == 201
    place.until_all_are_counted(30)
    began = time.monotonic()
    while place.broker.waiting("stock_inventory_dead") != dead + 1:
        assert time.monotonic() - began < 10, "it is not put aside"
        time.sleep(0.1)
    time.sleep(0.1)
    [line] = [line for line in place.stock.log_lines() if line.get("message_id") == "broken"]
    assert line["message"] == "a message is put aside" and line["attempts"] == 1, line
    return "after one attempt"
