"""The plots of the documentation, drawn from the kept results."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

OURS: Final = "#0b7285"
PEERS: Final = "#adb5bd"
SIZE: Final = (7.2, 3.2)  # inches

# Text stays text, and the same results give the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "callsync", "font.size": 10})


def draw(kept: Mapping[str, Any], folder: Path) -> None:
    """Draw what can be drawn of the kept results, as SVG files."""
    if "limits" in kept:
        _draw_limits(kept["limits"]["results"], folder / "throughput.svg")
    if "growth" in kept:
        _save(plot_growth(kept["growth"]["results"]), folder / "growth.svg")


def _draw_limits(results: list[dict[str, Any]], path: Path) -> None:
    (rate,) = (each for each in results if each["name"].startswith("calls/s through one"))
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    names = ["This service", "One task per call"]
    figures = [median(rate["ours"]), median(rate["peer"])]
    bars = axes.barh(names, figures, color=[OURS, PEERS])
    axes.bar_label(bars, [f"{each:,.0f} calls/s" for each in figures], padding=4)
    axes.set_title("Calls synced per second through one HubSpot account, within its limits")
    axes.set_xlim(0, max(figures) * 1.25)
    axes.invert_yaxis()
    _save(figure, path)


def plot_growth(results: list[dict[str, Any]]) -> Figure:
    """Calls a second by accounts and by workers; JSON has made texts of their numbers."""
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, key, title in (
        (left, "by accounts", "accounts, one worker"),
        (right, "by workers", "worker processes, 100 accounts"),
    ):
        (rates,) = (each["facts"][key] for each in results if key in each["facts"])
        numbers = [float(each) for each in rates]
        axes.plot(numbers, list(rates.values()), marker="o", color=OURS)
        axes.set_xscale("log", base=10 if key == "by accounts" else 2)
        axes.set_xticks(numbers, [f"{each:,.0f}" for each in numbers])
        axes.set_xlabel(title)
    left.set_ylabel("calls/s")
    left.set_ylim(0, 1.1 * left.dataLim.union([left.dataLim, right.dataLim]).ymax)
    figure.suptitle("Draining stored calls without HubSpot's limits")
    return figure


def _save(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
