"""What Mosquitto is told: who may say and hear what, by password on loopback or by certificate over a network."""

from rpm.broker.passwords import accounts, configuration
from rpm.broker.roles import WORKER

__all__ = ["WORKER", "accounts", "configuration"]
