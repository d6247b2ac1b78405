"""Shoulder blades and collar bones, pelvis, and the bones of arms and thighs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from betaplus.simulation.body.build import Build
from betaplus.simulation.body.part import Part, blob, egg, tube
from betaplus.simulation.body.shapes import Block, Outline, moved, rotation
from betaplus.simulation.body.surface import elbow_and_wrist, shoulder

__all__ = ["limbs", "pelvic_girdle", "shoulder_girdle"]

_BONE = (("CorticalBone", 0.0), ("RedMarrow", 1.8))
_FLAT = (("CorticalBone", 0.0), ("RedMarrow", 1.9))
_SHAFT = (("CorticalBone", 0.0), ("Fat", 5.0))  # marrow that makes no blood is fat


def shoulder_girdle(build: Build) -> list[Part]:
    """Return collar bones and shoulder blades."""
    b = build
    parts = []
    for s in (-1.0, 1.0):
        joint = shoulder(b, s)
        up = 14.0 if b.arms == "up" else 0.0
        acromion = joint + np.array([-s * 4.0, -8.0, 30.0 if b.arms == "down" else 20.0])
        inner = b.at(s * 20, 34, 505)
        middle = 0.5 * (inner + acromion) + [0, 12.0, 6.0]
        parts.append(tube([inner, middle, acromion], [8, 6, 7], *_BONE))
        angle = b.at(s * (96 + up), -94, 378 + 2 * up)
        corner = b.at(s * (72 + up), -84, 505)
        glenoid = joint + np.array([-s * 28.0, -14.0, -4.0])
        centre = (angle + corner + glenoid) / 3
        along = corner - angle
        normal = np.cross(along, glenoid - angle)
        if normal[1] < 0:
            normal = -normal
        turn = rotation(normal, along)
        semi = np.array([0.62 * np.linalg.norm(along), 38.0 * b.wide, 4.6])
        parts.append(egg(centre, semi, *_FLAT, turn=turn, over=("Muscle", "Fat")))
        parts.append(tube([moved(corner, 0, -4, -12.0), acromion], [4.5, 7], *_BONE))
        parts.append(tube([centre, glenoid], [6, 11], *_BONE))
    return parts


def pelvic_girdle(build: Build) -> list[Part]:
    """Return the hip bones and the sacrum."""
    b = build
    size = b.hips
    parts = []
    for s in (-1.0, 1.0):
        joint = b.at(s * 88, -4, 0)
        sacroiliac, spine = b.at(s * 46, -78, 88), b.at(s * 124, 50, 88)
        crest = b.at(s * 120, -22, 140)
        hollow = b.at(s * 84, -8, 28)
        normal = np.cross(spine - sacroiliac, crest - hollow) * s
        turn = rotation(normal, spine - sacroiliac)
        centre = 0.25 * (sacroiliac + spine + crest + hollow)
        semi = np.array([82.0, 64.0, 8.0]) * size
        parts.append(blob(centre, semi[0] + 12, _wing(centre, semi, turn), *_BONE))
        parts.append(
            tube(
                [sacroiliac, b.at(s * 66, -50, 48), b.at(s * 82, -8, 30)],
                np.array([14, 13, 17]) * size,
                *_BONE,
            )
        )
        socket = 32.0 * size
        parts.append(egg(moved(joint, -s * 6.0, 0, 2), [0.8 * socket, socket, socket], *_BONE))
        pubis = b.at(s * 9, 56, -24)
        parts.append(
            tube(
                [moved(joint, -s * 18.0, 14, -2), b.at(s * 42, 44, 0), pubis],
                np.array([13, 9, 10]) * size,
                *_BONE,
            )
        )
        parts.append(
            tube(
                [pubis, b.at(s * 34, 24, -54), b.at(s * 54, -24, -76)],
                np.array([9, 7.5, 12]) * size,
                *_BONE,
            )
        )
        parts.append(
            tube(
                [
                    moved(joint, -s * 12.0, -22, -8),
                    b.at(s * 62, -40, -45),
                    b.at(s * 54, -28, -76),
                ],
                np.array([18, 15, 14]) * size,
                *_BONE,
            )
        )
        parts.append(egg(joint, [26.5 * size] * 3, ("Muscle", 0.0)))
    return [*parts, _sacrum(b)]


def _sacrum(b: Build) -> Part:
    size = b.hips
    flat = Outline(
        b.height_of(np.array([-26.0, 0, 30, 62, 94])),
        np.array([9.0, 18, 34, 48, 52]) * size,
        np.array([5.0, 8, 11, 15, 18]) * size,
        np.array([6.0, 9, 13, 17, 20]) * size,
        lambda z: (
            b.centre(z)[0],
            np.interp(
                z,
                b.height_of(np.array([-26.0, 0, 30, 62, 94])),
                [b.at(0, y, 0)[1] for y in (-62, -84, -88, -70, -46)],
            ),
        ),
        1.6,
    )
    ends = b.height_of(np.array([-28.0, 88.0])).astype(np.float32)

    def sacrum(k: Block) -> np.ndarray:
        z = k.axes()[2]
        return np.maximum(flat.distance(k), np.maximum(ends[0] - z, z - ends[1]))

    return Part(b.at(-60, -130, -32) - 15, b.at(60, -20, 92) + 15, sacrum, _BONE)


def limbs(build: Build) -> list[Part]:
    """Return femora, humeri, the bones of forearms and hands."""
    b = build
    size = b.hips
    parts = []
    for s in (-1.0, 1.0):
        head = b.at(s * 88, -4, 0)
        lateral = b.at(s * 138, -14, -28)
        knee = moved(b.at(s * 102, 8, -245), 0, 0, -80.0)
        shaft = [
            moved(lateral, -s * 4.0, 2, -15),
            0.5 * (lateral + knee) + [s * 3.0, 6, 0],
            knee,
        ]
        parts.append(tube(shaft, np.array([17, 14, 13.5]) * size, *_SHAFT))
        parts.append(tube([head, lateral], np.array([17.0, 16.0]) * size, *_BONE))
        parts.append(
            tube(
                [moved(lateral, s * 4.0, -6, 14), moved(lateral, -s * 6.0, 0, -30)],
                np.array([16.0, 16.0]) * size,
                *_BONE,
            )
        )
        r = 24.0 * size
        parts.append(egg(head, [r] * 3, *_BONE))
        joint = shoulder(b, s)
        elbow, wrist = elbow_and_wrist(b, s)
        near = joint + 0.16 * (elbow - joint)
        q = 22.0 * b.wide * (0.9 if b.female else 1.0)
        parts.append(
            tube(
                [near, 0.5 * (joint + elbow), elbow],
                [12.5, 11, 13],
                ("CorticalBone", 0.0),
                ("Fat", 4.0),
            )
        )
        parts.append(tube([joint, near], [q, 0.75 * q], *_BONE))
        across = np.cross(wrist - elbow, [0.0, 1.0, 0.0])
        across = 14.0 * across / np.linalg.norm(across)
        for t in (-1.0, 1.0):
            parts.append(
                tube(
                    [elbow + 0.6 * t * across, wrist + t * across],
                    [9, 7],
                    ("CorticalBone", 0.0),
                    ("Fat", 3.0),
                )
            )
        onward = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        for t in (-1.1, -0.4, 0.4, 1.1):
            start = wrist + onward * 14.0 + t * 0.8 * across
            parts.append(
                tube(
                    [start, start + onward * 75.0 + 0.5 * t * across],
                    [5.5, 4.0],
                    ("CorticalBone", 0.0),
                    ("Fat", 3.0),
                )
            )
    return parts


def _wing(centre: np.ndarray, semi: np.ndarray, turn: np.ndarray) -> Callable[[Block], np.ndarray]:
    """A bent plate with a thick rim: the wing of the ilium."""

    def distance(block: Block) -> np.ndarray:
        reach = [v - np.float32(o) for v, o in zip(block.axes(), centre, strict=True)]
        u, w, n = (
            sum(np.float32(row[i]) * reach[i] for i in (1, 2)) + np.float32(row[0]) * reach[0]
            for row in turn
        )
        n = n - np.float32(0.0035) * (u * u) + np.float32(6.0)
        edge = np.sqrt(np.square(u / np.float32(semi[0])) + np.square(w / np.float32(semi[1])))
        thick = np.float32(0.55) * np.float32(semi[2]) * (1 + np.square(edge))
        return np.maximum(np.abs(n) - thick, (edge - 1) * np.float32(semi[1]))

    return distance
