"""The limits that hold for some patients: the rules' own, those of their programme and practice, and their own."""

from collections.abc import Mapping, Sequence

from alerts.layers import Layer, LayerKind, PatientLimit
from alerts.limits import Limits
from alerts.rules import Rule
from rpm.store import series
from rpm.store.database import Connection
from rpm.store.series import Group


def limits_of(
    connection: Connection, patients: Sequence[int], rules: Sequence[Rule], layers: Sequence[Layer] = ()
) -> Limits:
    """As they hold now. Whose patients they are was asked before."""
    own = series.own_limits(connection, patients) if patients else []
    return arranged(own, rules, layers, series.groups(connection, patients) if layers and patients else {})


def arranged(
    own: Sequence[PatientLimit], rules: Sequence[Rule], layers: Sequence[Layer], group_of: Mapping[int, Group]
) -> Limits:
    """The patients' own limits over the layers of their group."""
    #: By which of the layers speak for them.
    places: dict[tuple[int, ...], int] = {(): 0}
    place_of: dict[int, int] = {}
    for patient, group in group_of.items():
        mine = tuple(number for number, layer in enumerate(layers) if _speaks_for(layer, group))
        place_of[patient] = places.setdefault(mine, len(places))
    groups = [[layers[number] for number in mine] for mine in places]
    return Limits.of(own, rules, groups=groups, group_of=place_of)


def _speaks_for(layer: Layer, group: Group) -> bool:
    name = group.program if layer.layer is LayerKind.PROGRAMME else group.practice
    return layer.name.casefold() == name.casefold()
