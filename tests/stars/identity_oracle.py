"""Star identity by its rules, by brute force, and clumps of positions to try it on."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pyarrow as pa

from lkmrs_dask.stars.identity import Stars, resolve_stars

ARCSEC = 1 / 3600
# The reference computes angles in another way; the two agree to 1e-9 arcsec near a few arcsec, so examples
# with a pair this near to the radius, where <= is decided by rounding, are skipped.
EDGE = 1e-6

Sighting = tuple[str | None, float, float, int]


def vector(ra: float, dec: float) -> tuple[float, float, float]:
    lon, lat = math.radians(ra), math.radians(dec)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def angle_arcsec(a: tuple, b: tuple) -> float:
    """Angle between vectors from the two sides of a right triangle, exact for small angles."""
    cross = math.dist(
        (0, 0, 0), (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    )
    return math.degrees(math.atan2(cross, sum(x * y for x, y in zip(a, b, strict=True)))) * 3600


def groups_by_walking(points: list[tuple[float, float]], radius: float) -> list[set[int]]:
    """Single linkage by flooding from each point, O(n^2)."""
    vectors = [vector(*p) for p in points]
    left, groups = set(range(len(points))), []
    while left:
        todo = [left.pop()]
        group = set(todo)
        while todo:
            here = todo.pop()
            near = {k for k in left if angle_arcsec(vectors[here], vectors[k]) <= radius}
            left -= near
            group |= near
            todo.extend(near)
        groups.append(group)
    return groups


def touches_the_edge(points: list[tuple[float, float]], radius: float) -> bool:
    vectors = [vector(*p) for p in points]
    return any(
        abs(angle_arcsec(a, b) - radius) < EDGE for k, a in enumerate(vectors) for b in vectors[k + 1 :]
    )


def canonical(rows: dict[tuple[float, float], int]) -> tuple[float, float]:
    """Most rows; nearest to the mean direction, to 1e-6 arcsec over the mean vector's length; lowest."""
    best = [p for p in rows if rows[p] == max(rows.values())]
    mean = tuple(math.fsum(vector(*p)[k] for p in rows) / len(rows) for k in range(3))
    off = {p: angle_arcsec(vector(*p), mean) for p in best}
    return min(p for p in best if off[p] <= min(off.values()) + 1e-6 / math.dist((0, 0, 0), mean))


def resolve_plainly(sightings: list[Sighting], radius: float) -> dict[frozenset, tuple[float, float]]:
    """Return sets of (uid, ra, dec) that are one star, and its canonical position, by the rules."""
    rows: dict[tuple, int] = defaultdict(int)
    for uid, ra, dec, n in sightings:
        rows[(uid, ra % 360, dec)] += n
    members: dict[str, set] = defaultdict(set)
    for key in rows:
        if key[0] is not None:
            members[key[0]].add(key)
    uids = sorted(members)
    homes = [canonical({k[1:]: rows[k] for k in members[u]}) for u in uids]
    alone = [k for k in rows if k[0] is None]
    points = [k[1:] for k in alone] + homes
    stars = [set(members[u]) for u in uids]
    for group in groups_by_walking(points, radius):
        held = sorted(k - len(alone) for k in group if k >= len(alone))
        free = [alone[k] for k in group if k < len(alone)]
        if len(held) == 1:
            stars[held[0]].update(free)
            continue
        over = []
        for key in free:
            reach = [(angle_arcsec(vector(*key[1:]), vector(*homes[h])), h) for h in held]
            reach = [r for r in reach if r[0] <= radius]
            if reach:
                # Equal distances differ by rounding: 1e-9 arcsec; the lowest uid wins.
                stars[min(h for d, h in reach if d <= min(reach)[0] + 1e-9)].add(key)
            else:
                over.append(key)
        stars.extend({over[k] for k in g} for g in groups_by_walking([k[1:] for k in over], radius))
    found = {}
    for star in stars:
        at: dict[tuple[float, float], int] = defaultdict(int)
        for key in star:
            at[key[1:]] += rows[key]
        found[frozenset(star)] = canonical(at)
    return found


def resolve(sightings: list[Sighting], radius: float = 3.0, **settings_: float) -> Stars:
    uid, ra, dec, n = zip(*sightings, strict=True)
    return resolve_stars(pa.array(uid, pa.string()), ra, dec, n, radius, **settings_)


def clumps(seed: int, n: int = 40) -> list[tuple[float, float]]:
    """Positions in clumps of some arcsec, at the poles, across RA 0 and elsewhere, some of them equal."""
    rng = np.random.default_rng(seed)
    homes = [(0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (359.9999, 45.0), (180.0, -0.0001), (77.0, 89.9995)]
    points: list[tuple[float, float]] = []
    for _ in range(n):
        ra, dec = homes[rng.integers(len(homes))]
        dec = dec + rng.normal(0, 4) * ARCSEC
        ra = ra + rng.normal(0, 4) * ARCSEC / max(math.cos(math.radians(dec)), 1e-5)
        if abs(dec) > 90:
            ra, dec = ra + 180, math.copysign(180 - abs(dec), dec)
        points.append((round(ra % 360, 7) % 360, round(dec, 7)))
        if rng.random() < 0.2:
            points.append(points[rng.integers(len(points))])
    return points


def columns(points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])
