"""What must hold of services that show each other certificates: made by the script that the workspace has for it."""

import asyncio
import shutil
import ssl
import subprocess

from load import Connection, closed_loop
from scenarios import expect
from commands import ROOT
from services import Service

SCRIPT = ROOT / "templates/crates/chassis-tls/dev-certificates.sh"
# How often services look for new certificates, in this test.
RELOAD_MS = 100


def make(directory, *names):
    """Certificates for these names. Another directory has another authority."""
    directory.mkdir(exist_ok=True)
    subprocess.run(["sh", SCRIPT, *names], cwd=directory, check=True, capture_output=True)
    return directory / "certificates"


def context(authority, shown=None):
    """A caller that believes `authority` and shows a certificate, or none."""
    made = ssl.create_default_context(cafile=authority / "ca.crt")
    if shown:
        made.load_cert_chain(shown / "tls.crt", shown / "tls.key")
    return made


def service(place, certificates, name, settings, **options):
    own = certificates / name
    client = {} if name == "inventory" else {
        "CLIENT_TLS__CA_FILE": own / "ca.crt", "CLIENT_TLS__CERTIFICATE_FILE": own / "tls.crt",
        "CLIENT_TLS__KEY_FILE": own / "tls.key", "CLIENT_TLS__RELOAD_MS": RELOAD_MS,
    }
    return Service(place["mutual"], name, place["scratch"], {
        "SERVER_TLS__CERTIFICATE_FILE": own / "tls.crt", "SERVER_TLS__KEY_FILE": own / "tls.key",
        "SERVER_TLS__CLIENT_CA_FILE": own / "ca.crt", "SERVER_TLS__RELOAD_MS": RELOAD_MS,
        "LOG__LEVEL": "info", **client, **settings,
    }, **options)


async def reloaded(*services, before):
    """Waits until each has taken new files at both of its ends."""
    for service in services:
        for _ in range(200):
            if service.metric("tls_reloads_total", result="ok") > before[service]:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError(f"{service.name} takes no new certificate: {service.log_text()[-1000:]}")


async def mutual_tls(place):
    """9. three services that show each other certificates: strangers are refused, renewal under load loses no request."""
    certificates = make(place["scratch"] / "ours", "inventory", "orders", "gateway", "caller")
    strange = make(place["scratch"] / "theirs", "caller")
    with service(place, certificates, "inventory", {}) as inventory:
        (place["scratch"] / "inventory.token").write_text(inventory.bearer)
        with service(place, certificates, "orders", {
            "DISCOVERY__ADDRESSES__INVENTORY": f"https://localhost:{inventory.port}",
            "TOKEN__INVENTORY_FILE": place["scratch"] / "inventory.token", "CALLS__INVENTORY__STALE_MS": 0,
        }) as orders:
            (place["scratch"] / "orders.token").write_text(orders.bearer)
            with service(place, certificates, "gateway", {
                "DISCOVERY__ADDRESSES__ORDERS": f"https://localhost:{orders.port}",
                "TOKEN__ORDERS_FILE": place["scratch"] / "orders.token", "CALLS__ORDERS__STALE_MS": 0,
            }, stateless=True) as gateway:
                ours = context(certificates, certificates / "caller")
                answer = await Connection(gateway.port, gateway.bearer, ours).request("/v1/orders/items")
                expect(answer.status == 200, f"who belongs here is answered: {answer.status} {answer.error}")
                refused = await strangers(orders, certificates, strange)
                answered = await renewed(place, certificates, inventory, orders, gateway)
                kept = await unusable(certificates, orders)
                logs = "".join(each.log_text() for each in (inventory, orders, gateway))
                keys = [path.read_text().splitlines()[1] for path in certificates.glob("*/tls.key")]
                expect(not any(key in logs for key in keys), "no key is logged")
                return f"{refused} kinds of strangers refused; {answered}; {kept}"


async def strangers(orders, certificates, strange):
    before = orders.metric("tls_handshake_failures_total")
    kinds = {
        "without a certificate": context(certificates),
        "with another authority's": context(certificates, strange / "caller"),
        "in plain HTTP": None,
    }
    for what, tls in kinds.items():
        answer = await Connection(orders.port, orders.bearer, tls).request("/v1/items")
        expect(answer.status == 0, f"who comes {what} is refused: {answer.status}")
    believed = context(strange, certificates / "caller")
    answer = await Connection(orders.port, orders.bearer, believed).request("/v1/items")
    expect(answer.error == "SSLCertVerificationError", f"a caller tells services apart: {answer.status} {answer.error}")
    # The server learns after its caller that it is not believed.
    for _ in range(100):
        failed = orders.metric("tls_handshake_failures_total") - before
        if failed > len(kinds):
            break
        await asyncio.sleep(0.05)
    expect(failed == len(kinds) + 1, f"{failed} of {len(kinds) + 1} refusals are counted")
    expect(orders.admin_get("/readyz")[0] == 200, "it goes on")
    return len(kinds)


async def renewed(place, certificates, inventory, orders, gateway):
    """New certificates for all, three times, while callers come and go."""
    ours, stop = context(certificates, certificates / "caller"), asyncio.Event()
    load = asyncio.create_task(closed_loop(
        gateway.port, gateway.bearer, "/v1/orders/items", callers=8, stop=stop, pause=0.002, tls=ours, requests=20))
    services = (inventory, orders, gateway)
    for _ in range(3):
        await asyncio.sleep(0.5)
        before = {service: service.metric("tls_reloads_total", result="ok") for service in services}
        await asyncio.to_thread(make, place["scratch"] / "ours", *(service.name for service in services))
        await reloaded(*services, before=before)
    await asyncio.sleep(0.5)
    stop.set()
    report = await load
    expect(len(report.of(200)) == len(report), f"every request is answered: {report}")
    for service in services:
        file = (certificates / service.name / "tls.crt").read_text()
        shown = await presented(service.port, ours)
        expect(shown == ssl.PEM_cert_to_DER_cert(file), f"{service.name} shows its newest certificate")
    return (f"{len(report)} requests on {len(report) // 20} connections over three renewals, all answered, "
            f"p99 {report.share(0.99):.1f} ms")


async def presented(port, tls):
    """The certificate that callers see now."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


async def unusable(certificates, orders):
    """A key of another certificate: the old pair stays, and it is said once."""
    key = certificates / "orders/tls.key"
    kept = key.read_text()
    shutil.copy(certificates / "caller/tls.key", key)
    for _ in range(200):
        if orders.metric("tls_reloads_total", section="server_tls", result="failed") > 0:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(5 * RELOAD_MS / 1000)
    caller = context(certificates, certificates / "caller")
    answer = await Connection(orders.port, orders.bearer, caller).request("/v1/items")
    expect(answer.status == 200, f"the old certificate is still shown: {answer.status} {answer.error}")
    said = [line for line in orders.log_lines() if line.get("section") == "server_tls" and line["level"] == "ERROR"]
    expect(len(said) == 1, f"it is said once: {said}")
    expect("server_tls.key_file" in str(said[0]), f"and why: {said[0]}")
    key.write_text(kept)
    return "a key that does not fit changes nothing"


SCENARIOS = [mutual_tls]
