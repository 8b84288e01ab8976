"""Figures of a report: how long steps take over each transport, and compared with bytes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.cli.benchmark.machine import summary
from openenv_gym.cli.benchmark.measure import ratio
from openenv_gym.cli.benchmark.report import RAW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (6.4, 4.2)  # inches
_COLUMNS = 2

# Ours in colours that the colour-blind can distinguish, all else in greys and dashes.
_STYLES: dict[str, dict[str, Any]] = {
    "inprocess": {"color": "#009E73"},
    "inprocess adapted": {"color": "#66C2A5"},
    "process": {"color": "#0072B2"},
    "docker": {"color": "#56B4E9"},
    "websocket": {"color": "#D55E00"},
    "http": {"color": "#CC79A7"},
    "ray": {"color": "#F0E442"},
    "raw tcp": {"color": "#000000", "linestyle": ":"},
    "raw unix": {"color": "#888888", "linestyle": ":"},
    "gymnasium": {"color": "#777777", "linestyle": "-."},
    "multiprocessing.Pipe": {"color": "#999999", "linestyle": "--"},
    "AsyncVectorEnv": {"color": "#555555", "linestyle": "--"},
    "openenv sync": {"color": "#E69F00", "linestyle": "--"},
    "openenv sync uvloop": {"color": "#C08000", "linestyle": "-."},
    "openenv http": {"color": "#B8A000", "linestyle": "--"},
}


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draws all figures, each as PNG and SVG.

    Returns:
        The files.
    """
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, title, panel in (
        ("latency", "Share of steps that took at most so long", _latency),
        ("ratio", f"Median step as a multiple of {RAW}", _ratio),
    ):
        figure = _figure(report, title, panel)
        for suffix in ("png", "svg"):
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, dpi=150)
            files.append(path)
    return files


def _figure(report: Mapping[str, Any], title: str, panel: Any) -> Figure:
    from matplotlib.figure import Figure

    workloads = list(dict.fromkeys(row["workload"] for row in report["rows"]))
    lines = -(-len(workloads) // _COLUMNS)
    columns = min(_COLUMNS, len(workloads))
    size = (_PANEL[0] * columns, _PANEL[1] * lines + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    figure.supxlabel(summary(report["machine"]), fontsize=7, color="#666666")
    grid = figure.subplots(lines, columns, squeeze=False)
    handles: dict[str, Any] = {}
    for i, axes in enumerate(grid.flat):
        if i < len(workloads):
            panel(axes, [row for row in report["rows"] if row["workload"] == workloads[i]])
            axes.set_title(workloads[i], loc="left")
            drawn = zip(*axes.get_legend_handles_labels(), strict=True)
            handles |= {label: handle for handle, label in drawn}
        else:
            axes.set_axis_off()
    if handles:
        figure.legend(handles.values(), handles, loc="outside right upper", fontsize=8)
    return figure


def _latency(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        # Up to the 99th: the slowest step of all says more of the machine.
        shown = row["percentiles_us"][:100]
        axes.plot(shown, range(100), label=row["candidate"], **_style(row["candidate"]))
    axes.set_xscale("log")
    axes.set_xlabel("microseconds")
    axes.set_ylabel("% of steps")
    axes.grid(True, which="major", alpha=0.3)


def _ratio(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    raw = next((row for row in rows if row["candidate"] == RAW), None)
    if raw is None:
        axes.text(0.5, 0.5, f"{RAW} was not measured", ha="center", transform=axes.transAxes)
        return
    pairs = [(r["candidate"], ratio(r["block_p50_us"], raw["block_p50_us"])) for r in rows]
    pairs.sort(key=lambda pair: -pair[1])
    names, values = [name for name, _ in pairs], [value for _, value in pairs]
    bars = axes.barh(names, values, color=[_style(name)["color"] for name in names])
    axes.bar_label(bars, labels=[_label(value) for value in values], fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(min(values) / 1.5, max(values) * 3)


def _label(value: float) -> str:
    return f" {value:,.0f}" if value >= 100 else f" {value:.2g}" if value < 1 else f" {value:.1f}"


def _style(candidate: str) -> dict[str, Any]:
    return _STYLES.get(candidate, {"color": "#BBBBBB"})
