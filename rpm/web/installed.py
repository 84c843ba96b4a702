"""The rules and signed limits this installation judges by, as they were read when it was started."""

from fastapi import Request

from alerts.layers import Layer
from alerts.rules import Rule


def rules_of(request: Request) -> tuple[Rule, ...]:
    """The rules this installation judges by."""
    rules: tuple[Rule, ...] = request.app.state.rules
    return rules


def layers_of(request: Request) -> tuple[Layer, ...]:
    """The signed limits of programmes and practices of this installation."""
    layers: tuple[Layer, ...] = request.app.state.layers
    return layers
