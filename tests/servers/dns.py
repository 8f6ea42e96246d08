"""Kubernetes without Kubernetes: a DNS server that answers as a cluster's does, for a headless Service, whose name stands for
the addresses of all its pods, and for one with an address of its own. Services ask it by way of a `resolv.conf` as pods have
it, in a mount namespace."""

import shutil
import signal
import time
from collections import Counter

from engines import apt_install
import processes
from parts import in_turn
from registries import REPLICAS, Place, call, until
from services import free_port

ADDRESS = "127.0.0.153"
ZONE = "shop.svc.cluster.local"


def scenarios(scratch):
    return in_turn(Place(Dns, scratch), [
        a_headless_name_is_all_its_pods, pods_come_and_go, while_dns_is_down_the_known_pods_stay,
        a_name_that_is_gone_keeps_its_pods, a_service_with_an_address_of_its_own_is_called_there,
    ])


class Dns:
    option = "kubernetes"
    news = 5

    def __init__(self, scratch):
        if not shutil.which("dnsmasq"):
            apt_install("dnsmasq-base")
        self.scratch = scratch
        self.hosts, self.resolver = scratch / "hosts", scratch / "resolv.conf"
        self.resolver.write_text(
            f"nameserver {ADDRESS}\nsearch {ZONE} svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:1\n")
        self.around = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolver]
        # All pods of a Deployment have the same one.
        self.port = free_port()
        self.process = None
        self.answer_with(*map(self.pod, range(REPLICAS)))

    def pod(self, number):
        return f"127.0.0.{11 + number}"

    def settings(self, name, number):
        if name == "stock":
            return {"SERVER__HOST": self.pod(number), "SERVER__PORT": self.port}
        return {"DISCOVERY__ADDRESSES__STOCK": f"http://stock:{self.port}", "DISCOVERY__REFRESH_MS": 500}

    def answer_with(self, *addresses):
        """What the name of the Service stands for from now on."""
        self.hosts.write_text("".join(f"{address} stock.{ZONE}\n" for address in addresses))
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def start(self):
        self.log = self.scratch / "dns.log"
        self.process = processes.start([
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--listen-address={ADDRESS}", "--bind-interfaces",
            "--port=53", "--no-resolv", "--no-hosts", f"--addn-hosts={self.hosts}", "--local=/cluster.local/", "--local-ttl=1",
            "--user=root", "--log-queries", f"--log-facility={self.log}", f"--pid-file={self.scratch}/dns.pid"])
        until(lambda: self.log.exists() and "started" in self.log.read_text(), "the DNS server")

    def queries(self):
        return self.log.read_text().count(f"] stock.{ZONE} from")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.kill()


def a_headless_name_is_all_its_pods(place):
    """the name of a headless Service stands for three pods, by the search list of the cluster: all are called"""
    until(lambda: all(place.ask(30)[1]), "calls to all three", place.registry.news)
    answers, shares = place.ask(300)
    assert answers == {200: 300} and min(shares) > 50, (answers, shares)
    asked = place.registry.queries()
    assert asked > 0, "no query came"
    return f"300 calls: {shares}; {asked} queries for stock.{ZONE}"


def pods_come_and_go(place):
    """a pod stops as Kubernetes has it, first out of the name, and a new one comes: no call fails, the new one is called"""
    rest = [place.registry.pod(number) for number in (1, 2)]
    place.registry.answer_with(*rest)
    place.stock[0].signal()
    answers = Counter()
    while place.stock[0].process.poll() is None:
        answers[call(place.orders, "meanwhile")] += 1
    answers += place.ask(100)[0]
    assert answers == {200: sum(answers.values())}, answers
    place.again(0)
    place.registry.answer_with(place.registry.pod(0), *rest)
    took = until(lambda: all(place.ask(30)[1]), "calls to the new one", place.registry.news)
    return f"{answers[200]} calls, none failed; the new pod called after {took:.1f} s"


def while_dns_is_down_the_known_pods_stay(place):
    """the DNS server is killed: calls go on to the known pods"""
    place.registry.kill()
    time.sleep(3)
    answers, shares = place.ask(300)
    assert answers == {200: 300} and min(shares) > 50, (answers, shares)
    place.registry.start()
    warnings = told(place)
    assert warnings == 1, f"{warnings} warnings"
    return f"300 calls answered: {shares}; {warnings} warning"


def a_name_that_is_gone_keeps_its_pods(place):
    """for a while the name stands for nobody: calls go on to the known pods"""
    # Until the lookups succeed again.
    time.sleep(1.5)
    place.registry.answer_with()
    time.sleep(3)
    answers, shares = place.ask(300)
    assert answers == {200: 300} and min(shares) > 50, (answers, shares)
    assert told(place) == 2, f"{told(place)} warnings"
    return f"300 calls answered: {shares}"


def a_service_with_an_address_of_its_own_is_called_there(place):
    """the name of a Service stands for one address: all calls go there"""
    place.registry.answer_with(place.registry.pod(1))
    until(lambda: place.ask(30)[1] == [0, 30, 0], "calls to that address only", place.registry.news)
    answers, shares = place.ask(100)
    assert answers == {200: 100} and shares == [0, 100, 0], (answers, shares)
    return f"100 calls: {shares}"


def told(place):
    """How often the caller has said that it finds no addresses."""
    return sum("no addresses found" in line["message"] for line in place.orders.log_lines())
