"""What each technique of a recipe adds, with intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from fmnist.plots.style import GRAY, PALETTE, plot_style, wrap
from fmnist.tuning.ablation import Effect


def effects(found: Sequence[Effect], title: str) -> Figure:
    """A dot for each technique, its mean effect on test accuracy, with its 95 % interval; the
    largest on top. Thin marks are single seeds.
    """
    ordered = sorted(found, key=lambda effect: effect.mean)
    with plot_style():
        figure = Figure(figsize=(7.6, 1.3 + 0.42 * max(len(ordered), 2)), layout="constrained")
        axes = figure.add_subplot(xlabel="Test accuracy added, percentage points")
        axes.axvline(0, color=GRAY, lw=1)
        for place, effect in enumerate(ordered):
            pairs = zip(effect.with_it, effect.without_it, strict=True)
            axes.plot(
                [100 * (a - b) for a, b in pairs], [place] * len(effect.with_it), "|", color=GRAY
            )
            if effect.interval:
                low, high = effect.interval
                axes.plot([100 * low, 100 * high], [place, place], color=PALETTE[0], lw=2)
            axes.plot([100 * effect.mean], [place], "o", color=PALETTE[0], ms=6)
        names = [f"{effect.technique}={effect.value}" for effect in ordered]
        axes.set_yticks(range(len(ordered)), names)
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        seeds = len(ordered[0].with_it)
        axes.set_title(
            f"{wrap(title, 60)}: what each technique adds ({seeds} seeds, 95 % intervals)",
            loc="left",
        )
    return figure
