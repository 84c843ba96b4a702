"""How long to wait before trying again: one formula for rows, connections and radios."""


def delay_s(attempt: int, *, first_s: float, max_s: float, spread: float, draw: float) -> float:
    """Seconds to wait after failed try number `attempt` (0 is the first): first_s · 2^attempt, at most max_s.

    `draw` in [0, 1) is the caller's random number. It lengthens the wait by up to `spread` times itself, so that many
    who failed at one instant do not come back at one instant (F21, S1); the longest wait is max_s · (1 + spread).
    """
    doubled = first_s * 2.0 ** min(attempt, 32)
    return min(doubled, max_s) * (1.0 + spread * draw)
