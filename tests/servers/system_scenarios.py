"""What the services of one file do together."""

import json
import shutil
import time
import urllib.error
import urllib.request

from broker_scenarios import Reader
from commands import MSVC, ROOT, machete, release, run
from consul import Consul
from engines import MariaDb, Postgres
from message_brokers import Nats, RabbitMq
from parts import in_turn
from services import Service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BUSINESS = ROOT / "tests/servers/business"
CALLED = ["catalog", "gateway", "inventory", "orders", "shipping"]
READERS = ["audit", "mailer"]
# Of the owner's business: what calls need that no example makes.
SEND_BY_REST = """\
    pub async fn send(&self, item: &Item) -> Result<Item, CallError> {
        self.0.post("/v1/orders", item).await
    }

"""
# Its excerpt of the other's contract lists items only.
CREATE_METHOD = "  rpc CreateItem(CreateItemRequest) returns (CreateItemResponse);\n"
CREATE_MESSAGES = """\
message CreateItemRequest {
  string name = 1;
  uint32 quantity = 2;
}

message CreateItemResponse {}

"""
SEND_BY_GRPC = """\
    pub async fn send(&self, item: &Item) -> Result<(), CallError> {
        let (name, quantity) = (item.name.clone(), item.quantity);
        let create = theirs::CreateItemRequest { name, quantity };
        answer(self.0.clone().create_item(create).await)?;
        Ok(())
    }

"""


def scenarios(scratch):
    return in_turn(Place(scratch), [
        all_are_made_clean, all_start_at_once, one_request_goes_through_all, a_service_that_is_gone_costs_its_callers_an_answer,
        nothing_is_lost_while_a_reader_is_away, a_reader_waits_for_whom_it_calls,
    ])


class Place:
    """The workspace, and all that runs."""

    def __init__(self, scratch):
        self.scratch, self.workspace = scratch, scratch / "shop"
        shutil.copy2(ROOT / "docs/shop.toml", scratch)
        self.parts, self.services = [], {}

    def msvc(self, *arguments, where=None):
        return run([*MSVC, *arguments], where or self.workspace)

    def edit(self, path, old, new):
        """As its owner would."""
        file = self.workspace / "services" / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} has {old!r} once"
        file.write_text(text.replace(old, new))

    def order(self, name, trace=TRACE):
        """Status of an order of it, by the gateway."""
        gateway = self.services["gateway"]
        headers = {
            "authorization": f"Bearer {gateway.bearer}", "content-type": "application/json",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        }
        body = json.dumps({"name": name, "quantity": 1}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}/v1/orders", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def lines(self, service, trace=TRACE):
        """What a service has logged of a trace."""
        return [line for line in self.services[service].log_lines() if line.get("trace_id") == trace]

    def until(self, holds, what, seconds=30):
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, f"{what} never was"
            time.sleep(0.05)
        return time.monotonic() - began

    def close(self):
        for service in self.services.values():
            if service.process:
                service.__exit__()
        for part in reversed(self.parts):
            (getattr(part, "close", None) or part.stop)()


def all_are_made_clean(place):
    """From the file: no finding, no warning, no dependency that nobody uses, in any of the seven services."""
    place.msvc("new", "--from", "shop.toml", where=place.scratch)
    found = place.msvc("lint").strip().splitlines()[-1]
    assert "no findings" in found, found
    machete(place.workspace)
    # What the owner's business is: one order goes through the whole shop.
    for service in ("orders", "gateway"):
        shutil.copy2(BUSINESS / f"{service}.rs", place.workspace / "services" / service / "src/place.rs")
        place.edit(f"{service}/src/lib.rs", "pub mod routes;", "pub mod place;\npub mod routes;")
    built = "let routes = routes.merge(chassis_rest::openapi::router(OPENAPI));"
    shop = "let routes = routes.merge(place::router(place::Shop::new(config, waiting.clone())?));"
    place.edit("orders/src/lib.rs", built, f"{shop}\n    {built}")
    shop = "let routes = routes.merge(place::router(place::Shop::new(config)?));"
    guarded = "let routes = routes.route_layer(from_fn_with_state(verifier, auth::require));"
    place.edit("gateway/src/lib.rs", guarded, f"{shop}\n    {guarded}")
    own = "    /// The first items. A copy when there is no answer.\n"
    place.edit("gateway/src/clients/orders.rs", own, SEND_BY_REST + own)
    place.edit("orders/src/clients/shipping.rs", own, SEND_BY_GRPC + own)
    listed = "  rpc ListItems("
    place.edit("orders/proto/shipping/v1/items.proto", listed, CREATE_METHOD + listed)
    listed = "message ListItemsRequest {"
    place.edit("orders/proto/shipping/v1/items.proto", listed, CREATE_MESSAGES + listed)
    place.binaries = place.scratch / "binaries"
    said = release(place.workspace, place.binaries, (*CALLED, *READERS))
    assert "warning" not in said, said[-3000:]
    return found


