"""One weighing told in several frames: Weight Measurement (0x2A9D) and Body Composition (0x2A9C), the latter in packets.

The weighing is the reading; what the scale made of it travels along as context, as a meal does with a glucose value. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from devices.body_composition import BodyComposition
from devices.measurement import Measurement
from devices.weight_scale import WeightMeasurement


@dataclass(frozen=True, slots=True)
class Weighing:
    """A measurement, the frame it is named by, and the frames that told more of it."""

    index: int
    measurement: Measurement
    told_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """One body composition, put together from its packets."""

    indices: tuple[int, ...]
    composition: BodyComposition


def weighings(
    weights: Mapping[int, WeightMeasurement], compositions: Mapping[int, BodyComposition]
) -> tuple[list[Weighing], list[int]]:
    """Weighings, and the frames of compositions that belong to none. Keys are places in the order of arrival.

    A composition belongs to the weighing of the same time stamp; without one, to the weighing it follows, or else the
    next. User and weight must not contradict. Where several could be a weighing's, none is: nobody guesses here. Zeros
    that a scale sends before it has measured tell nothing and are nobody's.
    """
    owned: dict[int, list[_Told]] = {index: [] for index in weights}
    alone: list[_Told] = []
    for told in _put_together(weights, compositions):
        owner = _owner(told, weights)
        (alone if owner is None else owned[owner]).append(told)
    found: list[Weighing] = []
    for index, candidates in owned.items():
        real = [told for told in candidates if not told.composition.is_placeholder]
        distinct = {told.composition for told in real}
        measurement = weights[index].measurement()
        if len(distinct) == 1:
            found.append(Weighing(index, replace(measurement, context=real[-1].composition.words()), real[-1].indices))
        else:
            found.append(Weighing(index, measurement))
            alone += real
    left: list[int] = []
    for told in alone:
        measurement = told.composition.measurement()
        if measurement is None:
            left += told.indices
        else:
            found.append(Weighing(told.indices[0], measurement, told.indices[1:]))
    return found, left


def _put_together(
    weights: Mapping[int, WeightMeasurement], compositions: Mapping[int, BodyComposition]
) -> Iterator[_Told]:
    """Packets that say they are several, have no weighing between them, and repeat no field, are one composition."""
    open_told: _Told | None = None
    for index, composition in sorted(compositions.items()):
        if open_told is not None:
            between = any(open_told.indices[-1] < weighed < index for weighed in weights)
            if not between and open_told.composition.continues_with(composition):
                open_told = _Told((*open_told.indices, index), open_told.composition.with_rest(composition))
                continue
            yield open_told
        open_told = _Told((index,), composition)
    if open_told is not None:
        yield open_told


def _owner(told: _Told, weights: Mapping[int, WeightMeasurement]) -> int | None:
    possible = [index for index, weight in sorted(weights.items()) if _agree(weight, told.composition)]
    if told.composition.time_stamp is None:
        # Only the neighbours: with another weighing in between, this is not about the one beyond it.
        order = sorted(weights)
        before = [index for index in order if index < told.indices[0]]
        neighbours = [*before[-1:], *order[len(before) : len(before) + 1]]
        possible = [index for index in possible if index in neighbours]
    earlier = [index for index in possible if index < told.indices[0]]
    return (earlier[-1:] or possible[:1] or [None])[0]


def _agree(weight: WeightMeasurement, composition: BodyComposition) -> bool:
    pairs: list[tuple[object, object]] = [
        (weight.time_stamp, composition.time_stamp),
        (weight.user, composition.user),
    ]
    if weight.imperial == composition.imperial:
        pairs.append((weight.weight, composition.weight))
    return all(one is None or other is None or one == other for one, other in pairs)
