"""Services in which each value of an option meets each value of all others, as far as they go together."""

import json
from itertools import combinations, product

OPTIONS = {
    "protocol": ["rest", "grpc", "events"],
    "store": ["sqlite", "postgres", "mysql", "none"],
    "discovery": ["kubernetes", "static", "consul", "eureka"],
    "auth": ["jwt", "none"],
    "tls": ["mesh", "rustls", "mtls"],
    "public": [False, True],
    "broker": ["none", "nats", "rabbitmq", "kafka"],
    # Services of each protocol, with each kind of TLS, with tokens and without.
    "calls": [
        "nobody", "rest-mesh-jwt", "rest-rustls-none", "rest-mtls-jwt", "grpc-mesh-none", "grpc-rustls-jwt", "grpc-mtls-none",
    ],
}


def go_together(service):
    """As `new` has it; what it refuses is tested there."""
    if service["protocol"] == "events":
        uncalled = {"auth": "none", "tls": "mesh", "public": False}
        finds = service["calls"] != "nobody" or service["discovery"] in ("kubernetes", "static")
        return service["broker"] != "none" and finds and all(service[option] == value for option, value in uncalled.items())
    return service["broker"] == "none" or service["store"] != "none"


def pairs(service):
    return set(combinations(service.items(), 2))


def services():
    """By their names: those that are called, then those that bring the most new pairs, one after the other."""
    every = {}
    for kind in OPTIONS["calls"][1:]:
        protocol, tls, auth = kind.split("-")
        first = {option: values[0] for option, values in OPTIONS.items()}
        every[kind] = {**first, "protocol": protocol, "store": "none", "tls": tls, "auth": auth}
    possible = [dict(zip(OPTIONS, values)) for values in product(*OPTIONS.values())]
    possible = [service for service in possible if go_together(service)]
    missing = set().union(*map(pairs, possible)) - set().union(*map(pairs, every.values()))
    while missing:
        best = max(possible, key=lambda service: len(pairs(service) & missing))
        missing -= pairs(best)
        every[f"service-{len(every):02}"] = best
    return every


def toml(every):
    """For `new --from`. Who reads events reads those of a service that publishes them on its broker."""
    text = ""
    for name, service in every.items():
        text += f"[services.{name}]\n"
        for option, value in service.items():
            if option == "calls":
                value = [value] if value != "nobody" else []
            # Those who read events have no callers to know.
            if option != "auth" or service["protocol"] != "events":
                text += f"{option} = {json.dumps(value)}\n"
        if service["protocol"] == "events":
            sources = (it for it, of in every.items() if of["protocol"] != "events" and of["broker"] == service["broker"])
            text += f'consumes = "{next(sources)}"\n'
        text += "\n"
    return text