def all_start_at_once(place):
    """All services, before any of the servers that they need: each waits for its own, and is ready when it is there."""
    folder = {name: place.scratch / name for name in ("audit", "inventory", "mailer", "nats", "orders", "rabbitmq")}
    for path in folder.values():
        path.mkdir(mode=0o755)
    # Each service has its own.
    databases = {name: Postgres(folder[name]) for name in ("audit", "inventory")}
    databases |= {name: MariaDb(folder[name]) for name in ("mailer", "orders")}
    nats, rabbitmq, consul = Nats(folder["nats"]), RabbitMq(folder["rabbitmq"]), Consul(place.scratch)
    run(["sh", "crates/chassis-tls/dev-certificates.sh", "orders", "shipping"], place.workspace)
    shown, shows = place.workspace / "certificates", {}
    for name, section in (("orders", "CLIENT_TLS"), ("shipping", "SERVER_TLS")):
        shows[name] = {f"{section}__{key}_FILE": shown / name / f"tls.{end}" for key, end in (("CERTIFICATE", "crt"), ("KEY", "key"))}
    shows["orders"]["CLIENT_TLS__CA_FILE"] = shows["shipping"]["SERVER_TLS__CLIENT_CA_FILE"] = shown / "ca.crt"
    place.parts = [*databases.values(), nats, rabbitmq, consul]
    listed = consul.settings()
    settings = {
        "catalog": listed, "gateway": listed, "shipping": {**listed, **nats.settings(), **shows["shipping"]},
        "inventory": {**listed, **databases["inventory"].settings()},
        "orders": {
            **listed, **databases["orders"].settings(), **rabbitmq.settings(), **shows["orders"],
            "TOKEN__SHIPPING_FILE": place.scratch / "shipping.token",
        },
        "audit": {**rabbitmq.settings(), **databases["audit"].settings()},
        "mailer": {**listed, **nats.settings(), **databases["mailer"].settings()},
    }
    # Nobody calls it, so it is not listed.
    settings["mailer"] = {key: value for key, value in settings["mailer"].items() if not key.startswith("ADVERTISED__")}
    # Who calls nobody has nothing to look up.
    for name in ("catalog", "inventory", "shipping"):
        settings[name] = {key: value for key, value in settings[name].items() if not key.startswith("DISCOVERY__")}
    for name in CALLED:
        has_file = name in ("catalog", "shipping")
        place.services[name] = Service(
            place.binaries, name, place.scratch, settings[name], stateless=not has_file,
            protected=name in ("gateway", "shipping"))
    for name in READERS:
        place.services[name] = Reader(place.binaries, name, place.scratch, settings[name], stateless=True)
    place.services["gateway"].bearer = place.services["gateway"].token()
    (place.scratch / "shipping.token").write_text(place.services["shipping"].token())
    for service in place.services.values():
        service.launch()
    time.sleep(1)
    early = [name for name, service in place.services.items() if service.admin_get("/readyz")[0] == 200]
    for part in place.parts:
        part.start()
    began = time.monotonic()
    for service in place.services.values():
        service.until("/readyz", 200, 90)
    took = time.monotonic() - began
    for name in CALLED:
        place.until(lambda: consul.healthy(name), f"{name} in the registry")
    # A broker may come later than its publisher, whose events wait in its own database.
    assert set(early) <= {"catalog", "gateway", "shipping"}, f"{early} were ready without what they need"
    known = place.until(lambda: place.order(f"first {time.monotonic()}", "c" * 32) == 201, "a first order", 30)
    return f"7 services and 7 servers; the last was ready {took:.1f} s after the last server, and all were found {known:.1f} s later"


