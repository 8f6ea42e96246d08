"""How services with a registry list themselves and find each other, whatever becomes of that registry."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

from commands import MSVC, release
from parts import in_turn
from services import Service

REPLICAS = 3


def scenarios(kind, scratch):
    return in_turn(Place(kind, scratch), [
        instances_list_themselves_and_are_all_called, what_stops_is_called_no_more, what_dies_is_called_no_more,
        what_is_not_ready_is_not_listed, while_the_registry_is_down_the_known_instances_stay,
        a_registry_that_has_forgotten_is_told_again,
    ])


class Place:
    """A registry, replicas of `stock`, and `orders`, which calls them."""

    def __init__(self, kind, scratch):
        self.scratch, self.registry = scratch, kind(scratch)
        new = [*MSVC, "new", "--quiet", "--auth", "none", "--store", "none", "--discovery", self.registry.option]
        subprocess.run([*new, "stock", "--workspace", "shop"], cwd=scratch, check=True)
        subprocess.run([*new, "orders", "--calls", "stock"], cwd=scratch / "shop", check=True)
        # As its owner would: each replica says which one it is, and may be told that it is not well.
        library = scratch / "shop/services/stock/src/lib.rs"
        text = library.read_text()
        check = "let checks = Checks::new(&config.admin);"
        assert text.count(check) == 1, "the checks are made once"
        library.write_text(text.replace(check, check[:-1] + """.add("switch", || {
        Box::pin(async {
            match std::env::var_os("STOCK_SICK").is_some_and(|file| std::path::Path::new(&file).exists()) {
                true => Err("switched off".into()),
                false => Ok(()),
            }
        })
    });"""))
        self.binaries = scratch / "binaries"
        release(scratch / "shop", self.binaries, ("stock", "orders"))
        self.registry.start()
        self.stock = [self.service("stock", number) for number in range(REPLICAS)]
        self.orders = self.service("orders", "")
        for service in (*self.stock, self.orders):
            service.__enter__()

    def service(self, name, number):
        settings = self.registry.settings(name, number)
        if name == "stock":
            # It calls nobody, so it has nothing to look up.
            settings = {key: value for key, value in settings.items() if not key.startswith("DISCOVERY__")}
        service = Service(self.binaries, name, self.scratch, settings, f"-{number}", stateless=True, protected=False)
        service.command = [*self.registry.around, service.binary]
        service.sick = self.scratch / f"{name}{number}-is-sick"
        service.environment["STOCK_SICK"] = str(service.sick)
        return service

    def again(self, number):
        """Another replica in the place of one that is gone."""
        self.stock[number].__exit__()
        self.stock[number] = self.service("stock", number)
        self.stock[number].__enter__()

    def close(self):
        for service in (self.orders, *self.stock):
            service.__exit__()
        self.registry.stop()

    def ask(self, count):
        """Status of so many calls of orders to stock, and how many of them each replica has answered."""
        before = [served(service) for service in self.stock]
        answers = Counter()
        for number in range(count):
            answers[call(self.orders, f"call {number}")] += 1
        shares = [served(service) - was if service.process.poll() is None else 0
                  for service, was in zip(self.stock, before)]
        return answers, shares


def served(service):
    """How many requests a replica has answered."""
    if service.process.poll() is not None:
        return 0
    return int(service.metric("http_requests_total", route="/v1/echo"))


def call(service, message):
    """Status of a call that the service makes for us; 0 where nobody answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/v1/stock/echo", json.dumps({"message": message}).encode(),
        {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=8) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def until(found, what, seconds=20):
    began = time.monotonic()
    while not found():
        assert time.monotonic() - began < seconds, f"not in {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def ports(place):
    return sorted(service.port for service in place.stock if service.process.poll() is None)


def instances_list_themselves_and_are_all_called(place):
    """three instances list themselves once they are ready; a caller finds them all and shares its calls among them"""
    listed = until(lambda: place.registry.healthy("stock") == ports(place), "three instances in the registry")
    until(lambda: all(place.ask(30)[1]), "calls to all three", place.registry.news)
    answers, shares = place.ask(300)
    assert answers == {200: 300} and min(shares) > 50, (answers, shares)
    return f"{place.registry.version()}: listed after {listed:.1f} s; 300 calls: {shares}"


