"""Who may say and hear what: Mosquitto's dynamic-security roles. Pure.

Why that plugin and no `acl_file`: an ACL file never checks SUBSCRIBE, so that any gateway could join the workers' share
group and make half of all readings vanish (L11). Here everything is denied that no role grants. Mosquitto 2.0 knows no
pattern for "one's own name" in a role, so that every gateway has a role of its own, named as it is.
"""

from typing import Any, Final

from schemas import messages
from schemas.messages import DOWN, UP, Channel

WORKER: Final = "worker"
GUARD: Final = "guard"
GATEWAY: Final = "gateway"
#: Many simulated gateways over few connections; no installation has it unless somebody gives it.
LOAD: Final = "load"
#: Where the plugin is told what to change while the broker runs, and where it answers.
CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC: Final = f"{CONTROL_TOPIC}/response"

Json = dict[str, Any]


def deny_all() -> Json:
    """What is granted to whom no role says otherwise: nothing."""
    return {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": False}


def worker_role() -> Json:
    """Hears all gateways, as a member of the share group; speaks to all of them."""
    hears = [messages.topic("+", channel) for channel in UP]
    shares = [messages.share_filter(channel) for channel in UP]
    acls = [
        *(_allow("subscribeLiteral", name) for name in shares),
        *(_allow("unsubscribeLiteral", name) for name in shares),
        *(_allow("publishClientReceive", name) for name in hears),
        *(_allow("publishClientSend", messages.topic("+", channel)) for channel in DOWN),
    ]
    return {"rolename": WORKER, "acls": acls}


def gateway_role(gateway_id: str) -> Json:
    """Speaks on its own topics, and hears what is sent to it."""
    hears = [messages.topic(gateway_id, channel) for channel in DOWN]
    acls = [
        *(_allow("publishClientSend", messages.topic(gateway_id, channel)) for channel in UP),
        *(_allow("subscribeLiteral", name) for name in hears),
        *(_allow("unsubscribeLiteral", name) for name in hears),
        *(_allow("publishClientReceive", name) for name in hears),
    ]
    return {"rolename": gateway_id, "acls": acls}


def load_role() -> Json:
    """Speaks as any gateway and hears what any is told: for a broker that is tried out, never for one that is used."""
    hears = messages.topic("+", Channel.RECEIPTS)
    acls = [
        _allow("publishClientSend", messages.topic("+", Channel.READINGS)),
        *(_allow(kind, hears) for kind in ("subscribePattern", "unsubscribePattern", "publishClientReceive")),
    ]
    return {"rolename": LOAD, "acls": acls}


def guard_role() -> Json:
    """Lets gateways in and throws them out; hears and says nothing of theirs."""
    acls = [
        _allow("publishClientSend", CONTROL_TOPIC),
        _allow("subscribeLiteral", RESPONSE_TOPIC),
        _allow("unsubscribeLiteral", RESPONSE_TOPIC),
        _allow("publishClientReceive", RESPONSE_TOPIC),
    ]
    return {"rolename": GUARD, "acls": acls}


def role_of(name: str, role: str) -> Json:
    """The role of an account: a gateway's own, or the one that all services of a kind share."""
    return {WORKER: worker_role, GUARD: guard_role}[role]() if role != GATEWAY else gateway_role(name)


def _allow(kind: str, name: str) -> Json:
    return {"acltype": kind, "topic": name, "priority": 0, "allow": True}