def one_request_goes_through_all(place):
    """An order: one trace id is in the logs of the gateway, of all that are called, by REST, by gRPC and by gRPC over mutual TLS
    with a token, of those that read the events, and of whom one of these calls."""
    status = place.order("tea")
    assert status == 201, status

    def handled(reader):
        return any(line["message"] == "message handled" for line in place.lines(reader))

    place.until(lambda: all(map(handled, READERS)) and all(map(place.lines, CALLED)), "the trace in every log")
    counts = {name: len(place.lines(name)) for name in sorted(place.services)}
    last = {name: place.lines(name)[-1]["message"] for name in READERS}
    assert set(last.values()) == {"message handled"}, last
    assert counts["inventory"] == 2, f"called by orders, then by a reader of what came of it: {counts}"
    return ", ".join(f"{name} {count}" for name, count in counts.items()) + " lines of one trace"


def a_service_that_is_gone_costs_its_callers_an_answer(place):
    """Shipping dies: orders are refused at once and not half made, the rest answers; it comes back, and so do they."""
    shipping = place.services["shipping"]
    shipping.process.kill()
    shipping.process.wait()
    refused, slowest = 0, 0.0
    for number in range(10):
        began = time.monotonic()
        status = place.order(f"late {number}", f"{number:032x}".replace("0", "a", 1))
        slowest = max(slowest, time.monotonic() - began)
        refused += status in (502, 503, 504)
    assert refused == 10 and slowest < 5, (refused, slowest)
    shipping.launch()
    shipping.until("/readyz", 200, 30)
    back = place.until(lambda: place.order(f"again {time.monotonic()}") == 201, "an order after its return", 90)
    return f"10 of 10 refused, the slowest after {slowest:.1f} s; an order again {back:.1f} s after its return"


def nothing_is_lost_while_a_reader_is_away(place):
    """The readers are away for 50 orders: they read all of them when they are back, once."""
    for name in READERS:
        place.services[name].signal()
        assert place.services[name].ended() == 0
    placed = sum(place.order(f"unread {number}", f"{number + 1:032x}".replace("0", "b", 1)) == 201 for number in range(50))
    for name in READERS:
        place.services[name].launch()
        place.services[name].until("/readyz", 200, 60)
    unread = {f"{number + 1:032x}".replace("0", "b", 1) for number in range(50)}

    def handled(name):
        lines = (line for line in place.services[name].log_lines() if line.get("message") == "message handled")
        return [line["trace_id"] for line in lines if line.get("trace_id") in unread]

    for name in READERS:
        place.until(lambda: len(set(handled(name))) >= placed, f"{placed} events at {name}", 60)
    twice = {name: len(handled(name)) - len(set(handled(name))) for name in READERS}
    assert placed == 50, placed
    return f"{placed} placed, {placed} read by each; delivered again: {twice}"


def a_reader_waits_for_whom_it_calls(place):
    """Inventory is gone when the mailer starts, which has no copy of its answers: an event waits for it, and is handled once."""
    mailer, inventory, trace = place.services["mailer"], place.services["inventory"], "d" * 32
    mailer.signal()
    assert mailer.ended() == 0
    inventory.process.kill()
    inventory.process.wait()
    mailer.launch()
    mailer.until("/readyz", 200, 60)
    # Orders has a copy, which is better than no order.
    assert place.order("from a copy", trace) == 201

    def said(message):
        return [line for line in place.lines("mailer", trace) if line["message"] == message]

    place.until(lambda: len(said("message not handled")) >= 2, "a second attempt")
    assert not said("message handled")
    inventory.launch()
    inventory.until("/readyz", 200, 30)
    took = place.until(lambda: said("message handled"), "the event", 60)
    [handled] = said("message handled")
    assert handled["outcome"] == "handled", handled
    return f"handled at attempt {handled['attempt']}, {took:.1f} s after its return"
