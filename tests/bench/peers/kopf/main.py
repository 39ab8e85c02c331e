"""A plain controller of shares with kopf, as one writes it in an afternoon: it reads the Secret, sends the value and
patches the status. It keeps no ledger, so a crash at the wrong moment sends twice. The bench compares the operator with it.

The environment says where to send: ONETIME_URL, ONETIME_USERNAME, ONETIME_TOKEN. KUBECONFIG names the cluster.
--tuned: uvloop, no Events for log lines, and as many connections as --workers says. Without it kopf's defaults.
"""

import argparse
import asyncio
import base64
import datetime
import json
import logging
import os
import ssl

import aiohttp
import kopf

URL = os.environ["ONETIME_URL"]
ACCOUNT = {"Authorization": aiohttp.encode_basic_auth(os.environ["ONETIME_USERNAME"], os.environ["ONETIME_TOKEN"])}
KIND = ("onetimeshare.dev", "v1alpha1", "onetimeshares")

parser = argparse.ArgumentParser()
parser.add_argument("--tuned", action="store_true")
parser.add_argument("--workers", type=int, default=32)
options = parser.parse_args()


class Clients:
    """One for the API server and one for the service, made when the operator starts."""

    kubernetes: aiohttp.ClientSession
    service: aiohttp.ClientSession


def tls(info: kopf.ConnectionInfo) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=base64.b64decode(info.ca_data).decode())
    # Python reads a client's certificate from a file only. The folder of the bench is removed with all that is in it.
    path = os.environ["KUBECONFIG"] + ".kopf.pem"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(base64.b64decode(info.certificate_data) + b"\n" + base64.b64decode(info.private_key_data))
    context.load_cert_chain(path)
    return context


@kopf.on.login()
def login(**kwargs):
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, **kwargs):
    info = kopf.login_with_kubeconfig(logger=logging.getLogger("login"), settings=settings)
    limit = options.workers if options.tuned else 100
    Clients.kubernetes = aiohttp.ClientSession(
        info.server, connector=aiohttp.TCPConnector(ssl=tls(info), limit=limit)
    )
    Clients.service = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit))
    if options.tuned:
        settings.posting.enabled = False
        # kopf's own worker_limit counts the workers that wait idle for more of the same object, too: 32 of them would
        # do 6 shares a second. The connections are what limits.
        settings.queueing.idle_timeout = 0.5


@kopf.on.cleanup()
async def end(**kwargs):
    await Clients.kubernetes.close()
    await Clients.service.close()


async def value_of(namespace: str, name: str) -> bytes:
    async with Clients.kubernetes.get(f"/api/v1/namespaces/{namespace}/secrets/{name}") as answer:
        answer.raise_for_status()
        secret = await answer.json()
    return base64.b64decode(next(iter(secret["data"].values())))


async def send(value: bytes, recipient: str | None) -> dict:
    form = {"secret": value.decode(), "ttl": str(24 * 3600)}
    if recipient:
        form["recipient"] = recipient
    async with Clients.service.post(f"{URL}/api/v1/share", data=form, headers=ACCOUNT) as answer:
        answer.raise_for_status()
        return json.loads(await answer.read())


@kopf.on.create(*KIND)
async def share(namespace, spec, status, meta, patch, **kwargs):
    if status.get("link"):
        return
    value = await value_of(namespace, spec["secretRef"]["name"])
    made = await send(value, spec.get("recipient"))
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    text = now.isoformat().replace("+00:00", "Z")
    expires = now + datetime.timedelta(seconds=made["secret_ttl"])
    patch.status.update({
        "observedGeneration": meta["generation"],
        "state": "Shared",
        "link": f"{URL}/secret/{made['secret_key']}",
        "secretKey": made["secret_key"],
        "createdAt": text,
        "expiresAt": expires.isoformat().replace("+00:00", "Z"),
        "ttlSeconds": made["secret_ttl"],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Shared", "message": "The link is ready.",
            "observedGeneration": meta["generation"], "lastTransitionTime": text,
        }],
    })


def main() -> None:
    kopf.configure(verbose=False)
    if options.tuned:
        import uvloop

        # A line for each step of each share costs more than the step.
        logging.getLogger().setLevel(logging.WARNING)
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with runner:
        runner.run(kopf.operator(clusterwide=True, standalone=True))


main()
