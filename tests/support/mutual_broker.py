"""A broker with a second listener, for boxes with certificates of a CA of their own."""

import signal
from pathlib import Path

from tests.support.broker import Broker
from tests.support.certifier import Authority
from tests.support.provisioning import free_port


class MutualBroker(Broker):
    """`url_of_boxes` takes nothing but certificates of `gateways`, except those that `refuse` names."""

    def __init__(self, folder: Path, *, gateways: Authority, services: Authority) -> None:
        super().__init__(folder)
        self._authority = gateways
        self._boxes = free_port()
        self._crl = folder / "gateways.crl"
        self._ca = gateways.write(folder, "gateways-ca.pem")
        self._certificate, self._key = services.certify_server(folder, "broker", "127.0.0.1")
        self._crl.write_text(gateways.revoke(), "utf-8")

    @property
    def url_of_boxes(self) -> str:
        return f"mqtts://127.0.0.1:{self._boxes}"

    def refuse(self, *certificates: str) -> None:
        """From now on these, and no others, are not let in; who is in already stays."""
        self._crl.write_text(self._authority.revoke(*certificates), "utf-8")
        self._signal(signal.SIGHUP)

    def _more_configuration(self) -> str:
        return "\n".join((
            f"listener {self._boxes} 127.0.0.1",
            f"cafile {self._ca}",
            f"crlfile {self._crl}",
            f"certfile {self._certificate}",
            f"keyfile {self._key}",
            "require_certificate true",
            "use_identity_as_username true\n",
        ))  # fmt: skip
