"""What to tell a running broker so that it knows whom it should, and nobody else. Pure.

`listed` below is what the plugin answers to `listClients` and `listRoles`; commands are its own JSON.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from rpm.broker.roles import GATEWAY, GUARD, Json, role_of
from rpm.store.revocations import Account

#: What the plugin says of something to be made that is there, or to be undone that is not: the end is the same.
HARMLESS: Final = frozenset({"Role already exists", "Client not found", "Role not found"})


def let_in(account: Account) -> list[Json]:
    """An account with its role. One that is there is made anew: whoever uses it now has to connect again.

    Never `addClientRole`: it fails where the role is there already, and mosquitto 2.0.21 crashes where the role was deleted
    before. The guard's own account is there from the start.
    """
    if account.role == GUARD:
        return []
    role = role_of(account.name, account.role)
    return [
        {"command": "deleteClient", "username": account.name},
        {"command": "createRole", **role},
        {"command": "createClient", "username": account.name, "roles": [{"rolename": role["rolename"]}]},
    ]


def throw_out(account: Account) -> list[Json]:
    """End whatever connection the account has now, and take what it may do.

    The list of revoked certificates must be in force before: by its certificate, a client that is only disabled comes
    back and goes on (measured).
    """
    own = [{"command": "deleteRole", "rolename": account.name}] if account.role == GATEWAY else []
    return [
        {"command": "disableClient", "username": account.name},
        {"command": "deleteClient", "username": account.name},
        *own,
    ]


def differences(accounts: Iterable[Account], clients: Mapping[str, Json], roles: Mapping[str, Json]) -> list[Json]:
    """What a broker that may have lost its accounts, or been restored from a backup, is told. Empty where all is well.

    Accounts that never had a certificate (those with passwords) are let be.
    """
    commands: list[Json] = []
    for account in accounts:
        client, role = clients.get(account.name), role_of(account.name, account.role)
        kept = roles.get(role["rolename"])
        has_role = client is not None and any(
            each.get("rolename") == role["rolename"] for each in client.get("roles", [])
        )
        if account.may:
            if kept is not None and _acls(kept) != _acls(role):
                commands.append({"command": "modifyRole", **role})
            if kept is None or client is None or not has_role or client.get("disabled"):
                commands += let_in(account)
        elif client is not None or (account.role == GATEWAY and kept is not None):
            commands += throw_out(account)
    return commands


def _acls(role: Json) -> set[tuple[str, str, bool]]:
    return {(each["acltype"], each["topic"], each["allow"]) for each in role.get("acls", [])}