def what_stops_is_called_no_more(place):
    """SIGTERM under load: the instance leaves the registry before it drains, and no call fails that callers could know of"""
    stop, answers = threading.Event(), Counter()

    def caller():
        while not stop.is_set():
            answers[call(place.orders, "load")] += 1

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for thread in callers:
        thread.start()
    time.sleep(0.5)
    gone = place.stock[0]
    began = time.monotonic()
    gone.signal()
    left = until(lambda: gone.port not in place.registry.healthy("stock"), "it left")
    assert gone.process.poll() is None, "it had ended before it left"
    status = gone.ended()
    ended = time.monotonic() - began
    time.sleep(0.5)
    stop.set()
    for thread in callers:
        thread.join()
    failed = sum(answers.values()) - answers[200]
    assert status == 0 and failed <= (0 if place.registry.leaves_at_once else 4), (status, answers)
    messages = [line["message"] for line in gone.log_lines()]
    assert messages.index("left the registry") < messages.index("stopped"), messages
    place.again(0)
    until(lambda: place.registry.healthy("stock") == ports(place), "three instances again")
    return f"{answers[200]} calls, {failed} failed; out of the registry {left:.2f} s after the signal, ended after {ended:.1f} s"


def what_dies_is_called_no_more(place):
    """an instance is killed: of calls that may not be repeated those fail that find out, and the registry drops it"""
    gone = place.stock[1]
    gone.process.kill()
    gone.process.wait()
    answers, _ = place.ask(200)
    assert answers[200] >= 198, answers
    dropped = until(lambda: gone.port not in place.registry.healthy("stock"), "it was dropped", place.registry.patience)
    place.again(1)
    until(lambda: place.registry.healthy("stock") == ports(place), "three instances again", place.registry.patience)
    until(lambda: all(place.ask(30)[1]), "calls to the new one too", place.registry.news)
    return f"{answers[200]} of 200 calls answered; dropped after {dropped:.1f} s, its successor called"


def what_is_not_ready_is_not_listed(place):
    """an instance that is not ready is not called, and called again once it is"""
    place.stock[2].sick.touch()
    told = until(lambda: place.stock[2].port not in place.registry.healthy("stock"), "it said so", place.registry.patience)
    until(lambda: place.ask(30)[1][2] == 0, "no calls to it", place.registry.news)
    place.stock[2].sick.unlink()
    back = until(lambda: place.registry.healthy("stock") == ports(place), "it is back", place.registry.patience)
    until(lambda: all(place.ask(30)[1]), "calls to all", place.registry.news)
    return f"out after {told:.1f} s, back after {back:.1f} s"


def while_the_registry_is_down_the_known_instances_stay(place):
    """the registry is killed: calls go on to the known instances, who are live and ready, and one warning tells it"""
    place.registry.kill()
    time.sleep(3)
    answers, shares = place.ask(300)
    assert answers == {200: 300} and min(shares) > 50, (answers, shares)
    for service in (*place.stock, place.orders):
        assert [service.admin_get(path)[0] for path in ("/livez", "/readyz")] == [200, 200], service.name
    warned = [sum("registry cannot be" in line["message"] for line in service.log_lines() if line["level"] == "WARN")
              for service in place.stock]
    assert max(warned) <= 1, warned
    return f"300 calls answered: {shares}; {warned} warnings of the three"


def a_registry_that_has_forgotten_is_told_again(place):
    """the registry comes back and knows nobody: all list themselves again, and meanwhile no call fails"""
    place.registry.start()
    answers = Counter()
    began = time.monotonic()
    while place.registry.healthy("stock") != ports(place):
        assert time.monotonic() - began < place.registry.patience, f"not all came back: {place.registry.healthy('stock')}"
        answers[call(place.orders, "meanwhile")] += 1
    took = time.monotonic() - began
    again, shares = place.ask(300)
    assert set(answers) <= {200} and again == {200: 300} and min(shares) > 50, (answers, again, shares)
    return f"all back after {took:.1f} s, {answers[200]} calls meanwhile, none failed; then {shares}"
