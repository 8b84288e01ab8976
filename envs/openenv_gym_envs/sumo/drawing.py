"""Pictures of a simulation: the network from above, with its lights and vehicles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 640
"""Width and height of a picture in pixels."""

Point = tuple[float, float]

_MARGIN = 16
_OVERSAMPLING = 2  # pictures are drawn larger and then reduced: Pillow draws without smoothing
_GROUND, _ROAD, _JUNCTION = (233, 236, 229), (92, 98, 106), (112, 118, 126)
_LIGHTS = {"g": (46, 184, 92), "y": (250, 202, 46), "r": (214, 48, 49)}
_STANDING, _MOVING = np.array([214, 48, 49]), np.array([64, 156, 255])
_STOPPED = 0.1  # m/s: SUMO calls slower vehicles halting
_LEAST_WIDTH = 2.0  # pixels: thinner lines would be invisible on a large network


class View:
    """The map from places of the network to pixels of the picture, which shows all of it.

    Args:
        low: Smallest coordinates of the network, in metres.
        high: Largest coordinates of the network, in metres.
    """

    def __init__(self, low: Point, high: Point) -> None:
        extent = max(high[0] - low[0], high[1] - low[1], 1.0)
        self.scale = (SIZE - 2 * _MARGIN) * _OVERSAMPLING / extent
        self._middle = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2

    def at(self, place: Point) -> Point:
        """Return the pixel of a place; north is up."""
        half = SIZE * _OVERSAMPLING / 2
        return (
            half + (place[0] - self._middle[0]) * self.scale,
            half - (place[1] - self._middle[1]) * self.scale,
        )

    def length(self, metres: float) -> float:
        """Return a length in pixels, at least the least visible width."""
        return max(metres * self.scale, _LEAST_WIDTH * _OVERSAMPLING)


def draw(sumo: Any) -> NDArray[np.uint8]:
    """Draw a simulation.

    Args:
        sumo: The module libsumo, with a running simulation.

    Returns:
        (640, 640, 3) uint8. Vehicles that halt are red; moving ones are bluer the faster they are.
    """
    view = View(*sumo.simulation.getNetBoundary())
    side = SIZE * _OVERSAMPLING
    image = Image.new("RGB", (side, side), _GROUND)
    canvas = ImageDraw.Draw(image)
    _draw_roads(canvas, view, sumo)
    _draw_lights(canvas, view, sumo)
    _draw_vehicles(canvas, view, sumo)
    reduced = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.uint8)


def _draw_roads(canvas: ImageDraw.ImageDraw, view: View, sumo: Any) -> None:
    for junction in sumo.junction.getIDList():
        shape = [view.at(place) for place in sumo.junction.getShape(junction)]
        if len(shape) > 2:
            canvas.polygon(shape, fill=_JUNCTION)
    for lane in sumo.lane.getIDList():
        if not lane.startswith(":"):  # these lanes are inside a junction
            shape = [view.at(place) for place in sumo.lane.getShape(lane)]
            width = round(view.length(sumo.lane.getWidth(lane)))
            canvas.line(shape, fill=_ROAD, width=width, joint="curve")


def _draw_lights(canvas: ImageDraw.ImageDraw, view: View, sumo: Any) -> None:
    """Draw a bar in the colour of the greenest light at the end of each controlled lane."""
    for junction in sumo.trafficlight.getIDList():
        lanes = sumo.trafficlight.getControlledLanes(junction)
        lights = sumo.trafficlight.getRedYellowGreenState(junction).lower()
        shown: dict[str, str] = {}
        for lane, light in zip(lanes, lights, strict=False):
            known = light if light in _LIGHTS else "r"  # the other lights are not for drivers
            shown[lane] = min(shown.get(lane, "r"), known, key="gyr".index)
        for lane, light in shown.items():
            before, end = sumo.lane.getShape(lane)[-2:]
            half = view.length(sumo.lane.getWidth(lane)) / 2
            _bar(canvas, view.at(end), _direction(view.at(before), view.at(end)), half, light)


def _bar(
    canvas: ImageDraw.ImageDraw, end: Point, direction: Point, half: float, light: str
) -> None:
    x, y = direction
    ends = [(end[0] + sign * half * y, end[1] - sign * half * x) for sign in (1, -1)]
    canvas.line(ends, fill=_LIGHTS[light], width=round(max(half, 3 * _OVERSAMPLING)))


def _direction(start: Point, end: Point) -> Point:
    """Return the direction between two points, of unit length."""
    x, y = end[0] - start[0], end[1] - start[1]
    length = math.hypot(x, y) or 1.0
    return x / length, y / length


def _draw_vehicles(canvas: ImageDraw.ImageDraw, view: View, sumo: Any) -> None:
    vehicle = sumo.vehicle
    for each in vehicle.getIDList():
        angle = math.radians(vehicle.getAngle(each))  # clockwise from north
        x, y = math.sin(angle), -math.cos(angle)  # in pixels, where y grows downwards
        length, half = view.length(vehicle.getLength(each)), view.length(vehicle.getWidth(each)) / 2
        front = view.at(vehicle.getPosition(each))
        back = front[0] - length * x, front[1] - length * y
        speed = vehicle.getSpeed(each)
        fast = speed / max(vehicle.getAllowedSpeed(each), speed, 1.0)
        colour = _STANDING if speed < _STOPPED else _MOVING * (0.5 + 0.5 * fast)
        corners = [
            (place[0] + side * half * y, place[1] - side * half * x)
            for place, side in ((front, 1), (front, -1), (back, -1), (back, 1))
        ]
        canvas.polygon(corners, fill=tuple(int(part) for part in colour))
